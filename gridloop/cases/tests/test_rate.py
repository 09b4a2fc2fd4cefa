"""评价: every reporter once, the centre once, each with a fact of their own."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gridloop.cases import actions, figures, present, tracking
from gridloop.cases.messages import Report, Reported
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.cases.tests.test_life import act, handled
from gridloop.kernel import clock
from gridloop.kernel.errors import Fault, Invalid, NotFound, NotNow
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer

pytestmark = pytest.mark.django_db


def reported(who: Viewer = PUBLIC) -> Reported:
    return actions.report(who, Report(text="路灯坏了", kind="01037", lon=HERE[0], lat=HERE[1]))


def closed(cast: Cast, code: str) -> None:
    handled(cast, code)
    act(cast.supervisor, code, "check", "approve")


def rating(code: str) -> dict[str, object]:
    found = present.case_detail(SYSTEM, code)["rating"]
    assert isinstance(found, dict)
    return found


def test_each_reporter_and_the_centre_rate_once(cast: Cast) -> None:
    one, two = reported(), reported()
    assert one.case == two.case
    closed(cast, one.case)
    actions.rate_by_key(PUBLIC, one.case, one.key, {"stars": 5, "note": "很快"})
    with pytest.raises(NotNow):
        actions.rate_by_key(PUBLIC, one.case, one.key, {"stars": 1})
    actions.rate_by_key(PUBLIC, two.case, two.key, {"stars": 2, "note": "等了很久"})
    assert rating(one.case) == {"stars": 3.5, "count": 2, "note": "等了很久", "centre": None}
    assert "rate" in present.case_detail(cast.operator, one.case)["verbs"]
    actions.rate(cast.operator, one.case, {"stars": 4, "note": "处置规范"})
    for again in (cast.operator, cast.supervisor, cast.county_operator):
        assert "rate" not in present.case_detail(again, one.case)["verbs"], "the centre has rated"
        with pytest.raises(NotNow):
            actions.rate(again, one.case, {"stars": 1})
    assert rating(one.case) == {"stars": 3.5, "count": 2, "note": "等了很久", "centre": {"stars": 4, "note": "处置规范"}}
    rated = [f["data"] for f in present.trace(SYSTEM, one.case, 0, 500) if f["action"] == "rated"]
    assert [(d["by"], d["stars"]) for d in rated] == [("reporter", 5), ("reporter", 2), ("centre", 4)]


def test_the_page_asks_for_a_rating_only_while_one_is_taken(cast: Cast) -> None:
    done = reported()
    closed(cast, done.case)
    assert tracking.track_page(SYSTEM, actions.by_key(done.case, done.key), "zh")["remaining"] == "已办结，欢迎评价"
    actions.rate_by_key(PUBLIC, done.case, done.key, {"stars": 5})
    assert tracking.track_page(SYSTEM, actions.by_key(done.case, done.key), "zh")["remaining"] == ""


def test_an_account_and_its_key_are_one_reporter(cast: Cast) -> None:
    done = reported(cast.citizen)
    closed(cast, done.case)
    actions.rate_by_key(cast.citizen, done.case, done.key, {"stars": 5})
    with pytest.raises(NotNow):
        actions.rate(cast.citizen, done.case, {"stars": 1})
    other = actions.report(cast.citizen, Report(text="井盖坏了", kind="01002", lon=HERE[0], lat=HERE[1]))
    closed(cast, other.case)
    actions.rate(cast.citizen, other.case, {"stars": 3})
    with pytest.raises(NotNow):
        actions.rate_by_key(cast.citizen, other.case, other.key, {"stars": 1})
    assert (rating(done.case)["stars"], rating(other.case)["stars"]) == (5, 3)


def test_the_page_shows_a_reporter_their_own_stars(cast: Cast) -> None:
    one, two = reported(), reported()
    closed(cast, one.case)
    actions.rate_by_key(PUBLIC, one.case, one.key, {"stars": 5})
    pages = []
    for each in (one, two):
        opened = actions.by_key(each.case, each.key)
        pages.append(tracking.track_page(SYSTEM, opened, "zh"))
    assert [(p["can_rate"], p["rating"]) for p in pages] == [(False, {"stars": 5, "note": ""}), (True, None)]


def test_who_may_not_rate(cast: Cast) -> None:
    done = reported()
    with pytest.raises(NotNow):
        actions.rate(cast.operator, done.case, {"stars": 5})
    closed(cast, done.case)
    for stranger in (cast.west_operator, cast.citizen):
        with pytest.raises((NotFound, NotNow)):
            actions.rate(stranger, done.case, {"stars": 5})
    with pytest.raises(Fault):
        actions.rate(cast.handler, done.case, {"stars": 5})
    with pytest.raises(Invalid):
        actions.rate(cast.operator, done.case, {"stars": 6})
    with clock.fixed(clock.now() + timedelta(days=31)), pytest.raises(NotNow):
        actions.rate(cast.operator, done.case, {"stars": 5})


def test_the_cockpit_tells_reporters_and_centre_apart(cast: Cast) -> None:
    first, second = reported(), actions.report(PUBLIC, Report(text="井盖坏了", kind="01002", lon=HERE[0], lat=HERE[1]))
    for done, stars in ((first, 5), (second, 2)):
        closed(cast, done.case)
        actions.rate_by_key(PUBLIC, done.case, done.key, {"stars": stars})
    actions.rate(cast.supervisor, first.case, {"stars": 4})
    found = figures.satisfaction(cast.operator, "990101", clock.now() - timedelta(days=30))
    assert found == {"average": 3.5, "count": 2, "good_share": 0.5, "centre_average": 4.0}
