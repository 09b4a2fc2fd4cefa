"""``gridloop detect`` over the platform's own history finds what the detectors at work found, whatever else lies in the files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from gridloop.cases.tests.kit import Cast
from gridloop.detection import rules
from gridloop.detection.rules import HOUR
from gridloop.doors.cli import own_history
from gridloop.doors.cli.detect import detect
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import load
from gridloop.sdk.signals import Signal
from gridloop.signals import history
from gridloop.signals.log import PostgresLog
from gridloop.signals.rules import Marks, Row
from gridloop.signals.tests.homes import ALL, DOOR, SENSORS, START, Told, day, pick, reading, receive, register, sensor
from gridloop.signals.tests.test_detect import begun, rows, run

HOMES, MINUTES = 12, 600
STAYS = rules.Detector("homes.stays", 1, rules.Dwell(pick("position"), HOUR))
RULES = """
detectors:
  silent: {title: {zh: 静, en: Silent}, by: household, severity: 4, when: {absence: {kind: [door_open, water_use], longer: 3h}}}
  hot:
    title: {zh: 热, en: Hot}
    severity: 4
    when: {threshold: {kind: temperature, at_least: 60, clear: 50}, hold: 2m}
    steps: [{severity: 2, when: {threshold: {kind: temperature, at_least: 80}}}]
    quiet: 10m
  busy: {title: {zh: 忙, en: Busy}, by: household, severity: 4, when: {count: {kind: door_open, least: 4, within: 30m}}}
  stays: {title: {zh: 停, en: Stays}, severity: 4, when: {dwell: {kind: position, longer: 1h}}}
"""


def at(minute: float) -> datetime:
    return START + timedelta(minutes=minute)


def zone(minute: float, name: str) -> Signal:
    return replace(reading("h000", "position", at(minute), 0.0), value=None, data={"zone": name})


def signals() -> list[Signal]:
    """h011 is silent from the third hour on; h000 carries something from zone to zone, and stays in one for two hours."""
    busy = [s for s in day(HOMES, MINUTES) if s.device[:4] != "h011" or s.at < at(120)]
    moves = [zone(90 + 20 * n, f"z{n}") for n in range(6)] + [zone(210 + 20 * n, "z9") for n in range(6)] + [zone(340, "z1")]
    desk = [Signal(f"call-{n}", "hotline", "", "report", at(200 + n), None, data={"text": "路灯不亮"}) for n in range(3)]
    return sorted([*busy, *moves, *desk], key=lambda s: s.at)


def late(minute: float) -> Signal:
    """Of the silent home, received when it was five minutes old."""
    return replace(reading("h011", DOOR, at(minute)), id=f"late-{minute}")


def own(minute: float) -> Signal:
    """Of the silent home, made by the platform itself."""
    return replace(reading("h011", DOOR, at(minute)), id=f"own-{minute}", source="gridloop")


@pytest.fixture
def lived(county: Cast, log: PostgresLog, history_folder: Path) -> tuple[list[Told], datetime]:
    """What the detectors at work found, and up to when; the day lies in the history."""
    register(HOMES)
    load(SYSTEM, [sensor("h000", "position")])
    work = begun(log, [*ALL, STAYS])
    given = signals()
    receive(log, [s for s in given if s.at < at(250)])
    with clock.fixed(at(250)):
        log.append([late(245), own(249.5)])
    receive(log, [s for s in given if s.at >= at(250)])
    run(work, at(MINUTES + 30))
    until = datetime.fromtimestamp((work.engine.watermark - 1) / 1000, UTC)
    assert work.taking.passed.totals()["late"] == 1
    with clock.fixed(at(MINUTES + 300)):
        while history.write_hours():
            pass
    return rows(), until


def run_detect(folder: Path, *arguments: object) -> Result:
    (folder / "homes").mkdir(exist_ok=True)
    (folder / "homes" / "detect.yaml").write_text(RULES, encoding="utf-8")
    codes = [f"h{n:03d}" for n in range(HOMES)]
    lines = [f"{code}-{kind},{code}" for code in codes for kind in (*SENSORS, "position")]
    (folder / "devices.csv").write_text("device,household\n" + "\n".join(lines), encoding="utf-8")
    command = [folder / "homes", folder / "history", "--devices", folder / "devices.csv", "--out", folder / "out.jsonl", "--lang", "en"]
    return CliRunner().invoke(detect, [str(one) for one in (*command, *arguments)])


def test_history_holds_the_alarms_of_the_detectors_at_work(lived: tuple[list[Told], datetime], tmp_path: Path) -> None:
    found_then, until = lived
    answer = run_detect(tmp_path, "--to", until.isoformat())
    told = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    got = [
        Told(row["detector"], row["key"], row["what"], 5 - row["severity"], *(datetime.fromisoformat(row[w]) for w in ("at", "start")))
        for row in told
    ]
    assert {t.detector for t in found_then} == {"homes.silent", "homes.hot", "homes.busy", "homes.stays"}
    assert ("homes.silent", "h011") in {(t.detector, t.key) for t in found_then}
    assert sorted(got, key=lambda t: (t.at, t.detector, t.key, t.what)) == found_then
    assert answer.exit_code == 1, "one row came too late"
    assert "1 rows came more than 60s after" in answer.output
    assert "cannot be used" not in answer.output


def test_what_is_left_of_an_erased_person_takes_no_part(lived: tuple[list[Told], datetime], history_folder: Path) -> None:
    assert history.erase(Marks(devices=frozenset({"h003-door_open"})), "request-1") > 0
    tables = [pq.read_table(path) for path in sorted(history_folder.glob("*/*/*.parquet"))]
    taken = [own_history.taken(table, 60_000) for table in tables]
    assert all(own_history.is_own(table.schema) for table in tables)
    devices = {name for one in taken for name in one.table["device"].to_pylist()}
    assert "h003-door_open" not in devices
    assert {"h003-water_use", "h002-door_open"} <= devices


def test_readings_of_one_moment_are_told_apart_as_at_work(history_folder: Path) -> None:
    """Plain ones by their microseconds, all else by source and id."""
    one = reading("h000", DOOR, at(0))
    given = [one, replace(one, at=one.at + timedelta(microseconds=7)), zone(1, "z1"), replace(zone(1, "z1"), id="again")]
    history_folder.mkdir()
    history.replace_file(history_folder / "some.parquet", [Row(s, s.at) for s in given])
    taken = own_history.taken(pq.read_table(history_folder / "some.parquet"), 60_000)
    assert taken.number[:2].tolist() == [0, 7]
    assert len(set(taken.number.tolist())) == 4
    assert taken.token[:2].tolist() == [0, 0]
    assert taken.token[2] == taken.token[3] != 0
