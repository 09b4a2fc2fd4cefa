"""A corrected type: the case runs on the scene of its new type from the accept on. And work nobody is competent for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gridloop.cases import actions, directory, present
from gridloop.cases.machine import Machine
from gridloop.cases.messages import Report
from gridloop.cases.rules import NewCase, Scene
from gridloop.cases.tests.kit import EAST, HERE, Cast
from gridloop.cases.tests.lives import packs, scene_of
from gridloop.cases.tests.test_life import act, actions_of, machine_proof, task_of
from gridloop.flow.models import Instance
from gridloop.journal.actions import scoped
from gridloop.kernel import clock
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.errors import Invalid
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.orgs.models import Duty
from gridloop.scenes.book import BOOK
from gridloop.scenes.stories.memory import LEAD, PEOPLE, REGION, MemoryDirectory
from gridloop.sdk.signals import Signal


def told_in_words() -> str:
    return actions.report(PUBLIC, Report(text="这里的事情请来看看", lon=HERE[0], lat=HERE[1], address="滨河路27号")).case


@pytest.mark.django_db
def test_a_corrected_type_brings_its_own_limits_and_proof(cast: Cast) -> None:
    code = told_in_words()
    before = present.case_detail(cast.operator, code)
    assert (before["type"], before["scene"]) == ("28002", "general")
    actions.accept(cast.operator, code, {"type": "01002", "note": "井盖"})
    after = present.case_detail(cast.operator, code)
    task = task_of(SYSTEM, code, "handle")
    assert (after["type"], after["scene"], after["status"]) == ("01002", "damaged_facility", "dispatched")
    assert (task["must"], task["due_at"] - task["opened_at"]) == (["photo"], timedelta(hours=8))  # type: ignore[operator]
    assert after["due_at"] - after["reported_at"] == timedelta(hours=8)
    changed = next(f for f in present.trace(SYSTEM, code, 0, 500) if f["action"] == "scene_changed")
    assert (changed["data"]["from"], changed["data"]["scene"], changed["actor_name"]) == ("general", "damaged_facility", "张operator")
    told = actions_of(code)
    order = ["case_accepted", "scene_changed", "filed", "dispatched"]
    assert [a for a in told if a in order] == order
    assert told.count("task_opened") == 2, "the desk's task and the unit's: nothing of the new scene is done twice"
    with scoped(SYSTEM):
        row = Instance.objects.get(case_code=code)
    assert row.definition_id == BOOK.for_type("01002", EAST, {})[1]


@pytest.mark.django_db
def test_a_case_that_went_over_lives_on_to_its_end(cast: Cast) -> None:
    code = told_in_words()
    actions.accept(cast.operator, code, {"type": "01002"})
    act(cast.handler, code, "handle", "return", note="不属我单位")
    offered = present.case_detail(cast.operator, code)["proposal"]
    assert (offered["type"], offered["unit"]["name"]) == ("01002", "市政设施养护所"), "not what was guessed at first"
    actions.accept(cast.operator, code, {})
    act(cast.handler, code, "handle", "accept")
    with pytest.raises(Invalid):
        act(cast.handler, code, "handle", "submit", note="好了")
    machine_proof(code, cast.handler)
    act(cast.supervisor, code, "check", "approve")
    assert present.case_detail(cast.operator, code)["status"] == "closed"
    assert actions_of(code).count("scene_changed") == 1


@pytest.mark.django_db
def test_a_type_of_the_same_scene_changes_no_scene(cast: Cast) -> None:
    code = actions.report(PUBLIC, Report(text="路灯坏了", kind="01037", lon=HERE[0], lat=HERE[1])).case
    actions.accept(cast.operator, code, {"type": "01002"})
    assert "scene_changed" not in actions_of(code)
    assert present.case_detail(cast.operator, code)["type"] == "01002"


def test_another_process_begins_at_its_dispatch() -> None:
    """A text accepted as badly parked goes straight to the unit: no courtesy message, no wait for what the desk has decided."""
    scenes = {one.name: scene_of(one) for one in packs()}
    now = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
    new = NewCase("9901012611200000001", "28002", "一件事", 3, REGION, "citizen", proposal={"type": "28002", "unit": LEAD, "severity": 3})
    machine = Machine.open(new, scenes["general"], MemoryDirectory(WorkingCalendar()), now, PEOPLE["群众"])

    def find(case_type: str, region: str, data: Mapping[str, Any]) -> tuple[Scene, str]:
        return scenes["illegal_parking"], "digest"

    machine = Machine(machine.situation, scenes["general"], machine.directory, now, PEOPLE["受理"], find)
    machine.accept({"type": "09009"})
    told = [f.action for f in machine.facts]
    assert told == ["case_accepted", "scene_changed", "filed", "dispatched", "task_opened"]
    (task,) = machine.situation.live_tasks()
    assert (task.stage, task.unit_id, task.due_at) == ("handle", LEAD, now + timedelta(minutes=30))
    assert {x.stage for x in machine.situation.limits if x.state == "pending"} == {"accept", "handle"}
    machine.actor = PEOPLE["主办"]
    machine.act(task.id, "return", {"note": "不是我们的"})
    assert machine.case.status == "filed"
    assert machine.situation.live_tasks()[0].stage == "intake"


def parked() -> str:
    signal = Signal("v1", "cams", "cam-1", "vehicle_stopped", clock.now(), 240.0, HERE[0], HERE[1], {"plate": "浙X12345"})
    (match,) = BOOK.recognise(signal, f"{EAST}200001001")
    return actions.receive_signal(SYSTEM, signal, match) or ""


@pytest.mark.django_db
def test_work_nobody_is_competent_for_falls_to_the_desk(cast: Cast) -> None:
    code = parked()
    with scoped(SYSTEM):
        Duty.objects.filter(kind="handle").delete()
    directory.forget()
    with clock.fixed(clock.now() + timedelta(minutes=6)):
        actions.fire_due()
        detail = present.case_detail(cast.operator, code)
        assert (detail["status"], detail["lead_unit"], detail["returns"]) == ("filed", None, 0)
        told = actions_of(code)
        order = ["wait_over", "filed", "nobody_competent", "task_opened"]
        assert told[-4:] == order
        assert task_of(SYSTEM, code, "intake")["unit"]["name"] == "东镇综合信息指挥室"  # type: ignore[index]
        actions.accept(cast.operator, code, {"unit": cast.units["TRAFFIC"]})
    assert task_of(SYSTEM, code, "handle")["unit"]["name"] == "交警大队"  # type: ignore[index]
