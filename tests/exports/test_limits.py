"""What holds for the subtitles of any transcript at all, read back by another library."""

import html
import itertools
import re

import pysubs2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from callscribe.domain.texts import is_blank
from callscribe.domain.transcripts import Segment, Transcript, Word
from callscribe.exports import render
from callscribe.exports.cues import MAX_COLUMNS, MAX_LINES, MAX_MS, MIN_MS, Cue, cues
from callscribe.exports.srt import LOOK_ALIKES, showable
from callscribe.exports.text import clean, speaker_label
from callscribe.exports.tokens import columns, tokens
from tests.exports.samples import CALL, segment, spoken, transcript

TEXTS = st.one_of(
    st.text(max_size=120),
    st.text(alphabet="a b.<>&-{}\\\n\x1b\x00\u202e", max_size=200),
    st.text(alphabet="0123456789 ", max_size=120),
    st.text(alphabet="通话记录。、「」한국어 １２", max_size=120),
    st.text(alphabet="שלום، مرحبا\u200f\u200d ", max_size=120),
    st.lists(st.sampled_from(["e\u0301", "👩\u200d💻", "ก็", "x", " "]), max_size=80).map("".join),
    st.text(alphabet="\u200b\u200d\u0301\ufe0f\u3164 ", max_size=100),
    st.just("--> &amp; <v Speaker 9>no</v> {\\an8}\\N WEBVTT"),
)
TIMES = st.floats(min_value=0, max_value=400, allow_nan=False).map(lambda value: round(value, 3))
SPEAKERS = st.one_of(st.none(), st.sampled_from(["0", "1", "2"]), st.text(max_size=20))


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    text = draw(TEXTS)
    start_s, end_s = sorted((draw(TIMES), draw(TIMES)))
    words: tuple[Word, ...] = ()
    if draw(st.booleans()):
        texts = text.split()
        edges = sorted(draw(st.lists(TIMES, min_size=2 * len(texts), max_size=2 * len(texts))))
        words = tuple(Word(word, edges[2 * n], edges[2 * n + 1], None) for n, word in enumerate(texts))
    return segment(text, start_s, end_s, draw(SPEAKERS), words)


TRANSCRIPTS = st.lists(segments(), max_size=8).map(
    lambda entries: transcript(*sorted(entries, key=lambda entry: entry.start_s))
)
CROWDED = transcript(*(segment("crowded", 5, 5, str(number % 3)) for number in range(50)))
LAST_LINE_IS_A_NUMBER = transcript(segment("x" * 42 + " 4711", 0, 3, None))


@given(TRANSCRIPTS)
@example(CROWDED)
@example(LAST_LINE_IS_A_NUMBER)
def test_every_cue_keeps_the_limits_on_lines_and_on_time(given_: Transcript) -> None:
    for shown in _both(given_):
        for cue in shown:
            assert 1 <= len(cue.lines) <= MAX_LINES
            assert all(line.strip() and columns(line) <= MAX_COLUMNS for line in cue.lines)
            assert MIN_MS <= cue.end_ms - cue.start_ms <= MAX_MS


@given(TRANSCRIPTS)
@example(CROWDED)
def test_cues_start_in_order_and_one_speakers_cues_never_overlap(given_: Transcript) -> None:
    for shown in _both(given_):
        assert all(a.start_ms <= b.start_ms for a, b in itertools.pairwise(shown))
        for label in {cue.label for cue in shown}:
            own = [cue for cue in shown if cue.label == label]
            assert all(a.end_ms <= b.start_ms for a, b in itertools.pairwise(own))


@given(TRANSCRIPTS)
def test_no_cues_overlap_where_nobody_talks_at_once(given_: Transcript) -> None:
    start_s = 0.0
    queue = []
    for entry in given_.segments:
        length_s = entry.end_s - entry.start_s
        queue.append(segment(entry.text, start_s, start_s + length_s, entry.speaker))
        start_s += length_s
    shown = cues(transcript(*queue))
    assert all(a.end_ms <= b.start_ms for a, b in itertools.pairwise(shown))


@given(TRANSCRIPTS)
@example(LAST_LINE_IS_A_NUMBER)
def test_vtt_read_back_by_another_library_has_the_same_text_and_times(given_: Transcript) -> None:
    body = render("vtt", given_).decode()
    read = pysubs2.SSAFile.from_string(body, format_="vtt", keep_html_tags=True)
    assert [(event.start, event.end) for event in read] == [(cue.start_ms, cue.end_ms) for cue in cues(given_)]
    said: dict[str, str] = {}
    for event in read:
        voice = re.fullmatch(r"<v ([^<>]*)>(.*)</v>", event.text, flags=re.DOTALL)
        label, text = voice.groups() if voice else ("", event.text)
        said[html.unescape(label)] = said.get(html.unescape(label), "") + _bare(html.unescape(text))
    without_reader_marks = {label: text.replace("\\N", "") for label, text in said.items()}  # its sign for a line's end
    assert without_reader_marks == {label: text.replace("\\N", "") for label, text in _said_by_label(given_).items()}


