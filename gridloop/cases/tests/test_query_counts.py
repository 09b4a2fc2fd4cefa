"""How many statements each verb and list costs: a baseline changed only on purpose.

``GRIDLOOP_COUNT_QUERIES=write pytest gridloop/cases/tests/test_query_counts.py`` writes the file anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gridloop.cases import actions, directory, present
from gridloop.cases.selectors import CaseFilter, case_page
from gridloop.cases.tests.kit import Cast
from gridloop.cases.tests.test_life import new_report, report, task_of
from gridloop.kernel.viewer import PUBLIC
from gridloop.scenes import book

pytestmark = pytest.mark.django_db
BASELINE = Path(__file__).with_name("query_counts.json")


def count(run: Callable[[], object]) -> int:
    """Statements of one call; what a process remembers of the organisation is warm."""
    with CaptureQueriesContext(connection) as seen:
        run()
    return len(seen)


def measured(cast: Cast) -> dict[str, int]:
    report("先来一件", kind="28002")  # scenes, regions and the directory are read once
    warm = report("再来一件", kind="28002")
    actions.accept(cast.operator, warm, {"unit": cast.units["MUNICIPAL"]})
    present.case_detail(cast.operator, warm)
    counts: dict[str, int] = {}
    code = ""

    def opened() -> None:
        nonlocal code
        code = actions.report(PUBLIC, new_report("路灯不亮", "28002", (121.62, 29.22))).case

    counts["report"] = count(opened)
    counts["detail"] = count(lambda: present.case_detail(cast.operator, code))
    counts["accept"] = count(lambda: actions.accept(cast.operator, code, {"unit": cast.units["MUNICIPAL"]}))
    task = str(task_of(cast.handler, code, "handle")["id"])
    counts["task_accept"] = count(lambda: actions.act(cast.handler, task, "accept", {}))
    counts["submit"] = count(lambda: actions.act(cast.handler, task, "submit", {"note": "好了"}))
    check = str(task_of(cast.supervisor, code, "check")["id"])
    counts["check_approve"] = count(lambda: actions.act(cast.supervisor, check, "approve", {}))
    counts["list"] = count(lambda: present.case_items(cast.operator, case_page(cast.operator, CaseFilter())[0]))
    counts["trace"] = count(lambda: present.trace(cast.operator, code, 0, 500))
    return counts


def test_no_verb_or_list_asks_more_than_before(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory, "KEPT_SECONDS", 600.0)  # however slow the machine, what is remembered stays remembered
    monkeypatch.setattr(book, "KEPT_SECONDS", 600.0)
    counts = measured(cast)
    if os.environ.get("GRIDLOOP_COUNT_QUERIES") == "write":
        BASELINE.write_text(json.dumps(counts, indent=2) + "\n", encoding="utf-8")
    baseline = json.loads(BASELINE.read_text(encoding="utf-8"))
    assert set(counts) == set(baseline)
    more = {name: (baseline[name], now) for name, now in counts.items() if now > baseline[name]}
    assert not more, "more statements than the baseline: (before, now)"
