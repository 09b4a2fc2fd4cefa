"""Cells of files that people open in a spreadsheet: text from outside must not run as a formula there."""

from __future__ import annotations

_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # the wide forms too: some programs take them for the narrow ones


LONGEST_NUMBER = 15  # digits a spreadsheet keeps; it fills the others up with zeros


def digits_kept(text: str) -> str:
    """A code with a tab behind it where a spreadsheet would make a number of it and lose digits. ``unquoted`` and ``strip`` undo it."""
    lost = text.isascii() and text.isdecimal() and (len(text) > LONGEST_NUMBER or (len(text) > 1 and text[0] == "0"))
    return f"{text}\t" if lost else text


def quoted(text: str) -> str:
    """The text with a quote in front when a spreadsheet would take it for a formula; a plain number stays a number."""
    if not text.startswith(_STARTS):
        return text
    return text if text[:1] in "+-" and text[1:].replace(".", "", 1).isdecimal() and text.isascii() else f"'{text}"


def unquoted(text: str) -> str:
    """What ``quoted`` was given, for files that come back."""
    return text[1:] if text.startswith("'") and text[1:].startswith(_STARTS) else text
