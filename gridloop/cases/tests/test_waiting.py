"""A case whose process only waits is in nobody's hands: lists say so and until when."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gridloop.cases import actions, present, selectors
from gridloop.cases.selectors import CaseFilter
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.scenes.book import BOOK
from gridloop.sdk.signals import Signal

pytestmark = pytest.mark.django_db


def test_a_warned_car_waits_for_its_driver_and_then_for_the_desk(cast: Cast) -> None:
    signal = Signal("v1", "cams", "cam-1", "vehicle_stopped", clock.now(), 240.0, HERE[0], HERE[1], {"plate": "浙Z12345"})
    (match,) = BOOK.recognise(signal, "990101100200001001")
    code = actions.receive_signal(SYSTEM, signal, match) or ""
    (row,) = selectors.case_page(cast.operator, CaseFilter(stage="wait"))[0]
    item = present.case_items(cast.operator, [row])[0]
    assert (item["code"], item["status"], item["stage"]) == (code, "reported", "wait")
    assert item["stage_due_at"] > clock.now()
    assert selectors.case_page(cast.operator, CaseFilter(box="todo"))[0] == []

    with clock.fixed(item["stage_due_at"] + timedelta(seconds=1)):
        actions.fire_due()
        item = present.case_items(cast.operator, [selectors.case_row(cast.operator, code)])[0]
    assert item["stage"] != "wait"