@given(TRANSCRIPTS)
@example(LAST_LINE_IS_A_NUMBER)
def test_srt_read_back_by_another_library_has_the_same_times_and_labels(given_: Transcript) -> None:
    read = pysubs2.SSAFile.from_string(render("srt", given_).decode(), format_="srt")
    shown = cues(given_, adapt=showable, prefix=lambda label: f"[{showable(label)}] " if label else "")
    assert [(event.start, event.end) for event in read] == [(cue.start_ms, cue.end_ms) for cue in shown]
    for event, cue in zip(read, shown, strict=True):
        assert event.text.startswith(f"[{showable(cue.label)}] " if cue.label else "")


@given(TRANSCRIPTS)
@example(LAST_LINE_IS_A_NUMBER)
def test_srt_read_back_by_another_library_has_the_same_text(given_: Transcript) -> None:
    unknown = transcript(*(segment(s.text, s.start_s, s.end_s, None, s.words) for s in given_.segments))
    read = pysubs2.SSAFile.from_string(render("srt", unknown).decode(), format_="srt")
    text = " ".join(event.text for event in read)
    for original, look_alike in LOOK_ALIKES.items():
        if original != "\\":  # the reader itself writes \N for a line's end
            text = text.replace(look_alike, original)
    text = text.replace("\\N", " ").replace(LOOK_ALIKES["\\"], "\\").replace("\u2060", "")
    seen = [text for text in (clean(entry.text) for entry in given_.segments) if not is_blank(text)]
    expected = " ".join(text.replace("\u2060", "") for text in seen)
    assert _bare(text) == _bare(_undo_look_alikes(expected))


@given(TRANSCRIPTS)
@example(transcript(segment("--> a", 0.0, 1.0, speaker="--")))
def test_no_text_can_break_out_of_its_cue(given_: Transcript) -> None:
    for name in ("srt", "vtt"):
        body = render(name, given_).decode()
        assert body.count("-->") == len(cues(given_)) if name == "vtt" else body.count(" --> ") == body.count("-->")
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufeff]", body)
        assert "<" not in re.sub(r"<v [^<>\n]+>|</v>", "", body)


@given(TRANSCRIPTS)
def test_plain_text_has_a_line_per_turn_and_no_control_characters(given_: Transcript) -> None:
    lines = render("txt", given_).decode().splitlines()
    assert all(re.match(r"\[\d+:\d\d:\d\d\] \S", line) for line in lines)
    assert not any(re.search(r"[\x00-\x1f\x7f-\x9f]", line) for line in lines)


@pytest.mark.parametrize("number", [3, 40])
def test_a_long_segment_is_split_at_the_times_of_its_words(number: int) -> None:
    text = " ".join(f"word{n}" for n in range(number))
    shown = cues(transcript(spoken(text, start_s=10, word_s=0.5)))
    starts_ms = [int(1000 * (10 + 0.5 * _number(cue))) for cue in shown]
    assert [cue.start_ms for cue in shown] == starts_ms


def test_a_long_segment_without_words_is_split_in_proportion() -> None:
    shown = cues(transcript(segment(" ".join(["abcd"] * 30), 0, 30)))
    assert [(cue.start_ms, cue.end_ms) for cue in shown[:2]] == [(0, 7000), (7000, 14000)]


def test_a_word_longer_than_a_line_is_cut_and_nothing_of_it_is_lost() -> None:
    shown = cues(transcript(segment("a" * 200, 0, 10)))
    assert "".join(line for cue in shown for line in cue.lines) == "a" * 200


CLUSTERS = [
    "e\u0301",  # a letter and its accent
    "q\u0323\u0307",
    "\u30ab\u3099",  # Japanese, with its sound mark
    "\u0e01\u0e47",  # Thai
    "\u0928\u093f",  # Devanagari
    "\u1112\u1161\u11ab",  # Korean in single letters
    "👩\u200d👩\u200d👧\u200d👦",
    "👍\U0001f3fd",
    "1\ufe0f\u20e3",
    "🇩🇪",
]


