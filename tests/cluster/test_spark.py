"""``gridloop detect`` on a real Spark master with two workers: the alarms of one process, whole lists."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from gridloop.doors.cli.detect import detect
from gridloop.signals import history
from gridloop.signals.rules import Row, erased, hour_of
from gridloop.signals.tests import test_detect_history as lived
from tests.cluster.servers import Master

START, MINUTE = 1_777_600_000_000, 60_000  # ms
RULES = """
detectors:
  hot:
    title: {zh: 高温, en: Hot}
    severity: 4
    when: {threshold: {kind: temperature, at_least: 60, clear: 50}, hold: 2m}
    steps:
      - {severity: 2, when: {threshold: {kind: temperature, at_least: 80, clear: 70}}}
  gone:
    title: {zh: 久无读数, en: Silent}
    severity: 4
    when: {absence: {kind: any, longer: 3h}}
  silent:
    title: {zh: 全屋静默, en: Silent home}
    by: household
    severity: 3
    when: {absence: {kind: [door_open, water_use], longer: 3h}}
  busy:
    title: {zh: 频繁开门, en: Busy door}
    by: household
    severity: 3
    when: {count: {kind: door_open, least: 4, within: 30m}}
"""


@pytest.fixture(scope="module", autouse=True)
def here() -> Iterator[None]:
    """The driver is on this machine, whatever it is called."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
        yield


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    servers = Master(tmp_path_factory.mktemp("spark"))
    yield servers.url
    servers.stop()


def drawn(homes: int, hours: int) -> list[dict[str, Any]]:
    """Each home with two water meters: one sends what was used, one its state, which falls back now and then."""
    chance, rows = Random(5), []
    for number in range(homes):
        at, state = START + chance.randrange(60 * MINUTE), 500.0
        while at < START + hours * 60 * MINUTE:
            kind = chance.choice(("door_open", "door_open", "door_open", "water_use", "water_total", "temperature"))
            state += chance.choice((0.0, 3.0, 3.0, 3.0, -50.0)) if kind == "water_total" else 0.0
            value = {"temperature": chance.choice((20.0, 65.0, 85.0)), "water_total": state}.get(kind, 1.0)
            rows.append({"device": f"h{number:03d}-{kind}", "household": f"h{number:03d}", "kind": kind, "at": at, "value": value})
            at += chance.choice((1, 2, 3, 5, 5, 8, 20, 20, 220)) * MINUTE + chance.randrange(1000)
    rows.sort(key=lambda row: (row["at"], row["device"]))
    return rows


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    table = pa.Table.from_pylist(rows)
    at = table["at"].cast(pa.timestamp("ms", "UTC")).cast(pa.timestamp("us", "UTC"))
    pq.write_table(table.set_column(table.schema.get_field_index("at"), "at", at), path)
    return path


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(detect, [str(argument) for argument in arguments])


def alarms(path: Path) -> list[dict[str, Any]]:
    return sorted((json.loads(line) for line in path.read_text().splitlines()), key=lambda row: sorted(map(str, row.items())))


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "detect.yaml"
    path.write_text(RULES, encoding="utf-8")
    return path


