"""``gridloop detect`` over real files: what it finds, what it cannot use, and what it says about both."""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from conftest import shared_data
from gridloop.detection.language import detectors
from gridloop.detection.rules import parts_of
from gridloop.detection.sentences import Teller, zone_names
from gridloop.detection.vocabulary import MODIFIERS, OPERATORS
from gridloop.doors.cli import readings
from gridloop.doors.cli.detect import detect
from gridloop.doors.cli.detect_output import kinds_asked_for
from gridloop.doors.cli.main import cli
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.texts import say
from gridloop.scenes.loading import ROOT, signal_kinds
from gridloop.scenes.strict_yaml import read

RULES = """
detectors:
  high:
    title: {zh: 水位高, en: High water}
    severity: 3
    when: {threshold: {kind: water_level, at_least: 3 m, clear: 2 m}}
  gone:
    title: {zh: 久无读数, en: Silent}
    severity: 4
    when: {absence: {kind: any, longer: 1h}}
"""
HEADER = "device,kind,at,value\n"
ROWS = [
    ("w1", "water_level", "2026-05-01T08:00:00", "1.0"),
    ("w2", "water_level", "2026-05-01T08:00:10", "1.5"),
    ("w1", "water_level", "2026-05-01T08:10:00", "3.5"),
    ("w2", "water_level", "2026-05-01T08:10:00", ""),
    ("w1", "water_level", "2026-05-01T08:20:00", "1.9"),
    ("w2", "water_level", "2026-05-01T09:30:00", "3.0"),
]
FOUND = [  # local 08:00 is 00:00 in UTC
    ("2026-05-01T00:10:00.000Z", "raised", "high", "w1"),
    ("2026-05-01T00:20:00.000Z", "cleared", "high", "w1"),
    ("2026-05-01T01:10:00.000Z", "raised", "gone", "w2"),
    ("2026-05-01T01:20:00.000Z", "raised", "gone", "w1"),
    ("2026-05-01T01:30:00.000Z", "raised", "high", "w2"),
    ("2026-05-01T01:30:00.000Z", "cleared", "gone", "w2"),
]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "detect.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


