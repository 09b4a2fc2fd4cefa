"""``gridloop detect`` over real files: what it finds, what it cannot use, and what it says about both."""

from __future__ import annotations

import json
import re
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from conftest import shared_data
from gridloop.doors.cli import readings
from gridloop.doors.cli.main import cli
from gridloop.doors.tests.gauges import FOUND, ROWS, RULES, alarms, csv_text, homes, json_lines, run, write


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_every_kind_of_file_gives_the_same_alarms(kind: str, rules: Path, tmp_path: Path) -> None:
    result = run(rules, write(tmp_path, kind))
    assert result.exit_code == 0, result.stderr
    assert alarms(result) == FOUND
    assert "6 行" in result.stderr
    assert "报警 4 次" in result.stderr


@pytest.mark.parametrize("size", [1, 2, 5])
def test_pieces_of_any_size_give_the_same(size: int, rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "ROWS", size)
    for kind in ("csv", "jsonl", "parquet"):
        assert alarms(run(rules, write(tmp_path, kind))) == FOUND


def test_how_far_it_is_is_told_on_the_way(rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "ROWS", 2)
    monkeypatch.setattr("gridloop.doors.cli.detect.SHOW_EVERY", -1.0)
    result = run(rules, write(tmp_path, "csv"), "--lang", "en")
    told = re.findall(r"readings\.csv: (\d) rows, (\d) alarms, up to 2026-05-01T(\d\d:\d\d)", result.stderr)
    assert [rows for rows, *_ in told] == ["2", "4", "6", "6"], result.stderr
    assert [time for *_, time in told] == ["00:00", "00:10", "01:30", "01:30"]
    assert alarms(result) == FOUND


@pytest.mark.parametrize(
    "time",
    [
        "2026-05-01T08:10:00+08:00",
        "2026-05-01 08:10",
        "2026/5/1 08:10:00",
        "2026-05-01T00:10:00Z",
        "1777594200",
        "1777594200000",
        "20260501081000",
    ],
)
def test_times_as_people_write_them(time: str, rules: Path, tmp_path: Path) -> None:
    path = tmp_path / "one.csv"
    path.write_text(csv_text([("w1", "water_level", time, "3.5"), ("w1", "water_level", "", "9")]), encoding="utf-8")
    result = run(rules, path)
    assert alarms(result) == FOUND[:1]


def test_columns_and_kinds_by_other_names(rules: Path, tmp_path: Path) -> None:
    path = tmp_path / "站点.csv"
    rows = [(time, station, level) for station, _, time, level in ROWS]
    path.write_bytes(("时间,测站,水位\n" + "".join(",".join(row) + "\n" for row in rows)).encode("gb18030"))
    result = run(rules, path, "--column", "time=时间", "--column", "device=测站", "--column", "value=水位", "--kind", "*=water_level")
    assert alarms(result) == FOUND, result.stderr


def test_chinese_names_of_columns_need_not_be_told(rules: Path, tmp_path: Path) -> None:
    path = tmp_path / "读数.csv"
    path.write_bytes(("设备编号,种类,时间,数值\n" + "".join(",".join(row) + "\n" for row in ROWS)).encode("gb18030"))
    assert alarms(run(rules, path)) == FOUND


