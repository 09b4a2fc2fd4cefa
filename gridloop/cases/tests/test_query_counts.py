"""How many statements each verb and list costs: a baseline changed only on purpose.

``GRIDLOOP_COUNT_QUERIES=write pytest gridloop/cases/tests/test_query_counts.py`` writes the file anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gridloop.cases import actions, directory, present
from gridloop.cases.same_thing import _OF_THING
from gridloop.cases.selectors import CaseFilter, case_page, case_row, sources_of
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.cases.tests.test_life import new_report, report, task_of
from gridloop.journal.actions import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.scenes import book
from gridloop.scenes.book import BOOK
from gridloop.sdk.signals import Signal

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
    counts |= signalled()
    counts["list"] = count(lambda: present.case_items(cast.operator, case_page(cast.operator, CaseFilter())[0]))
    counts["trace"] = count(lambda: present.trace(cast.operator, code, 0, 500))
    return counts


def signalled() -> dict[str, int]:
    """A camera's alarm opens a case, says the same again, and tells that the car has left."""
    counts: dict[str, int] = {}
    code: str | None = None

    def heard(signal: Signal) -> None:
        nonlocal code
        (match,) = BOOK.recognise(signal, "990101100200001001")
        code = actions.receive_signal(SYSTEM, signal, match)

    alarms = (
        ("warm", "浙Z00001", 240.0),
        ("signal_opens", "浙Z00002", 240.0),
        ("signal_joins", "浙Z00002", 250.0),
        ("signal_ends", "浙Z00002", 0.0),
    )
    for number, (name, plate, seconds) in enumerate(alarms):
        signal = Signal(f"v{number}", "cams", "cam-1", "vehicle_stopped", clock.now(), seconds, *HERE, {"plate": plate})
        counts[name] = count(partial(heard, signal))
    (source,) = sources_of(SYSTEM, code or "")
    assert (source.count, source.signal_id) == (3, "v3")
    assert case_row(SYSTEM, code or "").status == "closed"
    del counts["warm"]  # scenes are read once
    return counts


def test_the_open_case_of_a_thing_is_found_by_an_index_of_open_cases(cast: Cast) -> None:
    """Under a plan made for any values, as verbs have it: such an index serves only a statement that itself says "open"."""
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN (GENERIC_PLAN) " + _OF_THING.sql.replace("%s", "$1", 1).replace("%s", "$2", 1))
        plan = "\n".join(row[0] for row in cursor.fetchall())
    # which of the two is a matter of how many rows there are
    assert any(f"Index Scan using {name} " in plan for name in ("cases_case_one_open_per_thing", "cases_case_live")), plan


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
