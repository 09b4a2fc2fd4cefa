"""Something that speaks clamd's protocol: Debian's daemon with a signature of our own where it is installed, and always a small server."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

BAD = b"an upload that our own test signature knows"
NAME = "Gridloop.Test.UNOFFICIAL"  # so the daemon calls what stands in no signed database
DAEMON = shutil.which("clamd", path="/usr/sbin:/usr/bin:/usr/local/sbin:/opt/homebrew/sbin")
KINDS = ["small", *(["clamd"] if DAEMON else [])]
_LIMIT = 26_214_400  # of clamd.conf, bytes


class Small:
    """Answers as clamd does; ``answer`` gives another answer than the file would get, ``None`` hangs up without one."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen(16)
        self.answer: Callable[[bytes], bytes | None] = _verdict
        self.seen: list[bytes] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self.socket.accept()
            except OSError:
                return
            with line:
                self._one(line)

    def _one(self, line: socket.socket) -> None:
        file = line.makefile("rb")
        if file.read(10) != b"zINSTREAM\0":
            line.sendall(b"UNKNOWN COMMAND\0")
            return
        pieces = []
        while size := struct.unpack(">I", file.read(4))[0]:
            pieces.append(file.read(size))
        self.seen.append(b"".join(pieces))
        answer = self.answer(self.seen[-1])
        if answer is not None:
            with suppress(OSError):  # who asked may have gone
                line.sendall(answer)


def _verdict(content: bytes) -> bytes:
    if len(content) > _LIMIT:
        return b"INSTREAM size limit exceeded. ERROR\0"
    return f"stream: {NAME} FOUND\0".encode() if BAD in content else b"stream: OK\0"


@contextmanager
def running(kind: str) -> Iterator[tuple[str, Small | None]]:
    """The path of the socket, and the small server if it is that."""
    folder = Path(tempfile.mkdtemp(prefix="gl-av-"))  # short: sockets allow about 100 bytes
    path = str(folder / "s")
    try:
        if kind == "small":
            server = Small(path)
            yield path, server
            server.socket.close()
        else:
            with _daemon(folder, path):
                yield path, None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _daemon(folder: Path, path: str) -> Iterator[None]:
    (folder / "db").mkdir()
    (folder / "db" / "own.ndb").write_text(f"Gridloop.Test:0:*:{BAD.hex()}\n", encoding="ascii")
    settings = {"LocalSocket": path, "DatabaseDirectory": folder / "db", "Foreground": "yes", "TemporaryDirectory": folder}
    settings |= {"StreamMaxLength": "25M", "LogFile": folder / "log", "MaxThreads": 2}
    (folder / "conf").write_text("".join(f"{k} {v}\n" for k, v in settings.items()), encoding="utf-8")
    daemon = subprocess.Popen([str(DAEMON), "-c", str(folder / "conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not Path(path).exists():
            assert daemon.poll() is None, (folder / "log").read_text(encoding="utf-8")
            assert time.monotonic() < until
            time.sleep(0.1)
        yield
    finally:
        daemon.terminate()
        daemon.wait(timeout=30)