def test_spark_finds_the_alarms_of_one_process(master: str, rules: Path, tmp_path: Path) -> None:
    rows = drawn(60, 48)
    whole = written(tmp_path / "whole.parquet", rows)
    history = tmp_path / "history"
    history.mkdir()
    for third in range(3):  # as the platform's history lies: by kind and device within the hours
        part = rows[third * len(rows) // 3 : (third + 1) * len(rows) // 3]
        written(history / f"{third}.parquet", sorted(part, key=lambda row: (row["kind"], row["device"], row["at"])))
    one = run(rules, whole, "--column", "household=household", "--out", tmp_path / "one.jsonl")
    assert one.exit_code == 0, one.output
    many = run(rules, history, "--column", "household=household", "--out", tmp_path / "many.jsonl", "--engine", master)
    assert many.exit_code == 0, many.output
    found = alarms(tmp_path / "one.jsonl")
    assert {(row["detector"], row["what"]) for row in found} >= {
        *((name, what) for name in ("hot", "gone", "silent", "busy") for what in ("raised", "cleared")),
        ("hot", "stepped"),
    }
    assert alarms(tmp_path / "many.jsonl") == found
    assert many.output.splitlines()[-1] == one.output.splitlines()[-1], "so many rows and alarms"
    fell = [[line for line in each.output.splitlines() if "示数" in line] for each in (one, many)]
    assert fell[0] == fell[1] != [], "so many states that fell back"


def archived(folder: Path) -> None:
    """As ``history`` writes it: by hour and partition, and what came late in a further file."""
    rows = [Row(s, s.at + timedelta(seconds=1)) for s in lived.signals()]
    rows += [Row(replace(one.signal, id="x"), one.arrived) for one in rows[-1:]]
    whose = next(one for one in rows if one.signal.device == "h011-door_open")
    rows += [Row(erased(replace(whose.signal, at=lived.at(n)), "request-1"), lived.at(n)) for n in (240, 700)]
    rows += [Row(lived.own(n), lived.at(n)) for n in (249, 800)]
    late = [Row(lived.late(n), lived.at(n + 5)) for n in (245, 900)]
    parts: dict[tuple[datetime, str], list[Row]] = defaultdict(list)
    for row in rows:
        parts[hour_of(row.signal.at), f"p{len(row.signal.device) % 3:03d}-000000000001-000000000009"].append(row)
    for row in late:
        parts[hour_of(row.signal.at), "p001-000000000010-000000000010"].append(row)
    for (hour, name), those in parts.items():
        where = folder / f"{hour:%Y-%m-%d}" / f"{hour:%H}"
        where.mkdir(parents=True, exist_ok=True)
        history.replace_file(where / f"{name}.parquet", sorted(those, key=lambda r: (r.signal.kind, r.signal.device, r.signal.at)))


def test_own_history_on_spark_holds_the_alarms_of_one_process(master: str, tmp_path: Path) -> None:
    archived(tmp_path / "history")
    one = lived.run_detect(tmp_path)
    found = alarms(tmp_path / "out.jsonl")
    many = lived.run_detect(tmp_path, "--engine", master)
    assert {row["detector"] for row in found} == {"homes.silent", "homes.hot", "homes.busy", "homes.stays"}
    assert max(row["at"] for row in found) < lived.at(700).isoformat(), "what takes no part does not move the time either"
    assert alarms(tmp_path / "out.jsonl") == found
    assert (many.exit_code, many.output.splitlines()[-2:]) == (one.exit_code, one.output.splitlines()[-2:])
    assert "2 rows came more than 60s after" in many.output


def test_rows_that_cannot_be_used_are_counted_and_told(rules: Path, tmp_path: Path) -> None:
    rows = drawn(4, 6)
    rows[3]["device"] = ""
    bad = written(tmp_path / "bad.parquet", rows)
    answer = run(rules, bad, "--column", "household=household", "--out", tmp_path / "out.jsonl", "--engine", "local[1]", "--lang", "en")
    assert answer.exit_code == 1
    assert "1 rows cannot be used:" in answer.output
    assert "device is empty" in answer.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--explain", "h001"), "--explain cannot be used together with --engine"),
        (("--each", "household"), "--each cannot be used together with --engine"),
        ((), "Spark did not do it"),
    ],
)
def test_what_it_cannot_do_is_said(rules: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    file = written(tmp_path / "some.parquet", drawn(1, 1))
    answer = run(rules, file, "--column", "household=household", "--engine", "nonsense://nowhere", "--lang", "en", *arguments)
    assert answer.exit_code == 1
    assert said in answer.output


def test_other_files_are_refused(rules: Path, tmp_path: Path) -> None:
    file = tmp_path / "some.csv"
    file.write_text("device,kind,at,household\n", encoding="utf-8")
    answer = run(rules, file, "--column", "household=household", "--engine", "local[1]", "--lang", "en")
    assert answer.exit_code == 1
    assert "--engine reads Parquet files only; some.csv is none" in answer.output


@pytest.mark.parametrize(("lang", "said"), [("zh", "Spark 需要 Java，本机没有"), ("en", "Spark needs Java, and there is none")])
def test_without_java_it_says_what_to_do(rules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lang: str, said: str) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    file = written(tmp_path / "some.parquet", drawn(1, 1))
    answer = run(rules, file, "--column", "household=household", "--engine", "local[1]", "--lang", lang)
    assert answer.exit_code == 1
    assert said in answer.output
    assert "apt-get install default-jre-headless" in answer.output
