"""Nobody's words are kept for ever: every sealed value of a case falls to the retention of its purpose."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gridloop.access.actions import log_look
from gridloop.access.models import LookLog
from gridloop.cases import actions
from gridloop.cases.models import Visit
from gridloop.cases.tests.kit import Cast
from gridloop.cases.tests.test_life import act, handled, new_report
from gridloop.doors import retention as job
from gridloop.evidence.models import File
from gridloop.journal.actions import erase_due, scoped
from gridloop.journal.models import Sealed
from gridloop.journal.rules import RETENTION
from gridloop.journal.selectors import chain_facts, unseal, verify
from gridloop.kernel import clock
from gridloop.kernel.errors import Invalid
from gridloop.kernel.retention import rules
from gridloop.kernel.viewer import PUBLIC, SYSTEM

pytestmark = pytest.mark.django_db


def sealed() -> list[Sealed]:
    with scoped(SYSTEM):
        return list(Sealed.objects.order_by("pk"))


def test_the_first_reporter_and_all_words_of_a_case_are_erased_when_their_time_is_over(cast: Cast) -> None:
    code = actions.report(PUBLIC, new_report()).case
    assert actions.report(PUBLIC, new_report("同一盏灯")).case == code, "a second reporter joins"
    handled(cast, code)
    act(cast.supervisor, code, "check", "approve", note="现场已亮")
    rows = sealed()
    assert {"reporter", "case_text", "case_note"} <= {row.purpose for row in rows}
    for row in rows:
        assert row.retain_until - row.created_at == timedelta(days=RETENTION[row.purpose].days), row.purpose
    with clock.fixed(clock.now() + timedelta(days=3 * 365 - 1)):
        erase_due()
    assert all(unseal(SYSTEM, [str(row.pk) for row in rows if row.purpose != "notice"]).values())
    with clock.fixed(clock.now() + timedelta(days=3 * 365 + 1)):
        erase_due()
    assert {(row.value, row.erased_rule) for row in sealed()} == {(None, "retention")}
    assert verify(SYSTEM)[1] is None


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def test_what_a_case_at_work_holds_is_kept_and_goes_a_month_after_its_end(cast: Cast, folder: Path) -> None:
    code = actions.report(PUBLIC, new_report()).case
    handled(cast, code)  # in the check, and never approved
    late = clock.now() + timedelta(days=3 * 365 + 1)
    with clock.fixed(late):
        due = job.due()
        assert (due["sealed"], due["evidence"]) == (0, 0), "a dry run says what would go"
        assert job.run() is False
        kept = [row for row in sealed() if row.case_code == code]
        assert all(row.value for row in kept)
        assert all(row.retain_until > late for row in kept), "looked at again later, so that it never stands before the others"
        with scoped(SYSTEM):
            assert File.objects.get(case_code=code).status == "attached"
        act(cast.supervisor, code, "check", "approve", note="现场已亮")
    with clock.fixed(late + timedelta(days=29)):
        job.run()
        assert all(row.value for row in kept), "it may still be rated or taken up again"
    with clock.fixed(late + timedelta(days=62)):
        assert job.due()["sealed"] >= len(kept)
        job.run()
        assert {row.value for row in sealed() if row.pk in {k.pk for k in kept}} == {None}
        with scoped(SYSTEM):
            assert File.objects.get(case_code=code).status == "erased"
        told = [f.data["removed"] for f in chain_facts(SYSTEM, "org") if f.action == "retention_applied"]
        assert told[-1]["sealed"] >= len(kept)
        assert job.due()["sealed"] == 0
    assert verify(SYSTEM)[1] is None


def test_each_kind_goes_at_its_own_time_and_one_fault_stops_no_other(cast: Cast, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = actions.report(PUBLIC, new_report()).case
    handled(cast, code)
    log_look(cast.handler, "person:7", "visit", "入户走访")
    start = clock.now()
    counts = {"visits": Visit.objects.count, "looks": LookLog.objects.count}

    def left(name: str) -> int:
        with scoped(SYSTEM):
            return counts[name]()

    assert (left("visits"), left("looks")) == (1, 1)
    monkeypatch.setenv("GRIDLOOP_KEEP_DAYS", "visits=10, looks=200")
    monkeypatch.setattr("gridloop.access.actions.forget_sessions", _broken)
    job._sweep.cache_clear()
    for days, visits, looks in ((9, 1, 1), (11, 0, 1), (199, 0, 1), (201, 0, 0)):
        with clock.fixed(start + timedelta(days=days)):
            job.run()
        assert (left("visits"), left("looks")) == (visits, looks), days
    state = json.loads((folder / "run" / "retention.json").read_text(encoding="utf-8"))
    assert state["failed"] == {"sessions": "OSError"}
    assert state["removed"]["looks"] == 1
    job._sweep.cache_clear()


def _broken(limit: int, dry: bool) -> int:
    raise OSError("disk")


@pytest.mark.parametrize("wrong", ["looks=100", "lookes=400", "looks", "looks=-1", "sealed=3", "seen=1"])
def test_nobody_keeps_less_than_the_law_asks_for(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLOOP_KEEP_DAYS", wrong)
    with pytest.raises(Invalid):
        rules()
