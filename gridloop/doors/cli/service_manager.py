"""Telling systemd (``Type=notify``) how far we are; without ``NOTIFY_SOCKET`` nothing is done."""

from __future__ import annotations

import os
import socket


def tell(state: str) -> None:
    """``READY=1``, ``STOPPING=1``; a manager that does not listen is no reason to fail."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        try:
            line.sendto(state.encode(), address)
        except OSError:
            return
