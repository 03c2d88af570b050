"""Every accepted format gives the right duration and the right signal."""

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from callscribe.domain.audio import AudioFacts, AudioLimits
from callscribe.errors import JobFailed
from callscribe.media import measure, messages, pcm, resample, sandbox, source
from callscribe.media.decode import decode, decode_blocks, keep_within
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
        ("wav-alaw", 16_000),
        ("wav-s24", 48_000),
        ("w64", 16_000),
        ("mp3", 8_000),
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


@pytest.mark.parametrize(("tag", "code"), [(6, good.alaw), (7, good.mulaw)])
def test_g711_comes_out_as_its_formula_has_it(tag: int, code: Callable[[good.Samples], bytes], tmp_path: Path) -> None:
    path = tmp_path / "audio.wav"
    path.write_bytes(good.wav(bytes(range(256)) * 40, tag=tag, rate_hz=16_000, bits=8))
    samples = decode(path, inspect(path, AudioLimits()))
    assert np.array_equal(samples[0, :256], samples[0, -256:])
    heard = samples[:, :256] * np.float32(32_768 / 32_767)  # `code` takes full scale for 32,767
    assert [coded for coded, byte in zip(code(heard), range(256), strict=True) if coded != byte] in ([], [255])


def test_a_block_is_as_long_as_wanted_and_its_frames_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "audio.mp3"
    path.write_bytes(FORMATS["mp3"].write(good.speech_like(25.0, 16_000), 16_000))
    with path.open("rb") as file:
        opened, stream = source.open_audio(file.fileno(), "mp3", 0)
        lengths_s = [block.samples / block.sample_rate for block in pcm.blocks(opened, stream, block_s=10.0)]
    assert [round(length_s) for length_s in lengths_s] == [10, 10, 5]
    assert sum(lengths_s) == pytest.approx(25.0, abs=0.1)


def test_a_rate_and_a_number_of_channels_may_change_in_the_middle(tmp_path: Path) -> None:
    parts = good.speech_like(6.0, 16_000), good.speech_like(4.0, 44_100, 2, seed=2)
    path = tmp_path / "audio.mp3"
    path.write_bytes(
        b"".join(FORMATS["mp3"].write(part, rate) for part, rate in zip(parts, (16_000, 44_100), strict=True))
    )
    facts = inspect(path, AudioLimits())
    samples = decode(path, facts)
    assert (facts.channels, facts.sample_rate_hz) == (1, 16_000)
    assert samples.shape == (1, pytest.approx(10.0 * 16_000, abs=3_000))
    assert likeness(samples[:, : 6 * 16_000], parts[0], 16_000)[0] > 0.95


def test_a_new_unit_of_time_in_the_middle_ends_a_block_and_loses_nothing() -> None:
    frames = []
    for number in range(4):
        frame = av.AudioFrame.from_ndarray(np.full((1, 100), number, np.float32), "fltp", "mono")
        frame.sample_rate, frame.time_base = 8_000, Fraction(1, 1_000 if number < 2 else 8_000)
        frames.append(frame)
    joined = [block.to_ndarray() for block in pcm.join(frames, 1.0)]
    assert [block.shape[1] for block in joined] == [200, 200]
    assert np.concatenate(joined, axis=1)[0, ::100].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("layout", "rate_hz"), [("mono", 3_999), ("mono", 192_001), ("hexadecagonal", 8_000)])
def test_what_nobody_can_play_is_refused_in_the_middle_too(layout: str, rate_hz: int) -> None:
    frame = av.AudioFrame(format="flt", layout=layout, samples=100)
    frame.sample_rate = rate_hz
    with pytest.raises(JobFailed, match="no usable"):
        list(pcm.join([frame], 1.0))


@pytest.mark.parametrize(("given", "wanted"), [(1, 2), (2, 1), (3, 1), (6, 2)])
def test_channels_are_mixed_at_their_own_level(given: int, wanted: int) -> None:
    samples = good.speech_like(1.0, 16_000, 8)[:given]
    block = av.AudioFrame.from_ndarray(samples, "fltp", {1: "mono", 2: "stereo", 3: "3.0", 6: "5.1"}[given])
    block.sample_rate = 16_000
    (frame,) = resample.resample([block], rate_hz=16_000, channels=wanted, block_frames=16_000)
    expected = np.repeat(samples.mean(axis=0, keepdims=True), wanted, axis=0)
    assert np.allclose(frame.to_ndarray(), expected, atol=1e-6)


def test_what_is_no_number_becomes_silence_and_what_is_absurd_full_scale() -> None:
    samples = np.array([[np.nan, np.inf, -np.inf, 1e30, -1.5, 0.5]], np.float32)
    assert keep_within(samples).tolist() == [[0.0, 1.0, -1.0, 1.0, -1.0, 0.5]]
    assert keep_within(np.zeros((2, 0), np.float32)).shape == (2, 0)


def test_a_float_that_is_no_number_spoils_no_more_than_its_moment(tmp_path: Path) -> None:
    path, original = tmp_path / "audio.wav", good.speech_like(4.0, 44_100)
    spoilt = original.copy()
    spoilt[0, 88_200] = np.nan
    path.write_bytes(good.wav(spoilt.astype("<f4").tobytes(), tag=3, rate_hz=44_100, bits=32))
    samples = decode(path, inspect(path, AudioLimits()))
    path.write_bytes(good.wav(original.astype("<f4").tobytes(), tag=3, rate_hz=44_100, bits=32))
    differ = np.flatnonzero(samples != decode(path, inspect(path, AudioLimits())))
    assert np.isfinite(samples).all()
    assert 32_000 - 100 < differ.min() <= differ.max() < 32_000 + 100


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_f32le", "pcm_f64le"])
def test_samples_that_are_compared_have_one_scale(codec: str, tmp_path: Path) -> None:
    path, original = tmp_path / "audio", good.speech_like(2.0, 16_000, 2)
    path.write_bytes(encoder(codec, "wav")(original, 16_000))
    with path.open("rb") as file:
        opened, stream = source.open_audio(file.fileno(), "wav", 0)
        (block,) = pcm.blocks(opened, stream, block_s=10.0)
    assert np.allclose(measure.to_float(block), original, atol=0.01)


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


def test_a_decoder_that_sends_more_than_the_file_can_hold_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audio.wav"
    path.write_bytes(good.wav16(good.speech_like(2.0, 16_000)))
    facts = inspect(path, AudioLimits())

    def flood(*_: object) -> Iterator[messages.Message]:
        while True:
            yield messages.BLOCK, bytearray(4 * 16_000)

    monkeypatch.setattr(sandbox, "run", flood)
    with pytest.raises(JobFailed, match="broke its decoder"):
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
