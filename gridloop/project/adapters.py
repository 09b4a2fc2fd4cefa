"""Adapters that a setting names as ``name:address``: ``adapters/KINDs/NAME/KIND.py`` with a function ``build``."""

from __future__ import annotations

import importlib
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent.parent / "adapters"


def installed(kind: str) -> dict[str, Path]:
    """The manifests of the adapters of a kind by their names."""
    return {path.parent.name: path for path in sorted((FOLDER / f"{kind}s").glob("*/manifest.yaml"))}


@cache
def built(kind: str, setting: str, *more: object) -> Any:
    """The adapter a setting names, one for the whole process, built from what stands behind the name and ``more``.

    ValueError for a name that is not installed, or for an address the adapter does not understand.
    """
    name, _, address = setting.partition(":")
    there = installed(kind)
    if name not in there:
        raise ValueError(f"{kind} {name!r} is not installed; there are: {', '.join(there)}")
    return importlib.import_module(f"gridloop.adapters.{kind}s.{name}.{kind}").build(address, *more)
