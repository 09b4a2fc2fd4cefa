"""The adapters of platforms that push to us, by name: the project alone knows where they lie."""

from __future__ import annotations

from pkgutil import resolve_name

from gridloop.sdk.pushes import ManifestFault, PushMapping

BOOK = "gridloop.project.devices:pushes"


def push_book() -> tuple[dict[str, PushMapping], list[ManifestFault]]:
    """Those that can be used, and what is wrong with the others."""
    book: tuple[dict[str, PushMapping], list[ManifestFault]] = resolve_name(BOOK)()
    return book
