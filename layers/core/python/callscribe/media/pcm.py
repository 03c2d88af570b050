"""Decoded audio in frames of some seconds, in whatever format its codec gives. Runs in the child only.

Decoders give frames of 10 to 60 ms, and each of them costs Python as much as it costs the decoder. So they meet in a
FIFO of FFmpeg's, in C, and everything that comes after it sees hundreds of times fewer.
"""

from collections.abc import Iterable, Iterator

from av.audio.fifo import AudioFifo
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import EOFError as EndOfStream

from callscribe.errors import FailureCode, JobFailed
from callscribe.media import source

MAX_BLOCK_VALUES = 2**21  # samples of all channels together: 8 MB as float32


def blocks(opened: InputContainer, stream: AudioStream, *, block_s: float) -> Iterator[AudioFrame]:
    """The stream's audio in blocks of `block_s` and little more, or less where channels, rate or format change.

    No block is empty. Raises JobFailed (audio_unreadable) for a rate or a number of channels that nobody can play.
    """
    return join(_frames(opened, stream), block_s)


def join(frames: Iterable[AudioFrame], block_s: float) -> Iterator[AudioFrame]:
    """Frames put together; see `blocks`."""
    fifo, form, block_frames = AudioFifo(), None, 0
    for frame in frames:
        form_of_frame = (frame.format.name, frame.layout.nb_channels, frame.sample_rate)
        if form_of_frame != form:
            yield from _rest(fifo)
            fifo, form, block_frames = AudioFifo(), form_of_frame, _block_frames(*form_of_frame[1:], block_s)
        frame.pts = None  # the FIFO knows no gaps: what decodes follows on what was decoded before
        try:
            fifo.write(frame)
        except ValueError:  # the unit of the timestamps has changed, of which we make no use
            yield from _rest(fifo)
            fifo = AudioFifo()
            fifo.write(frame)
        if fifo.samples >= block_frames:
            yield from _rest(fifo)
    yield from _rest(fifo)


def _block_frames(channels: int, rate_hz: int, block_s: float) -> int:
    """Samples of each channel that make a block. A stream may change its mind after its header was checked."""
    if not (1 <= channels <= source.MAX_CHANNELS and source.MIN_RATE_HZ <= rate_hz <= source.MAX_RATE_HZ):
        raise JobFailed(FailureCode.AUDIO_UNREADABLE, "the audio has no usable sample rate or number of channels")
    return min(round(block_s * rate_hz), MAX_BLOCK_VALUES // channels)


def _frames(opened: InputContainer, stream: AudioStream) -> Iterator[AudioFrame]:
    for packet in source.packets(opened, stream):
        yield from source.frames(stream, packet)
    try:
        yield from source.frames(stream, None)
    except EndOfStream:
        return


def _rest(fifo: AudioFifo) -> Iterator[AudioFrame]:
    block = fifo.read()
    if block is not None:
        block.pts = None
        yield block
