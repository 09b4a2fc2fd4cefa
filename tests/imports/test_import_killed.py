"""``gridloop import cases`` killed in the middle: what was kept is whole, and the same command goes on to the end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from gridloop.cases.models import Case
from gridloop.cases.selectors import CaseFilter, case_page
from gridloop.cases.tests.kit import EAST, build
from gridloop.doors.cli.database import Urls
from gridloop.journal.actions import scoped
from gridloop.journal.models import Fact, Sealed
from gridloop.journal.selectors import verify
from gridloop.kernel.viewer import SYSTEM

COUNT = 62_000  # two chunks and the beginning of a third
GRID = f"{EAST}200001001"
# of this database alone: other tests' connections still show what they asked last
_KEEPING = """SELECT 1 FROM pg_stat_activity
WHERE query LIKE '%history\\_%' AND pid <> pg_backend_pid() AND datname = current_database()"""


def whole(owner: psycopg.Connection[tuple[int, ...]]) -> int:
    """How many cases are kept; every one with its text, its words and its place in a fact."""
    cases, texts, told = (
        owner.execute(query).fetchone() or (0,)
        for query in (
            "SELECT count(*) FROM cases_case",
            "SELECT count(*) FROM journal_sealed s JOIN cases_case c ON c.code = s.case_code AND c.text_sealed = s.id",
            "SELECT coalesce(sum((data ->> 'rows')::int), 0) FROM journal_fact WHERE action = 'cases_imported'",
        )
    )
    # 坏了 stands in every text
    (worded,) = owner.execute(
        "SELECT coalesce(sum(cardinality(cases)), 0) FROM cases_posting WHERE (key & ((1::bigint << 42) - 1)) = ((%s::bigint << 21) | %s)",
        [ord("坏"), ord("了")],
    ).fetchone() or (0,)
    assert cases[0] == texts[0] == told[0] == worded
    return int(cases[0])


@pytest.mark.django_db(transaction=True)
def test_killed_and_begun_again(database_urls: Urls, tmp_path: Path) -> None:
    build()
    file = tmp_path / "old.csv"
    rows = (f"H-{n:07d},28002,{GRID},2026-03-01 08:{n % 60:02d},第{n}盏路灯坏了" for n in range(COUNT))
    file.write_text("\n".join(["code,type,region_code,reported_at,text", *rows]), encoding="utf-8")
    command = [sys.executable, "-m", "gridloop.doors.cli.main", "import", "cases", str(file)]
    with psycopg.connect(database_urls.owner, autocommit=True) as owner, (tmp_path / "said").open("wb") as said:
        first = subprocess.Popen(command, env=os.environ | database_urls.environment(), stdout=said, stderr=said)
        end = time.monotonic() + 120
        while owner.execute("SELECT count(*) FROM cases_case").fetchone() == (0,) and time.monotonic() < end:
            time.sleep(0.02)
        first.kill()
        first.wait()
        while owner.execute(_KEEPING).fetchone():
            time.sleep(0.02)  # the server has yet to see that the caller is gone
        kept = whole(owner)
        assert 0 < kept < COUNT, (tmp_path / "said").read_text()
        second = subprocess.run(command, env=os.environ | database_urls.environment(), capture_output=True, text=True, check=False)
        assert f"{COUNT - kept:,} imported" in second.stdout, second.stdout + second.stderr
        assert whole(owner) == COUNT
    with scoped(SYSTEM):
        assert Case.objects.count() == Sealed.objects.filter(purpose="case_text").count() == COUNT
        assert Fact.objects.filter(action="cases_imported").exists()
        assert verify(SYSTEM)[1] is None
    assert [c.code for c in case_page(SYSTEM, CaseFilter(q="第77盏路灯"))[0]] == ["H-0000077"]
