"""Which loudspeakers say it: those that reach the place, nearest first, not the broken ones."""

from __future__ import annotations

from typing import Any, cast

import pytest

from gridloop.cases import actions as cases
from gridloop.cases.messages import Report
from gridloop.cases.selectors import case_row
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.notices.audiences import MOST_SPEAKERS, recipients
from gridloop.registry.actions import load, set_device_status
from gridloop.registry.messages import DeviceRow

EAST_GRID = "990101100200001001"
METRE = 1 / 110_574  # degrees of latitude


def speaker(code: str, metres: float, coverage: float | None = None, kind: str = "loudspeaker") -> DeviceRow:
    return DeviceRow(
        code=code, kind=kind, region_code=EAST_GRID, lon=HERE[0], lat=HERE[1] + metres * METRE, coverage=coverage, name=f"{code}号"
    )


@pytest.fixture
def case(county: Cast) -> Any:
    done = cases.report(PUBLIC, Report(text="水边有孩子", kind="01037", lon=HERE[0], lat=HERE[1]))
    return case_row(SYSTEM, done.case)


def heard(case: Any) -> list[tuple[str, str]]:
    with scoped(SYSTEM):
        return [(one.to, one.name) for one in recipients("speakers", case, cast(Any, None), cast(Any, None), cast(Any, None))]


def test_those_that_reach_the_place_nearest_first(county: Cast, case: Any) -> None:
    load(
        SYSTEM,
        [
            speaker("far", 250),
            speaker("near", 50),
            speaker("weak", 100, coverage=60),
            speaker("out", 320),
            speaker("cam", 10, kind="camera"),
        ],
    )
    assert heard(case) == [("near", "near号"), ("far", "far号")]
    set_device_status(county.admin, "near", "faulty")
    assert heard(case) == [("far", "far号")]


def test_no_more_than_a_few_speak(county: Cast, case: Any) -> None:
    load(SYSTEM, [speaker(f"s{n}", 10 * n) for n in range(1, 8)])
    assert [to for to, _ in heard(case)] == ["s1", "s2", "s3"]
    assert MOST_SPEAKERS == 3


def test_a_case_without_a_place_is_said_nowhere(county: Cast, case: Any) -> None:
    load(SYSTEM, [speaker("near", 50)])
    case.lon = None
    assert heard(case) == []
