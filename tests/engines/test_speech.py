import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscribe.engines.pieces import cut_speech
from callscribe.media.speech import SpeechFinder, SpeechRules, find_speech
from local.recordings import demo_recording, not_speech, read_clip
from tests.engines.fakes import NO_FILE, facts_of, in_blocks


@pytest.mark.parametrize("name", not_speech(1.0))
def test_no_speech_is_found_in(name: str) -> None:
    assert find_speech(not_speech()[name][0]) == []


def test_the_pauses_between_three_speakers_are_found() -> None:
    spans = find_speech(read_clip("pv-diar"))
    assert spans[0].start_s == pytest.approx(1.5, abs=0.3)
    assert any(earlier.end_s < 5.0 < later.start_s for earlier, later in itertools.pairwise(spans))
    assert spans[-1].end_s == pytest.approx(19.5, abs=0.4)


def test_speech_without_a_pause_is_cut_into_spans_of_at_most_the_limit() -> None:
    loop = np.tile(read_clip("librivox-0870"), 5)
    spans = find_speech(loop, max_span_s=6.0, min_silence_ms=5_000)
    assert max(span.duration_s for span in spans) <= 6.0
    assert sum(span.duration_s for span in spans) >= 0.9 * loop.size / 16_000


def test_spans_are_in_order_inside_the_audio_and_do_not_overlap() -> None:
    samples = demo_recording().as_mono().samples[0]
    spans = find_speech(samples)
    edges = [edge for span in spans for edge in (span.start_s, span.end_s)]
    assert edges == sorted(edges)
    assert edges[0] >= 0
    assert edges[-1] <= samples.size / 16_000


@settings(max_examples=6)
@given(frames=st.integers(1_000, 200_000))
def test_a_stream_gives_the_same_pieces_as_the_whole_whatever_its_blocks(frames: int) -> None:
    samples = read_clip("pv-diar")
    blocks = in_blocks(samples[None], frames)(NO_FILE, facts_of(samples[None]))
    pieces = list(cut_speech(blocks, 1, SpeechRules()))
    assert [piece.span for piece in pieces] == find_speech(samples)
    for piece in pieces:
        first, last = round(piece.span.start_s * 16_000), round(piece.span.end_s * 16_000)
        np.testing.assert_array_equal(piece.samples, samples[first:last])


@pytest.mark.parametrize("name", ["librivox-0870", "pv-diar"])
def test_a_long_stream_leaves_only_the_running_span_unsettled(name: str) -> None:
    finder, received = SpeechFinder(), 0
    for _ in range(20):
        finder.push(read_clip(name))
        received += read_clip(name).size
        assert received - finder.settled <= 21 * 16_000


def test_quiet_speech_is_found_too() -> None:
    heard_s = sum(span.duration_s for span in find_speech(read_clip("jfk")))
    quiet_s = sum(span.duration_s for span in find_speech(read_clip("jfk") * np.float32(0.05)))
    assert quiet_s == pytest.approx(heard_s, rel=0.1)


def test_an_empty_signal_has_no_speech() -> None:
    assert find_speech(np.zeros(0, np.float32)) == []
