"""A pack's detectors are rehearsed over the past, compared with the present ones, and published as the pack's next version."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from django.test import Client

from gridloop.access.actions import issue_token
from gridloop.access.selectors import user_id_of
from gridloop.cases.models import Case
from gridloop.cases.tests.kit import EAST, WEST, Cast
from gridloop.doors.cli import rehearse as command
from gridloop.flow.models import Task
from gridloop.journal.frame import scoped
from gridloop.journal.models import Fact
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, Invalid, NotNow
from gridloop.kernel.viewer import SYSTEM
from gridloop.scenes import actions, rehearsing, selectors
from gridloop.scenes.book import BOOK
from gridloop.scenes.loading import load
from gridloop.scenes.models import PackVersion, Rehearsal
from gridloop.scenes.tests.packkit import KNOWN, copy_of
from gridloop.signals.detecting import AtWork
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Alarm
from gridloop.signals.outcomes import matcher
from gridloop.signals.rehearsing import Raised
from gridloop.signals.tests.homes import START, day, receive, register
from gridloop.signals.tests.test_alarms_become_cases import DETECT, SIGNALS

HOMES, MINUTES = 16, 900
NOW = START + timedelta(minutes=MINUTES + 30)
PACK = "damaged_facility"
LONGER = DETECT.replace("longer: 2h", "longer: 4h").replace("longer: 3h", "longer: 5h")
MORE = (
    DETECT
    + """
  busy_home:
    title: {zh: 开门频繁, en: Busy door}
    by: household
    severity: 4
    when: {count: {kind: door_open, least: 4, within: 30m}}