def test_what_cannot_be_used_is_told_and_kept(rules: Path, tmp_path: Path) -> None:
    lines = csv_text().splitlines()
    bad = [
        "w1,water_level,yesterday,1",
        "w1,water_level,2026-05-01T08:01:00,high",
        ",water_level,2026-05-01T08:01:00,1",
        "w1,water_level,1066-10-14,1",
    ]
    path = tmp_path / "mixed.csv"
    path.write_text("\n".join([*lines[:3], *bad, *lines[3:]]) + "\n", encoding="utf-8")
    result = run(rules, path, "--lang", "en")
    assert (result.exit_code, alarms(result)) == (1, FOUND)
    for number, reason in ((4, "yesterday is no time"), (5, "high is no number"), (6, "device is empty"), (7, "1066-10-14 is no time")):
        assert f"mixed.csv row {number}: {reason}" in result.stderr
    kept = (tmp_path / "mixed.csv.rejects.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in kept] == ["row", "4", "5", "6", "7"]
    assert "yesterday" in kept[1]
    assert "10 rows, 6 of them used" in result.stderr
    again = run(rules, write(tmp_path, "csv"))
    assert again.exit_code == 0
    assert not (tmp_path / "readings.csv.rejects.csv").exists()


def test_lines_that_are_no_objects(rules: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('[1]\n{"device": "w1", "kind"\n\n' + json_lines(), encoding="utf-8")
    result = run(rules, path)
    assert (result.exit_code, alarms(result)) == (1, FOUND)
    assert "第 1 行：不是 JSON 对象" in result.stderr
    assert "第 2 行：不是 JSON 对象" in result.stderr
    nested = tmp_path / "nested.jsonl"
    nested.write_text('{"d": {"id": "w1"}, "t": 1777594200, "on": true}\n', encoding="utf-8")
    result = run(
        rules,
        nested,
        "--column",
        "device=d.id",
        "--column",
        "time=t",
        "--column",
        "value=on",
        "--kind",
        "*=water_level",
        "--to",
        "1777597800",
    )
    assert alarms(result) == [("2026-05-01T01:10:00.000Z", "raised", "gone", "w1")]


def test_the_end_of_a_file_is_not_the_end_of_time(rules: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "csv")
    assert not any(at > "2026-05-01T01:30:00.000Z" for at, *_ in alarms(run(rules, path)))
    later = alarms(run(rules, path, "--to", "2026-05-01T12:00"))
    assert later == [*FOUND, ("2026-05-01T02:30:00.000Z", "raised", "gone", "w2")]


def test_rows_that_come_too_late_are_counted(rules: Path, tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_text(csv_text([*ROWS, ("w1", "water_level", "2026-05-01T08:30:00", "5"), ROWS[0]]), encoding="utf-8")
    result = run(rules, path, "--lang", "en")
    assert (result.exit_code, alarms(result)) == (1, FOUND)
    assert "2 rows came more than 60s after later ones" in result.stderr
    result = run(rules, path, "--lang", "en", "--lateness", "2h")
    assert result.exit_code == 0
    assert ("2026-05-01T00:30:00.000Z", "raised", "high", "w1") in alarms(result)
    assert "1 rows have the device, kind, time and id of another one" in result.stderr


def test_alarms_as_csv(rules: Path, tmp_path: Path) -> None:
    out = tmp_path / "alarms.csv"
    result = run(rules, write(tmp_path, "csv"), "--out", out, "--only", "high")
    assert (result.stdout, result.exit_code) == ("", 0)
    lines = out.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "at,what,detector,version,by,key,severity,start,id"
    assert [line.split(",")[:3] for line in lines[1:]] == [[at, what, "high"] for at, what, name, _ in FOUND if name == "high"]


def test_each_home_has_its_own_time(tmp_path: Path) -> None:
    path = homes(tmp_path)
    asked = ["silent_home", path, "--only", "no_movement", "--column", "household=home", "--fact", "lives_alone=yes"]
    result = run(*asked, "--each", "home", "--lang", "en")
    assert result.exit_code == 0, result.stderr
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert (first["home"], first["at"], first["severity"], first["detector"]) == (
        "h1",
        "2026-05-02T00:00:00.000Z",
        2,
        "silent_home.no_movement",
    )
    assert (second["what"], second["start"], second["id"]) == ("cleared", first["start"], first["id"])
    assert run(*asked).exit_code == 1  # all in one: the other home's rows are years late
    facts = tmp_path / "facts.csv"
    facts.write_text("household,lives_alone,away_since,away_till\nh1,是,2026-05-01T12:00,2026-05-02T12:00\nh2,no,,\n", encoding="utf-8")
    result = run(*asked[:-2], "--each", "home", "--facts", facts)
    assert [at for at, *_ in alarms(result)] == ["2026-05-02T04:00:00.000Z", "2026-05-03T01:00:00.000Z"]  # from the coming back on


def test_whose_a_device_is_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    rows = [
        ("d1", "door_open", "2026-05-01T08:00:00", ""),
        ("d2", "motion", "2026-05-01T20:00:00", ""),
        ("d9", "motion", "2026-05-03T09:00:00", ""),
    ]
    path, devices = tmp_path / "r.csv", tmp_path / "devices.csv"
    path.write_text(csv_text(rows), encoding="utf-8")
    devices.write_text("device,household\nd1,h1\nd2,h1\n", encoding="utf-8")
    asked = ["silent_home", path, "--only", "no_movement", "--fact", "lives_alone=yes", "--devices", devices]
    assert [(at, key) for at, _, _, key in alarms(run(*asked))] == [("2026-05-02T12:00:00.000Z", "h1")]  # a day after the second
    devices.write_text("sensor,household\nd1,h1\n", encoding="utf-8")
    assert "须有 device 列" in run(*asked).stderr


def test_a_folder_is_read_in_the_order_of_names(rules: Path, tmp_path: Path) -> None:
    folder = tmp_path / "history"
    for name, rows in (("2026-05-01/00/p1.jsonl", ROWS[:4]), ("2026-05-01/01/p1.jsonl", ROWS[4:])):
        path = folder / name
        path.parent.mkdir(parents=True)
        path.write_text(json_lines(rows), encoding="utf-8")
    assert alarms(run(rules, folder)) == FOUND


@pytest.mark.shared_data
def test_the_three_silences_of_a_real_home() -> None:
    file = shared_data() / "smart_home" / "events.csv.gz"
    mapped = ["--column", "time=start", "--column", "household=home", "--each", "home", "--kind", "*=motion"]
    result = run("silent_home", file, "--only", "no_movement", *mapped, "--fact", "lives_alone=yes", "--zone", "UTC")
    raised = [(at, key) for at, what, _, key in alarms(result) if what == "raised"]
    assert raised == [(f"2008-03-{at}.000Z", "kasteren_A") for at in ("01T22:03:47", "09T11:36:06", "22T19:11:10")]
    assert (result.exit_code, "4348 行" in result.stderr) == (0, True)


@pytest.mark.parametrize("kind", ["dictionary", "large_string", "date32", "bool", "decimal", "float32", "ms", "tz", "int64"])
def test_columns_of_any_type_in_parquet(kind: str, tmp_path: Path, rules: Path) -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    word = {"dictionary": pa.dictionary(pa.int32(), pa.string()), "large_string": pa.large_string()}.get(kind, pa.string())
    time: Any = pa.array([at], pa.timestamp("ms" if kind == "ms" else "us", "UTC" if kind == "tz" else None))
    time = {"date32": pa.array([date(2026, 5, 1)], pa.date32()), "int64": pa.array([int(at.timestamp() * 1000)])}.get(kind, time)
    value: Any = pa.array([4.0])
    values = {"bool": pa.array([True]), "decimal": pa.array([Decimal("4.00")]), "float32": pa.array([4.0], pa.float32())}
    names = {"device": pa.array(["w1"]).cast(word), "kind": pa.array(["water_level"]).cast(word)}
    pq.write_table(pa.table({**names, "at": time, "value": values.get(kind, value)}), tmp_path / "t.parquet")
    result = run(rules, tmp_path / "t.parquet", "--zone", "UTC")
    found = [] if kind == "bool" else [("2026-05-01T00:00:00.000Z", "raised", "high", "w1")]
    assert (result.exit_code, alarms(result)) == (0, found), result.stderr


def test_columns_that_come_up_later_and_rows_without_a_time(tmp_path: Path, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "ROWS", 1)
    rows = [{"device": "w1", "kind": "water_level", "at": "2026-05-01T08:00"}, {"device": "w1", "kind": "water_level", "value": 5}]
    rows += [{"device": "w1", "kind": "water_level", "at": "2026-05-01T08:10", "value": 4}]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    result = run(rules, path, "--lang", "en")
    assert (result.exit_code, alarms(result)) == (1, FOUND[:1])
    assert "x.jsonl row 2: " in result.stderr


def test_a_home_is_waited_for_from_its_first_reading_of_any_kind(tmp_path: Path, rules: Path) -> None:
    silent = "all: [{absence: {kind: door_open, longer: 24h}}, {absence: {kind: water_use, longer: 24h}}]"
    rules.write_text(
        RULES.replace("absence: {kind: any, longer: 1h}", silent).replace("severity: 4", "severity: 4\n    by: household"), encoding="utf-8"
    )
    found = alarms(run(rules, homes(tmp_path), "--only", "gone", "--column", "household=home", "--each", "home"))
    assert found == [("2026-05-02T00:00:00.000Z", "raised", "gone", "h1")]  # water was never read


def test_alarms_of_one_moment_stand_in_the_order_of_the_file(tmp_path: Path, rules: Path) -> None:
    rules.write_text(RULES.replace("severity: 4", "severity: 4\n    by: building"), encoding="utf-8")
    path = tmp_path / "x.csv"
    names = ["w9", "w1", "w5"]
    rows = "".join(f"{name},water_level,2026-05-01T08:00:00,5,B{number}\n" for number, name in enumerate(names))
    path.write_text("device,kind,at,value,home\n" + rows, encoding="utf-8")
    assert [key for *_, key in alarms(run(rules, path, "--column", "building=home"))] == names


def test_compiled_loops_find_the_same(rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLOOP_DETECTION", "numba")
    assert alarms(run(rules, write(tmp_path, "csv"))) == FOUND
    monkeypatch.setitem(sys.modules, "numba", None)
    result = run(rules, write(tmp_path, "csv"), "--lang", "en")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "requirements/numba.txt" in result.stderr
    started = CliRunner().invoke(cli, ["up", "--data-dir", str(tmp_path / "new")])
    assert "detection.no_numba" in str(started.exception), "before a folder or a child is made"
    assert not (tmp_path / "new").exists()
