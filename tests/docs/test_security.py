"""Every test and file that the security pages name exists, and every requirement says what stands behind it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "security").glob("*.md"))
_NAMED = re.compile(r"`([\w./-]+\.(?:py|md|txt|yaml|sh))`")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_what_a_page_names_exists(page: Path) -> None:
    named = set(_NAMED.findall(page.read_text(encoding="utf-8")))
    assert len(named) > 15
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_every_requirement_has_a_state_and_evidence() -> None:
    page = (ROOT / "docs" / "security" / "asvs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \| (.+?) \|$", page, re.MULTILINE)
    assert len(rows) > 50
    assert len({row[0] for row in rows}) == len(rows)
    assert [row for row in rows if row[2] not in ("met", "open", "n/a")] == []
    assert [row[0] for row in rows if row[2] == "met" and not _NAMED.search(row[3])] == []