"""
)


def folder_of(at: Path, detect: str) -> Path:
    folder = copy_of(PACK, at)
    (folder / "detect.yaml").write_text(detect, encoding="utf-8")
    (folder / "signals.yaml").write_text(SIGNALS, encoding="utf-8")
    text = (folder / "pack.yaml").read_text(encoding="utf-8")
    (folder / "pack.yaml").write_text(text.replace("{key: device, radius_m: 50, within: 1d}", "{key: data.key}"), encoding="utf-8")
    return folder


@pytest.fixture
def designer(county: Cast, log: PostgresLog, history_folder: Path, tmp_path: Path) -> Iterator[Any]:
    """Who may edit, in a county whose homes have said something for a day."""
    loaded = load(folder_of(tmp_path / "one", DETECT), KNOWN)
    assert loaded.wrongs == []
    with clock.fixed(START):
        actions.install(SYSTEM, loaded)
    BOOK.forget()
    register(HOMES)
    receive(log, day(HOMES, MINUTES))
    with clock.fixed(NOW):
        yield county.admin
    rehearsing._running = None
    BOOK.forget()


def to_the_end(rehearsal: int) -> Rehearsal:
    while rehearsing.run_rehearsals():
        pass
    return selectors.rehearsal(SYSTEM, rehearsal)


def found(rehearsal: int) -> dict[str, Any]:
    report = selectors.rehearsal_report(SYSTEM, to_the_end(rehearsal))
    assert report is not None
    return report


def test_a_change_is_compared_and_published(designer: Any, county: Cast) -> None:
    asked = actions.ask_rehearsal(designer, PACK, LONGER, 1)
    report = found(asked)
    assert report["present"] is True
    (row,) = report["detectors"]
    assert (row["name"], row["state"], row["title_en"]) == ("silent_home", "changed", "Silent home")
    assert "4 小时" in row["sentence_zh"], "what it would wait for, not what it waits for now"
    assert "4 hours" in row["sentence_en"]
    assert row["old"] > row["new"] > 2
    assert row["both"] == row["new"], "who is silent for four hours has been for two"
    assert (row["only_new"], row["only_old"]) == (0, row["old"] - row["both"])
    assert sum(one["old"] for one in report["days"]) == row["old"]
    assert len(report["days"]) == 2, "days of the deployment's zone, those without an alarm too"
    assert [(one["name"], one["new"]) for one in report["places"]] == [("990101100200", row["new"])]
    assert report["places"][0]["title"] == "东镇一村"
    assert report["devices"] == [], "homes are not devices"
    posts = [(one["task_zh"], one["first"], one["title"]) for one in report["work"]["units"]]
    assert posts == [("核实", True, "东镇一村"), ("受理", True, "东镇综合信息指挥室"), ("主办处置", False, "市政设施养护所")]
    assert report["work"]["units"][2]["unit"] == county.units["MUNICIPAL"]
    for unit in report["work"]["units"]:
        assert 0 < unit["new"] <= row["new"]
        assert unit["new"] < unit["old"] <= row["old"], "and for each of them the difference"
    assert (report["work"]["minutes"], report["work"]["measured"]) == (30.0, 0)

    made = actions.publish_detectors(designer, asked)
    BOOK.forget()
    with scoped(SYSTEM):
        version = PackVersion.objects.get(pk=made)
        assert version.edited
        assert version.detect_text == LONGER, "as it was written"
        fact = Fact.objects.get(action="detectors_published")
        assert fact.data["changed"] == {"silent_home": "changed"}
        assert Rehearsal.objects.get(pk=asked).status == "published"
    work = AtWork("test", matcher().detectors)
    while work.turn():
        pass
    assert {one.id: one.version for one in work.detectors}[f"{PACK}.silent_home"] == made
    with scoped(SYSTEM):
        assert {alarm.version for alarm in Alarm.objects.all()} <= {made}
    with pytest.raises(NotNow, match="publish_not_now"):
        actions.publish_detectors(designer, asked)


def test_the_command_tells_what_would_be_different_and_publishes(designer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "django_on", lambda _: nullcontext())
    file = tmp_path / "wished.yaml"

    def ran(text: str, *more: str) -> Result:
        file.write_text(text, encoding="utf-8")
        return CliRunner().invoke(command.rehearse, [PACK, "--detect", str(file), "--days", "1", *more])

    wrong = ran(DETECT.replace("longer: 2h", "longer: soon"))
    assert (wrong.exit_code, f"{file}:7: " in wrong.output) == (1, True), wrong.output
    told = ran(LONGER, "--lang", "en", "--publish")
    assert told.exit_code == 0, told.output
    with scoped(SYSTEM):
        row = Rehearsal.objects.get(status="published")
    report = selectors.rehearsal_report(SYSTEM, row) or {}
    (one,) = report["detectors"]
    lines = told.output.splitlines()
    assert (
        f"Silent home (silent_home, changed): {one['old']} → {one['new']}; both {one['both']}, only new 0, only present {one['only_old']}"
        in lines
    )
    assert f"  {one['sentence_en']}" in lines
    for some in (report["days"], report["places"]):
        assert all(any(line.endswith(f"{each['name']}: {each['old']} → {each['new']}") for line in lines) for each in some)
    for unit in report["work"]["units"]:
        assert any(unit["title"] in line and str(unit["new"]) in line for line in lines), unit
    assert "1.0.1" in lines[-1]
    assert selectors.detect_page(SYSTEM, PACK).text == LONGER


def test_a_published_change_outlives_the_next_version_of_the_program(designer: Any, tmp_path: Path) -> None:
    asked = actions.ask_rehearsal(designer, PACK, LONGER, 1)
    to_the_end(asked)
    made = actions.publish_detectors(designer, asked)
    assert actions.install(SYSTEM, load(folder_of(tmp_path / "same", DETECT), KNOWN)) == made, "the program starts again"
    other = folder_of(tmp_path / "other", MORE)
    text = (other / "limits.yaml").read_text(encoding="utf-8")
    (other / "limits.yaml").write_text(text.replace("limit: 4wh", "limit: 3wh"), encoding="utf-8")
    loaded = load(other, KNOWN)
    newer = actions.install(SYSTEM, loaded)
    assert newer > made
    pack = selectors.version(newer)[0]
    assert pack.detect is not None
    assert loaded.pack is not None
    assert list(pack.detect.detectors) == ["silent_home"]
    assert pack.limits == loaded.pack.limits
    assert actions.install(SYSTEM, load(other, KNOWN)) == newer
    (other / "signals.yaml").write_text(SIGNALS + "  - {alarm: busy_home, does: open, title: x}\n", encoding="utf-8")
    last = actions.install(SYSTEM, load(other, KNOWN))
    with scoped(SYSTEM):
        assert not PackVersion.objects.get(pk=last).edited, "its rules speak of a detector ours have not"
        kept = Fact.objects.filter(action="pack_installed", data__has_key="detectors").order_by("id")
        assert [fact.data["detectors"] for fact in kept] == ["kept", "dropped"]


def test_a_pack_that_is_off_is_rehearsed_as_if_it_were_on(designer: Any) -> None:
    before = found(actions.ask_rehearsal(designer, PACK, "", 1))
    actions.switch(designer, PACK, False)
    report = found(actions.ask_rehearsal(designer, PACK, "", 1))
    assert report["present"] is False
    assert report["detectors"][0]["old"] == 0
    assert report["detectors"][0]["new"] == before["detectors"][0]["new"] > 0


def test_another_detector_is_counted_by_itself(designer: Any) -> None:
    report = found(actions.ask_rehearsal(designer, PACK, MORE, 1))
    states = {one["name"]: (one["state"], one["old"] == one["both"] == one["new"]) for one in report["detectors"]}
    assert states == {"silent_home": ("same", True), "busy_home": ("new", False)}


def test_what_cases_took_is_the_measure(designer: Any) -> None:
    pack = selectors.version(selectors.detect_page(SYSTEM, PACK).version_id)[0].pack
    with scoped(SYSTEM):
        for minutes in (10, 20, 40, 50, 60):
            row = Case(code=f"X{minutes}", type=pack.case_type, title="x", severity=3, status="closed", region=EAST, desk_region=EAST)
            row.source = row.scene = "x"
            row.reported_at, row.closed_at, row.updated_at = NOW - timedelta(hours=7), NOW - timedelta(hours=1), NOW
            row.save()
            done = NOW - timedelta(hours=2)
            Task.objects.create(
                id=uuid4(), case_code=row.code, ref="x", name="handle", title_zh="x", title_en="x", stage="handle", performer="lead",
                verbs=[], status="done", region=EAST, opened_at=done - timedelta(hours=2), accepted_at=done - timedelta(minutes=minutes),
                done_at=done, outcome="submit",
            )  # fmt: skip
    load_ = rehearsing.load_of(pack.case_type)
    assert (load_.minutes, load_.open_hours, load_.measured) == (40, 6, 5)


def test_a_rehearsal_goes_on_in_another_process(designer: Any, history_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = found(actions.ask_rehearsal(designer, PACK, LONGER, 1))
    monkeypatch.setattr(rehearsing, "TURN_SECONDS", 0.0)
    asked = actions.ask_rehearsal(designer, PACK, LONGER, 1)
    monkeypatch.setattr(rehearsing, "SAVE_SECONDS", 0.0)
    assert rehearsing.run_rehearsals()
    assert rehearsing.run_rehearsals()
    assert 0 < selectors.rehearsal(SYSTEM, asked).hours_done < 10, "it tells how far it has looked back for what has lasted since before"
    while rehearsing._running is None or rehearsing._running.work.looks_back:
        assert rehearsing.run_rehearsals()
    back = rehearsing._running.work.done
    while (row := selectors.rehearsal(SYSTEM, asked)).hours_done < back + 3:
        assert rehearsing.run_rehearsals()
    assert (row.status, row.attempts) == ("running", 1)
    assert 0 < row.hours_done < row.hours
    done = row.hours_done
    rehearsing._running = None  # killed
    monkeypatch.setattr(rehearsing, "_OWNER", "another")
    assert not rehearsing.run_rehearsals(), "its lease still holds"
    with scoped(SYSTEM):
        Rehearsal.objects.filter(pk=asked).update(lease_until=row.asked_at - timedelta(days=400))
    assert rehearsing.run_rehearsals()
    assert selectors.rehearsal(SYSTEM, asked).hours_done >= done - 1
    assert selectors.rehearsal_report(SYSTEM, to_the_end(asked)) == whole
    assert list((history_folder.parent / "rehearsals").glob("*")) == [], "nothing is left behind"


def test_a_worker_that_ends_hands_over_at_once(designer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsing, "TURN_SECONDS", 0.0)
    asked = actions.ask_rehearsal(designer, PACK, LONGER, 1)
    assert rehearsing.run_rehearsals()
    rehearsing.end_rehearsals()
    monkeypatch.setattr(rehearsing, "_OWNER", "another")
    assert to_the_end(asked).status == "done"


def test_one_that_ends_its_worker_again_and_again_is_given_up(designer: Any) -> None:
    asked = actions.ask_rehearsal(designer, PACK, LONGER, 1)
    with scoped(SYSTEM):
        Rehearsal.objects.filter(pk=asked).update(attempts=rehearsing.ATTEMPTS)
    assert to_the_end(asked).status == "failed"


def test_one_that_cannot_be_begun_says_why(designer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = actions.ask_rehearsal(designer, PACK, LONGER, 1)

    def broken(*given: object) -> Any:
        raise ValueError("no such file")

    monkeypatch.setattr(rehearsing, "Running", broken)
    with pytest.raises(ValueError, match="no such file"):
        rehearsing.run_rehearsals()
    row = selectors.rehearsal(SYSTEM, asked)
    assert (row.status, row.fault) == ("failed", "ValueError: no such file")


def test_a_cancelled_one_ends_in_a_command_too(designer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsing, "SAVE_SECONDS", 0.0)
    asked = actions.ask_rehearsal(designer, PACK, LONGER, 1)
    turns = []

    def told(done: int, whole: int) -> None:
        turns.append(done)
        if len(turns) == 1:
            actions.cancel_rehearsal(designer, asked)

    real = rehearsing.Running.turn
    monkeypatch.setattr(rehearsing.Running, "turn", lambda running, seconds: real(running, 0.0))
    rehearsing.run_now(asked, told)
    assert len(turns) == 1
    assert selectors.rehearsal(SYSTEM, asked).status == "cancelled"


def test_a_cancelled_one_ends(designer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsing, "TURN_SECONDS", 0.0)
    asked = actions.ask_rehearsal(designer, PACK, LONGER, 1)
    assert rehearsing.run_rehearsals()
    actions.cancel_rehearsal(designer, asked)
    row = to_the_end(asked)
    assert (row.status, row.report) == ("cancelled", None)
    with pytest.raises(NotNow, match="rehearsal_over"):
        actions.cancel_rehearsal(designer, asked)


@pytest.mark.parametrize("ended", ["cancelled", "failed"])
def test_nothing_stays_of_one_that_has_ended(designer: Any, monkeypatch: pytest.MonkeyPatch, ended: str) -> None:
    asked = actions.ask_rehearsal(designer, PACK, LONGER, 1)
    monkeypatch.setattr(rehearsing, "TURN_SECONDS", 0.0)
    while rehearsing._running is None or rehearsing._running.work.looks_back:
        rehearsing.run_rehearsals()
    rehearsing.end_rehearsals()
    assert rehearsing.state_file(asked).is_file(), "the next worker goes on from it"
    if ended == "cancelled":
        actions.cancel_rehearsal(designer, asked)
    else:
        with scoped(SYSTEM):
            Rehearsal.objects.update(attempts=rehearsing.ATTEMPTS)
    assert to_the_end(asked).status == ended
    assert not rehearsing.state_file(asked).exists()


def test_a_pack_that_leans_on_a_law_is_counted_only_where_it_is_on(designer: Any, county: Cast) -> None:
    actions.switch(SYSTEM, "unregistered_resident", True, county.units["EAST"], basis="云澜府办〔2026〕12号")
    BOOK.forget()
    actions.ask_rehearsal(SYSTEM, "unregistered_resident", "", 1)
    row = rehearsing._claim()
    assert row is not None
    running = rehearsing._begin(row)
    assert running is not None
    alarm = Raised("unregistered_resident.any", "device", "d", "d", f"{EAST}200001", 2, 0, 1, False)
    assert [running._told_at(alarm._replace(region=region)) for region in (f"{EAST}200001", f"{WEST}200001")] == [True, False]


def test_what_cannot_be_rehearsed_or_published_is_told(designer: Any, county: Cast, tmp_path: Path) -> None:
    with pytest.raises(Invalid) as wrong:
        actions.ask_rehearsal(designer, PACK, DETECT.replace("longer: 2h", "longer: soon"), 1)
    assert [(fault.pointer, fault.key.split(".")[0]) for fault in wrong.value.errors] == [("/text/7", "detection")]
    with pytest.raises(Invalid) as wrong:
        actions.ask_rehearsal(designer, PACK, MORE.replace("silent_home:", "quiet_home:"), 1)
    assert [fault.key for fault in wrong.value.errors] == ["scenes.detector_asked_for"]
    with pytest.raises(Invalid, match="rehearse_days"):
        actions.ask_rehearsal(designer, PACK, "", 91)
    with pytest.raises(NotNow, match="no_detectors"):
        actions.ask_rehearsal(designer, "general", "", 1)
    asked = actions.ask_rehearsal(designer, PACK, LONGER, 1)
    with pytest.raises(NotNow, match="rehearsing_already"):
        actions.ask_rehearsal(designer, PACK, MORE, 1)
    with pytest.raises(NotNow, match="publish_not_now"):
        actions.publish_detectors(designer, asked)
    to_the_end(asked)
    actions.install(SYSTEM, load(folder_of(tmp_path / "two", MORE), KNOWN))
    with pytest.raises(NotNow, match="rehearsed_other"):
        actions.publish_detectors(designer, asked)


def test_only_who_may_rehearses_and_publishes(designer: Any, county: Cast) -> None:
    for who in (county.operator, county.handler, county.citizen):
        with pytest.raises(Forbidden):
            actions.ask_rehearsal(who, PACK, LONGER, 1)
    asked = actions.ask_rehearsal(designer, PACK, LONGER, 1)
    to_the_end(asked)
    town = replace(designer, grants=tuple(replace(grant, region=EAST) for grant in designer.grants))
    with pytest.raises(Forbidden):
        actions.publish_detectors(town, asked)
    with pytest.raises(Forbidden):
        actions.publish_detectors(county.operator, asked)
    with scoped(SYSTEM):
        assert not PackVersion.objects.filter(edited=True).exists()
    report = selectors.rehearsal_report(county.west_operator, selectors.rehearsal(SYSTEM, asked))
    assert report is not None
    assert (report["places"], report["places_elsewhere"]) == ([], 1), "places of another town are not theirs to see"


def test_the_door_tells_faults_by_line_and_publishes(designer: Any, county: Cast) -> None:
    token = issue_token(SYSTEM, user_id_of("admin") or 0, ["all"], "test")
    client = Client(headers={"Authorization": f"Bearer {token}"})

    def post(path: str, body: dict[str, Any]) -> Any:
        return client.post(f"/api/v1{path}", body, content_type="application/json")

    assert client.get(f"/api/v1/packs/{PACK}/detect").json()["text"] == DETECT
    checked = post(f"/packs/{PACK}/detect/check", {"text": DETECT.replace("longer: 2h", "longer: soon")}).json()
    assert [(fault["line"], checked["detectors"]) for fault in checked["faults"]] == [(7, [])]
    checked = post(f"/packs/{PACK}/detect/check", {"text": LONGER}).json()
    assert [(one["name"], one["state"]) for one in checked["detectors"]] == [("silent_home", "changed")]
    assert "4 小时" in checked["detectors"][0]["sentence_zh"]
    asked = post(f"/packs/{PACK}/rehearsals", {"text": LONGER, "days": 1})
    assert asked.status_code == 201, asked.content
    number = asked.json()["id"]
    to_the_end(number)
    told = client.get(f"/api/v1/rehearsals/{number}").json()
    assert (told["status"], told["share"], told["may_publish"]) == ("done", 1.0, True)
    made = post(f"/rehearsals/{number}/publish", {})
    assert made.status_code == 200, made.content
    assert made.json()["version"] == "1.0.1"
    assert client.get(f"/api/v1/packs/{PACK}/detect").json() == {"name": PACK, "version": "1.0.1", "text": LONGER, "edited": True}
    assert client.get(f"/api/v1/packs/{PACK}/rehearsals").json()["items"][0]["status"] == "published"
