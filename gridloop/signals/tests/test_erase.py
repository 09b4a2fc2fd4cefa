"""Erasing a registered person reaches signals, sealed values, the cases they reported with what they sent, and their row."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridloop.cases.actions import report
from gridloop.cases.messages import Report
from gridloop.cases.present import case_detail
from gridloop.cases.tests.kit import EAST, Cast
from gridloop.evidence.actions import add
from gridloop.evidence.models import File
from gridloop.evidence.tests.pictures import picture
from gridloop.journal.actions import seal
from gridloop.journal.frame import scoped
from gridloop.journal.models import Fact, Sealed
from gridloop.journal.selectors import verify
from gridloop.kernel.errors import Forbidden, Invalid, NotFound
from gridloop.kernel.viewer import SYSTEM, Grant, Viewer
from gridloop.registry.actions import load
from gridloop.registry.messages import BuildingRow, DeviceRow, HouseholdRow, HouseRow, PersonRow, VehicleRow
from gridloop.registry.models import Person, Vehicle
from gridloop.sdk.signals import unpack
from gridloop.sdk.testing.signal_log import signal
from gridloop.signals.actions import erase_person
from gridloop.signals.log import PostgresLog
from gridloop.signals.messages import Erasure
from gridloop.signals.models import Batch

HERE = (121.605, 29.205)
MICRO = f"{EAST}200001001"


@pytest.fixture
def people(county: Cast, history_folder: Path) -> Cast:
    load(
        SYSTEM,
        [
            BuildingRow("B1", MICRO, "幸福小区1幢"),
            HouseRow("H1", "B1", "201"),
            HouseRow("H2", "B1", "202"),
            HouseholdRow("F1", "H1"),
            HouseholdRow("F2", "H2"),
            PersonRow("P1", "欧阳不二过", "F1", phone="19987654321"),
            PersonRow("P2", "欧阳不", "F2", phone="13800000012"),
            PersonRow("P3", "欧阳三", "F2", phone="13800000012"),
            VehicleRow("浙Z12345", person="P1"),
            DeviceRow("door-1", "door", MICRO, household="F1"),
            DeviceRow("door-2", "door", MICRO, household="F2"),
        ],
    )
    return county


def logged() -> dict[str, dict[str, object]]:
    with scoped(SYSTEM):
        return {s.id: dict(s.data) for row in Batch.objects.all() for s in unpack(bytes(row.data))}


def test_a_person_is_taken_out_of_everything(people: Cast, log: PostgresLog, history_folder: Path) -> None:
    photo = add(people.admin, picture())
    code = report(
        people.admin, Report(text="路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1], contact="19987654321", evidence=(str(photo.id),))
    ).case
    with scoped(SYSTEM):
        seal("车主 19987654321 已联系", subject="case:other", purpose="case_note", case="other")
        seal("与此无关", subject="case:other", purpose="case_note", case="other")
    log.append(
        [
            signal(1, device="cam-1", data={"plate": "浙Z12345"}),
            signal(2, device="door-1", data={"room": "201"}),
            signal(3, device="door-2", data={"room": "202"}),
            signal(4, device="cam-1", data={"owner": "车主欧阳不二过"}),
        ]
    )
    assert erase_person(people.admin, "P1", "本人申请", ["欧阳不二过"]) == Erasure(signals=3, values=3, cases=1, files=1)
    gone = {"erased": "subject_request"}
    assert logged() == {"s1": gone, "s2": gone, "s3": {"room": "202"}, "s4": gone}
    assert (case_detail(SYSTEM, code)["text"], case_detail(SYSTEM, code)["reporter"]) == ("", None)
    with scoped(SYSTEM):
        assert not Person.objects.filter(code="P1").exists()
        assert not Vehicle.objects.exists()
        row = File.objects.get()
        assert (row.status, row.uploaded_by_id) == ("erased", None)
        assert [s.value for s in Sealed.objects.filter(erased_at__isnull=True).exclude(value=None)] == ["与此无关", "本人申请"]
        assert not Fact.objects.filter(data__icontains="本人申请").exists()
    assert [p for p in (history_folder.parent / "evidence").rglob("*") if p.is_file()] == []
    assert verify(SYSTEM)[1] is None
    with pytest.raises(NotFound):
        erase_person(people.admin, "P1", "本人申请")


def test_what_others_bear_too_is_not_looked_for(people: Cast, log: PostgresLog) -> None:
    log.append([signal(1, device="cam-1", data={"phone": "13800000012"}), signal(2, device="door-2", data={"room": "202"})])
    assert erase_person(people.admin, "P2", "本人申请") == Erasure(0, 0, 0, 0), "the number and the door are their family's as well"


@pytest.mark.parametrize(("reason", "words", "pointer"), [(" ", [], "/reason"), ("本人申请", ["欧阳", "欧"], "/words/1")])
def test_nothing_goes_without_a_reason_or_by_one_character(people: Cast, reason: str, words: list[str], pointer: str) -> None:
    with pytest.raises(Invalid) as refused:
        erase_person(people.admin, "P1", reason, words)
    assert refused.value.errors[0].pointer == pointer
    with scoped(SYSTEM):
        assert Person.objects.filter(code="P1").exists()


def test_others_may_not(people: Cast) -> None:
    with pytest.raises(Forbidden):
        erase_person(people.operator, "P1", "本人申请")
    elsewhere = Viewer("west", grants=(Grant("admin", "990101200"),), permissions=frozenset({"people.erase"}))
    with pytest.raises(NotFound):
        erase_person(elsewhere, "P1", "本人申请")
