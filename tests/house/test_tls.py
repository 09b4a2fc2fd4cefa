"""The front door's own HTTPS: new protocols and forward secrecy only, nothing in plain, and no word of what answers."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridloop.doors.cli.deployment import ROOT, free_port
from gridloop.doors.cli.edge import Edge
from gridloop.kernel.headers import STRICT_TRANSPORT
from tests.house.front_door import standing
from tests.house.product import until

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """Short: a Unix socket's path has a hundred bytes."""
    with tempfile.TemporaryDirectory(prefix="gl-door-", dir="/tmp") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def door(folder: Path) -> Iterator[int]:
    edge = Edge(free_port(), "127.0.0.1", folder, folder, ("localhost", "127.0.0.1"), tls=True, strict_transport=True)
    with standing(edge, folder) as port:
        assert until(lambda: _speaks(port), 30), "its certificate is made after the port is opened"
        yield port


def _speaks(port: int) -> bool:
    with contextlib.suppress(ssl.SSLError):
        return bool(spoken(port, ssl.TLSVersion.TLSv1_3))
    return False


def spoken(port: int, version: ssl.TLSVersion, ciphers: str = "ALL:@SECLEVEL=0") -> tuple[str, str]:
    """The protocol and the cipher agreed on by a caller who speaks this version alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(ciphers)
    context.minimum_version = context.maximum_version = version
    with socket.create_connection(("127.0.0.1", port), 10) as line, context.wrap_socket(line, server_hostname="localhost") as safe:
        cipher = safe.cipher()
        return str(safe.version()), cipher[0] if cipher else ""


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_protocols_are_refused(door: int, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError):
        spoken(door, version)


def test_new_ones_are_spoken_with_forward_secrecy(door: int) -> None:
    assert spoken(door, ssl.TLSVersion.TLSv1_3)[0] == "TLSv1.3"
    version, cipher = spoken(door, ssl.TLSVersion.TLSv1_2)
    assert version == "TLSv1.2"
    assert cipher.startswith("ECDHE-")
    assert cipher.endswith(("GCM-SHA256", "GCM-SHA384", "POLY1305"))


@pytest.mark.parametrize("weak", ["AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES128-SHA", "DES-CBC3-SHA", "NULL-SHA256"])
def test_weak_ciphers_are_refused(door: int, weak: str) -> None:
    with pytest.raises(ssl.SSLError):
        spoken(door, ssl.TLSVersion.TLSv1_2, f"{weak}:@SECLEVEL=0")


def asked(port: int, request: bytes) -> tuple[str, dict[str, str]]:
    context = ssl._create_unverified_context()  # a certificate of its own authority
    with socket.create_connection(("127.0.0.1", port), 10) as line, context.wrap_socket(line, server_hostname="localhost") as safe:
        safe.sendall(request)
        said = b""
        with contextlib.suppress(TimeoutError):
            while b"\r\n\r\n" not in said and (part := safe.recv(4096)):
                said += part
    first, *rest = said.partition(b"\r\n\r\n")[0].decode().split("\r\n")
    return first, {name.lower(): value for name, _, value in (line.partition(": ") for line in rest)}


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET /m/ HTTP/1.1", (200, 404)),
        ("GET /api/v1/me HTTP/1.1", (503,)),
        ("POST /api/v1/reports HTTP/1.1\r\nContent-Length: 99000000", (413,)),
    ],
)
def test_refusals_of_the_door_itself_carry_its_headers_too(door: int, request_line: str, status: tuple[int, ...]) -> None:
    first, heads = asked(door, f"{request_line}\r\nHost: localhost:{door}\r\nConnection: close\r\n\r\n".encode())
    assert int(first.split()[1]) in status, first
    assert heads["strict-transport-security"] == STRICT_TRANSPORT
    assert heads["x-content-type-options"] == "nosniff"
    assert "content-security-policy" in heads
    assert not {"server", "via", "x-powered-by"} & set(heads), heads


@pytest.fixture
def inner(folder: Path) -> Iterator[None]:
    """A process behind the door that says more of itself than it should."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "web.sock"))
        server.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    line, _ = server.accept()
                    with line:
                        line.recv(65536)
                        line.sendall(b"HTTP/1.1 200 OK\r\nServer: inner/1.0\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok")

        threading.Thread(target=serve, daemon=True).start()
        yield
        server.shutdown(socket.SHUT_RDWR)
    (folder / "web.sock").unlink()


def test_no_answer_tells_what_made_it(door: int, inner: None) -> None:
    first, heads = asked(door, f"GET /api/v1/me HTTP/1.1\r\nHost: localhost:{door}\r\nConnection: close\r\n\r\n".encode())
    assert first.split()[1] == "200"
    assert not {"server", "via", "x-powered-by"} & set(heads), heads
    assert heads["x-content-type-options"] == "nosniff"


def test_files_that_are_no_page_are_not_served(door: int) -> None:
    def status(path: str) -> int:
        return int(asked(door, f"GET {path} HTTP/1.1\r\nHost: localhost:{door}\r\nConnection: close\r\n\r\n".encode())[0].split()[1])

    assert (ROOT / "web" / "dist" / ".built").is_file(), "what the build leaves there"
    assert status("/m/index.html") == 200
    assert status("/.built") == 503, "left to the application, which is not there"
    lists = [path for path in ("/assets/", "/static/pages/", "/m/assets/") if status(path) == 200]
    assert lists in ([], ["/m/assets/"]), "no list of a folder; below /m/ is the phone's page"


def test_nothing_is_said_in_plain(door: int) -> None:
    with socket.create_connection(("127.0.0.1", door), 10) as line:
        line.sendall(f"GET /login/ HTTP/1.1\r\nHost: localhost:{door}\r\nConnection: close\r\n\r\n".encode())
        assert line.recv(200).startswith(b"HTTP/1.0 400"), "the port speaks HTTPS alone"
