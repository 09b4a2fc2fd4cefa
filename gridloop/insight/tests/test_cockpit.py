"""The cockpit against the same cases counted by hand from what happened to them, fact by fact."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from gridloop.cases import actions, present
from gridloop.cases.messages import Report, Reported
from gridloop.cases.models import Case
from gridloop.cases.selectors import CaseFilter, case_counts, case_page, case_total
from gridloop.cases.tests.kit import COUNTY, EAST, HERE, STAFF, THERE, WEST, Cast
from gridloop.cases.tests.test_life import act, handled
from gridloop.insight.selectors import cockpit
from gridloop.journal.actions import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import PUBLIC, SYSTEM

pytestmark = pytest.mark.django_db
LOCAL = timezone(timedelta(hours=8))
NOW = datetime(2026, 11, 25, 11, 0, tzinfo=LOCAL)
MIDNIGHT = NOW.replace(hour=0)
FURTHER = (HERE[0] + 0.01, HERE[1])


@dataclass(frozen=True)
class Life:
    """What the trace of one case says."""

    code: str
    type: str
    region: str
    reported: datetime
    ended: str  # the action that ended it, '' while open
    ended_at: datetime | None


def at(hour: float, days_ago: int = 0) -> Any:
    return clock.fixed((MIDNIGHT - timedelta(days=days_ago) + timedelta(hours=hour)).astimezone(UTC))


def reported(hour: float, kind: str, place: tuple[float, float] = HERE, days_ago: int = 0) -> Reported:
    with at(hour, days_ago):
        return actions.report(PUBLIC, Report(text="请来看看", kind=kind, lon=place[0], lat=place[1]))


def closed(cast: Cast, code: str, hour: float) -> None:
    with at(hour):
        handled(cast, code)
        act(cast.supervisor, code, "check", "approve")


def live(cast: Cast) -> dict[str, str]:
    """Two days of a small county; the codes by what becomes of them."""
    late = reported(10, "01037", days_ago=1)
    quick = reported(8, "01002")
    waiting = reported(9.4, "28002")
    stuck = reported(9, "01037", FURTHER, days_ago=1)
    false = reported(9.1, "02010")
    west = reported(9.2, "28002", THERE)
    with at(9.25, 1):
        actions.accept(cast.operator, stuck.case, {})
    closed(cast, late.case, 9.5)
    closed(cast, quick.case, 10)
    with at(10.25):
        actions.void(cast.operator, false.case, {"note": "误报"})
        actions.rate_by_key(PUBLIC, late.case, late.key, {"stars": 2})
        actions.rate_by_key(PUBLIC, quick.case, quick.key, {"stars": 5})
        actions.rate(cast.supervisor, quick.case, {"stars": 4})
    named = {"late": late, "quick": quick, "waiting": waiting, "stuck": stuck, "false": false, "west": west}
    return {name: one.case for name, one in named.items()}


def lives(codes: dict[str, str]) -> list[Life]:
    found = []
    for code in codes.values():
        facts = present.trace(SYSTEM, code, 0, 500)
        first = facts[0]
        end = next((f for f in facts if f["action"] in ("closed", "voided", "merged", "rejected")), None)
        filed = [f["data"]["type"] for f in facts if f["action"] == "filed"]
        moment = datetime.fromisoformat
        kind, region = (filed or [first["data"]["type"]])[-1], first["data"]["region"]
        found.append(Life(code, kind, region, moment(first["at"]), end["action"] if end else "", moment(end["at"]) if end else None))
    return found


@pytest.fixture
def seen(cast: Cast) -> tuple[dict[str, str], list[Life], dict[str, Any]]:
    codes = live(cast)
    with clock.fixed(NOW.astimezone(UTC)):
        return codes, lives(codes), cockpit(cast.county_operator)


def test_today_and_now(seen: tuple[dict[str, str], list[Life], dict[str, Any]]) -> None:
    codes, told, shown = seen
    done = [x for x in told if x.ended == "closed" and x.ended_at and x.ended_at >= MIDNIGHT]
    seconds = [(x.ended_at - x.reported).total_seconds() for x in done if x.ended_at]
    assert shown["today"] == {
        "reported": sum(x.reported >= MIDNIGHT and x.ended != "voided" for x in told),
        "closed": len(done),
        "on_time_share": 0.5,
        "average_close_seconds": round(sum(seconds) / len(seconds)),
    }
    assert (shown["today"]["reported"], shown["today"]["closed"], shown["today"]["average_close_seconds"]) == (3, 2, 45_900)
    still = [x for x in told if not x.ended]
    severities = Counter(str(present.case_detail(SYSTEM, x.code)["severity"]) for x in still)
    assert shown["now"] == {"in_hand": len(still), "waiting": 2, "overdue": 1, "severity": {s: severities[s] for s in "1234"}}
    assert [row["code"] for row in shown["overdue"]] == [codes["stuck"]]
    assert [row["code"] for row in shown["latest"]] == [x.code for x in sorted(told, key=lambda x: x.reported, reverse=True)]


def test_lists_and_counts_call_late_what_the_cockpit_calls_late(cast: Cast) -> None:
    """Past its own limit in a fresh stage: the tile counted such a case, and the list that it opens left it out."""
    codes, late = live(cast), CaseFilter(overdue=True)
    with clock.fixed(NOW.astimezone(UTC)):
        with scoped(SYSTEM):
            hour = timedelta(hours=1)
            Case.objects.filter(code=codes["west"]).update(due_at=clock.now() - hour, stage_due_at=clock.now() + hour)
        shown = cockpit(cast.county_operator)["now"]["overdue"]
        rows, _ = case_page(cast.county_operator, late)
        assert {row.code for row in rows} == {codes["stuck"], codes["west"]}
        assert shown == case_total(cast.county_operator, late) == 2
        assert case_counts(cast.county_operator, CaseFilter())["overdue"] == 2


def test_satisfaction_is_the_reporters_with_the_centres_beside(seen: tuple[dict[str, str], list[Life], dict[str, Any]]) -> None:
    assert seen[2]["satisfaction"] == {"average": 3.5, "count": 2, "good_share": 0.5, "centre_average": 4.0}


def test_by_type_region_grid_and_hour(seen: tuple[dict[str, str], list[Life], dict[str, Any]]) -> None:
    _codes, told, shown = seen
    still = [x for x in told if not x.ended]
    today = Counter(x.type for x in told if x.reported >= MIDNIGHT and x.ended != "voided")
    held = Counter(x.type for x in still)
    assert {(t["type"], t["in_hand"], t["today"]) for t in shown["by_type"]} == {(t, held[t], today[t]) for t in held | today}
    regions = {r["code"]: (r["in_hand"], r["overdue"], r["closed_today"]) for r in shown["by_region"]}
    assert regions == {EAST: (2, 1, 2), WEST: (1, 0, 0)}
    grids = Counter(x.region[:15] for x in still)
    assert {g["code"]: g["count"] for g in shown["grids"]} == dict(grids)
    first = NOW - timedelta(hours=23)
    assert [h["hour"] for h in shown["hours"]] == [first + timedelta(hours=n) for n in range(24)]
    assert [h["reported"] for h in shown["hours"]] == by_hour(first, [x.reported for x in told if x.ended != "voided"])
    assert [h["closed"] for h in shown["hours"]] == by_hour(first, [x.ended_at for x in told if x.ended == "closed" and x.ended_at])
    assert sum(h["reported"] for h in shown["hours"] if h["hour"] >= MIDNIGHT) == shown["today"]["reported"] == 3
    assert sum(h["closed"] for h in shown["hours"] if h["hour"] >= MIDNIGHT) == shown["today"]["closed"] == 2


def by_hour(first: datetime, moments: list[datetime]) -> list[int]:
    hour = Counter((moment - first) // timedelta(hours=1) for moment in moments)
    return [hour[n] for n in range(24)]


def test_a_town_sees_its_own_numbers_only(cast: Cast) -> None:
    codes = live(cast)
    with clock.fixed(NOW.astimezone(UTC)):
        shown = cockpit(cast.west_operator)
        with pytest.raises(NotFound):
            cockpit(cast.west_operator, EAST)
        narrowed = cockpit(cast.county_operator, WEST)
    assert (shown["region"]["code"], shown["now"]["in_hand"], shown["today"]["closed"]) == (WEST, 1, 0)
    assert [row["code"] for row in shown["latest"]] == [codes["west"]]
    assert narrowed["now"] == shown["now"]


def test_an_empty_county_has_no_shares(cast: Cast) -> None:
    shown = cockpit(cast.county_operator)
    assert shown["region"]["code"] == COUNTY
    assert shown["today"] == {"reported": 0, "closed": 0, "on_time_share": None, "average_close_seconds": None}
    assert shown["satisfaction"] == {"average": None, "count": 0, "good_share": None, "centre_average": None}
    assert shown["force"]["staff"] == len(STAFF)
