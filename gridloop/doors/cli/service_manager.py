"""Telling systemd (``Type=notify``) how far we are; without ``NOTIFY_SOCKET`` nothing is done."""

from __future__ import annotations

import os
import socket


class Manager:
    """Whoever started us. The address is taken out of the environment: children, the edge above all, would speak there too."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        os.environ.pop("NOTIFY_SOCKET", None)
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def tell(self, state: str) -> None:
        """``READY=1``, ``STOPPING=1``; a manager that does not listen is no reason to fail."""
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            try:
                line.sendto(state.encode(), self._address)
            except OSError:
                return
