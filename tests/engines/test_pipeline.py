import itertools
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscribe.domain.transcripts import Word
from callscribe.engines.base import Recognised
from callscribe.engines.pieces import Piece, place
from callscribe.engines.pipeline import Assembly, make_transcriber
from callscribe.engines.speakers import TwoSpeakers
from callscribe.errors import FailureCode, JobFailed
from callscribe.media.speech import Span
from callscribe.ports import TranscriptionOptions
from local.recordings import demo_recording, not_speech, read_clip
from tests.engines.conftest import Run
from tests.engines.fakes import INFO, NO_FILE, Samples, ScriptedEngine, facts_of, in_blocks, with_rate

times = st.floats(-5, 40, allow_nan=False)
words = st.lists(st.builds(Word, st.sampled_from(["a", "b"]), times, times, st.none() | st.floats(0, 1)), max_size=6)
spans = st.tuples(st.floats(0, 60), st.floats(0, 20)).map(lambda pair: Span(pair[0], pair[0] + pair[1]))


def piece_at(span: Span, channel: int = 0) -> Piece:
    return Piece(channel, span, np.zeros(max(1, round(span.duration_s * 16_000)), np.float32))


@given(span=spans, heard=words, duration_s=st.floats(0.1, 70))
def test_times_are_ordered_and_inside_the_file_whatever_the_engine_says(
    span: Span, heard: list[Word], duration_s: float
) -> None:
    segment = place(piece_at(span), Recognised("text", tuple(heard)), duration_s)
    assert segment is not None
    edges = [segment.start_s, *itertools.chain(*((w.start_s, w.end_s) for w in segment.words)), segment.end_s]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= duration_s


@settings(max_examples=30)
@given(pieces=st.lists(st.tuples(spans, words, st.integers(0, 1)), max_size=8), channels=st.sampled_from([1, 2]))
def test_segments_are_ordered_by_start_and_each_has_a_speaker(
    pieces: list[tuple[Span, list[Word], int]], channels: int
) -> None:
    facts = facts_of(np.zeros((channels, 16_000 * 81), np.float32))
    assembly = Assembly(INFO, facts, None, TwoSpeakers() if channels == 1 else None)
    for span, heard, channel in pieces:
        assembly.add(piece_at(span, channel % channels), Recognised("text", tuple(heard)))
    transcript = assembly.finish()
    starts = [segment.start_s for segment in transcript.segments]
    assert starts == sorted(starts)
    assert len(transcript.segments) >= len(pieces)
    assert all(segment.speaker in ("0", "1") for segment in transcript.segments)
    if channels == 2:
        assert all(segment.speaker == str(segment.channel) for segment in transcript.segments)


def test_words_get_their_time_in_the_file() -> None:
    piece = piece_at(Span(10.0, 12.0))
    segment = place(piece, Recognised("hi you", (Word("hi", 0.1, 0.5, 0.5), Word("you", 0.5, 1.0, 1.0))), 20.0)
    assert segment is not None
    assert [(word.start_s, word.end_s) for word in segment.words] == [(10.1, 10.5), (10.5, 11.0)]
    assert (segment.text, segment.start_s, segment.end_s, segment.confidence) == ("hi you", 10.1, 11.0, 0.75)


@pytest.mark.parametrize("name", not_speech(1.0))
def test_the_engine_is_never_asked_about(name: str, run: Run) -> None:
    engine = ScriptedEngine()
    transcript = run(engine, not_speech()[name])
    assert (transcript.segments, transcript.speech_s, transcript.warnings) == ((), 0.0, ())
    assert engine.chunks_s == []


def test_chunks_keep_the_limit_of_the_engine(run: Run) -> None:
    engine = ScriptedEngine()
    run(engine, np.tile(read_clip("librivox-0870"), 8)[None])
    assert max(engine.chunks_s) <= INFO.max_chunk_s
    assert sum(engine.chunks_s) > 40


def test_nothing_heard_in_speech_makes_no_segment(run: Run) -> None:
    transcript = run(ScriptedEngine([Recognised("")]), read_clip("jfk")[None])
    assert transcript.segments == ()
    assert transcript.speech_s > 5


def test_another_language_is_refused_before_anything_is_decoded() -> None:
    def untouched(*_: object) -> list[Samples]:
        raise AssertionError("the file was opened")

    transcribe = make_transcriber(ScriptedEngine(), blocks=untouched)
    with pytest.raises(JobFailed) as failed:
        transcribe(NO_FILE, facts_of(np.zeros((1, 16_000), np.float32)), TranscriptionOptions(language="es"))
    assert failed.value.failure.code == FailureCode.LANGUAGE_UNSUPPORTED
    assert "'es'" in failed.value.failure.message


