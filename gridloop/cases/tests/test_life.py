"""One case through its whole life, on real rows, as the app role."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gridloop.access.models import LookLog
from gridloop.cases import actions, present, selectors, tracking
from gridloop.cases.messages import Report
from gridloop.cases.selectors import CaseFilter
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.journal.actions import checkpoint, scoped
from gridloop.journal.models import Fact
from gridloop.journal.selectors import verify
from gridloop.kernel import clock
from gridloop.kernel.errors import Invalid, NotFound, NotNow
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer
from gridloop.scenes.book import BOOK
from gridloop.sdk.signals import Signal

pytestmark = pytest.mark.django_db
ONCE = [
    "reported",
    "verified",
    "case_accepted",
    "filed",
    "dispatched",
    "task_accepted",
    "checked_in",
    "submitted",
    "check_approved",
    "closed",
    "rated",
]


def report(text: str = "滨河路路灯不亮", kind: str = "01037", at: tuple[float, float] = HERE) -> str:
    return actions.report(PUBLIC, new_report(text, kind, at)).case


def new_report(text: str = "滨河路路灯不亮", kind: str = "01037", at: tuple[float, float] = HERE) -> Report:
    return Report(text=text, kind=kind, lon=at[0], lat=at[1], address="滨河路27号", contact="10012345678", name="李四")


def actions_of(code: str) -> list[str]:
    return [f["action"] for f in present.trace(SYSTEM, code, 0, 500)]


def task_of(viewer: Viewer, code: str, stage: str) -> dict[str, object]:
    return next(t for t in present.case_tasks(SYSTEM, code) if t["stage"] == stage and t["status"] in ("open", "accepted"))


def act(viewer: Viewer, code: str, stage: str, verb: str, **payload: object) -> None:
    actions.act(viewer, str(task_of(viewer, code, stage)["id"]), verb, payload)


def handled(cast: Cast, code: str) -> None:
    """Bring a fresh case to the check."""
    actions.accept(cast.operator, code, {})
    act(cast.handler, code, "handle", "accept")
    act(cast.handler, code, "handle", "check_in", place={"lon": HERE[0], "lat": HERE[1]})
    machine_proof(code, cast.handler)


def machine_proof(code: str, who: Viewer) -> None:
    from gridloop.evidence.tests.kit import photo_of

    act(who, code, "handle", "submit", evidence=[photo_of(who)], note="已更换灯泡")


def test_full_life(cast: Cast) -> None:
    done = actions.report(PUBLIC, new_report())
    code = done.case
    detail = present.case_detail(cast.operator, code)
    assert detail["status"] == "verifying", "a citizen's words are first verified on the spot"
    assert detail["proposal"]["unit"]["name"] == "市政设施养护所"
    assert "accept" in detail["verbs"]
    handled(cast, code)
    assert present.case_detail(cast.handler, code)["status"] == "checking"
    act(cast.supervisor, code, "check", "approve", note="现场已亮")
    assert present.case_detail(cast.operator, code)["status"] == "closed"
    actions.rate_by_key(PUBLIC, code, done.key, {"stars": 5, "note": "很快"})
    assert present.case_detail(cast.operator, code)["rating"] == {"stars": 5, "count": 1, "note": "很快", "centre": None}
    told = actions_of(code)
    assert [a for a in told if a in ONCE] == ONCE
    checkpoint()
    count, broken = verify(SYSTEM)
    assert broken is None
    assert count > len(told)


def test_a_case_is_called_by_the_day_of_its_place(cast: Cast) -> None:
    with clock.fixed(datetime(2026, 7, 1, 20, 30, tzinfo=UTC)):  # half past four in the morning there
        assert actions.report(PUBLIC, new_report()).case[6:12] == "260702"


def test_nobody_checks_their_own_work(cast: Cast) -> None:
    code = report()
    handled(cast, code)
    own = next(t for t in present.case_tasks(cast.handler, code) if t["stage"] == "check")
    assert own["verbs"] == []
    with pytest.raises(NotNow):
        actions.act(cast.handler, str(own["id"]), "approve", {})


def test_check_fails_and_work_is_done_again(cast: Cast) -> None:
    code = report()
    handled(cast, code)
    act(cast.supervisor, code, "check", "reject", note="灯还是不亮")
    detail = present.case_detail(cast.operator, code)
    assert (detail["status"], detail["reworks"]) == ("reworked", 1)
    act(cast.handler, code, "handle", "accept")
    machine_proof(code, cast.handler)
    act(cast.supervisor, code, "check", "approve")
    assert present.case_detail(cast.operator, code)["status"] == "closed"


def test_return_goes_back_to_the_desk_with_its_reason(cast: Cast) -> None:
    code = report()
    actions.accept(cast.operator, code, {})
    with pytest.raises(Invalid):
        act(cast.handler, code, "handle", "return")
    act(cast.handler, code, "handle", "return", note="不属我单位")
    detail = present.case_detail(cast.operator, code)
    assert (detail["status"], detail["returns"], detail["lead_unit"]) == ("filed", 1, None)
    actions.accept(cast.operator, code, {"unit": cast.units["URBAN"]})
    assert present.case_detail(cast.operator, code)["lead_unit"]["name"] == "综合行政执法局"


def test_escalate_goes_to_the_level_above_and_comes_down_again(cast: Cast) -> None:
    code = report()
    actions.accept(cast.operator, code, {})
    act(cast.handler, code, "handle", "accept")
    act(cast.handler, code, "handle", "escalate", note="属交通信号，需县里定")
    assert present.case_detail(cast.county_operator, code)["status"] == "escalated"
    assert task_of(SYSTEM, code, "intake")["unit"]["name"] == "云澜县社会治理中心"  # type: ignore[index]
    actions.route(cast.county_operator, code, {"unit": cast.units["EAST"], "note": "请东镇处理"})
    assert task_of(SYSTEM, code, "intake")["unit"]["name"] == "东镇综合信息指挥室"  # type: ignore[index]
    assert {"handed_up", "handed_down"} <= set(actions_of(code))


def test_lead_and_supporting_units_work_in_parallel(cast: Cast) -> None:
    code = report()
    actions.accept(cast.operator, code, {"supporting": [cast.units["URBAN"], cast.units["TRAFFIC"]]})
    act(cast.handler, code, "handle", "accept")
    machine_proof(code, cast.handler)
    assert present.case_detail(cast.operator, code)["status"] == "submitted", "waits for the supporting units"
    for who in (cast.urban, cast.officer):
        mine = next(t for t in present.my_tasks(who, "live", True, 10)["items"] if t["case"] == code)
        actions.act(who, str(mine["id"]), "accept", {})
        actions.act(who, str(mine["id"]), "submit", {"note": "已配合"})
    assert present.case_detail(cast.operator, code)["status"] == "checking"


def test_a_unit_named_twice_helps_once(cast: Cast) -> None:
    code = report()
    actions.accept(cast.operator, code, {"supporting": [cast.units["URBAN"], cast.units["URBAN"]]})
    tasks = [t for t in present.case_tasks(SYSTEM, code) if t["stage"] == "support"]
    assert [t["unit"]["name"] for t in tasks] == ["综合行政执法局"]


def test_the_competent_unit_leads_and_does_not_help_too(cast: Cast) -> None:
    code = actions.report(PUBLIC, new_report()).case
    with pytest.raises(Invalid, match="lead_is_supporting"):  # another type without a unit: its competent one leads
        actions.accept(cast.operator, code, {"type": "09009", "supporting": [cast.units["TRAFFIC"]]})
    assert present.case_detail(cast.operator, code)["status"] == "verifying", "nothing of it stays"


def test_void_needs_a_reason_and_ends_everything(cast: Cast) -> None:
    code = report()
    with pytest.raises(Invalid):
        actions.void(cast.operator, code, {})
    actions.void(cast.operator, code, {"note": "误报"})
    detail = present.case_detail(cast.operator, code)
    assert detail["status"] == "voided"
    assert all(t["status"] == "cancelled" for t in detail["tasks"])


def test_merge_keeps_every_reporter(cast: Cast) -> None:
    one = actions.report(PUBLIC, Report(text="路灯坏了", kind="01037", lon=HERE[0], lat=HERE[1]))
    other = actions.report(PUBLIC, Report(text="井盖坏了", kind="01002", lon=HERE[0], lat=HERE[1]))
    actions.merge(cast.operator, other.case, one.case, {"note": "同一处施工"})
    merged = present.case_detail(cast.operator, one.case)
    assert merged["merged"] == 1
    assert len(merged["source_rows"]) == 2
    opened = actions.by_key(other.case, other.key)
    assert opened.case.code == one.case, "the second reporter follows the case it went into"
    page = tracking.track_page(SYSTEM, opened, "zh")
    assert (page["code"], page["under"]) == (one.case, other.case), "under which number they know it"
    assert tracking.track_page(SYSTEM, actions.by_key(one.case, one.key), "zh")["under"] == ""


@pytest.mark.parametrize("undone", [False, True])
def test_a_reporter_is_told_when_they_reported_it(cast: Cast, undone: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not when another did whose case theirs went into, nor when theirs was split off again."""
    begin = clock.now()
    times = {minutes: begin + timedelta(minutes=minutes) for minutes in (0, 10, 20, 30)}
    one, other = (
        actions.report(PUBLIC, Report(text=text, kind=kind, lon=HERE[0], lat=HERE[1], at=times[at]))
        for text, kind, at in (("路灯坏了", "01037", 0), ("井盖坏了", "01002", 10))
    )
    actions.merge(cast.operator, other.case, one.case, {})
    if undone:
        row = next(s for s in selectors.sources_of(SYSTEM, one.case) if s.came_under)
        actions.split(cast.operator, one.case, row.pk)
    page = tracking.track_page(SYSTEM, actions.by_key(other.case, other.key), "zh")
    assert page["steps"][0]["at"] == times[10]
    assert next(t["at"] for t in page["texts"] if t["what"] == "上报") == times[10].isoformat()


