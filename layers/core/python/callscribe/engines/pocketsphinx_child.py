"""The recogniser's own process: PCM comes in by stdin, words go out by stdout.

PocketSphinx holds the interpreter's lock while it decodes, so two threads are no faster than one; two processes are.
Run as a file (`python -P pocketsphinx_child.py`): it needs nothing of callscribe, and starts in 0.5 s for that.

Request: length in bytes (uint32, little-endian), then so many bytes of 16 kHz 16-bit mono PCM.
Answer: one line of JSON, `[[word, start_s, end_s, posterior], …]`; first of all, when the model is loaded, `[]`.
"""

import json
import signal
import struct
import sys
from typing import BinaryIO

from pocketsphinx import Decoder  # type: ignore[import-untyped]  # it ships no types

FRAMES_PER_S = 100
_LENGTH = struct.Struct("<I")


def recognise(decoder: Decoder, pcm: bytes) -> list[tuple[str, float, float, float]]:
    """Everything the decoder heard, its markers for silence and noise included."""
    decoder.reinit_feat()  # forget the noise it adapted to: it may have been another tenant's
    decoder.start_utt()
    decoder.process_raw(pcm, full_utt=True)
    decoder.end_utt()
    # `prob` is a linear posterior already; end_frame is the word's last frame, inclusive.
    return [
        (heard.word, heard.start_frame / FRAMES_PER_S, (heard.end_frame + 1) / FRAMES_PER_S, min(1.0, heard.prob))
        for heard in decoder.seg() or ()
    ]


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until there are no more."""
    decoder = Decoder(samprate=16_000, frate=FRAMES_PER_S, loglevel="FATAL")
    answers.write(b"[]\n")
    answers.flush()
    while len(header := requests.read(_LENGTH.size)) == _LENGTH.size:
        (size,) = _LENGTH.unpack(header)
        answers.write(json.dumps(recognise(decoder, requests.read(size))).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides when to stop
    serve(sys.stdin.buffer, sys.stdout.buffer)
