"""From the log to devices and cases: once, whatever is repeated, delivered twice or crashes."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import DataError

from gridloop.access.actions import load_users
from gridloop.access.messages import SampleLogin
from gridloop.access.selectors import user_id_of, viewer_for
from gridloop.cases.actions import receive_signal
from gridloop.cases.models import Case, Source
from gridloop.cases.rules import END_STATUSES
from gridloop.cases.tests.kit import Cast
from gridloop.evidence import actions as evidence
from gridloop.evidence.selectors import of_case as evidence_of
from gridloop.evidence.tests.pictures import picture
from gridloop.journal.frame import scoped
from gridloop.journal.selectors import verify
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.selectors import device
from gridloop.sdk.signals import Signal, partition_of
from gridloop.signals import handlers, positions
from gridloop.signals.handlers import apply_next, run_effects, run_heard
from gridloop.signals.log import PostgresLog
from gridloop.signals.models import Position, Seen, Trouble


def stopped(number: int, value: float = 200.0, plate: str = "浙X00001", **changes: Any) -> Signal:
    at = clock.now() - timedelta(seconds=60 - number)
    values: dict[str, Any] = {"id": f"v{number}", "source": "cams", "device": "cam-1", "kind": "vehicle_stopped", "at": at, "value": value}
    return Signal(**(values | {"data": {"plate": plate}} | changes))


def run_all() -> None:
    while run_heard() or run_effects():
        pass


def cases() -> list[Case]:
    with scoped(SYSTEM):
        return list(Case.objects.order_by("id"))


def sources() -> list[Source]:
    with scoped(SYSTEM):
        return list(Source.objects.order_by("id"))


def test_a_recognised_signal_opens_a_case_where_its_device_stands(county: Cast, log: PostgresLog) -> None:
    log.append([stopped(1)])
    run_all()
    (case,) = cases()
    assert (case.scene, case.type, case.region) == ("illegal_parking", "09009", "990101100200001001")
    assert (case.lon, case.lat) == (121.605, 29.205)
    assert device(SYSTEM, "cam-1").status == "online"
    assert device(SYSTEM, "cam-1").last_value == 200.0


def test_signals_of_one_thing_join_and_each_source_is_kept(county: Cast, log: PostgresLog) -> None:
    log.append(
        [stopped(1), stopped(2, value=260), stopped(3, source="bus-cams", device="", lon=121.606, lat=29.206), stopped(4, plate="浙X00002")]
    )
    run_all()
    first, second = cases()
    assert {first.same_thing, second.same_thing} == {"浙X00001", "浙X00002"}
    counts = {(s.case_id, s.source): s.count for s in sources()}
    one = next(c for c in (first, second) if c.same_thing == "浙X00001")
    assert counts[(one.pk, "cams")] == 2
    assert counts[(one.pk, "bus-cams")] == 1


@pytest.mark.parametrize("data", [{}, {"plate": ""}], ids=["no plate", "empty plate"])
def test_a_signal_without_its_key_never_reaches_somebody_else_s_case(county: Cast, log: PostgresLog, data: dict[str, Any]) -> None:
    log.append([stopped(1)])
    log.append([stopped(2, value=0.0, data=data), stopped(3, value=400.0, data=data)])
    run_all()
    (case,) = cases()
    assert case.status not in END_STATUSES
    assert [s.count for s in sources()] == [1]


def test_pictures_an_alarm_names_become_evidence_of_its_case(county: Cast, log: PostgresLog, settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    load_users([SampleLogin("box", "AI 盒子", None, "integrator", "990101", None)])
    box = viewer_for(user_id_of("box") or 0)
    own, second = (str(evidence.add(box, picture(size=size)).id) for size in ((320, 240), (300, 200)))
    foreign = str(evidence.add(county.worker, picture()).id)
    log.append(
        [stopped(1, data={"plate": "浙X00001", "evidence": [own, foreign, "no id", 7, str(uuid4())], "boxes": [[0.1, 0.2, 0.3, 0.4]]})]
    )
    log.append([stopped(2, plate="浙X00002", data={"plate": "浙X00002", "evidence": [own]})])
    log.append([stopped(3, data={"plate": "浙X00001", "evidence": [own, second]})])
    log.append([stopped(4, data={"plate": "浙X00001", "evidence": "all"})])
    run_all()
    one, other = cases()
    assert [str(e.id) for e in evidence_of(SYSTEM, one.code)] == [own, second]
    assert evidence_of(SYSTEM, other.code) == [], "what proves one case is not lent to another"
    with scoped(SYSTEM):
        assert Trouble.objects.count() == 0
    assert verify(SYSTEM)[1] is None


def test_no_repeat_has_a_second_effect(county: Cast, log: PostgresLog) -> None:
    log.append([stopped(1), stopped(1)])
    run_all()
    log.append([stopped(1)])
    log.append([stopped(1), stopped(2)])
    run_all()
    assert len(cases()) == 1
    assert [s.count for s in sources()] == [2]


def test_a_reading_sent_again_under_another_id_has_no_second_effect(county: Cast, log: PostgresLog) -> None:
    at = clock.now()
    broken: dict[str, Any] = {"kind": "facility_damaged", "device": "lamp-1", "value": 1.0, "at": at, "data": {}}
    log.append([stopped(1, **broken), stopped(2, **broken)])
    run_all()
    assert [s.count for s in sources()] == [1]


def test_an_unknown_kind_is_history_only(county: Cast, log: PostgresLog) -> None:
    log.append([stopped(1, kind="humming")])
    run_all()
    assert cases() == []
    with scoped(SYSTEM):
        assert Seen.objects.count() == 0
    assert positions.waiting("effects") == []


def test_effects_and_position_are_one(county: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append([stopped(1)])

    def crash(lease: positions.Lease, seq: int) -> positions.Lease:
        raise RuntimeError("killed before the commit")

    with monkeypatch.context() as patch:
        patch.setattr(positions, "advance", crash)
        with pytest.raises(RuntimeError):
            run_effects()
    assert cases() == []
    run_all()
    assert len(cases()) == 1
    assert [s.count for s in sources()] == [1]


def test_a_stalled_owner_is_fenced(county: Cast, log: PostgresLog) -> None:
    log.append([stopped(1)])
    partition = partition_of(stopped(1), 4)
    stalled = positions.claim("effects", partition, "first")
    assert stalled
    assert positions.claim("effects", partition, "second") is None
    with scoped(SYSTEM):  # the first stands still and its lease runs out
        Position.objects.update(lease_until=clock.now() - timedelta(seconds=1))
    taken = positions.claim("effects", partition, "second")
    assert taken
    assert taken.epoch == stalled.epoch + 1
    with pytest.raises(positions.Fenced):
        apply_next(stalled)
    assert cases() == []
    assert apply_next(taken)
    assert len(cases()) == 1
    positions.release(stalled)  # too late to matter
    assert positions.claim("effects", partition, "third") is None


@pytest.mark.parametrize("poison", [ValueError("poison"), DataError("poison")], ids=["program", "database"])
def test_a_signal_that_cannot_be_taken_does_not_block_its_neighbours(
    county: Cast, log: PostgresLog, monkeypatch: pytest.MonkeyPatch, poison: Exception
) -> None:

    def poisoned(viewer: Any, signal: Any, match: Any) -> Any:
        if signal.id == "v2":
            raise poison
        return receive_signal(viewer, signal, match)

    monkeypatch.setattr(handlers, "receive_signal", poisoned)
    log.append([stopped(n, plate=f"浙X0000{n}") for n in (1, 2, 3)])
    run_all()
    assert [c.same_thing for c in cases()] == ["浙X00001", "浙X00003"]
    with scoped(SYSTEM):
        trouble = Trouble.objects.get()
    assert (trouble.signal, trouble.error) == ("v2", f"{type(poison).__name__}: poison")


def test_old_news_of_a_device_changes_nothing(county: Cast, log: PostgresLog) -> None:
    log.append([stopped(5, value=5.0)])
    log.append([stopped(1, value=1.0), stopped(2, value=2.0)])
    run_all()
    seen = device(SYSTEM, "cam-1")
    assert seen.last_value == 5.0
    assert isinstance(seen.last_seen, datetime)


def test_the_log_s_time_bounds_a_clock_that_runs_ahead(county: Cast, log: PostgresLog) -> None:
    log.append([stopped(1, at=clock.now() + timedelta(minutes=50))])
    run_all()
    seen = device(SYSTEM, "cam-1").last_seen
    assert seen is not None
    assert seen <= clock.now()