def test_same_place_same_kind_is_one_case(cast: Cast) -> None:
    one = actions.report(PUBLIC, Report(text="路灯坏了", kind="01037", lon=HERE[0], lat=HERE[1]))
    two = actions.report(PUBLIC, Report(text="灯不亮", kind="01037", lon=HERE[0] + 0.0002, lat=HERE[1]))
    assert (two.case, two.merged) == (one.case, True)
    assert len(selectors.sources_of(SYSTEM, one.case)) == 2


def test_scope_in_rows_and_in_program(cast: Cast) -> None:
    code = report()
    assert present.case_detail(cast.county_operator, code)["code"] == code
    with pytest.raises(NotFound):
        present.case_detail(cast.west_operator, code)
    with pytest.raises(NotFound):
        present.case_detail(cast.handler, code)
    assert selectors.case_page(cast.west_operator, CaseFilter())[0] == []
    actions.accept(cast.operator, code, {})
    assert present.case_detail(cast.handler, code)["code"] == code, "an involved unit sees the case wherever it lies"


def test_limits_remind_and_give_cards_in_order(cast: Cast) -> None:
    start = clock.now()
    code = report()
    with clock.fixed(start + timedelta(days=3)):
        while actions.fire_due():
            pass
    told = actions_of(code)
    cards = [f["data"]["card"] for f in present.trace(SYSTEM, code, 0, 500) if f["action"] == "card_given"]
    assert told.count("reminded") == 2
    assert cards == ["yellow", "red"]
    assert "overdue_escalated" in told
    assert present.case_detail(cast.county_operator, code)["card"] == "red"
    with clock.fixed(start + timedelta(days=4)):
        actions.fire_due()
    assert actions_of(code) == told, "nothing fires twice"


