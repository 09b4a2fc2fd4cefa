"""What the desk decides and passes on: types, hops with their reason, merges; and traces longer than one page."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from gridloop.cases import actions, present, tracking
from gridloop.cases.rules import TASK_ENDING_VERBS
from gridloop.cases.tests.kit import Cast
from gridloop.cases.tests.test_life import act, handled, new_report, report, task_of
from gridloop.cases.verbs import CASE, verbs
from gridloop.journal.actions import append_many, scoped
from gridloop.journal.messages import FactIn
from gridloop.kernel.errors import Invalid, NotNow
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer

pytestmark = pytest.mark.django_db
WHY = "不属本单位职责，见三定方案"


def words_of(code: str) -> dict[str, str]:
    """The words behind each kind of fact of a case."""
    return {f["action"]: f["text"] for f in present.trace(SYSTEM, code, 0, 500) if f["text"]}


def task_accept(viewer: Viewer, code: str, payload: Mapping[str, object]) -> None:
    act(viewer, code, "intake", "accept", **payload)


@pytest.mark.parametrize("decide", [actions.accept, actions.route, task_accept], ids=["accept", "route", "task"])
def test_a_type_that_is_not_in_the_catalogue_is_refused(cast: Cast, decide: Callable[..., None]) -> None:
    code = report(kind="28002")
    for wrong in ("99999", "0100", "灯"):
        with pytest.raises(Invalid) as refused:
            decide(cast.operator, code, {"type": wrong, "unit": cast.units["URBAN"]})
        assert refused.value.errors[0].pointer == "/type"
    assert present.case_detail(cast.operator, code)["type"] == "28002"


def test_every_hop_keeps_its_reason(cast: Cast) -> None:
    code = report()
    actions.accept(cast.operator, code, {"note": f"受理：{WHY}"})
    act(cast.handler, code, "handle", "return", note=f"退回：{WHY}")
    actions.route(cast.operator, code, {"unit": cast.units["URBAN"], "note": f"派遣：{WHY}"})
    assert words_of(code)["case_accepted"] == f"派遣：{WHY}"
    actions.route(cast.operator, code, {"unit": cast.units["MUNICIPAL"], "note": f"改派：{WHY}"})
    act(cast.handler, code, "handle", "escalate", note=f"上报：{WHY}")
    actions.route(cast.county_operator, code, {"unit": cast.units["EAST"], "note": f"下派：{WHY}"})
    told = words_of(code)
    assert {a: w.split("：")[0] for a, w in told.items() if a != "reported"} == {
        "verified": "受理",
        "case_accepted": "改派",
        "returned": "退回",
        "recalled": "改派",
        "escalation_asked": "上报",
        "handed_down": "下派",
    }
    assert task_of(SYSTEM, code, "intake")["unit"]["name"] == "东镇综合信息指挥室"  # type: ignore[index]


def test_the_desk_cannot_begin_its_own_task_afresh(cast: Cast) -> None:
    """``pass`` is what handing down does inside: as a verb it would restart the desk's limits."""
    code = report(kind="28002")
    task = task_of(cast.operator, code, "intake")
    with pytest.raises(NotNow):
        actions.act(cast.operator, str(task["id"]), "pass", {"note": WHY})
    assert task_of(cast.operator, code, "intake")["id"] == task["id"]
    assert "pass" not in next(t for t in present.case_tasks(cast.operator, code) if t["stage"] == "intake")["verbs"]


def test_a_refused_verb_is_named_by_its_word_and_told_to_machines_by_its_code(cast: Cast) -> None:
    code = report(kind="28002")
    task = task_of(cast.operator, code, "intake")
    with pytest.raises(NotNow) as refused:
        actions.act(cast.operator, str(task["id"]), "submit", {})
    fault = refused.value
    assert say(fault.key, "zh", **fault.params) == "现在不能“提交”；现在可以：受理、不予受理。"
    assert say(fault.key, "en", **fault.params) == "“Submit” is not possible now; possible now: Accept, Refuse."
    assert str(fault.params["allowed"]) == "accept, reject"
    actions.void(cast.operator, code, {"note": WHY})
    with pytest.raises(NotNow) as over:
        actions.urge(cast.operator, code, {})
    assert say(over.value.key, "zh", **over.value.params) == "现在不能“催办”；现在可以：无。"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_verb_has_a_word(lang: str) -> None:
    of = {CASE: ("accept", "route", "merge", "split", "urge", "supervise", "void", "rate"), **TASK_ENDING_VERBS}
    unsaid = [verb for stage, codes in of.items() for verb in (*codes, "accept", "check_in") if verbs([verb], stage).said(lang) == verb]
    assert unsaid == []
    assert verbs(["dance"]).said(lang) == "dance"


def test_the_reporter_s_page_of_an_ended_case_shows_no_step_that_never_came(cast: Cast) -> None:
    done = actions.report(PUBLIC, new_report())
    actions.void(cast.operator, done.case, {"note": WHY})
    page = tracking.track_page(SYSTEM, actions.by_key(done.case, done.key), "zh")
    assert [(s["name"], s["state"]) for s in page["steps"]] == [("已上报", "done"), ("已作废", "now")]
    assert all(s["at"] for s in page["steps"])
    assert [t["what"] for t in page["texts"]][-1] == "作废"


def test_merging_needs_no_note(cast: Cast) -> None:
    one, other = report(kind="28002"), report("井盖坏了", "01002")
    actions.merge(cast.operator, other, one, {})
    assert present.case_detail(cast.operator, other)["merged_into"] == one


def test_what_matters_is_found_behind_a_long_trace(cast: Cast) -> None:
    done = actions.report(PUBLIC, new_report())
    with scoped(SYSTEM):
        append_many(f"case:{done.case}", [FactIn("signal_added", {"n": n}) for n in range(600)], SYSTEM, done.case)
    handled(cast, done.case)
    act(cast.supervisor, done.case, "check", "approve")
    actions.rate_by_key(PUBLIC, done.case, done.key, {"stars": 4, "note": "谢谢"})
    assert present.case_detail(cast.operator, done.case)["rating"]["note"] == "谢谢"
    page = tracking.track_page(SYSTEM, actions.by_key(done.case, done.key), "zh")
    assert [s["at"] is not None for s in page["steps"]] == [True] * 6
    assert page["texts"][-1]["what"] == "评价"
