"""A small right pack to break in tests."""

from __future__ import annotations

import shutil
from pathlib import Path

from gridloop.scenes.loading import PACKS, Known, Loaded, load

KNOWN = Known.of()


def copy_of(name: str, folder: Path) -> Path:
    """A writable copy of one of the program's packs."""
    return Path(shutil.copytree(PACKS / name, folder / name))


def change(pack: Path, file: str, old: str, new: str) -> Loaded:
    """The pack with one file changed, loaded."""
    path = pack / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    return load(pack, KNOWN)
