"""The bytes on disk, each file under its own hash: ``evidence/aa/bb/<sha256>`` and its clean copies beside it."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from django.conf import settings

VIEW, THUMB = ".view.jpg", ".thumb.jpg"


def path_of(sha256: str, suffix: str = "") -> Path:
    return Path(settings.DATA_DIR) / "evidence" / sha256[:2] / sha256[2:4] / (sha256 + suffix)


def put(path: Path, content: bytes) -> None:
    """Write durably: when this returns, the whole file survives a power cut; before, nobody sees a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folders(path.parent)


def _sync_folders(folder: Path) -> None:
    """The new names too: the file's folder and the two above it that may be new."""
    for each in (folder, folder.parent, folder.parent.parent):
        handle = os.open(each, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def drop(sha256: str) -> None:
    for suffix in ("", VIEW, THUMB):
        path_of(sha256, suffix).unlink(missing_ok=True)


def intact(sha256: str) -> bool:
    """Whether the stored original still has its hash."""
    try:
        with path_of(sha256).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False
