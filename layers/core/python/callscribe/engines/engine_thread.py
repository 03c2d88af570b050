"""The one thread that uses the engine: takes batches from the desk, and gives answers or reasons back."""

import logging
from collections.abc import Callable, Sequence

from callscribe.engines.base import Chunk, DetectsLanguage, Engine, Recognised
from callscribe.engines.batches import Batches
from callscribe.engines.desk import Batch, Desk, Question, Recording, Task
from callscribe.errors import Unavailable

log = logging.getLogger(__name__)


class EngineThread:
    """What runs in it. `batches` makes batches smaller for good where an engine lets a lack of memory through."""

    def __init__(self, desk: Desk, engine: Engine, batches: Batches, clock: Callable[[], float]) -> None:
        self._desk = desk
        self._engine = engine
        self._batches = batches
        self._clock = clock

    def serve(self) -> None:
        """Work until nothing will come any more. Should this end otherwise, nobody is left waiting."""
        try:
            while (work := self._desk.next()) is not None:
                if isinstance(work, Question):
                    self._answer(work)
                else:
                    self._recognise(work)
        except BaseException:
            log.exception("the speech engine's thread ended")
        finally:
            self._desk.end(Unavailable, "the speech engine has ended")

    def _answer(self, question: Question) -> None:
        began_s = self._clock()
        try:
            guess = self._engine.detect_language(question.chunks) if isinstance(self._engine, DetectsLanguage) else None
        except Exception as error:  # noqa: BLE001 - it is raised again, in the thread of the recording
            self._desk.fail(question.recording, error)
            return
        took_s = self._clock() - began_s
        self._desk.tell(question, guess, took_s)
        self._desk.charge(question.recording.tenant_id, took_s)

    def _recognise(self, batch: Batch) -> None:
        began_s = self._clock()
        self._run(batch.tasks)
        self._desk.charge(batch.tenant_id, self._clock() - began_s)

    def _run(self, tasks: Sequence[Task]) -> None:
        """Answer tasks of one language and one set of hints. Where that fails, each recording is tried by itself."""
        began_s = self._clock()
        try:
            heard = list(self._batches.run(tasks, self._ask))
        except Exception as error:  # noqa: BLE001 - it is raised again, in the thread of the recording that it is about
            self._isolate(tasks, error)
        else:
            self._desk.answer(tasks, heard, self._clock() - began_s)

    def _isolate(self, tasks: Sequence[Task], error: Exception) -> None:
        by_recording: dict[Recording, list[Task]] = {}
        for task in tasks:
            by_recording.setdefault(task.recording, []).append(task)
        if len(by_recording) == 1:
            self._desk.fail(tasks[0].recording, error)
            return
        log.warning("a batch of %d recordings failed, each is tried by itself: %r", len(by_recording), error)
        for alone in by_recording.values():
            if not self._desk.ended:
                self._run(alone)

    def _ask(self, tasks: Sequence[Task]) -> list[Recognised]:
        chunks: list[Chunk] = [task.chunk for task in tasks]
        language, hints = tasks[0].language, tasks[0].recording.hints
        heard = list(self._engine.transcribe(chunks, language=language, hints=hints))
        if len(heard) != len(chunks):
            raise ValueError(f"the engine gave {len(heard)} results for {len(chunks)} chunks")
        return heard
