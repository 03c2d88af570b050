"""The worker with an engine that the environment names: what `make serve` and a container start."""

import contextlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callscribe import names, wiring
from callscribe.adapters.memory import ManualClock, MemoryQueue, MemoryTaskReports, memory_deps
from callscribe.domain.audio import AudioLimits
from callscribe.domain.jobs import JobState, move
from callscribe.domain.transcripts import Transcript
from callscribe.errors import Invalid
from callscribe.media.inspect import inspect
from callscribe.services import accounts, jobs
from callscribe.services.drain import Drain, WorkerSettings
from local.recordings import CLIPS, reference
from local.word_errors import word_error_rate
from tests.engines.fakes import ScriptedEngine
from tests.engines.models import MODELS, WHISPER
from tests.functions.stage import ROOT
from tests.functions.test_worker_process import READY_S, EmptyQueue, environment_for

JFK = CLIPS / "jfk.flac"
FACTS = inspect(JFK, AudioLimits())


def choose(monkeypatch: pytest.MonkeyPatch, engine: str | None, model_dir: Path | None) -> None:
    for variable, value in ((names.ENV_ENGINE, engine), (names.ENV_MODEL_DIR, model_dir)):
        monkeypatch.delenv(variable, raising=False)
        if value is not None:
            monkeypatch.setenv(variable, str(value))


def in_order(transcript: Transcript) -> bool:
    words = [word for segment in transcript.segments for word in segment.words]
    edges = [edge for word in words for edge in (word.start_s, word.end_s)]
    return edges == sorted(edges) and edges[0] >= 0 and edges[-1] <= transcript.duration_s


def test_a_worker_with_whisper_stores_the_words_that_were_said(monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, "faster-whisper", WHISPER)
    clock, reports = ManualClock(), MemoryTaskReports()
    deps = memory_deps(now_ms=clock, task_reports=reports)
    queue = MemoryQueue(clock, visibility_s=300, max_receives=1)
    tenant = accounts.create_tenant(deps, name="Example")
    key, _ = accounts.create_key(deps, tenant_id=tenant.id, name="key")
    principal = accounts.identify(deps, tenant_id=tenant.id, key_id=key.id)
    job = jobs.create_upload(deps, principal, jobs.NewJob("presign", media_type="audio/flac")).job
    version_id = deps.uploads.put(job.audio_key, JFK.read_bytes())  # type: ignore[attr-defined]  # the fake's own door
    for state in (JobState.QUEUED, JobState.TRANSCRIBING):
        found = jobs.find(deps, tenant_id=job.tenant_id, job_id=job.id)
        deps.store.commit(move(found, state, at_ms=deps.now_ms(), audio_version_id=version_id, audio=FACTS))
    reports.wait_for("token")
    queue.send({"tenant_id": job.tenant_id, "job_id": job.id, "task_token": "token"})

    with contextlib.closing(wiring.transcriber()) as transcriber:
        Drain(deps, queue, transcriber, WorkerSettings(idle_s=0.0)).run()

    assert reports.succeeded == ["token"]
    transcript = jobs.transcript(deps, job)
    assert word_error_rate(reference("jfk"), transcript.text) == 0
    assert in_order(transcript)
    assert transcript.engine == "faster-whisper"
    assert transcript.model.startswith("faster-whisper-")
    assert "/tiny_whisper_ct2@sha256:" in transcript.model


@pytest.mark.parametrize("engine", sorted(MODELS))
def test_every_engine_with_a_model_transcribes_a_file(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    choose(monkeypatch, engine, MODELS[engine])
    transcript = wiring.transcriber()(JFK, FACTS).transcript
    assert transcript.segments
    assert in_order(transcript)
    assert transcript.engine == engine


def test_without_a_choice_it_is_the_embedded_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, None, None)
    asked: list[tuple[str, Path | None]] = []

    def load(name: str, model_dir: Path | None) -> ScriptedEngine:
        asked.append((name, model_dir))
        return ScriptedEngine()

    monkeypatch.setattr("callscribe.engines.load_engine", load)
    assert wiring.transcriber()(JFK, FACTS).transcript.text
    assert asked == [("pocketsphinx", None)]


def test_a_model_without_an_engine_that_reads_it_is_an_error_and_not_a_silent_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choose(monkeypatch, None, WHISPER)
    with pytest.raises(Invalid, match="brings its own model"):
        wiring.transcriber()


def test_an_unknown_engine_is_refused_with_the_known_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    choose(monkeypatch, "dragon", None)
    with pytest.raises(Invalid, match="faster-whisper, onnx-asr, pocketsphinx"):
        wiring.transcriber()


@pytest.fixture
def queue() -> Iterator[EmptyQueue]:
    server = EmptyQueue()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def run_worker(queue: EmptyQueue) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """The worker as a process, which leaves when the queue has been empty for a moment."""

    def run(engine: str, model_dir: Path) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, str(ROOT / "functions" / "transcribe_worker" / "worker.py"), "--idle-s", "0.1"]
        environment = environment_for(f"http://127.0.0.1:{queue.server_port}")
        environment |= {names.ENV_ENGINE: engine, names.ENV_MODEL_DIR: str(model_dir)}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=READY_S)

    return run


@pytest.mark.parametrize("engine", sorted(MODELS))
def test_the_workers_process_starts_with_the_model_that_its_environment_names(
    run_worker: Callable[..., "subprocess.CompletedProcess[str]"], engine: str
) -> None:
    done = run_worker(engine, MODELS[engine])
    assert done.returncode == 0, done.stderr
    assert "worker ready" in done.stderr


def test_the_workers_process_ends_at_its_start_where_the_model_is_wrong(
    run_worker: Callable[..., "subprocess.CompletedProcess[str]"], queue: EmptyQueue, tmp_path: Path
) -> None:
    done = run_worker("faster-whisper", tmp_path)
    assert done.returncode != 0
    assert "worker ready" not in done.stderr
    assert not queue.polled.is_set()
    assert "lacks model.bin, config.json, tokenizer.json, preprocessor_config.json, vocabulary" in done.stderr
