"""Every test and file that the security pages name exists; the list of requirements is whole, and its counts are those of its rows."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "security").glob("*.md"))
_NAMED = re.compile(r"`([\w./-]+\.(?:py|md|txt|yaml|service|sh|html|json|toml|ts)|Makefile|deploy/Dockerfile)`")
_MADE = {"secrets.json"}  # by a deployment
_ROW = re.compile(r"^\| (\d+\.\d+\.\d+) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
# OWASP ASVS 4.0.3: section and the numbers in it that level 1 or 2 ask for; what the standard has struck out is not there.
LEVEL_2 = """
1.1: 1-7; 1.2: 1-4; 1.4: 1 4 5; 1.5: 1-4; 1.6: 1-4; 1.7: 1-2; 1.8: 1-2; 1.9: 1-2; 1.10: 1; 1.11: 1-2; 1.12: 2; 1.14: 1-6
2.1: 1-12; 2.2: 1-3; 2.3: 1-3; 2.4: 1-6; 2.5: 1-7; 2.6: 1-3; 2.7: 1-6; 2.8: 1-7; 2.9: 1-3; 2.10: 1-4
3.1: 1; 3.2: 1-4; 3.3: 1-4; 3.4: 1-5; 3.5: 1-3; 3.7: 1
4.1: 1-3 5; 4.2: 1-2; 4.3: 1-3
5.1: 1-5; 5.2: 1-8; 5.3: 1-10; 5.4: 1-3; 5.5: 1-4
6.1: 1-3; 6.2: 1-6; 6.3: 1-2; 6.4: 1-2
7.1: 1-4; 7.2: 1-2; 7.3: 1 3 4; 7.4: 1-3
8.1: 1-4; 8.2: 1-3; 8.3: 1-8
9.1: 1-3; 9.2: 1-4
10.2: 1-2; 10.3: 1-3
11.1: 1-8
12.1: 1-3; 12.2: 1; 12.3: 1-6; 12.4: 1-2; 12.5: 1-2; 12.6: 1
13.1: 1 3-5; 13.2: 1-3 5 6; 13.3: 1-2; 13.4: 1-2
14.1: 1-4; 14.2: 1-6; 14.3: 2-3; 14.4: 1-7; 14.5: 1-4
"""


def numbers() -> list[str]:
    """All of them in the standard's order."""
    found = []
    for section, said in re.findall(r"([\d.]+): ([\d -]+)", LEVEL_2):
        for part in said.split():
            first, _, last = part.partition("-")
            found += [f"{section}.{number}" for number in range(int(first), int(last or first) + 1)]
    return found


def page() -> str:
    return (ROOT / "docs" / "security" / "asvs.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_what_a_page_names_exists(page: Path) -> None:
    named = set(_NAMED.findall(page.read_text(encoding="utf-8"))) - _MADE
    assert len(named) > 15
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []


def test_every_requirement_of_level_2_is_there_once_and_in_order() -> None:
    assert [row[0] for row in _ROW.findall(page())] == numbers()


def test_every_requirement_has_a_state_and_evidence() -> None:
    rows = _ROW.findall(page())
    assert [row for row in rows if row[2] not in ("met", "open", "n/a")] == []
    assert [row[0] for row in rows if row[2] == "met" and not _NAMED.search(row[3])] == []


def test_the_counts_are_those_of_the_rows() -> None:
    states = Counter(row[2] for row in _ROW.findall(page()))
    said = f"Of {len(numbers())} requirements {states['met']} are met, {states['open']} open and {states['n/a']} do not apply."
    assert said in " ".join(page().split())
