from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from callscribe.engines.base import Chunk, LanguageGuess
from callscribe.engines.languages import tell_languages
from callscribe.engines.pieces import Piece
from callscribe.media.speech import Span
from local.recordings import demo_recording, read_clip
from tests.engines.conftest import Run
from tests.engines.fakes import INFO, ScriptedEngine

FRENCH, GERMAN, UNSURE = LanguageGuess("fr", 0.9), LanguageGuess("de", 0.8), LanguageGuess("cy", 0.2)


@dataclass
class Detecting(ScriptedEngine):
    """Takes a channel for what `guesses` says about the level of its samples; remembers what it was asked."""

    guesses: dict[int, LanguageGuess | None] = field(default_factory=dict)
    heard_s: list[float] = field(default_factory=list)

    def detect_language(self, chunks: Sequence[Chunk]) -> LanguageGuess | None:
        self.heard_s.append(sum(chunk.duration_s for chunk in chunks))
        return self.guesses[int(chunks[0].samples[0])]


def pieces(channel: int, *lengths_s: float) -> list[Piece]:
    return [
        Piece(channel, Span(at * 40.0, at * 40.0 + length_s), np.full(round(length_s * 16_000), channel, np.float32))
        for at, length_s in enumerate(lengths_s)
    ]


def told(detector: Detecting, given: list[Piece]) -> dict[int, set[str | None]]:
    found: dict[int, set[str | None]] = {}
    answered = list(tell_languages(given, detector))
    assert {id(piece) for piece, _ in answered} == {id(piece) for piece in given}
    for piece, guess in answered:
        found.setdefault(piece.channel, set()).add(guess.language if guess else None)
    return found


def test_each_channel_has_one_language_of_its_own() -> None:
    detector = Detecting(guesses={0: FRENCH, 1: GERMAN})
    mixed = [piece for pair in zip(pieces(0, 5, 5, 5), pieces(1, 9, 9, 9), strict=True) for piece in pair]
    assert told(detector, mixed) == {0: {"fr"}, 1: {"de"}}
    assert sorted(detector.heard_s) == [15, 27]


def test_a_channel_is_judged_once_by_its_first_half_minute_of_speech() -> None:
    detector = Detecting(guesses={0: FRENCH})
    stream = tell_languages(iter(pieces(0, *[12] * 10)), detector)
    assert next(stream)[1] == FRENCH
    assert detector.heard_s == [36]
    assert len(list(stream)) == 9
    assert detector.heard_s == [36]


def test_who_says_too_little_to_be_sure_of_speaks_as_the_other_side_does() -> None:
    assert told(Detecting(guesses={0: UNSURE, 1: GERMAN}), [*pieces(0, 1), *pieces(1, 20)]) == {0: {"de"}, 1: {"de"}}
    assert told(Detecting(guesses={0: None, 1: GERMAN}), [*pieces(0, 1), *pieces(1, 20)]) == {0: {"de"}, 1: {"de"}}


def test_where_nobody_is_sure_each_keeps_the_best_guess() -> None:
    detector = Detecting(guesses={0: UNSURE, 1: replace(UNSURE, language="gl")})
    assert told(detector, [*pieces(0, 1), *pieces(1, 1)]) == {0: {"cy"}, 1: {"gl"}}


def test_an_engine_that_cannot_tell_is_left_to_itself() -> None:
    assert told(Detecting(guesses={0: None}), pieces(0, 1, 1)) == {0: {None}}


def test_no_speech_asks_for_nothing() -> None:
    detector = Detecting()
    assert list(tell_languages([], detector)) == []
    assert detector.heard_s == []


@dataclass
class OneTongue(ScriptedEngine):
    """Hears one language everywhere, and remembers which languages it was asked to recognise."""

    guess: LanguageGuess = FRENCH
    asked: list[str | None] = field(default_factory=list)
    detections: int = 0

    def detect_language(self, chunks: Sequence[Chunk]) -> LanguageGuess | None:
        self.detections += 1
        return self.guess

    def transcribe(self, chunks, *, language, hints):  # type: ignore[no-untyped-def]  # as the class above has it
        self.asked.append(language)
        return super().transcribe(chunks, language=language, hints=hints)


def test_the_transcript_says_what_was_detected_and_how_probable_it_was(run: Run) -> None:
    engine = OneTongue(info=replace(INFO, languages=frozenset({"en", "fr"})))
    transcript = run(engine, demo_recording().samples)
    assert (transcript.language, transcript.language_probability) == ("fr", 0.9)
    assert engine.detections == 2
    assert set(engine.asked) == {"fr"}


def test_the_callers_language_wins_and_nothing_is_detected(run: Run) -> None:
    engine = OneTongue(info=replace(INFO, languages=frozenset({"en", "fr"})))
    transcript = run(engine, read_clip("jfk")[None], language="en-GB")
    assert (transcript.language, transcript.language_probability) == ("en", None)
    assert (engine.detections, set(engine.asked)) == (0, {"en"})


@pytest.mark.parametrize("joins", [False, True])
def test_speech_is_the_same_whether_an_engine_wants_it_joined_or_not(run: Run, *, joins: bool) -> None:
    apart = run(ScriptedEngine(), demo_recording().samples)
    engine = ScriptedEngine(info=replace(INFO, joins_spans=joins))
    assert run(engine, demo_recording().samples).speech_s == apart.speech_s
    assert max(engine.chunks_s) <= INFO.max_chunk_s
    assert (len(engine.chunks_s) < 6) is joins
