"""What signals leave on a case: its sources, in the order of time whatever order they come in, and the summary lists show."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gridloop.cases import actions
from gridloop.cases.models import Case
from gridloop.cases.pushing import all_sources
from gridloop.cases.selectors import case_row
from gridloop.cases.store import summary_of
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.journal.actions import scoped
from gridloop.journal.selectors import chain_facts
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.scenes.book import BOOK
from gridloop.sdk.signals import Signal

pytestmark = pytest.mark.django_db


def heard(number: int, device: str, at: datetime, seconds: float) -> str:
    signal = Signal(f"v{number}", "cams", device, "vehicle_stopped", at, seconds, *HERE, {"plate": "浙Z12345"})
    (match,) = BOOK.recognise(signal, "990101100200001001")
    return actions.receive_signal(SYSTEM, signal, match) or ""


def told(code: str) -> tuple[Case, list[dict[str, object]], list[tuple[str, int]]]:
    row = case_row(SYSTEM, code)
    with scoped(SYSTEM):
        sources = all_sources(row)
    return row, summary_of(sources), [(s.device, s.count) for s in sources]


def test_an_alarm_that_comes_late_is_the_first_of_its_kind(cast: Cast) -> None:
    now = clock.now()
    code = heard(1, "cam-1", now, 240.0)
    for number, (device, at) in enumerate((("cam-2", now - timedelta(minutes=9)), ("cam-3", now), ("cam-1", now)), 2):
        assert heard(number, device, at, 250.0) == code
        row, summary, _ = told(code)
        assert row.sources == summary, device
    assert told(code)[2] == [("cam-2", 1), ("cam-1", 2), ("cam-3", 1)]
    assert row.sources == [{"kind": "vehicle_stopped", "at": (now - timedelta(minutes=9)).isoformat(), "count": 4}]


def test_the_last_word_of_a_device_is_counted_in_the_push_that_ends_the_case(cast: Cast) -> None:
    now = clock.now()
    code = heard(1, "cam-1", now, 240.0)
    assert heard(2, "cam-9", now - timedelta(minutes=1), 0.0) == code
    row, summary, devices = told(code)
    assert (row.status, row.sources, devices) == ("closed", summary, [("cam-9", 1), ("cam-1", 1)])
    actions_told = [fact.action for fact in chain_facts(SYSTEM, f"case:{code}")]
    assert actions_told[-3:] == ["signal_added", "message_received", "closed"]
    assert actions_told.count("signal_added") == 2
