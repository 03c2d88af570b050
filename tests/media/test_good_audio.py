"""Every accepted format gives the right duration and the right signal."""

import io
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
import pytest

from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.errors import JobFailed
from callscribe.media import pcm, source
from callscribe.media.decode import decode, decode_blocks
from callscribe.media.inspect import inspect
from tests.corpora import audio_files as good

DURATION_S = 4.096  # whole AAC frames at 8 and 16 kHz
Write = Callable[[good.Samples, int], bytes]


def encoder(codec: str, container: str, **options: str) -> Write:
    def write(samples: good.Samples, rate_hz: int) -> bytes:
        buffer = io.BytesIO()
        good.encode(buffer, samples, rate_hz, codec, container, **options)
        return buffer.getvalue()

    return write


def law(code: Callable[[good.Samples], bytes], tag: int) -> Write:
    return lambda samples, rate_hz: good.wav(code(samples), tag=tag, channels=len(samples), rate_hz=rate_hz, bits=8)


@dataclass(frozen=True)
class Format:
    """How it is written, what it is then called, at which rates; the least correlation with the source."""

    write: Write
    container: str
    codec: str
    rates_hz: tuple[int, ...]
    channels: tuple[int, ...] = (1, 2)
    alike: float = 0.99
    padding_s: float = 0.0  # what an encoder adds and no header takes back


FORMATS = {
    "wav-u8": Format(encoder("pcm_u8", "wav"), "wav", "pcm_u8", (8_000,), (1,)),
    "wav-s16": Format(good.wav16, "wav", "pcm_s16le", (8_000, 11_025, 16_000, 44_100, 48_000)),
    "wav-s24": Format(encoder("pcm_s24le", "wav"), "wav", "pcm_s24le", (48_000,), (2,)),
    "wav-s32": Format(encoder("pcm_s32le", "wav"), "wav", "pcm_s32le", (16_000,), (2,)),
    "wav-f32": Format(encoder("pcm_f32le", "wav"), "wav", "pcm_f32le", (16_000, 44_100)),
    "wav-f64": Format(encoder("pcm_f64le", "wav"), "wav", "pcm_f64le", (16_000,), (2,)),
    "wav-mulaw": Format(law(good.mulaw, 7), "wav", "pcm_mulaw", (8_000, 16_000)),
    "wav-alaw": Format(law(good.alaw, 6), "wav", "pcm_alaw", (8_000, 16_000)),
    "wav-gsm": Format(lambda samples, rate_hz: good.gsm_wav(samples), "wav", "gsm_ms", (8_000,), (1,), 0.7),
    "wav-adpcm-ms": Format(encoder("adpcm_ms", "wav"), "wav", "adpcm_ms", (8_000,), padding_s=0.26),
    "wav-adpcm-ima": Format(encoder("adpcm_ima_wav", "wav"), "wav", "adpcm_ima_wav", (8_000,), padding_s=0.26),
    "w64": Format(encoder("pcm_s16le", "w64"), "w64", "pcm_s16le", (16_000,), (2,)),
    "rf64": Format(encoder("pcm_s16le", "wav", rf64="always"), "wav", "pcm_s16le", (16_000,), (2,)),
    "mp3": Format(encoder("libmp3lame", "mp3"), "mp3", "mp3", (8_000, 16_000, 44_100, 48_000), alike=0.95),
    "mp3-without-xing": Format(encoder("libmp3lame", "mp3", write_xing="0"), "mp3", "mp3", (16_000,)),
    "m4a": Format(encoder("aac", "ipod"), "mov", "aac", (8_000, 16_000, 44_100, 48_000), alike=0.98),
    "m4a-alac": Format(encoder("alac", "ipod"), "mov", "alac", (16_000,), (2,)),
    "aac-adts": Format(encoder("aac", "adts"), "aac", "aac", (16_000,), alike=0.98, padding_s=0.1),
    "flac": Format(encoder("flac", "flac"), "flac", "flac", (8_000, 44_100)),
    "ogg-vorbis": Format(encoder("vorbis", "ogg", strict="-2"), "ogg", "vorbis", (44_100,), (2,), 0.95),
    "ogg-opus": Format(encoder("libopus", "ogg"), "ogg", "opus", (16_000, 48_000), alike=0.97),
    "ogg-flac": Format(encoder("flac", "ogg"), "ogg", "flac", (16_000,), (2,)),
    "webm-opus": Format(encoder("libopus", "webm"), "matroska", "opus", (48_000,), alike=0.97),
}
VARIANTS = [
    pytest.param(name, rate_hz, channels, id=f"{name}-{rate_hz}-{channels}ch")
    for name, each in FORMATS.items()
    for rate_hz in each.rates_hz
    for channels in each.channels
]


