"""The false-closure guard: what speaks against closing holds the case for a review, and says why (B2)."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from gridloop.cases import actions, present
from gridloop.cases.doubting import Visit, of_cameras, of_visits
from gridloop.cases.models import Visit as VisitRow
from gridloop.cases.tests.kit import HERE, THERE, Cast
from gridloop.cases.tests.test_life import act, actions_of, new_report, report, task_of
from gridloop.evidence.actions import add
from gridloop.evidence.messages import Camera
from gridloop.evidence.tests.pictures import camera_data, copy_of, scene
from gridloop.journal.actions import checkpoint, scoped
from gridloop.journal.selectors import verify
from gridloop.kernel import clock
from gridloop.kernel.errors import NotNow
from gridloop.kernel.ids import uuid7
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer

db = pytest.mark.django_db
AT = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)


def submitted(cast: Cast, code: str, content: bytes, who: Viewer | None = None, at: tuple[float, float] = HERE, **sent: Any) -> None:
    """Handled with this photo, up to the check."""
    who = who or cast.handler
    actions.accept(cast.operator, code, {})
    again(code, who, content, at, **sent)


def again(code: str, who: Viewer, content: bytes, at: tuple[float, float] = HERE, **sent: Any) -> None:
    act(who, code, "handle", "accept")
    act(who, code, "handle", "check_in", place={"lon": at[0], "lat": at[1]})
    act(who, code, "handle", "submit", evidence=[str(add(who, content, **sent).id)], note="已处置")


def approve(cast: Cast, code: str) -> dict[str, Any]:
    act(cast.supervisor, code, "check", "approve", note="现场已亮")
    found: dict[str, Any] = present.case_detail(cast.county_operator, code)
    return found


def held(cast: Cast, code: str) -> list[str]:
    """Approved, yet not closed: the reasons the reviewer reads."""
    detail = approve(cast, code)
    assert detail["status"] == "checking"
    review = task_of(SYSTEM, code, "review")
    assert review["unit"]["name"] == "云澜县社会治理中心"  # type: ignore[index]
    assert review["due_at"] is not None
    assert review["doubts"] == detail["doubts"]
    found: list[str] = detail["doubts"]
    return found


@db
def test_an_honest_result_closes_at_the_check(cast: Cast) -> None:
    code = report()
    submitted(cast, code, scene(1, exif=camera_data(*HERE, taken=local(clock.now()))), lon=HERE[0], lat=HERE[1])
    detail = approve(cast, code)
    assert (detail["status"], detail["doubts"]) == ("closed", [])
    assert "closing_doubted" not in actions_of(code)


def local(at: datetime) -> str:
    return f"{at.astimezone(ZoneInfo('Asia/Shanghai')):%Y:%m:%d %H:%M:%S}"


@db
def test_a_photo_of_another_case_is_known_again(cast: Cast) -> None:
    first, second = report(), report("井盖破了", "01002", (HERE[0] + 0.01, HERE[1]))
    submitted(cast, first, scene(2))
    assert approve(cast, first)["status"] == "closed"
    submitted(cast, second, copy_of(scene(2), quality=50), at=(HERE[0] + 0.01, HERE[1]))
    assert held(cast, second) == [f"照片与事件 {first} 的照片相同或高度相似"]
    english = present.case_detail(Viewer(**{**vars_of(cast.county_operator), "lang": "en"}), second)["doubts"]
    assert english == [f"a photo is the same as, or nearly, one of case {first}"]
    elsewhere = present.case_detail(SYSTEM, second)
    assert elsewhere["doubts"] == held_words(first)


def vars_of(viewer: Viewer) -> dict[str, Any]:
    from dataclasses import fields

    return {f.name: getattr(viewer, f.name) for f in fields(viewer)}


def held_words(first: str) -> list[str]:
    return [f"照片与事件 {first} 的照片相同或高度相似"]


@db
def test_the_code_of_a_case_one_may_not_see_is_not_named(cast: Cast) -> None:
    west = report(at=THERE)
    actions.accept(cast.west_operator, west, {})
    again(west, cast.handler, scene(3), THERE)
    east = report("井盖破了", "01002")
    submitted(cast, east, copy_of(scene(3)), who=cast.handler2)
    act(cast.supervisor, east, "check", "approve")
    assert present.case_detail(cast.supervisor, east)["doubts"] == ["照片与事件 辖区外的事件 的照片相同或高度相似"]
    assert present.case_detail(cast.county_operator, east)["doubts"] == [f"照片与事件 {west} 的照片相同或高度相似"]


@db
def test_the_reporters_own_photo_is_no_proof_of_the_work(cast: Cast) -> None:
    code = report()
    actions.accept(cast.operator, code, {})
    act(cast.handler, code, "handle", "accept")
    act(cast.handler, code, "handle", "check_in", place={"lon": HERE[0], "lat": HERE[1]})
    before = str(add(cast.handler, scene(4), kind="before").id)
    act(cast.handler, code, "handle", "submit", evidence=[before, str(add(cast.handler, scene(5)).id)])
    act(cast.supervisor, code, "check", "reject", note="没修好")
    again(code, cast.handler, copy_of(scene(4)))
    assert held(cast, code) == ["照片与本事件此前的照片相同或高度相似"]


@db
def test_an_old_photo_and_one_from_elsewhere(cast: Cast) -> None:
    code = report()
    taken = local(clock.now() - timedelta(hours=30))
    submitted(cast, code, scene(6, exif=camera_data(*THERE, taken=taken)))
    old, far = held(cast, code)
    assert old == "照片拍摄于任务下达前 30 小时"
    assert far.startswith("照片拍摄地距事发地 8.")


@db
def test_a_check_in_from_afar(cast: Cast) -> None:
    code = report()
    submitted(cast, code, scene(7), at=(HERE[0] + 0.01, HERE[1]))
    assert held(cast, code) == ["到场签到地距事发地 971 m"]


@db
def test_nobody_is_at_two_ends_of_the_county_within_a_minute(cast: Cast) -> None:
    west, east = report(at=THERE), report("井盖破了", "01002")
    actions.accept(cast.west_operator, west, {})
    again(west, cast.handler, scene(8), THERE)
    with clock.fixed(clock.now() + timedelta(seconds=60)):
        submitted(cast, east, scene(9))
        assert held(cast, east) == [f"两次签到相距 8.7 km，只隔 60 秒（另一次：{west}）"]


@db
def test_the_same_place_soon_after_it_was_closed(cast: Cast) -> None:
    first = report()
    submitted(cast, first, scene(10))
    assert approve(cast, first)["status"] == "closed"
    with clock.fixed(clock.now() + timedelta(days=3)):
        second = report("又不亮了")
        assert second != first
        submitted(cast, second, scene(11))
        assert held(cast, second) == [f"同一地点此前 7 天内已办结过同类事件：{first}"]
    with clock.fixed(clock.now() + timedelta(days=12)):
        third = report("还是不亮")
        submitted(cast, third, scene(12))
        assert approve(cast, third)["status"] == "closed"


@db
def test_reported_again_after_the_result_was_handed_in(cast: Cast) -> None:
    code = report()
    submitted(cast, code, scene(13))
    with clock.fixed(clock.now() + timedelta(hours=1)):
        assert actions.report(PUBLIC, new_report("还是不亮！")).case == code
        assert held(cast, code) == ["反馈之后又有群众上报（1 次）"]


@db
def test_the_reviewer_is_somebody_else_and_decides(cast: Cast) -> None:
    code = report()
    submitted(cast, code, scene(14), at=(HERE[0] + 0.02, HERE[1]))
    act(cast.county_operator, code, "check", "approve")
    with pytest.raises(NotNow):
        act(cast.county_operator, code, "review", "approve", note="没问题")
    with pytest.raises(NotNow):
        act(cast.handler, code, "review", "approve")
    act(cast.supervisor, code, "review", "approve", note="电话核实，属实")
    assert present.case_detail(SYSTEM, code)["status"] == "closed"
    with scoped(SYSTEM):
        checkpoint()
    trace = present.trace(SYSTEM, code, 0, 500)
    doubted = next(f for f in trace if f["action"] == "closing_doubted")
    assert doubted["data"]["doubts"] == [{"why": "checked_in_far", "metres": 1941}]
    assert [f["action"] for f in trace][-2:] == ["review_approved", "closed"]
    assert verify(SYSTEM)[1] is None


@db
def test_a_review_that_fails_sends_it_back_and_the_next_result_starts_clean(cast: Cast) -> None:
    code = report()
    submitted(cast, code, scene(15), at=(HERE[0] + 0.02, HERE[1]))
    act(cast.supervisor, code, "check", "approve")
    act(cast.county_operator, code, "review", "reject", note="照片不是这里")
    detail = present.case_detail(SYSTEM, code)
    assert (detail["status"], detail["reworks"], detail["doubts"]) == ("reworked", 1, [])
    with clock.fixed(clock.now() + timedelta(hours=1)):
        again(code, cast.handler, scene(16))
        assert approve(cast, code)["status"] == "closed"


@db
def test_where_people_checked_in_is_forgotten_after_a_month(cast: Cast) -> None:
    submitted(cast, report(), scene(17))
    with scoped(SYSTEM):
        assert VisitRow.objects.count() == 1
    actions.forget_visits()
    with scoped(SYSTEM):
        assert VisitRow.objects.count() == 1
    with clock.fixed(clock.now() + timedelta(days=31)):
        actions.forget_visits()
    with scoped(SYSTEM):
        assert VisitRow.objects.count() == 0


def camera(**more: Any) -> Camera:
    return Camera(
        **{"file": uuid7(), "said_at": AT, "said_lon": None, "said_lat": None, "taken_at": "", "taken_lon": None, "taken_lat": None, **more}
    )


@pytest.mark.parametrize(
    ("told", "whys"),
    [
        ({}, []),
        ({"taken_at": "2026:05:01 16:00:00"}, []),  # the camera's clock shows the time of the place
        ({"taken_at": "2026:05:01 15:51:00"}, []),
        ({"taken_at": "2026:05:01 15:49:00"}, ["photo_old"]),
        ({"taken_at": "0000:00:00 00:00:00"}, []),
        ({"taken_at": "yesterday"}, []),
        ({"said_at": AT - timedelta(days=2)}, ["photo_old"]),
        ({"said_lon": 121.604, "said_lat": 29.205}, []),
        ({"said_lon": 121.62, "said_lat": 29.205}, ["photo_far"]),
        ({"said_lon": HERE[0], "said_lat": HERE[1], "taken_lon": 121.62, "taken_lat": 29.205}, ["photo_far"]),
        ({"said_lon": 121.62, "said_lat": 29.205, "taken_lon": HERE[0], "taken_lat": HERE[1]}, []),
    ],
)
def test_what_cameras_tell(told: dict[str, Any], whys: list[str]) -> None:
    assert [d["why"] for d in of_cameras([camera(**told)], HERE, AT, "Asia/Shanghai")] == whys


@pytest.mark.parametrize(
    ("seconds", "metres_east", "whys"),
    [(600, 0, []), (60, 1900, []), (60, 2500, ["too_fast"]), (3600, 60_000, []), (0, 3000, ["too_fast"])],
)
def test_what_visits_tell(seconds: int, metres_east: int, whys: list[str]) -> None:
    before = Visit("other", AT, HERE[0] + metres_east / 97_200, HERE[1])
    after = Visit("this", AT + timedelta(seconds=seconds), *HERE)
    assert [d["why"] for d in of_visits([before, after], "this", HERE, AT)] == whys
    assert of_visits([before, after], "this", HERE, AT + timedelta(days=1)) == [], "judged with an earlier result"
    assert of_visits([before, Visit("third", AT, *HERE)], "this", HERE, AT) == [], "other people's cases are not this one's matter"


def test_pictures_of_the_tests_are_pictures() -> None:
    with Image.open(io.BytesIO(scene(1))) as picture:
        assert picture.size == (640, 480)
