"""The scanner the environment names (``GRIDLOOP_SCANNER``), if any."""

from __future__ import annotations

from gridloop.project.adapters import built
from gridloop.sdk.scanners import Scanner, scanner_setting


def current() -> Scanner | None:
    """The scanner, or None when there is none. ValueError for a setting nobody understands."""
    setting = scanner_setting()
    made: Scanner | None = built("scanner", setting) if setting else None
    return made
