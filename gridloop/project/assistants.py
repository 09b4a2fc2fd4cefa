"""The assistant the environment names (``GRIDLOOP_ASSISTANT``), if any."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path

from gridloop.sdk.assistants import Assistant, assistant_setting

FOLDER = Path(__file__).resolve().parent.parent / "adapters" / "assistants"


@cache
def _build(address: str) -> Assistant:
    name, _, rest = address.partition(":")
    if not (FOLDER / name / "manifest.yaml").is_file():
        raise ValueError(
            f"assistant {name!r} is not installed; there are: {', '.join(p.parent.name for p in FOLDER.glob('*/manifest.yaml'))}"
        )
    made: Assistant = importlib.import_module(f"gridloop.adapters.assistants.{name}.assistant").build(rest)
    return made


def current() -> Assistant | None:
    """The assistant, or None when there is none. ValueError for a setting nobody understands."""
    address = assistant_setting()
    return _build(address) if address else None
