"""Hostile receivers: real servers on loopback, one function per way of misbehaving."""

import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Behaviour = Callable[[socket.socket, "Receiver"], None]
DRIP_S = 0.03
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Receiver:
    """A listening socket on 127.0.0.1 and what came to it."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    sent_bytes: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?x=1"

    def drip(self, connection: socket.socket, data: bytes) -> None:
        """One byte at a time, until the other side or the test has had enough."""
        for value in data:
            if self.stopping.wait(DRIP_S):
                return
            connection.sendall(bytes([value]))


@contextmanager
def receiver(behave: Behaviour, *, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Serve connections by `behave`, each in a thread, while the block runs."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.02)
        state = Receiver(listener.getsockname()[1])
        thread = threading.Thread(target=_serve, args=(listener, behave, tls, state))
        thread.start()
        try:
            yield state
        finally:
            state.stopping.set()
            thread.join()


def _serve(listener: socket.socket, behave: Behaviour, tls: ssl.SSLContext | None, state: Receiver) -> None:
    threads = []
    while not state.stopping.is_set():
        with suppress(TimeoutError):
            connection, _ = listener.accept()
            state.connections += 1
            threads.append(threading.Thread(target=_handle, args=(connection, behave, tls, state)))
            threads[-1].start()
    for thread in threads:
        thread.join()


def _handle(connection: socket.socket, behave: Behaviour, tls: ssl.SSLContext | None, state: Receiver) -> None:
    connection.settimeout(2)
    with connection, suppress(OSError):
        if tls is None:
            behave(connection, state)
            return
        with tls.wrap_socket(connection, server_side=True) as wrapped:
            behave(wrapped, state)


def read_request(connection: socket.socket, state: Receiver) -> bytes:
    """The whole request, by its Content-Length; also kept in `state.requests`."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _received(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lines[0].split(b":")[1]) if lines else 0
    while len(body) < length:
        body += _received(connection)
    state.requests.append(head + b"\r\n\r\n" + body)
    return body


def _received(connection: socket.socket) -> bytes:
    data = connection.recv(65_536)
    if not data:
        raise ConnectionError("the client hung up")
    return data


def answering(answer: bytes) -> Behaviour:
    """Read the request, send these bytes, close."""

    def behave(connection: socket.socket, state: Receiver) -> None:
        read_request(connection, state)
        connection.sendall(answer)

    return behave


def redirecting(location: str) -> Behaviour:
    return answering(f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode())


def drip_body(connection: socket.socket, state: Receiver) -> None:
    read_request(connection, state)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    state.drip(connection, b"x" * 1_000)


def drip_headers(connection: socket.socket, state: Receiver) -> None:
    read_request(connection, state)
    state.drip(connection, b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1_000)


def drip_informational(connection: socket.socket, state: Receiver) -> None:
    read_request(connection, state)
    while not state.stopping.wait(DRIP_S):
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")


def read_slowly(connection: socket.socket, state: Receiver) -> None:
    while not state.stopping.wait(DRIP_S):
        connection.recv(64)


def reset(connection: socket.socket, state: Receiver) -> None:
    read_request(connection, state)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def huge_body(connection: socket.socket, state: Receiver) -> None:
    read_request(connection, state)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
    while not state.stopping.is_set():
        state.sent_bytes += connection.send(b"x" * 65_536)


def huge_headers(connection: socket.socket, state: Receiver) -> None:
    read_request(connection, state)
    connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1_000) for n in range(90)))


def gzip_bomb(connection: socket.socket, state: Receiver) -> None:
    bomb = gzip.compress(bytes(20_000_000))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(bomb)}\r\n\r\n"
    answering(head.encode() + bomb)(connection, state)


def silence(connection: socket.socket, state: Receiver) -> None:
    read_request(connection, state)
    state.stopping.wait()


def close(connection: socket.socket, state: Receiver) -> None:
    """Hang up without a word."""


@dataclass(frozen=True)
class Certificate:
    """PEM files of a self-signed certificate and its key."""

    path: Path

    def server_context(self, server_names: list[str | None] | None = None) -> ssl.SSLContext:
        """For a server that notes the names it is asked for in `server_names`."""
        names = [] if server_names is None else server_names
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path)
        context.sni_callback = lambda _socket, name, _context: names.append(name)
        return context


def certificate(folder: Path, *, name: str, life: timedelta = timedelta(days=1)) -> Certificate:
    """A fresh self-signed certificate for one DNS name; a negative life has run out."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now + life)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / f"{name}.pem"
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return Certificate(path)
