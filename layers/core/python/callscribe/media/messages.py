"""What the decoding child process tells its parent through a pipe: kind, length, payload."""

import struct
from collections.abc import Callable
from typing import Final

ALIVE: Final = b"A"  # no payload: something was done; the first one says that start-up succeeded
BLOCK: Final = b"B"  # float32 samples, channel after channel
FACTS: Final = b"F"  # JSON object: what was measured; the last message of an inspection
END: Final = b"E"  # no payload: the last message of a decoding
FAILED: Final = b"X"  # JSON object {code, message}; the last message of a failure

_HEADER = struct.Struct(">cI")
MAX_PAYLOAD_BYTES: Final = 64 * 1024 * 1024


Message = tuple[bytes, bytearray]  # kind, payload


class Garbled(Exception):
    """The pipe carried something that is no message, or ended inside one."""


def pack(kind: bytes, payload_bytes: int) -> bytes:
    """The header that stands before a payload."""
    return _HEADER.pack(kind, payload_bytes)


def receive(read_exactly: Callable[[int], bytearray]) -> Message:
    """The next (kind, payload). Raises Garbled; `read_exactly` raises what it likes when the pipe ends."""
    kind, payload_bytes = _HEADER.unpack(read_exactly(_HEADER.size))
    if kind not in (ALIVE, BLOCK, FACTS, END, FAILED) or payload_bytes > MAX_PAYLOAD_BYTES:
        raise Garbled
    return kind, read_exactly(payload_bytes) if payload_bytes else bytearray()