@pytest.mark.parametrize("language", ["en", "en-GB", "EN_us"])
def test_a_known_language_is_stored_by_its_primary_subtag(language: str, run: Run) -> None:
    engine = ScriptedEngine([Recognised("bonjour", language="fr", language_probability=0.7)])
    transcript = run(engine, read_clip("jfk")[None], language=language)
    assert (transcript.language, transcript.language_probability) == ("en", None)


def test_the_language_with_the_most_speech_wins_where_none_was_asked_for(run: Run) -> None:
    answers = [Recognised("la", language="fr", language_probability=0.5), Recognised("oh", language="en")]
    transcript = run(ScriptedEngine(answers), read_clip("jfk")[None], language="auto")
    assert (transcript.language, transcript.language_probability) == ("en", 0.5)


def test_a_recording_below_the_rate_of_the_model_is_labelled_a_smoke_test(run: Run) -> None:
    engine = ScriptedEngine(info=replace(INFO, min_sample_rate_hz=16_000))
    samples = read_clip("jfk")[None]
    narrow = run(engine, samples, facts=with_rate(facts_of(samples), 8_000))
    assert narrow.warnings[0].startswith("smoke-test transcript")
    assert run(engine, samples).warnings == ()


def test_channels_are_cut_apart_from_each_other(run: Run) -> None:
    recording = demo_recording()
    transcript = run(ScriptedEngine(), recording.samples)
    assert {segment.channel for segment in transcript.segments} == {0, 1}
    assert transcript.duration_s == recording.duration_s
    assert transcript.speech_s <= recording.duration_s


def test_without_diarization_the_speakers_of_a_mono_recording_are_unknown(run: Run) -> None:
    mono = demo_recording().samples.mean(axis=0, keepdims=True)
    words = tuple(Word(f"w{number}", 0.5 * number, 0.5 * number + 0.4, 0.9) for number in range(4))
    answers = [Recognised("w0 w1 w2 w3", words)]
    told_apart = run(ScriptedEngine(answers), mono)
    left_alone = run(ScriptedEngine(answers), mono, diarize=False)
    assert {segment.speaker for segment in told_apart.segments} == {"0", "1"}
    assert {segment.speaker for segment in left_alone.segments} == {None}
    assert left_alone.text == told_apart.text


@dataclass
class OneVoice:
    """Hears one speaker, by the name of "7", everywhere; remembers what it was given."""

    spans: list[tuple[float, int]] = field(default_factory=list)
    count: int = 1

    def listen(self, samples: Samples, start_s: float) -> None:
        self.spans.append((start_s, samples.size))

    def voices(self) -> "OneVoice":
        return self

    def speaker_at(self, time_s: float) -> str:
        return "7"


@pytest.mark.parametrize("joins", [False, True])
def test_any_diarizer_hears_every_span_of_a_mono_recording_in_order_and_names_the_speakers(*, joins: bool) -> None:
    made: list[OneVoice] = []

    def make() -> OneVoice:
        made.append(OneVoice())
        return made[-1]

    mono = demo_recording().samples.mean(axis=0, keepdims=True)
    engine = ScriptedEngine(info=replace(INFO, joins_spans=joins))
    transcribe = make_transcriber(engine, blocks=in_blocks(mono), diarizer=make)
    done = transcribe(NO_FILE, facts_of(mono))
    assert {segment.speaker for segment in done.transcript.segments} == {"7"}
    (heard,) = made
    assert heard.spans == sorted(heard.spans)
    assert sum(size for _, size in heard.spans) / 16_000 == pytest.approx(done.figures.speech_s, abs=0.01)


def test_no_diarizer_is_made_for_two_channels_or_where_none_is_wanted() -> None:
    def make() -> OneVoice:
        raise AssertionError("a diarizer was made")

    stereo = demo_recording().samples
    make_transcriber(ScriptedEngine(), blocks=in_blocks(stereo), diarizer=make)(NO_FILE, facts_of(stereo))
    mono = stereo[:1]
    transcribe = make_transcriber(ScriptedEngine(), blocks=in_blocks(mono), diarizer=make)
    transcribe(NO_FILE, facts_of(mono), TranscriptionOptions(diarize=False))


def test_without_diarization_each_channel_is_a_speaker_still(run: Run) -> None:
    samples = demo_recording().samples
    assert run(ScriptedEngine(), samples, diarize=False) == run(ScriptedEngine(), samples)


def test_the_same_pieces_make_the_same_transcript_however_the_file_is_streamed() -> None:
    samples = demo_recording().samples
    transcripts = [
        make_transcriber(ScriptedEngine(), blocks=in_blocks(samples, frames))(NO_FILE, facts_of(samples)).transcript
        for frames in (8_000, 160_000, 10**9)
    ]
    assert transcripts[0] == transcripts[1] == transcripts[2]
