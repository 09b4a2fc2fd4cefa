"""What a case showed of its alarm goes back to detector and device; what is wrong again and again proposes something to a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from gridloop.access.actions import issue_token
from gridloop.cases import actions as cases
from gridloop.cases.models import Case
from gridloop.cases.tests.kit import WEST, Cast
from gridloop.detection import rules
from gridloop.detection.language import kind_number
from gridloop.detection.rules import Detector, Pick, Total
from gridloop.flow.selectors import tasks_of
from gridloop.journal.frame import scoped
from gridloop.journal.models import Fact, Sealed
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, Invalid, NotFound, NotNow
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM, Grant, Viewer
from gridloop.registry.actions import load
from gridloop.registry.messages import DeviceRow
from gridloop.registry.selectors import device as device_of
from gridloop.sdk.signals import Signal
from gridloop.signals import deciding, handlers, judging, outcomes, selectors
from gridloop.signals.actions import erase_subject, forget_outcomes
from gridloop.signals.api import outcome_of
from gridloop.signals.detecting import AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import HeldDetector, Proposal, Witness
from gridloop.signals.tests.conftest import EAST_GRID, HERE

START = datetime(2026, 11, 2, 0, 0, tzinfo=UTC)
HIGH = "water_level.high_water"


@dataclass
class River:
    """Gauges that say a level every five minutes, and the people around them."""

    log: PostgresLog
    people: Cast
    now: datetime = START
    work: AtWork = field(default_factory=lambda: AtWork("test", outcomes.matcher().detectors))

    def levels(self, *values: float, device: str = "wl-1") -> None:
        for value in values:
            self.now += timedelta(minutes=5)
            with clock.fixed(self.now + timedelta(seconds=2)):
                self.log.append([Signal(f"{device}{self.now}", "test", device, "water_level", self.now, value)])
        self.go()

    def go(self, after: timedelta = timedelta(seconds=90)) -> None:
        with clock.fixed(self.now + after):
            while self.work.turn():
                pass
            while handlers.run_heard() or handlers.run_effects():
                pass
            outcomes.run_outcomes()
            outcomes.look_again()

    def later(self, **more: float) -> None:
        self.now += timedelta(**more)
        self.go()

    def rise(self, peak: float, device: str = "wl-1") -> str:
        """Up, down again; the case of it."""
        self.levels(1.0, peak, peak, peak, peak, 1.0, device=device)
        return self.case()

    def case(self) -> str:
        with scoped(SYSTEM):
            return str(Case.objects.order_by("-id")[0].code)

    def do(self, viewer: Viewer, stage: str, verb: str, **payload: Any) -> None:
        with clock.fixed(self.now + timedelta(seconds=95)), scoped(SYSTEM):
            task = next(t for t in tasks_of(self.case()) if t.stage == stage and t.status in ("open", "accepted"))
        with clock.fixed(self.now + timedelta(seconds=95)):
            cases.act(viewer, str(task.id), verb, payload)

    def accept(self) -> None:
        with clock.fixed(self.now + timedelta(seconds=95)):
            cases.accept(self.people.operator, self.case(), {})
        self.do(self.people.urban, "handle", "accept")

    def close(self) -> None:
        self.accept()
        self.do(self.people.urban, "handle", "submit", note="已到场")
        self.do(self.people.operator, "check", "approve")
        self.go()

    def state(self, outcome: str, reason: str = "", code: str = "") -> None:
        with clock.fixed(self.now + timedelta(seconds=96)):
            deciding.state_outcome(self.people.operator, code or self.case(), outcome, reason)
        self.go()

    def void(self) -> None:
        with clock.fixed(self.now + timedelta(seconds=97)):
            cases.void(self.people.operator, self.case(), {"note": "误报"})
        self.go()

    def false(self, peak: float) -> None:
        self.rise(peak)
        self.state("false", "device")
        self.void()


@pytest.fixture
def river(county: Cast, log: PostgresLog, history_folder: Any) -> Iterator[River]:
    gauge = {"kind": "water_level", "region_code": EAST_GRID, "lon": HERE[0], "lat": HERE[1], "interval_seconds": 300}
    load(SYSTEM, [DeviceRow(code=code, **gauge) for code in ("wl-1", "wl-2")])  # type: ignore[arg-type]
    made = River(log, county)
    made.go()
    yield made
    made.work.end()


def told(viewer: Viewer, by: str = "detector", device: str = "") -> dict[str, tuple[int, int, int, int]]:
    found = selectors.precisions(viewer, by, device=device)
    return {one.name: (one.counts.true, one.counts.false, one.counts.unclear, one.counts.waiting) for one in found}


def open_proposals(river: River, device: str = "") -> list[Proposal]:
    return selectors.proposals(river.people.admin, device=device)


def test_every_ending_of_a_case_is_an_outcome_of_its_alarm(river: River) -> None:
    operator = river.people.operator
    river.rise(3.2)
    assert told(operator) == {HIGH: (0, 0, 0, 1)}
    river.close()
    assert told(operator) == {HIGH: (1, 0, 0, 0)}, "checked and closed: it was true"
    river.rise(2.6)
    river.void()
    assert told(operator) == {HIGH: (1, 0, 1, 0)}, "nobody said what it was"
    code = river.rise(2.6)
    river.state("unclear")
    river.state("false", "normal")
    assert told(operator) == {HIGH: (1, 1, 1, 0)}, "the last word counts"
    river.close()
    assert told(operator) == {HIGH: (1, 1, 1, 0)}, "what was stated is no longer a matter of how the case ends"
    (one,) = selectors.precisions(operator)
    assert (one.counts.precision, one.counts.interval) == (0.5, (0.0945, 0.9055))
    assert told(operator, "device") == {"wl-1": (1, 1, 1, 0)}
    assert told(operator, "place") == {"990101100200": (1, 1, 1, 0)}
    assert told(operator, "detector", device="wl-2") == {}
    with scoped(SYSTEM):
        fact = Fact.objects.get(case_code=code, action="outcome_stated", data__outcome="false")
    assert fact.data["reason"] == "normal"
    (row,) = selectors.witnesses(operator, code)
    assert (row.outcome, row.reason, row.stated) == ("false", "normal", True)


def test_people_read_names_and_not_codes(river: River) -> None:
    load(SYSTEM, [DeviceRow(code="wl-1", kind="water_level", region_code=EAST_GRID, name="东桥水位计")])
    code = river.rise(3.2)
    for lang, title in (("zh", "水位超警戒"), ("en", "High water")):
        (alarm,) = outcome_of(replace(river.people.operator, lang=lang), code)["alarms"]
        assert (alarm["title"], alarm["device_name"], alarm["detector"]) == (title, "东桥水位计", HIGH)


def test_alarms_of_a_case_that_is_merged_go_with_it(river: River) -> None:
    first = river.rise(3.0)
    second = river.rise(3.0, device="wl-2")
    assert first != second
    with clock.fixed(river.now + timedelta(minutes=3)):
        cases.merge(river.people.operator, second, first, {})
    river.state("false", "test", code=first)
    assert told(river.people.operator, "device") == {"wl-1": (0, 1, 0, 0), "wl-2": (0, 1, 0, 0)}


def test_a_threshold_is_proposed_that_keeps_the_true_and_drops_the_false(river: River) -> None:
    river.rise(3.4)
    river.close()
    for peak in (2.6, 2.7):
        river.false(peak)
    assert open_proposals(river) == []
    river.false(2.65)
    (wish,) = open_proposals(river, device="wl-1")
    assert (wish.kind, wish.detector) == ("threshold", HIGH)
    assert (wish.data["limit"], wish.data["keeps"], wish.data["drops"], wish.data["of"]) == (2.5, 1, 3, 3)
    assert 2.7 < wish.data["wish"] <= 3.4
    assert [outcomes.unit_of(one, "zh") for one in (HIGH, "no.such")] == ["m", ""]
    river.false(2.6)
    assert [one.pk for one in open_proposals(river)] == [wish.pk], "once"
    with pytest.raises(Forbidden):
        deciding.accept_threshold(river.people.operator, wish.pk)
    deciding.accept_threshold(river.people.admin, wish.pk)
    assert open_proposals(river) == []
    with pytest.raises(NotNow, match="proposal_over"):
        deciding.accept_threshold(river.people.admin, wish.pk)


def test_how_far_a_meter_went_is_what_was_used_and_not_its_state(county: Cast, log: PostgresLog, history_folder: Any) -> None:
    """A pump whose meter sends its state: what a threshold on the use was reached by, and what it used last."""
    load(SYSTEM, [DeviceRow(code="pump-3", kind="electricity_meter", region_code=EAST_GRID, interval_seconds=3600)])
    meter = Total(kind_number("electricity_total"), kind_number("electricity_use"), 20.0)
    found = Detector("pumps.much", 1, rules.Threshold(Pick((meter.use,)), 5.0), totals=(meter,))
    for n, state in enumerate((880.0, 881.0, 889.0, 896.0, 896.5)):
        at = START + timedelta(hours=n)
        with clock.fixed(at + timedelta(seconds=2)):
            log.append([Signal(f"p{n}", "test", "pump-3", "electricity_total", at, state)])
    limited = judging.threshold_of(found)
    assert limited is not None
    until = START + timedelta(hours=5)
    with scoped(SYSTEM):
        assert outcomes.extreme(found, limited, "pump-3", START + timedelta(hours=2), until) == 8.0
        assert outcomes.values_of(found, limited, "pump-3", START + timedelta(hours=3), until) == [7.0, 0.5]
        assert outcomes.extreme(found, limited, "pump-3", until, until) is None


def test_a_device_no_threshold_would_mend_is_to_be_looked_after(river: River) -> None:
    river.rise(2.6)
    river.close()
    for _ in range(3):
        river.false(3.6)
    (wish,) = open_proposals(river)
    assert (wish.kind, wish.data["reasons"], wish.data["false"], wish.data["true"]) == ("maintenance", ["device"], 3, 1)
    for who in (river.people.operator, river.people.handler):
        with pytest.raises(Forbidden):
            deciding.accept_maintenance(who, wish.pk)
        with pytest.raises(Forbidden):
            deciding.dismiss_proposal(who, wish.pk)
    elsewhere = Grant("admin", WEST, permissions=frozenset({"device.read", "device.edit"}))
    with pytest.raises(NotFound, match="no_proposal"):  # who may edit devices, but not those that are only seen
        deciding.dismiss_proposal(replace(river.people.operator, grants=(*river.people.operator.grants, elsewhere)), wish.pk)
    with clock.fixed(river.now + timedelta(minutes=3)):
        deciding.accept_maintenance(river.people.admin, wish.pk)
    river.later(minutes=5)
    assert device_of(SYSTEM, "wl-1").status == "faulty"
    with scoped(SYSTEM):
        case = Case.objects.get(scene="device_care")
    assert case.title.startswith("设备离线或故障")
    river.false(3.6)
    assert open_proposals(river) == [], "what was decided is not proposed again at once"


def test_why_a_proposal_is_not_followed_stands_in_the_trace(river: River) -> None:
    river.levels(1.0, 2.8, 3.1, 3.1)
    code = river.case()
    river.levels(1.1, 1.1)
    (wish,) = selectors.proposals(river.people.operator, case=code)
    token = issue_token(SYSTEM, river.people.operator.user_id or 0, name="test")
    client = Client(headers={"Authorization": f"Bearer {token}"})
    why = "水位刚退，闸门还没关 😀"
    path = f"/api/v1/proposals/{wish.pk}/dismiss"
    with clock.fixed(river.now + timedelta(minutes=3)):
        assert client.post(path, {"note": "长" * 401}, content_type="application/json").status_code == 422
        assert client.post(path, {"note": why}, content_type="application/json").status_code == 204
        assert client.generic("POST", path).status_code == 409, "somebody has decided; no body is no reason"
    assert selectors.proposal(SYSTEM, wish.pk).status == "dismissed"
    trace = client.get(f"/api/v1/cases/{code}/trace", {"limit": 200}).json()["items"]
    (told_so,) = [fact for fact in trace if fact["action"] == "proposal_decided"]
    assert told_so["text"] == why
    assert why not in str(told_so["data"]), "the chain has no words"


def test_a_sensor_that_reads_normal_again_proposes_to_close(river: River) -> None:
    river.levels(1.0, 2.8, 3.1, 3.1)
    code = river.case()
    assert selectors.proposals(river.people.operator, case=code) == []
    river.accept()
    river.levels(1.1, 1.1)
    (wish,) = selectors.proposals(river.people.urban, case=code)
    assert (wish.kind, wish.data["before"], wish.data["after"], wish.data["limit"]) == ("close", 3.1, 1.1, 2.5)
    with pytest.raises(NotFound):
        selectors.proposals(river.people.west_operator, case=code)
    with clock.fixed(river.now + timedelta(minutes=3)):
        assert deciding.follower(river.people.urban, wish) == (True, deciding.follower(river.people.operator, wish)[1])
        assert deciding.follower(river.people.operator, wish)[0] is False, "the task is another's"
        assert deciding.follower(river.people.operator, wish)[1], "whose it is, is said"
        with pytest.raises(NotNow):
            deciding.accept_relook(river.people.operator, wish.pk)
        assert selectors.proposal(SYSTEM, wish.pk).status == "open", "nothing of a refused one stays"
        deciding.accept_relook(river.people.urban, wish.pk)
    with scoped(SYSTEM):
        assert Case.objects.get(code=code).status in ("submitted", "checking")
        assert Fact.objects.filter(case_code=code, action="proposal_decided").count() == 1
        note = Sealed.objects.get(case_code=code, purpose="case_note").value
    ended = datetime.fromisoformat(wish.data["ended"]).astimezone(ZoneInfo("Asia/Shanghai"))
    assert f"（{ended:%Y-%m-%d %H:%M}）" in str(note), "by the clock on the wall"


def test_a_proposal_to_close_passes_when_the_water_rises_again(river: River) -> None:
    code = river.rise(2.9)
    assert len(selectors.proposals(river.people.operator, case=code)) == 1
    river.levels(2.9, 2.9, 2.9, 2.9)
    assert selectors.proposals(river.people.operator, case=code) == []
    assert len(selectors.witnesses(SYSTEM, code)) == 1, "the second alarm has joined the case"
    river.levels(1.0, 1.0)
    assert len(selectors.proposals(river.people.operator, case=code)) == 1, "and is over as the first one was"


def test_what_is_settled_is_not_looked_at_again(river: River) -> None:
    """The search goes through the others alone: it costs by what is new, however many alarms there were."""

    def settled() -> list[bool]:
        with scoped(SYSTEM):
            return list(Witness.objects.order_by("id").values_list("settled", flat=True))

    river.rise(2.9)
    assert settled() == [True], "it was proposed to close its case"
    river.levels(2.9, 2.9, 2.9, 2.9)
    assert settled() == [False], "a second alarm lasts"
    river.void()
    assert settled() == [True], "the case is over"
    river.levels(1.0, 1.0, device="wl-2")
    river.levels(1.0, 2.9, 2.9, 2.9, 2.9, device="wl-2")
    river.close()
    assert settled() == [True, True]


def test_a_detector_is_called_by_its_title(river: River) -> None:
    code = river.rise(2.9)
    operator = river.people.operator
    for lang, title in (("zh", "水位超警戒"), ("en", "High water")):
        assert [one.title for one in selectors.precisions(replace(operator, lang=lang))] == [title]
        assert (
            selectors.detector_title(replace(operator, lang=lang), "water_level:rain")
            == {"zh": "雨量（设备直报）", "en": "Rain (told by the device)"}[lang]
        )
    assert selectors.detector_title(operator, "smoke:smoke") == "烟雾报警（设备直报）"
    for gone in ("water_level.no_more", "no_pack.high_water"):
        assert selectors.detector_title(operator, gone) == gone
    token = issue_token(SYSTEM, operator.user_id or 0, name="test")
    client = Client(headers={"Authorization": f"Bearer {token}"})
    outcome = client.get(f"/api/v1/cases/{code}/outcome").json()
    assert [(one["detector"], one["title"]) for one in (*outcome["alarms"], *outcome["proposals"])] == [(HIGH, "水位超警戒")] * 2
    assert [one["unit"] for one in outcome["proposals"]] == ["m"]
    (row,) = client.get("/api/v1/detectors/precision").json()["items"]
    assert (row["name"], row["title"]) == (HIGH, "水位超警戒")
    (pack,) = [one for one in client.get("/api/v1/packs").json()["items"] if one["name"] == "water_level"]
    (printed,) = [one for one in pack["detectors"] if one["name"] == "high_water"]
    assert [one["sentence"] for one in (*outcome["alarms"], row)] == [printed["sentence_zh"]] * 2, "as the pack's page prints it"
    with scoped(SYSTEM):
        HeldDetector.objects.create(detector=HIGH, since=START, alarms=10_001)
    (held,) = selectors.held_detectors(replace(operator, lang="en"))
    assert (held["name"], held["title"], held["sentence"]) == (HIGH, "High water", printed["sentence_en"])
    for by_itself_or_gone in ("water_level:rain", "water_level.no_more", "no_pack.high_water"):
        assert outcomes.matcher().sentence(by_itself_or_gone, "zh") == ""
    line = next(one for one in selectors.doctor(SYSTEM) if one[2] == "signals.doctor_held")
    assert "水位超警戒" in say(line[2], "zh", **line[3])
    assert "High water" in say(line[2], "en", **line[3])


def test_an_alarm_that_lasts_after_closing_proposes_to_take_it_up_again(river: River) -> None:
    river.levels(1.0, 2.8, 2.9, 2.9, 2.9)
    code = river.case()
    river.close()
    river.levels(2.9, 2.9)
    assert selectors.proposals(river.people.operator, case=code) == []
    river.levels(2.9, 2.9, 2.9, 2.9, 2.9, 2.9)
    (wish,) = selectors.proposals(river.people.operator, case=code)
    assert (wish.kind, wish.data["after"]) == ("reopen", 2.9)
    with scoped(SYSTEM):
        Case.objects.filter(code=code).update(reporter_id=river.people.west_operator.user_id)
    with pytest.raises(Forbidden, match="outcome_not_yours"):
        deciding.accept_relook(river.people.west_operator, wish.pk)  # who has reported it sees it, and works elsewhere
    with clock.fixed(river.now + timedelta(minutes=3)):
        deciding.accept_relook(river.people.operator, wish.pk)
    river.later(minutes=5)
    assert river.case() != code
    with scoped(SYSTEM):
        again = Case.objects.get(code=river.case())
    assert (again.scene, again.same_thing, again.status) == ("water_level", "wl-1", "reported")


def test_what_cannot_be_stated_is_told(river: River) -> None:
    code = river.rise(3.0)
    operator = river.people.operator
    wrong = (("maybe", "", "bad_outcome"), ("false", "", "bad_reason"), ("false", "rain", "bad_reason"), ("true", "test", "bad_reason"))
    for outcome, reason, fault in wrong:
        with pytest.raises(Invalid, match=fault):
            deciding.state_outcome(operator, code, outcome, reason)
    with pytest.raises(NotFound):
        deciding.state_outcome(river.people.west_operator, code, "true")
    with pytest.raises(NotFound):
        deciding.accept_relook(operator, 0)


def test_outcomes_are_seen_in_their_own_territory_and_forgotten_in_time(river: River) -> None:
    for _ in range(3):
        river.false(3.6)
    assert told(river.people.west_operator) == {}
    assert selectors.proposals(river.people.west_operator) == []
    with scoped(river.people.west_operator):
        assert (Witness.objects.count(), Proposal.objects.count()) == (0, 0)
    with scoped(river.people.operator):
        assert (Witness.objects.count(), Proposal.objects.filter(case_code="").count()) == (3, 1)
    with clock.fixed(river.now + timedelta(days=1100)):
        assert forget_outcomes() > 3, "with the proposals that passed"
    assert told(river.people.operator) == {}
    river.rise(3.0)
    erase_subject(SYSTEM, rule="subject_request", devices={"wl-1"})
    with scoped(SYSTEM):
        assert (Witness.objects.count(), Proposal.objects.count()) == (0, 0)
