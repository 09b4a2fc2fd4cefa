"""The scanner the environment names (``GRIDLOOP_SCANNER``), if any."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from gridloop.sdk.scanners import Scanner, scanner_setting

FOLDER = Path(__file__).resolve().parent.parent / "adapters" / "scanners"


@cache
def _build(address: str) -> Scanner:
    name, _, rest = address.partition(":")
    if not (FOLDER / name / "manifest.yaml").is_file():
        raise ValueError(
            f"scanner {name!r} is not installed; there are: {', '.join(p.parent.name for p in FOLDER.glob('*/manifest.yaml'))}"
        )
    made: Scanner = importlib.import_module(f"gridloop.adapters.scanners.{name}.scanner").build(rest)
    return made


def current() -> Scanner | None:
    """The scanner, or None when there is none. ValueError for a setting nobody understands."""
    address = scanner_setting()
    return _build(address) if address else None
