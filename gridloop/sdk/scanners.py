"""The contract of a scanner: it looks at uploaded files before anything is kept of them. Off unless the deployment names one."""

from __future__ import annotations

import os
from typing import Protocol, runtime_checkable

TIMEOUT_SECONDS = 10.0


def scanner_setting() -> str:
    """``GRIDLOOP_SCANNER`` as ``adapter:address``; '' when there is none."""
    return os.environ.get("GRIDLOOP_SCANNER", "").strip()


def taken_unseen() -> bool:
    """``GRIDLOOP_SCANNER_DOWN``: ``take`` files while no scanner answers, or by default ``refuse`` them until one does."""
    said = os.environ.get("GRIDLOOP_SCANNER_DOWN", "").strip() or "refuse"
    if said not in ("refuse", "take"):
        raise ValueError(f"GRIDLOOP_SCANNER_DOWN is refuse or take, not {said}")
    return said == "take"


class ScannerError(Exception):
    """It could not look: it does not answer, or says so."""


@runtime_checkable
class Scanner(Protocol):
    """Called by several threads; must answer within ``TIMEOUT_SECONDS``."""

    def look(self, content: bytes) -> str:
        """The name of what was found, '' for nothing; ``ScannerError`` when it could not look."""
        ...
