"""What of a folder is a pack's: files as people and their programs leave them there."""

from __future__ import annotations

from pathlib import Path

from gridloop.scenes.strict_yaml import text_of
from gridloop.sdk.pack import FILES


def is_pack(folder: Path) -> bool:
    """Whether somebody means it as a pack: it has one of the files, also by a name that is not quite right."""
    return folder.is_dir() and any(path.stem in FILES and path.suffix in (".yaml", ".yml") for path in folder.iterdir())


def left_by_a_system(name: str) -> bool:
    """Files that a file manager or an editor puts beside one's own."""
    return name.startswith((".", "~$")) or name.endswith("~") or name in ("Thumbs.db", "desktop.ini")


def stories_in(folder: Path) -> tuple[dict[str, str], list[str]]:
    """The texts by file name, and the names of what would silently be no story."""
    files = [path for path in sorted(folder.iterdir()) if not left_by_a_system(path.name)]
    told = {path.name: text_of(path) for path in files if path.suffix == ".yaml" and path.is_file()}
    return told, [path.name for path in files if path.name not in told]