def test_erasing_the_reporter_leaves_the_chain_whole(cast: Cast) -> None:
    code = report(text="我是李四，楼下路灯不亮")
    checkpoint()
    actions.erase_reporter(cast.admin, code, "本人请求")
    detail = present.case_detail(cast.operator, code)
    assert (detail["text"], detail["reporter"], detail["place"]["address"]) == ("", None, "")
    assert detail["title"] == "路灯异常 · 东镇一村第一微网格", "the address that was typed is gone from the title too"
    assert verify(SYSTEM)[1] is None


def test_the_note_of_an_erasure_stays_out_of_the_facts(cast: Cast) -> None:
    code = report()
    actions.erase_reporter(cast.admin, code, "李四本人要求")
    erased = next(f for f in present.trace(SYSTEM, code, 0, 500) if f["action"] == "reporter_erased")
    assert (erased["data"]["rule"], erased["text"]) == ("subject_request", "李四本人要求")
    with scoped(SYSTEM):
        assert not Fact.objects.filter(data__icontains="李四").exists()


def test_erasing_reaches_the_reporters_of_merged_cases(cast: Cast) -> None:
    one = actions.report(PUBLIC, Report(text="路灯坏了", kind="01037", lon=HERE[0], lat=HERE[1], contact="10012345678"))
    other = actions.report(PUBLIC, Report(text="井盖坏了", kind="01002", lon=HERE[0], lat=HERE[1], contact="10087654321"))
    actions.merge(cast.operator, other.case, one.case, {"note": "同一处施工"})
    actions.erase_reporter(cast.admin, one.case)
    assert {(s["text"], s["reporter"]) for s in present.case_sources(SYSTEM, one.case)} == {("", None)}


