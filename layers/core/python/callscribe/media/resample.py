"""Bringing blocks to one sample rate and number of channels, by FFmpeg alone. Runs in the child only."""

from collections.abc import Iterable, Iterator

from av.audio.frame import AudioFrame
from av.filter import Graph

_LAYOUTS = {1: "mono", 2: "stereo"}


def resample(blocks: Iterable[AudioFrame], *, rate_hz: int, channels: int, block_frames: int) -> Iterator[AudioFrame]:
    """The same audio at `rate_hz`, planar float32 of ≤ block_frames samples a channel, by FFmpeg's defaults.

    1 or 2 channels: any other number becomes 1 by averaging, and 1 becomes 2 by doubling. Only the last frame is
    shorter, and the last one before a change of the file's own form. The filter rings past full scale, and a hostile
    file may hold samples that are no numbers: whoever takes the frames sees to both.
    """
    graph, form = None, None
    for block in blocks:
        form_of_block = (block.format.name, block.layout.name, block.sample_rate)
        if graph is None or form_of_block != form:
            if graph is not None:
                yield from _pushed(graph, None)
            graph = _make_graph(block, rate_hz=rate_hz, channels=channels, block_frames=block_frames)
            form = form_of_block
        yield from _pushed(graph, block)
    if graph is not None:
        yield from _pushed(graph, None)


def _make_graph(block: AudioFrame, *, rate_hz: int, channels: int, block_frames: int) -> Graph:
    graph = Graph()
    graph.threads = 1  # FFmpeg would start one for each core, whose stacks alone may exceed this process's memory
    rate, time_base = block.sample_rate, block.time_base
    nodes = [
        graph.add_abuffer(sample_rate=rate, format=block.format.name, layout=block.layout.name, time_base=time_base)
    ]
    if block.layout.nb_channels != channels:
        nodes += [graph.add("aformat", sample_fmts="fltp"), graph.add("pan", _mix(block.layout.nb_channels, channels))]
    nodes += [graph.add("aformat", sample_fmts="fltp", sample_rates=str(rate_hz)), graph.add("abuffersink")]
    graph.link_nodes(*nodes).configure()
    graph.set_audio_frame_size(block_frames)
    return graph


def _mix(from_channels: int, to_channels: int) -> str:
    """Each channel as the mean of all, in the words of FFmpeg's `pan`; its own matrices would also change the level."""
    mean = "+".join(f"{1 / from_channels!r}*c{channel}" for channel in range(from_channels))
    return "|".join([_LAYOUTS[to_channels], *(f"c{channel}={mean}" for channel in range(to_channels))])


def _pushed(graph: Graph, block: AudioFrame | None) -> Iterator[AudioFrame]:
    """All that comes out once a block has gone in; None: the end."""
    graph.push(block)
    while True:
        try:
            frame = graph.pull()
        except (BlockingIOError, EOFError):  # PyAV's own are derived from these
            return
        assert isinstance(frame, AudioFrame), "the graph's only sink is one of audio"  # noqa: S101 - narrows the type
        yield frame
