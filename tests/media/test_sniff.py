"""What a file is, is told from its first bytes alone."""

import io

import pytest

from callscribe.media.sniff import HEAD_BYTES, id3v2_bytes, locate, sniff
from tests.corpora import audio_files as good
from tests.corpora import bad_audio as bad

CONTAINERS = {"wav": "wav", "mp3": "mp3", "m4a": "mov", "flac": "flac", "ogg": "ogg", "webm": "matroska"}


@pytest.mark.parametrize("kind", sorted(CONTAINERS))
def test_every_accepted_format_is_told_by_its_first_bytes(kind: str) -> None:
    assert sniff(bad.GOOD[kind]()[:HEAD_BYTES]) == CONTAINERS[kind]


@pytest.mark.parametrize(("form", "container"), [(b"RF64", "wav"), (b"BW64", "wav"), (b"RIFX", None)])
def test_large_wave_forms_are_wav_and_big_endian_ones_are_not(form: bytes, container: str | None) -> None:
    assert sniff(form + b"\xff\xff\xff\xffWAVEds64") == container


def test_a_bare_aac_frame_is_adts() -> None:
    assert sniff(bad.encoded("aac", "adts")[:HEAD_BYTES]) == "aac"


@pytest.mark.parametrize(
    "case", [case for case in bad.cases() if case.codes == bad.FOREIGN and not case.large], ids=lambda case: case.name
)
def test_foreign_content_is_named_only_where_the_container_is_an_audio_one(case: bad.Case) -> None:
    holds_no_audio_all_the_same = case.name in ("only_pictures.mp4", "ch255.wav", "rate_1.wav")
    assert (sniff(case.make()[:HEAD_BYTES]) is not None) == holds_no_audio_all_the_same  # type: ignore[call-arg,index]  # not large


@pytest.mark.parametrize(
    "head", [b"", b"I", b"ID3", b"ID3\x03\x00\x00\xff\x00\x00\x00", b"\xff", b"\xff\xfb", bytes(64)]
)
def test_fragments_of_a_head_are_nothing(head: bytes) -> None:
    assert sniff(head) is None


def test_leading_tags_are_stepped_over_whatever_they_hold() -> None:
    tags = bad.id3(b"x" * 1000) + bad.id3(b"y" * 300)
    assert id3v2_bytes(tags) == 1010
    assert locate(io.BytesIO(tags + bad.GOOD["flac"]())) == ("flac", 1320)
    assert locate(io.BytesIO(good.wav16(good.speech_like(0.2, 8_000)))) == ("wav", 0)