@pytest.mark.parametrize("cluster", CLUSTERS)
@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("max_columns", [18, 41, 42])
def test_a_word_longer_than_a_line_is_never_cut_within_what_a_reader_takes_for_one_character(
    cluster: str, before: int, max_columns: int
) -> None:
    word = "x" * before + cluster * 50
    parts = [token.text for token in tokens(word, max_columns=max_columns)]
    assert "".join(parts) == word
    assert len(parts) > 1
    for part in parts:
        assert part.lstrip("x").replace(cluster, "") == ""
        assert columns(part) <= max_columns


@given(st.lists(st.sampled_from([*CLUSTERS, "x", "走", "。", "-"]), min_size=1, max_size=60), st.integers(12, 42))
def test_whatever_a_word_is_made_of_its_parts_are_whole_characters(clusters: list[str], max_columns: int) -> None:
    word = "x".join(clusters)  # side by side, two of them could be one
    ends = set(
        itertools.accumulate(len(one) for pair in zip(clusters, "x" * len(clusters), strict=True) for one in pair)
    )
    parts = [token.text for token in tokens(word, max_columns=max_columns)]
    assert "".join(parts) == word
    assert set(itertools.accumulate(map(len, parts[:-1]))) <= ends


def test_one_character_with_more_marks_than_a_line_has_columns_is_cut_all_the_same() -> None:
    shown = cues(transcript(segment("e" + "\u0301" * 100, 0, 3)))
    assert "".join(line for cue in shown for line in cue.lines) == "e" + "\u0301" * 100
    assert all(columns(line) <= MAX_COLUMNS for cue in shown for line in cue.lines)


UNSEEN = [
    "\u200b",
    "\u200d\u200c\u2060",
    "\u200e\u200f",
    "\u00ad",
    "\u0301",
    " \u200b \u200b ",
    "\ufe0f",
    "\u3164",
    "\u180e",
]


@pytest.mark.parametrize("text", UNSEEN)
def test_a_segment_of_which_nothing_can_be_seen_gives_no_line_and_no_cue(text: str) -> None:
    word = Word(text, 1, 2, 0.9)
    alone = transcript(segment(text, 1, 2, words=(word,)))
    assert render("txt", alone) == b""
    assert render("srt", alone) == b""
    assert render("vtt", alone) == render("vtt", transcript())
    between = transcript(segment("yes", 0, 1), segment(text, 1, 2, "1", (word,)), segment("no", 2, 3))
    without = transcript(segment("yes", 0, 1), segment("no", 2, 3))
    for name in ("txt", "srt", "vtt"):
        assert render(name, between) == render(name, without)


@pytest.mark.parametrize("text", ["x\u200b", "e\u0301", "👩\u200d💻", "\u200f!", "नि"])
def test_a_segment_of_which_something_can_be_seen_keeps_all_of_its_text(text: str) -> None:
    for name in ("txt", "srt", "vtt"):
        assert text in render(name, transcript(segment(text, 0, 1))).decode()


def test_two_who_talk_at_once_are_shown_at_once() -> None:
    shown = cues(transcript(segment("a long explanation", 0, 5), segment("yes", 2, 2.4, "1")))
    assert [(cue.start_ms, cue.end_ms) for cue in shown] == [(0, 5000), (2000, 3000)]


def test_a_short_cue_is_shown_for_a_second_and_delays_the_next() -> None:
    shown = cues(transcript(segment("no", 0, 0.2), segment("why not", 0.5, 3, "1")))
    assert [(cue.start_ms, cue.end_ms) for cue in shown] == [(0, 1000), (1000, 3000)]


def test_the_golden_call_stays_within_half_a_second_of_the_speech() -> None:
    starts_s = {round(entry.start_s, 1) for entry in CALL.segments}
    late_s = [min(abs(start_s - cue.start_ms / 1000) for cue in cues(CALL)) for start_s in starts_s]
    assert max(late_s) <= 0.6


def _both(given_: Transcript) -> tuple[list[Cue], list[Cue]]:
    return cues(given_), cues(given_, prefix=lambda label: f"[{label}] " if label else "")


def _number(cue: Cue) -> int:
    return int(cue.lines[0].split()[0].removeprefix("word"))


def _said_by_label(given_: Transcript) -> dict[str, str]:
    said: dict[str, str] = {}
    for entry in given_.segments:
        label, text = speaker_label(entry.speaker), clean(entry.text)
        if not is_blank(text):
            said[label] = said.get(label, "") + _bare(text)
    return said


def _bare(text: str) -> str:
    return "".join(text.split())


def _undo_look_alikes(text: str) -> str:
    """Text that held a look-alike to begin with reads back as the original."""
    for original, look_alike in LOOK_ALIKES.items():
        text = text.replace(look_alike, original)
    return text