def run(*arguments: Any) -> Result:
    result = CliRunner().invoke(detect, [str(one) for one in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def alarms(result: Result) -> list[tuple[str, str, str, str]]:
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    return [(row["at"], row["what"], row["detector"], row["key"]) for row in rows]


def csv_text(rows: Sequence[tuple[str, ...]] = ROWS) -> str:
    return HEADER + "".join(",".join(row) + "\n" for row in rows)


def json_lines(rows: Sequence[tuple[str, ...]] = ROWS) -> str:
    names = HEADER.strip().split(",")
    return "".join(
        json.dumps({name: (float(cell) if name == "value" and cell else cell or None) for name, cell in zip(names, row, strict=True)})
        + "\n"
        for row in rows
    )


def write(folder: Path, kind: str) -> Path:
    path = folder / f"readings.{kind}"
    text = json_lines() if "json" in kind else csv_text()
    if kind == "parquet":
        table = pa_csv.read_csv(
            pa.py_buffer(csv_text().encode()), convert_options=pa_csv.ConvertOptions(column_types={"at": pa.timestamp("us")})
        )
        pq.write_table(table, path)
    elif kind.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text, encoding="utf-8")
    return path


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


def homes(folder: Path) -> Path:
    path = folder / "homes.csv"
    rows = [
        ("h1", "hall", "motion", "2026-05-01T07:30"),
        ("h1", "door", "door_open", "2026-05-01T08:00"),
        ("h2", "door", "door_open", "2020-01-01T08:00"),
        ("h1", "hall", "motion", "2026-05-03T09:00"),
        ("h2", "hall", "motion", "2020-01-01T20:00"),
    ]
    path.write_text("home,sensor,type,start\n" + "".join(",".join(row) + "\n" for row in rows), encoding="utf-8")
    return path


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


def test_why_and_why_not(tmp_path: Path) -> None:
    asked = ["silent_home", homes(tmp_path), "--only", "no_movement", "--column", "household=home", "--each", "home", "--explain"]
    told = run(*asked, "h1", "--fact", "lives_alone=yes", "--lang", "en").stdout
    assert "2026-05-02 08:00:00 raised (urgent)" in told
    assert "there is no door opening or motion for 24 hours — times held: 1, lately: 2026-05-02 08:00:00 to 2026-05-03 09:00:00" in told
    assert "will hold from 2026-05-04 09:00:00 if nothing more is read" in told
    assert "last readings: door opened 2026-05-01 08:00:00, motion 2026-05-03 09:00:00" in told
    told = run(*asked, "h1").stdout
    assert "没有报警" in told
    assert "○ 不成立：…（仅限独居的）；从未成立" in told
    assert "独居 = 未知" in told
    told = run(*asked, "h9", "--lang", "en").stdout
    assert told == "nothing was read of h9; household: h1, h2\n"


def test_a_key_nothing_was_read_of_is_told_in_chinese(tmp_path: Path) -> None:
    asked = ["silent_home", homes(tmp_path), "--only", "no_movement", "--column", "household=home", "--each", "home", "--explain"]
    assert run(*asked, "h9").stdout == "没有读到 h9；读到的户有：h1, h2\n"


def test_kinds_called_by_their_titles_are_recognised(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(csv_text([("d1", "水位", "2026-05-01T00:00:00", "3"), ("d1", "odd", "2026-05-01T00:00:00", "3")]), encoding="utf-8")
    told = run("water_level", path).stderr
    assert "也许是：--kind 水位=water_level\n" in told


def test_a_folder_for_the_alarms_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(csv_text([("d1", "water_level", "2026-05-01T00:00:00", "3")]), encoding="utf-8")
    refused = run("water_level", path, "--lang", "en", "--out", tmp_path / "none" / "alarms.csv")
    assert (refused.exit_code, refused.stderr) == (1, f"Error: the folder {tmp_path / 'none'} of --out does not exist; make it first\n")


def test_what_came_too_late_is_part_of_the_reason(rules: Path, tmp_path: Path) -> None:
    """The alarm of silence stands although there is a reading within the hour: it came when that had been told."""
    path = tmp_path / "late.csv"
    path.write_text(csv_text([*ROWS, ("w1", "water_level", "2026-05-01T08:50:00", "1")]), encoding="utf-8")
    for lang, said in (("zh", "其中 1 条读数来得太晚"), ("en", "1 readings of it came too late")):
        told = {key: run(rules, path, "--only", "gone", "--explain", key, "--lang", lang).stdout for key in ("w1", "w2")}
        assert "2026-05-01 09:20:00" in told["w1"]
        assert (said in told["w1"], said in told["w2"]) == (True, False)


PAGE = (ROOT / "docs" / "reference" / "detect.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```\n\n>", PAGE, re.DOTALL)
EVENTFUL = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday


def weeks_of(kinds: Sequence[str], folder: Path) -> Path:
    """Eleven weeks of a place and its devices, two of each kind: a usual day, quiet and busy days, high and low values, zones, names."""
    chance = Random(8)
    rows = []
    for day in range(77):
        for hour in () if day in (30, 31, 32, 70, 71) else (7, 8, 12, 18, 19, 23):
            for number in range(chance.choice((1, 1, 2, 6))):
                for which, kind in enumerate([*kinds, *kinds]):
                    at = EVENTFUL + timedelta(days=day, hours=hour, minutes=7 * number, seconds=which)
                    value = chance.choice((0, 0, 1, 1, 2.9, 3.5, 60)) if "_use" not in kind else 30 if day < 60 else 0.1
                    rows.append((f"d{which}", kind, at.isoformat(), value, chance.choice(("消防通道", "甲", "乙")), "K1"))
    rows.append(("d9", kinds[0], (EVENTFUL + timedelta(days=40)).isoformat(), 0, "甲", "K2"))
    path = folder / "weeks.csv"
    path.write_text("device,kind,at,value,token,whose\n" + "".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return path


def test_every_operator_is_explained_by_the_page_s_examples() -> None:
    used = {key for text in EXAMPLES for key in re.findall(r"[a-z_]+(?=:)", text)}
    assert {*OPERATORS, *MODIFIERS} - used <= {"any"}


@pytest.mark.parametrize("text", EXAMPLES, ids=[text.split("\n")[1].strip(" :") for text in EXAMPLES])
def test_each_operator_says_why_and_why_not(text: str, tmp_path: Path) -> None:
    """Every change of an alarm, every condition with whether it holds, in both languages; of a key with one reading why there is none."""
    rules = tmp_path / "detect.yaml"
    rules.write_text(text, encoding="utf-8")
    found = detectors(read(text, "detect.yaml").data, signal_kinds(), 1)
    names = {kind.number: name for name, kind in signal_kinds().items()}
    kinds = sorted({names[kind] for one in found for kind in kinds_asked_for(one)}) or ["motion"]
    asked: list[Any] = [rules, weeks_of(kinds, tmp_path), "--to", "2026-05-25", "--lateness", "1h"]
    asked += [word for by in {one.by for one in found} - {"device"} for word in ("--column", f"{by}=whose")]
    asked += [word for fact in ("lives_alone", "elder", "key_place") if f"{fact}: true" in text for word in ("--fact", f"{fact}=yes")]
    plain = run(*asked)
    for one in found:
        key = "d0" if one.by == "device" else "K1"
        mine = [json.loads(line) for line in plain.stdout.splitlines() if json.loads(line)["detector"] == one.id]
        changes = sorted((row["what"], to_local(row["at"])) for row in mine if row["key"] == key)
        for lang in ("zh", "en"):
            lines = run(*asked, "--only", one.id, "--explain", key, "--lang", lang).stdout.splitlines()
            said = {what: say(f"doors.detect_why_{what}", lang, at="@", severity="#") for what in ("raised", "stepped", "cleared")}
            told = [
                (what, match[1])
                for line in lines
                for what, form in said.items()
                if (match := re.fullmatch(re.escape(form).replace("@", "([0-9: -]+)").replace(re.escape("#"), ".+"), line.strip()))
            ]
            assert sorted(told) == changes
            assert changes, "the weeks were to make it hold"
            marks = [say(f"doors.detect_why_{state}", lang) for state in ("on", "off")]
            parts = [part for top in (one.when, *(step.when for step in one.steps)) for part in parts_of(top)]
            assert sum(line.strip().startswith(tuple(marks)) for line in lines) == len(parts)
            teller = Teller(signal_kinds(), lang, WorkingCalendar(), zone_names([text]))
            assert lines[1] == teller.sentence(one) or "zones" in text
            assert not any(re.search(r"[{}]|None|nan", line) for line in lines)
            other = run(*asked, "--only", one.id, "--explain", "d9" if one.by == "device" else "K2", "--lang", lang).stdout
            assert say("doors.detect_why_none", lang) in other or "absence" in text or "unanswered" in text or "silence" in text


def to_local(at: str) -> str:
    return (datetime.fromisoformat(at) + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")


WRONG: list[tuple[list[str], str, str]] = [
    (["--column", "time"], "须写成 名称=值", "must be NAME=VALUE"),
    (["--column", "colour=x"], "可用 time", "there are time"),
    (["--column", "time=when"], "没有 time 要用的列 when；有：device, kind, at, value", "has no column when for time"),
    (["--kind", "a=flood"], "flood 不在目录", "flood is not in"),
    (["--fact", "lives_alone=maybe"], "maybe 不对", "cannot be maybe"),
    (["--fact", "happy=yes"], "没有事实 happy", "no fact happy"),
    (["--to", "tomorrow"], "tomorrow 不对", "tomorrow of --to is wrong"),
    (["--lateness", "4wh"], "应如 60s", "such as 60s"),
    (["--zone", "Mars/Base"], "没有时区 Mars/Base", "no time zone Mars/Base"),
    (["--only", "low"], "没有检测器 low，有：high, gone", "no detector low"),
]


@pytest.mark.parametrize(("options", "zh", "en"), WRONG, ids=[" ".join(options) for options, *_ in WRONG])
def test_what_is_asked_wrongly_is_told(options: list[str], zh: str, en: str, rules: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "csv")
    for lang, wanted in (("zh", zh), ("en", en)):
        result = run(rules, path, *options, "--lang", lang)
        assert (result.exit_code, result.stdout) == (1, "")
        assert wanted in result.stderr


def test_who_names_no_language_is_refused_in_both(rules: Path, tmp_path: Path) -> None:
    refused = run("/nowhere.yaml", write(tmp_path, "csv"))
    assert refused.exit_code == 1
    assert "is neither a pack's folder nor" in refused.stderr
    assert "不是场景包文件夹" in refused.stderr
    assert "不是场景包文件夹" not in run("/nowhere.yaml", write(tmp_path, "csv"), "--lang", "en").stderr
    rules.write_text(RULES.replace("longer: 1h", "longer: 1 hour"), encoding="utf-8")
    (line,) = run(rules, write(tmp_path, "csv")).stderr.splitlines()
    assert line.count("detect.yaml:10: ") == 2


@pytest.mark.parametrize(
    ("asked", "en", "zh"),
    [
        (["{bad}", "{good}"], "neither UTF-8 nor GB18030", "编码不是"),
        (["{rules}", "{bad}"], "neither UTF-8 nor GB18030", "编码不是"),
        (["{rules}", "{good}", "--facts", "{bad}"], "neither UTF-8 nor GB18030", "编码不是"),
        (["{rules}", "{good}", "--devices", "{bad}"], "neither UTF-8 nor GB18030", "编码不是"),
        (["{rules}", "{good}", "--devices", "{late}"], "neither UTF-8 nor GB18030", "编码不是"),
        (["{rules}", "{good}", "--out", "/proc/alarms.csv"], "cannot be read or written (No such file", "不能读写 /proc/alarms.csv"),
        (["{rules}", "{good}", "--fact", "lives_alone=maybe"], "yes or no is needed", "应为是/否"),
        (["{rules}", "{good}", "--packs", "x"], "No such option", "没有选项"),
        (["{rules}"], "Missing argument", "缺少参数"),
    ],
)
def test_whatever_is_refused_is_refused_in_both(asked: list[str], en: str, zh: str, rules: Path, tmp_path: Path) -> None:
    bad, late = tmp_path / "bad.csv", tmp_path / "late.csv"
    bad.write_bytes(b"\xff\xfe\x00,\n\xff\xff")
    late.write_bytes(b"device,household\n" + b"a,b\n" * 50_000 + b"\xff\xff,b\n")
    files = {"rules": rules, "good": write(tmp_path, "csv"), "bad": bad, "late": late}
    done = CliRunner().invoke(cli, ["detect", *(one.format(**files) for one in asked)])
    assert (done.exit_code, isinstance(done.exception, SystemExit)) == (done.exit_code or 1, True)
    last = done.stderr.splitlines()[-1]
    assert (en in last, zh in last, re.search("[\u4e00-\u9fff]", last.partition(" / ")[0])) == (True, True, None), last


def test_files_and_rules_that_are_not_there(rules: Path, tmp_path: Path) -> None:
    assert "没有要读的文件" in run(rules, tmp_path / "none.csv").stderr
    assert "silent_home, smoke, thermal_fire" in run("fire", write(tmp_path, "csv")).stderr
    assert "请用 --column household=列名 或 --devices" in run("silent_home", write(tmp_path, "csv")).stderr
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    assert "cannot be read as parquet" in run(rules, tmp_path / "broken.parquet").stderr
    rules.write_text(RULES.replace("longer: 1h", "longer: 1 hour"), encoding="utf-8")
    assert "detect.yaml:10: " in run(rules, write(tmp_path, "csv")).stderr


@pytest.mark.parametrize("name", ["readings.csv", "readings.jsonl"])
def test_files_without_a_row_are_told_as_such(name: str, rules: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(HEADER if name.endswith("csv") else "", encoding="utf-8")
    result = run(rules, path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"没有读到任何读数，因此没有研判：{path} 里没有数据行" in result.stderr
    assert "nothing was read, so that nothing was looked at" in run(rules, path, "--lang", "en").stderr


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
