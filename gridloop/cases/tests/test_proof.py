"""What counts as proof of work; and what goes when a reporter asks to be forgotten."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gridloop.cases import actions, present
from gridloop.cases.tests.kit import Cast
from gridloop.cases.tests.test_life import act, machine_proof, new_report, report
from gridloop.evidence.actions import add
from gridloop.evidence.tests.kit import photo_of
from gridloop.evidence.tests.pictures import picture
from gridloop.journal.selectors import verify
from gridloop.kernel import clock
from gridloop.kernel.errors import Invalid
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer

pytestmark = pytest.mark.django_db
PDF = b"%PDF-1.4\n1 0 obj<<>>endobj\ntrailer<<>>\n%%EOF\n"


def refused(who: Viewer, code: str, evidence: list[str]) -> None:
    with pytest.raises(Invalid) as told:
        act(who, code, "handle", "submit", evidence=evidence, note="好了")
    assert told.value.errors[0].pointer == "/evidence"
    assert told.value.key == "cases.photo_needed"


def working(cast: Cast) -> str:
    code = report()
    actions.accept(cast.operator, code, {})
    act(cast.handler, code, "handle", "accept")
    return code


def test_a_document_is_no_photo(cast: Cast) -> None:
    code = working(cast)
    paper = str(add(cast.handler, PDF).id)
    refused(cast.handler, code, [])
    refused(cast.handler, code, [paper])
    act(cast.handler, code, "handle", "submit", evidence=[paper, photo_of(cast.handler)])
    assert present.case_detail(cast.operator, code)["status"] == "checking"


def test_rework_needs_a_photo_of_the_new_work(cast: Cast) -> None:
    code = working(cast)
    old, again = (str(add(cast.handler, picture(size=(9, 9))).id) for _ in range(2))
    act(cast.handler, code, "handle", "submit", evidence=[old])
    act(cast.supervisor, code, "check", "reject", note="没修好")
    act(cast.handler, code, "handle", "accept")
    refused(cast.handler, code, [old])
    refused(cast.handler, code, [again])
    refused(cast.handler, code, [str(add(cast.handler, picture(size=(9, 9))).id)])  # sent anew, but the same picture
    fresh = photo_of(cast.handler)
    act(cast.handler, code, "handle", "submit", evidence=[old, fresh])
    assert present.case_detail(cast.operator, code)["status"] == "checking"


def test_a_photo_from_before_the_task_is_no_proof(cast: Cast) -> None:
    early = photo_of(cast.handler)
    with clock.fixed(clock.now() + timedelta(minutes=1)):
        code = working(cast)
        refused(cast.handler, code, [early])
        act(cast.handler, code, "handle", "submit", evidence=[photo_of(cast.handler)])


def test_erasing_a_reporter_leaves_the_notes_and_forms_of_those_who_handled_it(cast: Cast) -> None:
    done = actions.report(PUBLIC, new_report())
    code = done.case
    actions.accept(cast.operator, code, {"note": "请市政处理"})
    actions.urge(cast.operator, code, {"note": "已与李四核对"})
    actions.urge(cast.operator, code, {"note": "回电 100-1234 5678 无人接听"})
    actions.urge_by_key(PUBLIC, code, done.key, {"note": "我家门口还是黑的"})
    act(cast.handler, code, "handle", "accept")
    machine_proof(code, cast.handler)
    act(cast.supervisor, code, "check", "approve", note="现场已亮")
    actions.rate_by_key(PUBLIC, code, done.key, {"stars": 5, "note": "谢谢，我是李四"})
    actions.erase_reporter(cast.admin, code)
    words = [f["text"] for f in present.trace(SYSTEM, code, 0, 500)]
    assert {"请市政处理", "已更换灯泡", "现场已亮"} <= set(words)
    assert not any(own in text for text in words for own in ("路灯不亮", "我家门口", "李四", "回电"))
    assert verify(SYSTEM)[1] is None