def likeness(ours: good.Samples, theirs: good.Samples, rate_hz: int) -> list[float]:
    """Per channel: the best correlation within ±0.1 s of shift."""
    size = min(ours.shape[1], theirs.shape[1])
    spectrum = np.fft.rfft(ours[:, :size], 2 * size) * np.conj(np.fft.rfft(theirs[:, :size], 2 * size))
    products = np.fft.irfft(spectrum, 2 * size)
    reach = rate_hz // 10
    best = np.maximum(products[:, :reach].max(axis=1), products[:, -reach:].max(axis=1))
    return [float(value) for value in best / np.sqrt((ours**2).sum(axis=1) * (theirs**2).sum(axis=1))]


@pytest.mark.parametrize(("name", "rate_hz", "channels"), VARIANTS)
def test_a_good_file_gives_its_duration_and_its_signal(name: str, rate_hz: int, channels: int, tmp_path: Path) -> None:
    form, path = FORMATS[name], tmp_path / "audio"
    original = good.speech_like(DURATION_S, rate_hz, channels)
    path.write_bytes(form.write(original, rate_hz))
    facts = inspect(path, AudioLimits())
    decoded = decode(path, facts, sample_rate_hz=rate_hz)
    assert (facts.container, facts.codec, facts.channels) == (form.container, form.codec, channels)
    assert facts.duration_s == pytest.approx(DURATION_S, abs=0.05 + form.padding_s)
    assert decoded.shape == (channels, pytest.approx(facts.duration_s * rate_hz, abs=2))
    assert decoded.dtype == np.float32
    assert min(likeness(decoded, original, rate_hz)) > form.alike
    if channels == 2:
        assert max(likeness(decoded[::-1], original, rate_hz)) < 0.3  # channels are not swapped or mixed


@pytest.mark.parametrize(
    ("name", "rate_hz"),
    [
        ("wav-s16", 44_100),
        ("wav-mulaw", 8_000),
        ("mp3", 44_100),
        ("flac", 8_000),
        ("m4a", 48_000),
        ("webm-opus", 48_000),
    ],
)
def test_samples_equal_those_of_ffmpeg_frame_by_frame(name: str, rate_hz: int, tmp_path: Path) -> None:
    path = tmp_path / "audio"
    path.write_bytes(FORMATS[name].write(good.speech_like(25.0, rate_hz, 2), rate_hz))
    ours = decode(path, inspect(path, AudioLimits()))
    theirs = _frame_by_frame(path)
    assert ours.shape == theirs.shape
    assert float(np.abs(ours - theirs).max()) < 2e-5


def _frame_by_frame(path: Path) -> good.Samples:
    resampler, pieces = av.AudioResampler("fltp", "stereo", 16_000), []
    with av.open(str(path)) as opened:
        for frame in opened.decode(audio=0):
            frame.pts = None
            pieces += [piece.to_ndarray() for piece in resampler.resample(frame)]
    pieces += [piece.to_ndarray() for piece in resampler.resample(None)]
    return np.concatenate(pieces, axis=1).astype(np.float32)


