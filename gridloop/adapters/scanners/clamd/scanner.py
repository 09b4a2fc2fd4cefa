"""clamd's INSTREAM: the file in pieces over a socket, one line back. A connection a file, so a daemon that was restarted is no matter."""

from __future__ import annotations

import socket
import struct
import time

from gridloop.sdk.scanners import TIMEOUT_SECONDS, ScannerError

_PIECE = 1 << 16
_MOST_ANSWER = 4096


class Clamd:
    """``where``: the path of a Unix socket, or host and port."""

    def __init__(self, where: str | tuple[str, int]) -> None:
        self._where = where

    def look(self, content: bytes) -> str:
        until = time.monotonic() + TIMEOUT_SECONDS
        try:
            with self._connected() as line:
                return _read(self._ask(line, content, until))
        except OSError as fault:
            raise ScannerError(f"clamd: {fault}") from fault

    def _connected(self) -> socket.socket:
        if isinstance(self._where, tuple):
            return socket.create_connection(self._where, timeout=TIMEOUT_SECONDS)
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(TIMEOUT_SECONDS)
        try:
            line.connect(self._where)
        except OSError:
            line.close()
            raise
        return line

    def _ask(self, line: socket.socket, content: bytes, until: float) -> bytes:
        try:
            line.sendall(b"zINSTREAM\0")
            for at in range(0, len(content), _PIECE):
                piece = content[at : at + _PIECE]
                line.sendall(struct.pack(">I", len(piece)) + piece)
            line.sendall(struct.pack(">I", 0))
        except ConnectionError:  # over its limit it says so and hangs up while we still write
            pass
        answer = b""
        while not answer.endswith(b"\0") and len(answer) < _MOST_ANSWER:
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("no answer in time")
            line.settimeout(left)
            more = line.recv(_MOST_ANSWER)
            if not more:
                break
            answer += more
        return answer


def _read(answer: bytes) -> str:
    """``stream: OK``, ``stream: NAME FOUND``, or what went wrong."""
    said = answer.rstrip(b"\0\n").decode("utf-8", "replace").removeprefix("stream: ")
    if said == "OK":
        return ""
    if said.endswith(" FOUND"):
        return said.removesuffix(" FOUND")
    raise ScannerError(f"clamd: {said or 'no answer'}")


def build(address: str) -> Clamd:
    """``address`` is ``/PATH`` or ``HOST:PORT``."""
    if address.startswith("/"):
        return Clamd(address)
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("GRIDLOOP_SCANNER is clamd:/PATH/OF/SOCKET or clamd:HOST:PORT, such as clamd:/run/clamav/clamd.ctl")
    return Clamd((host.strip("[]"), int(port)))
