"""The adapters of platforms that push to us, by name: the project alone knows where they lie."""

from __future__ import annotations

from functools import cache
from pkgutil import resolve_name

from gridloop.sdk.pushes import ManifestFault, PushMapping

BOOK = "gridloop.project.devices:pushes"
KEPT = "gridloop.project.devices:kept_data"


def push_book() -> tuple[dict[str, PushMapping], list[ManifestFault]]:
    """Those that can be used, and what is wrong with the others."""
    book: tuple[dict[str, PushMapping], list[ManifestFault]] = resolve_name(BOOK)()
    return book


@cache
def kept() -> dict[str, frozenset[str]]:
    """Kinds of signals of whose data only the named parts are let in."""
    kinds: dict[str, frozenset[str]] = resolve_name(KEPT)()
    return kinds
