"""From a fact of a case to a line in the outbox: the right people, once, tried again, forgotten."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gridloop.cases import actions as cases
from gridloop.cases import present
from gridloop.cases.messages import Report, Reported
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.journal.frame import scoped
from gridloop.journal.messages import FactRow
from gridloop.journal.selectors import verify
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, NotFound
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.notices import handlers, selectors
from gridloop.notices.actions import TAKEN_SECONDS, command, deliver
from gridloop.notices.models import Delivery
from gridloop.notices.tests.conftest import OWNER, PHONE, PLATE, Book
from gridloop.registry.actions import erase_person, load
from gridloop.registry.messages import DeviceRow, HouseholdRow, PersonRow
from gridloop.scenes.book import BOOK
from gridloop.sdk.channels import ChannelError
from gridloop.sdk.signals import Signal

CONTACT = "13912345678"


def report(contact: str = CONTACT) -> Reported:
    new = Report(text="滨河路路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1], address="滨河路27号", contact=contact, name="李四")
    return cases.report(PUBLIC, new)


def parked(plate: str = PLATE) -> str:
    signal = Signal("v1", "cams", "cam-1", "vehicle_stopped", clock.now(), 240.0, HERE[0], HERE[1], {"plate": plate})
    (match,) = BOOK.recognise(signal, "990101100200001001")
    return cases.receive_signal(SYSTEM, signal, match) or ""


def work() -> None:
    while handlers.run():
        pass
    while deliver() or command():
        pass


def deliveries() -> list[Delivery]:
    with scoped(SYSTEM):
        return list(Delivery.objects.order_by("id"))


def trace(code: str) -> list[dict[str, Any]]:
    return present.trace(SYSTEM, code, 0, 500)


def test_a_reporter_gets_a_receipt_that_leads_to_their_page(county: Cast, outbox: Book) -> None:
    reported = report()
    work()
    (line,) = outbox.lines()
    assert (line["to"], line["name"], line["kind"], line["case"]) == (CONTACT, "李四", "sms", reported.case)
    assert reported.case in line["text"]
    assert f"http://127.0.0.1:8000/track/{reported.case}?key={reported.key}" in line["text"]
    sent = next(f for f in trace(reported.case) if f["action"] == "notice_sent")
    assert sent["data"]["template"] == "received"
    assert deliveries()[0].reference == "ref-1"
    work()
    assert len(outbox.lines()) == 1


def test_the_owner_of_a_badly_parked_car_is_asked_to_move_it(county: Cast, outbox: Book) -> None:
    code = parked()
    work()
    (line,) = outbox.lines()
    assert (line["to"], line["name"], line["case"]) == (PHONE, OWNER, code)
    assert PLATE in line["text"]
    assert "5 分钟" in line["text"]


def test_facts_and_rows_name_nobody(county: Cast, outbox: Book) -> None:
    reported, code = report(), parked()
    work()
    for text in (CONTACT, "李四", PHONE, OWNER):
        assert text not in str(trace(reported.case)) + str(trace(code))
        assert text not in "".join(str(vars(d)) for d in deliveries())


def test_an_unknown_owner_is_told_in_the_trace(county: Cast, outbox: Book) -> None:
    code = parked("浙X99999")
    work()
    assert outbox.lines() == []
    (failed,) = [f for f in trace(code) if f["action"] == "notice_failed"]
    assert failed["data"]["reason"] == "notices.nobody"
    assert [d.status for d in deliveries()] == ["failed"]


def test_people_on_duty_hear_of_their_task_in_the_app(county: Cast, outbox: Book) -> None:
    reported = report(contact="")
    cases.accept(county.operator, reported.case, {})
    work()
    tasks = [d for d in deliveries() if d.template == "new_task"]
    assert {d.recipient for d in tasks} == {f"staff:{county.handler.staff_id}", f"staff:{county.handler2.staff_id}"}
    (notice,) = selectors.mine(county.handler)
    assert "滨河路27号" in notice.text
    assert selectors.mine(county.officer) == []
    with pytest.raises(Forbidden):
        selectors.mine(PUBLIC)


def test_who_was_told_about_a_case_is_for_those_who_see_it(county: Cast, outbox: Book) -> None:
    reported = report()
    work()
    (notice,) = selectors.of_case(county.operator, reported.case)
    assert (notice.to, notice.text, notice.status) == ("李**", "", "sent")
    with pytest.raises(NotFound):
        selectors.of_case(county.west_operator, reported.case)


def test_a_channel_that_is_down_is_tried_again_and_only_until_it_works(county: Cast, outbox: Book) -> None:
    outbox.fault = ChannelError("no signal")
    start = clock.now()
    report()
    work()
    assert [(d.status, d.attempts, d.error) for d in deliveries()] == [("waiting", 1, "no signal")]
    with clock.fixed(start + timedelta(seconds=20)):
        work()
        assert deliveries()[0].attempts == 1
    outbox.fault = RuntimeError("the adapter itself is broken")
    with clock.fixed(start + timedelta(seconds=60)):
        work()
        assert deliveries()[0].error == "RuntimeError: the adapter itself is broken"
    outbox.fault = None
    with clock.fixed(start + timedelta(minutes=10)):
        work()
        work()
    assert [(d.status, d.attempts, d.error) for d in deliveries()] == [("sent", 3, "")]
    assert len(outbox.lines()) == 1


def test_a_permanent_refusal_ends_it(county: Cast, outbox: Book) -> None:
    outbox.fault = ChannelError("no such number", permanent=True)
    reported = report()
    work()
    assert [(d.status, d.attempts, d.error) for d in deliveries()] == [("failed", 1, "no such number")]
    assert "notice_failed" in [f["action"] for f in trace(reported.case)]


def test_a_sender_that_died_gives_its_deliveries_back(county: Cast, outbox: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    start = clock.now()
    report()
    handlers.run()
    with monkeypatch.context() as patch:
        patch.setattr("gridloop.notices.actions._send", lambda *_row: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            deliver()
    work()
    assert outbox.lines() == []
    with clock.fixed(start + timedelta(seconds=TAKEN_SECONDS + 1)):
        work()
    assert len(outbox.lines()) == 1


def test_erasing_a_person_empties_delivery_and_outbox(county: Cast, outbox: Book) -> None:
    reported, parking = report(), parked()
    work()
    assert len(outbox.lines()) == 2
    cases.erase_reporter(county.admin, reported.case, "request")
    work()
    assert [line["to"] for line in outbox.lines()] == [PHONE]
    erase_person(SYSTEM, "P1", "request")
    work()
    assert outbox.lines() == []
    assert [n.to for n in selectors.of_case(county.operator, reported.case)] == [""]
    assert verify(SYSTEM)[1] is None
    assert parking


def test_what_is_erased_before_it_goes_out_never_does(county: Cast, outbox: Book) -> None:
    reported = report()
    handlers.run()
    cases.erase_reporter(county.admin, reported.case, "request")
    work()
    assert outbox.lines() == []
    assert [d.status for d in deliveries()] == ["failed"]


def test_a_fact_that_cannot_be_worked_on_does_not_block_the_next(county: Cast, outbox: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    real = handlers._tell

    def poisoned(fact: FactRow, *more: Any) -> None:
        if fact.action == "task_opened":
            raise ValueError("poison")
        real(fact, *more)

    monkeypatch.setattr(handlers, "_tell", poisoned)
    report()
    work()
    assert len(outbox.lines()) == 1


def test_the_doctor_tells_of_deliveries(county: Cast, outbox: Book) -> None:
    outbox.fault = ChannelError("no signal")
    report()
    work()
    with clock.fixed(clock.now() + timedelta(minutes=5)):
        work()
    assert selectors.doctor(SYSTEM) == [("warn", "notices", "notices.doctor", {"sent": 0, "waiting": 1, "failed": 0, "late": 1})]


def test_who_lives_in_the_home_of_a_smoke_alarm_is_called(county: Cast, outbox: Book) -> None:
    home = HouseholdRow(code="F1", region_code="990101100200")
    load(SYSTEM, [home, PersonRow(code="P2", name="王秀英", household="F1", region_code="990101100200", phone=CONTACT)])
    load(SYSTEM, [DeviceRow(code="smoke-1", kind="smoke", region_code="990101100200001001", lon=HERE[0], lat=HERE[1], household="F1")])
    signal = Signal("s1", "box", "smoke-1", "smoke", clock.now(), 1.0, HERE[0], HERE[1])
    (match,) = BOOK.recognise(signal, "990101100200001001")
    code = cases.receive_signal(SYSTEM, signal, match)
    work()
    (line,) = [one for one in outbox.lines() if one["kind"] == "voice"]
    assert (line["to"], line["name"], line["case"]) == (CONTACT, "王秀英", code)
    assert "烟感报警" in line["text"]