@pytest.mark.parametrize(("tag", "codec"), [(6, "pcm_alaw"), (7, "pcm_mulaw")])
def test_the_tables_of_g711_equal_ffmpegs_decoders(tag: int, codec: str, tmp_path: Path) -> None:
    path = tmp_path / "audio.wav"
    path.write_bytes(good.wav(bytes(range(256)) * 40, tag=tag, rate_hz=8_000, bits=8))
    with path.open("rb") as file:
        opened, stream = source.open_audio(file.fileno(), "wav", 0)
        assert stream.codec_context.codec.name == codec
        ours = np.concatenate([block.samples for block in pcm.blocks(opened, stream)], axis=1)
    with av.open(str(path)) as opened:
        theirs = np.concatenate([frame.to_ndarray() for frame in opened.decode(audio=0)], axis=1)
    assert np.array_equal(ours, theirs / np.float32(32768))


def test_blocks_come_in_order_each_of_ten_seconds(tmp_path: Path) -> None:
    path, original = tmp_path / "audio.wav", good.speech_like(35.0, 16_000)
    path.write_bytes(good.wav16(original))
    blocks = list(decode_blocks(path, inspect(path, AudioLimits())))
    assert [block.shape for block in blocks] == [(1, 160_000)] * 3 + [(1, 80_000)]
    assert float(np.abs(np.concatenate(blocks, axis=1) - original).max()) < 1e-4


def test_an_early_stop_ends_the_child(tmp_path: Path) -> None:
    path = tmp_path / "audio.wav"
    path.write_bytes(good.wav16(good.speech_like(60.0, 16_000)))
    others = _children()
    blocks = decode_blocks(path, inspect(path, AudioLimits()))
    next(blocks)
    assert _children() - others
    blocks.close()  # type: ignore[attr-defined]  # a generator behind the Iterator
    assert not _children() - others


def _children() -> set[str]:
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        pytest.skip("needs /proc")
    return {pid for task in tasks.iterdir() for pid in (task / "children").read_text().split()}


def test_a_file_that_outlasts_its_facts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "audio.wav"
    path.write_bytes(good.wav16(good.speech_like(30.0, 16_000)))
    facts = replace(inspect(path, AudioLimits()), duration_s=5.0)
    with pytest.raises(JobFailed, match="longer than when it was inspected"):
        decode(path, facts)


def stereo(left: good.Samples, right: good.Samples) -> good.Samples:
    return np.concatenate([left, right])


@pytest.mark.parametrize("name", ["wav-s16", "wav-mulaw", "mp3", "m4a", "ogg-opus"])
def test_the_same_signal_on_both_channels_counts_as_one_channel(name: str, tmp_path: Path) -> None:
    voice = good.speech_like(25.0, 16_000)
    facts = _facts_of(FORMATS[name].write(stereo(voice, voice), 16_000), tmp_path)
    assert (facts.channels, facts.dual_mono) == (1, True)
    assert decode(tmp_path / "audio", facts).shape[0] == 1


@pytest.mark.parametrize("right_is", ["another voice", "silence", "a faint echo", "the same voice until the end"])
def test_channels_that_differ_stay_two(right_is: str, tmp_path: Path) -> None:
    voice, other = good.speech_like(25.0, 16_000), good.speech_like(25.0, 16_000, seed=2)
    end = np.arange(voice.size) > 21 * 16_000
    right = {
        "another voice": other,
        "silence": voice * 0,
        "a faint echo": voice * 0.1,
        "the same voice until the end": np.where(end, other, voice),
    }[right_is]
    facts = _facts_of(good.wav16(stereo(voice, right.astype(np.float32))), tmp_path)
    assert (facts.channels, facts.dual_mono) == (2, False)


def test_more_than_two_channels_become_one(tmp_path: Path) -> None:
    voices = good.speech_like(5.0, 16_000, 6)
    facts = _facts_of(good.wav16(voices), tmp_path)
    decoded = decode(tmp_path / "audio", facts)
    assert (facts.channels, facts.dual_mono) == (1, False)
    assert likeness(decoded, voices.mean(axis=0, keepdims=True), 16_000)[0] > 0.99


def _facts_of(content: bytes, folder: Path) -> AudioFacts:
    path = folder / "audio"
    path.write_bytes(content)
    return inspect(path, AudioLimits())


def test_inspecting_loads_neither_numpy_nor_pyav_into_the_callers_process() -> None:
    check = "import sys, callscribe.media.inspect; print(sorted({'numpy', 'av'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
