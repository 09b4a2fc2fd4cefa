"""Lists to their end: every row once, in order, however small the page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from gridloop.cases import actions, present
from gridloop.cases.models import Case
from gridloop.cases.selectors import CaseFilter, case_page
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.cases.tests.test_life import report
from gridloop.flow.models import Task
from gridloop.journal.actions import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import Invalid
from gridloop.kernel.viewer import SYSTEM

pytestmark = pytest.mark.django_db
COUNT = 7


def walked(page: Callable[[str], tuple[list[str], str | None]]) -> list[str]:
    """What one sees who follows ``next`` to the end."""
    seen: list[str] = []
    after: str | None = ""
    while after is not None:
        rows, after = page(after)
        seen += rows
    return seen


def many_cases() -> list[str]:
    codes = [report(f"第{n}件", "28002", (HERE[0] + n * 0.002, HERE[1])) for n in range(COUNT)]
    with scoped(SYSTEM):
        now = clock.now()
        for n, code in enumerate(codes):  # equal levels, equal limits and none at all: the ties of a real queue
            due = None if n % 3 == 0 else now + timedelta(hours=n % 2)
            Case.objects.filter(code=code).update(severity=1 + n % 2, stage_due_at=due)
    return codes


@pytest.mark.parametrize("order", ["newest", "urgent"])
@pytest.mark.parametrize("limit", [1, 2, 3, COUNT, COUNT + 1])
def test_every_case_is_reached_once(cast: Cast, order: str, limit: int) -> None:
    codes = many_cases()

    def page(after: str) -> tuple[list[str], str | None]:
        rows, following = case_page(cast.operator, CaseFilter(), limit, after, order)
        assert len(rows) <= limit
        return [r.code for r in rows], following

    seen = walked(page)
    whole = [r.code for r in case_page(cast.operator, CaseFilter(), 100, "", order)[0]]
    assert seen == whole
    assert sorted(seen) == sorted(codes)


@pytest.mark.parametrize("limit", [1, 3, COUNT])
@pytest.mark.parametrize("status", ["live", "done"])
def test_every_task_is_reached_once(cast: Cast, status: str, limit: int) -> None:
    codes = many_cases()
    for code in codes:
        actions.accept(cast.operator, code, {"unit": cast.units["URBAN"]})
    with scoped(SYSTEM):
        Task.objects.filter(case_code__in=codes[:3], stage="handle").update(due_at=None)
    who = cast.urban if status == "live" else cast.operator

    def page(after: str) -> tuple[list[str], str | None]:
        found = present.my_tasks(who, status, True, limit, after)
        return [t["case"] for t in found["items"]], found["next"]

    assert sorted(walked(page)) == sorted(codes)


@pytest.mark.parametrize("cursor", ["x", "MXwyfDM=", "fDE=", "MjAyNi0xMS0yNXw="])
def test_a_cursor_of_another_list_is_refused(cast: Cast, cursor: str) -> None:
    for order in ("newest", "urgent"):
        with pytest.raises(Invalid):
            case_page(cast.operator, CaseFilter(), 10, cursor, order)
    for status in ("live", "done"):
        with pytest.raises(Invalid):
            present.my_tasks(cast.operator, status, True, 10, cursor)