def test_a_reporter_follows_a_merged_case_that_is_merged_again(cast: Cast) -> None:
    done = [
        actions.report(PUBLIC, Report(text=text, kind=kind, lon=HERE[0], lat=HERE[1]))
        for text, kind in (("路灯坏了", "01037"), ("井盖坏了", "01002"), ("占道经营", "09006"))
    ]
    actions.merge(cast.operator, done[0].case, done[1].case, {"note": "同一处"})
    actions.merge(cast.operator, done[1].case, done[2].case, {"note": "同一处"})
    assert {actions.by_key(one.case, one.key).case.code for one in done} == {done[2].case}


def test_two_cases_of_one_camera_can_be_merged(cast: Cast) -> None:
    codes = []
    for number, plate in enumerate(("浙Z12345", "浙Z54321")):
        signal = Signal(f"v{number}", "cams", "cam-1", "vehicle_stopped", clock.now(), 240.0, HERE[0], HERE[1], {"plate": plate})
        (match,) = BOOK.recognise(signal, "990101100200001001")
        codes.append(actions.receive_signal(SYSTEM, signal, match) or "")
    actions.merge(cast.operator, codes[0], codes[1], {"note": "同一起事故"})
    (source,) = selectors.sources_of(SYSTEM, codes[1])
    assert (source.device, source.count) == ("cam-1", 2)


def test_numbers_of_persons_in_words_are_masked(cast: Cast) -> None:
    code = report(text="灯不亮，请打13812345678")
    actions.accept(cast.operator, code, {})
    for who in (cast.operator, cast.handler):  # whoever may open them does so for a purpose
        assert present.case_detail(who, code)["text"] == "灯不亮，请打138****5678"
    assert "13812345678" not in str(present.trace(cast.handler, code, 0, 500))


def test_a_report_from_no_region_is_refused(cast: Cast) -> None:
    with pytest.raises(Invalid) as refused:
        actions.report(PUBLIC, Report(text="路灯坏了", region="zz-nowhere"))
    assert refused.value.errors[0].pointer == "/region"


def test_a_person_who_is_named_brings_the_unit_and_must_be_there(cast: Cast) -> None:
    code = report()
    for payload in ({"person": 10**8}, {"post": 10**8}, {"person": cast.urban.staff_id, "unit": cast.units["MUNICIPAL"]}):
        with pytest.raises(Invalid):
            actions.route(cast.operator, code, payload)
    actions.route(cast.operator, code, {"person": cast.urban.staff_id})
    task = task_of(SYSTEM, code, "handle")
    assert (task["unit"]["name"], task["assignee"]["id"]) == ("综合行政执法局", cast.urban.staff_id)  # type: ignore[index]


def test_the_county_desk_may_check_for_a_town(cast: Cast) -> None:
    code = report()
    handled(cast, code)
    with pytest.raises((NotFound, NotNow)):
        act(cast.west_operator, code, "check", "approve")
    act(cast.county_operator, code, "check", "approve")
    assert present.case_detail(cast.operator, code)["status"] == "closed"


def test_the_reporter_is_opened_for_a_purpose_only_and_the_look_is_written_down(cast: Cast) -> None:
    code = report()
    assert present.case_detail(cast.operator, code)["reporter"]["contact"] == "100****5678"
    with pytest.raises(Invalid):
        present.reporter_opened(cast.operator, code, "curiosity", "想看看")
    told = {"name": "李四", "contact": "10012345678", "text": "滨河路路灯不亮"}
    assert present.reporter_opened(cast.operator, code, "handle_case", "回电核实地点") == [told]
    with scoped(SYSTEM):
        look = LookLog.objects.get(subject=f"case:{code}/reporter")
    assert (look.user_id, look.purpose) == (cast.operator.user_id, "handle_case")
