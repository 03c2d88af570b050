import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callscribe.domain.transcripts import Word
from callscribe.engines.base import Recognised
from callscribe.engines.pieces import Piece, join_spans, segments_of
from callscribe.media.speech import Span

MAX_S = 30.0


def piece_at(start_s: float, length_s: float, channel: int = 0) -> Piece:
    frames = round(length_s * 16_000)
    return Piece(channel, Span(start_s, start_s + frames / 16_000), np.full(frames, start_s + 1, np.float32))


@st.composite
def recordings(draw: st.DrawFn) -> list[Piece]:
    at_s, pieces = {0: 0.0, 1: 0.0}, []
    for gap_s, length_s, channel in draw(
        st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, MAX_S), st.integers(0, 1)), max_size=12)
    ):
        piece = piece_at(at_s[channel] + gap_s, length_s, channel)
        at_s[channel] = piece.span.end_s
        pieces.append(piece)
    return pieces


@settings(max_examples=50)
@given(recordings())
def test_joined_pieces_hold_all_spans_in_order_with_their_own_samples_and_keep_the_limit(pieces: list[Piece]) -> None:
    joined = list(join_spans(pieces, MAX_S))
    for channel in (0, 1):
        spans = [piece.span for piece in pieces if piece.channel == channel]
        mine = [piece for piece in joined if piece.channel == channel]
        assert [part.span for piece in mine for part in piece.spans] == spans
        for piece in mine:
            assert piece.samples.size <= MAX_S * 16_000
            assert all((piece.samples_of(part) == np.float32(part.span.start_s + 1)).all() for part in piece.spans)
            assert all(piece.samples_of(part).size == round(part.span.duration_s * 16_000) for part in piece.spans)
    assert sum(piece.speech_s for piece in joined) == pytest.approx(sum(piece.speech_s for piece in pieces))


@settings(max_examples=50)
@given(recordings())
def test_no_two_neighbours_would_have_fitted_together(pieces: list[Piece]) -> None:
    joined = [piece for piece in join_spans(pieces, MAX_S) if piece.channel == 0]
    for piece, following in itertools.pairwise(joined):
        pause_s = min(0.4, following.spans[0].span.start_s - piece.span.end_s)
        first = following.samples_of(following.spans[0])
        assert (piece.samples.size + first.size) / 16_000 + pause_s > MAX_S - 0.001


def test_what_sounded_between_two_spans_is_not_passed_on_and_a_short_pause_keeps_its_length() -> None:
    (joined,) = join_spans([piece_at(0.0, 1.0), piece_at(1.1, 1.0), piece_at(60.0, 1.0)], MAX_S)
    assert [part.at_s for part in joined.parts] == pytest.approx([0.0, 1.1, 2.5])
    assert joined.samples.size == 3.5 * 16_000
    assert not joined.samples[16_000:17_600].any()
    assert not joined.samples[33_600:40_000].any()
    assert (joined.span.start_s, joined.span.end_s) == (0.0, 61.0)
    assert joined.speech_s == 3.0


def test_each_span_becomes_a_segment_with_the_words_that_were_said_in_it() -> None:
    (joined,) = join_spans([piece_at(10.0, 1.0), piece_at(60.0, 1.0)], MAX_S)
    words = (Word("one", 0.1, 0.9, 0.5), Word("two", 1.0, 1.6, 0.5), Word("three", 1.6, 2.4, 1.0))
    segments = list(segments_of(joined, Recognised("one two three", words), 100.0))
    assert [(one.text, one.start_s, one.end_s) for one in segments] == [
        ("one", 10.1, 10.9),
        ("two three", 60.0, 61.0),
    ]
    assert [(word.start_s, word.end_s) for word in segments[1].words] == [(60.0, 60.2), (60.2, 61.0)]


def test_a_word_never_goes_back_to_an_earlier_span_than_the_word_before_it() -> None:
    (joined,) = join_spans([piece_at(0.0, 1.0), piece_at(5.0, 1.0)], MAX_S)
    words = (Word("late", 1.5, 2.0, None), Word("early", 0.0, 0.2, None))
    (segment,) = segments_of(joined, Recognised("late early", words), 6.0)
    assert segment.text == "late early"
    assert segment.start_s >= 5.0


def test_text_without_words_is_one_segment_from_the_first_span_to_the_last() -> None:
    (joined,) = join_spans([piece_at(1.0, 1.0), piece_at(5.0, 1.0)], MAX_S)
    (segment,) = segments_of(joined, Recognised("hello there"), 6.0)
    assert (segment.text, segment.start_s, segment.end_s) == ("hello there", 1.0, 6.0)
    assert list(segments_of(joined, Recognised(""), 6.0)) == []


def test_nothing_joined_is_nothing() -> None:
    assert list(join_spans([], MAX_S)) == []
