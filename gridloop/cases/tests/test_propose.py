"""What the desk is offered: by words first, by what desks decided once there is enough of it, and honestly unsure in between."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gridloop.cases import actions, learning, present
from gridloop.cases.messages import Report
from gridloop.cases.models import Case
from gridloop.cases.proposing import UNKNOWN_TYPE
from gridloop.cases.rules import reporter_subject
from gridloop.cases.tests.kit import EAST, HERE, THERE, Cast
from gridloop.cases.types import common_words, guess_type
from gridloop.dispatch import store
from gridloop.dispatch.models import Likeness, Tally
from gridloop.dispatch.rules import ENOUGH
from gridloop.dispatch.selectors import last_training
from gridloop.journal.actions import erase, scoped
from gridloop.journal.models import Consumer
from gridloop.kernel import clock
from gridloop.kernel.viewer import PUBLIC, SYSTEM

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("learners")]
LAMP, COVER, PARKING = "01037", "01002", "09009"


def told(text: str, nth: int = 0) -> str:
    """A report with no kind, at a place of its own."""
    return actions.report(PUBLIC, Report(text=text, lon=HERE[0] + nth * 0.002 % 0.02, lat=HERE[1] + nth // 10 * 0.002)).case


def offered(cast: Cast, code: str) -> dict[str, Any]:
    found: dict[str, Any] = present.case_detail(cast.operator, code)["proposal"]
    return found


def decided(cast: Cast, text: str, times: int = ENOUGH, **chosen: object) -> list[str]:
    """So many cases with these words, decided by the desk."""
    codes = [told(text, nth) for nth in range(times)]
    for code in codes:
        actions.accept(cast.operator, code, chosen)
    return codes


def drain() -> None:
    while learning.run_learn():
        pass
    while learning.run_outcomes():
        pass


@pytest.mark.parametrize(
    ("text", "found"),
    [("路灯不亮，晚上看不见路", LAMP), ("路燈不亮，晚上看不見路", LAMP), ("污水井盖丢失", COVER), ("汽車違規停車擋住出口", PARKING)],
)
def test_words_answer_where_nothing_was_learned(cast: Cast, text: str, found: str) -> None:
    proposal = offered(cast, told(text))
    assert (proposal["type"], proposal["how"], proposal["precision"]) == (found, "words", None)
    assert proposal["reasons"][0].startswith("文字相符：")
    assert 0.6 <= proposal["confidence"] < 1
    assert proposal["unit"]["name"] in ("市政设施养护所", "交警大队")


def test_words_that_tell_nothing_are_unsure_and_say_so(cast: Cast) -> None:
    code = told("你好")
    proposal = offered(cast, code)
    assert (proposal["type"], proposal["how"], proposal["confidence"]) == (UNKNOWN_TYPE, "unsure", 0.0)
    assert proposal["reasons"][0] == "文字不足以判断种类，请人工选择"


def test_every_common_word_finds_its_type() -> None:
    for code, words in common_words().items():
        for word in words:
            found, sure, met = guess_type(word)
            assert word in met, f"{code} {word}: {found}"
            assert sure >= 0.6


def test_what_desks_decided_answers_once_there_is_enough(cast: Cast) -> None:
    text = "楼下的灯箱晃眼睛"  # no type of the catalogue has these words
    early = offered(cast, told(text, 99))
    assert early["how"] == "unsure"
    codes = decided(cast, text, type=LAMP, severity=2, unit=cast.units["EAST-V"])
    drain()
    proposal = offered(cast, told("晃眼睛的燈箱", 98))
    assert (proposal["type"], proposal["how"], proposal["severity"]) == (LAMP, "learned", 2)
    assert proposal["unit"] == {"id": cast.units["EAST-V"], "name": "东镇一村"}
    assert proposal["confidence"] >= 0.7
    assert proposal["unit_confidence"] >= 0.7
    reasons = "；".join(proposal["reasons"])
    assert "与以往受理的事件相符：" in reasons
    assert "以往此处此类多由东镇一村主办" in reasons
    assert "多定为“加急”" in reasons
    same = offered(cast, told(text, 97))
    alike = next(r for r in same["reasons"] if r.startswith("说法相同的事件："))
    assert codes[-1] in alike
    english = present.case_detail(replace(cast.operator, lang="en"), told(text, 96))["proposal"]["reasons"]
    assert any(r.startswith("like cases taken in before: ") for r in english)


def test_what_was_never_said_before_stays_unsure(cast: Cast) -> None:
    decided(cast, "楼下的灯箱晃眼睛", type=LAMP)
    drain()
    proposal = offered(cast, told("大家好，请看一下", 99))
    assert (proposal["type"], proposal["how"]) == (UNKNOWN_TYPE, "unsure")
    other = offered(cast, told("污水井盖丢失", 98))
    assert (other["type"], other["how"]) == (COVER, "words"), "the type's own words, and nobody's habit with lamps"


def test_what_the_neighbours_do_is_not_proposed_here(cast: Cast) -> None:
    decided(cast, "楼下的灯箱晃眼睛", type=LAMP, unit=cast.units["EAST-V"])
    drain()
    code = actions.report(PUBLIC, Report(text="楼下的灯箱晃眼睛", lon=THERE[0], lat=THERE[1])).case
    proposal = present.case_detail(cast.west_operator, code)["proposal"]
    assert (proposal["type"], proposal["unit"]["name"]) == (LAMP, "市政设施养护所")


def test_below_enough_examples_it_stays_unsure_and_says_why(cast: Cast) -> None:
    decided(cast, "楼下的灯箱晃眼睛", times=8, type=LAMP)
    drain()
    proposal = offered(cast, told("楼下的灯箱晃眼睛", 99))
    assert (proposal["type"], proposal["how"], proposal["confidence"]) == (UNKNOWN_TYPE, "unsure", 0.0)
    assert proposal["reasons"][0] == "拿不准：像“路灯异常”，但这一类只学过 8 件"


def test_between_two_types_it_stays_unsure_and_names_both(cast: Cast) -> None:
    for nth in range(2 * ENOUGH):
        kind = LAMP if nth % 2 else COVER
        actions.accept(cast.operator, told("楼下的灯箱晃眼睛", nth), {"type": kind})
    drain()
    proposal = offered(cast, told("楼下的灯箱晃眼睛", 99))
    assert proposal["how"] == "unsure"
    assert proposal["reasons"][0].startswith("拿不准：与“")
    assert proposal["confidence"] < 0.7


def test_how_proposals_fared_is_shown_and_corrects_words(cast: Cast) -> None:
    first = offered(cast, told("路灯不亮", 50))["confidence"]
    decided(cast, "路灯不亮", times=6, type=COVER)
    decided(cast, "路灯不亮", times=2)
    drain()
    with scoped(SYSTEM):
        tally = Tally.objects.get(head="type", label=LAMP, how="words")
    assert (tally.proposed, tally.right) == (8, 2)
    proposal = offered(cast, told("路灯不亮", 51))
    assert proposal["precision"] == {"proposed": 8, "right": 2}
    assert proposal["confidence"] < first


def test_outcomes_are_counted_once_whatever_breaks(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    decided(cast, "路灯不亮", times=3)

    def broken(*_: object) -> None:
        raise RuntimeError("the worker is killed here")

    with monkeypatch.context() as patched:
        patched.setattr("gridloop.cases.learning.dispatch.remember", broken)
        with pytest.raises(RuntimeError):
            learning.run_outcomes()
    drain()
    drain()
    with scoped(SYSTEM):
        assert list(Tally.objects.filter(head="type").values_list("label", "proposed", "right")) == [(LAMP, 3, 3)]


def test_a_type_the_source_gave_is_no_proposal_of_ours(cast: Cast) -> None:
    code = actions.report(PUBLIC, Report(text="路灯不亮", kind=COVER, lon=HERE[0], lat=HERE[1])).case
    actions.accept(cast.operator, code, {"type": LAMP})
    drain()
    with scoped(SYSTEM):
        assert not Tally.objects.filter(head="type").exists()


def test_training_learns_the_same_again_and_reports(cast: Cast) -> None:
    decided(cast, "楼下的灯箱晃眼睛", type=LAMP)
    decided(cast, "门口的铁板咣当响", type=COVER)
    seen: list[tuple[int, int]] = []
    report = learning.train(lambda done, total: seen.append((done, total)))
    assert seen[-1] == (2 * ENOUGH, 2 * ENOUGH)
    kinds = report.heads["type"]
    assert (kinds.examples, kinds.labels, kinds.tested) == (2 * ENOUGH, 2, ENOUGH * 2 // 5)
    assert kinds.right <= kinds.in_three <= kinds.tested
    assert offered(cast, told("灯箱晃眼睛", 99))["how"] == "learned"
    last = last_training(SYSTEM)
    assert last is not None
    assert last.report["type"]["examples"] == 2 * ENOUGH
    assert last.version == store.current()


def test_what_is_decided_while_a_training_reads_is_not_lost(cast: Cast) -> None:
    decided(cast, "楼下的灯箱晃眼睛", times=5, type=LAMP)
    drain()
    with scoped(SYSTEM):
        before = Consumer.objects.get(name=learning.LEARN).fact_id

    def meanwhile(done: int, total: int) -> None:
        decided(cast, "门口的铁板咣当响", times=3, type=COVER)
        drain()  # the learners of yesterday learn it: those in the making have not read it

    learning.train(meanwhile)
    model = store.reader()
    assert model is not None
    assert model.heads["type"].examples(COVER) == 0
    with scoped(SYSTEM):
        assert Consumer.objects.get(name=learning.LEARN).fact_id >= before
    drain()
    model = store.reader()
    assert model is not None
    assert (model.heads["type"].examples(LAMP), model.heads["type"].examples(COVER)) == (5, 3)


def test_what_was_erased_is_forgotten_by_the_next_training(cast: Cast) -> None:
    codes = decided(cast, "楼下的灯箱晃眼睛", times=5, type=LAMP)
    drain()
    with scoped(SYSTEM):
        assert Likeness.objects.count() == 1
    for code in codes:
        assert erase(SYSTEM, reporter_subject(code), "request") >= 1
    report = learning.train()
    assert report.heads["type"].examples == 0, "no words, nothing learned of the type"
    assert report.heads["severity"].examples == len(codes)
    with scoped(SYSTEM):
        assert not Likeness.objects.exists()


def test_the_first_training_of_a_long_history_teaches_it_once(cast: Cast) -> None:
    decided(cast, "楼下的灯箱晃眼睛", times=6, type=LAMP)  # no consumer has run yet
    learning.train()
    drain()
    model = store.reader()
    assert model is not None
    assert (model.heads["type"].examples(LAMP), model.decided[LAMP]) == (6, 6)


def test_a_failing_disk_does_not_teach_the_same_again_and_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    decided(cast, "楼下的灯箱晃眼睛", times=4, type=LAMP)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    store.writer({})
    with monkeypatch.context() as patched:
        patched.setattr(store, "keep_labels", full)
        for _ in range(3):
            with pytest.raises(OSError, match="No space"):
                learning.run_learn()
    drain()
    assert store.writer({}).decided[LAMP] == 4


def test_a_training_that_fails_leaves_nothing_behind(cast: Cast, learners: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    decided(cast, "楼下的灯箱晃眼睛", times=2, type=LAMP)
    drain()
    before = sorted(p.name for p in learners.iterdir())

    def broken(*_: object) -> None:
        raise RuntimeError("killed here")

    monkeypatch.setattr(learning, "_examples", broken)
    with pytest.raises(RuntimeError):
        learning.train()
    assert sorted(p.name for p in learners.iterdir()) == before


def test_erasing_a_reporter_takes_the_words_out_of_the_proposal(cast: Cast) -> None:
    code = told("路灯不亮，找我13812345678")
    with scoped(SYSTEM):
        assert "'words': [" in str(Case.objects.get(code=code).proposal)
    actions.erase_reporter(cast.admin, code)
    with scoped(SYSTEM):
        assert "'words': [" not in str(Case.objects.get(code=code).proposal)


def test_voided_cases_teach_nothing(cast: Cast) -> None:
    codes = decided(cast, "楼下的灯箱晃眼睛", times=2, type=LAMP)
    actions.void(cast.operator, codes[0], {"note": "重复"})
    assert learning.train().heads["type"].examples == 1


def test_training_is_due_once_a_day_and_for_one_worker(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    learning.train_when_due()
    first = last_training(SYSTEM)
    assert first is not None
    learning.train_when_due()
    assert last_training(SYSTEM) == first
    with clock.fixed(clock.now() + timedelta(days=1, minutes=1)):
        with monkeypatch.context() as patched:
            patched.setattr(learning, "train", lambda claimed: learning.train_when_due())  # a second worker asks meanwhile
            learning.train_when_due()
        assert last_training(SYSTEM) == first, "claimed, and nobody came to an end"
        with clock.fixed(clock.now() + timedelta(hours=1, minutes=1)):
            learning.train_when_due()
    second = last_training(SYSTEM)
    assert second is not None
    assert second.pk == first.pk + 2


def test_a_unit_out_of_service_is_not_proposed(cast: Cast) -> None:
    from gridloop.orgs.models import Unit

    decided(cast, "楼下的灯箱晃眼睛", type=LAMP, unit=cast.units["EAST-V"])
    drain()
    with scoped(SYSTEM):
        Unit.objects.filter(pk=cast.units["EAST-V"]).update(active=False)
    from gridloop.cases import directory

    directory.forget()
    assert offered(cast, told("楼下的灯箱晃眼睛", 99))["unit"]["name"] == "市政设施养护所"


def test_a_proposal_costs_little(cast: Cast, learners: Path) -> None:
    from gridloop.cases.proposing import kind_of, proposal

    decided(cast, "楼下的灯箱晃眼睛", times=ENOUGH, type=LAMP)
    drain()
    took = []
    for _ in range(200):
        began = time.thread_time()
        proposal(kind_of("楼下的灯箱晃眼睛", "app", EAST), "楼下的灯箱晃眼睛", "app", EAST)
        took.append(time.thread_time() - began)
    assert min(took) < 0.005, "of processor: others may be at work here; bench/routing.py has the time and its percentiles"
