"""``gridloop detect`` on a real Spark master with two workers: the alarms of one process, whole lists."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pyspark
import pytest
from click.testing import CliRunner, Result

from gridloop.doors.cli.deployment import free_port
from gridloop.doors.cli.detect import detect
from tests.signals.servers import wait_for_port

HOME = Path(pyspark.__file__).parent
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
    folder = tmp_path_factory.mktemp("spark")
    port = free_port()
    environment = os.environ | {"SPARK_HOME": str(HOME), "SPARK_WORKER_DIR": str(folder)}

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [HOME / "bin" / "spark-class", f"org.apache.spark.deploy.{name}", *arguments, "--webui-port", "0"]
        with (folder / f"{name}.log").open("ab") as out:
            return subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=folder)

    running = [start("master.Master", "--host", "127.0.0.1", "--port", str(port))]
    try:
        wait_for_port(port, 60)
        url = f"spark://127.0.0.1:{port}"
        running += [start("worker.Worker", "--cores", "1", "--memory", "1g", "--host", "127.0.0.1", url) for _ in range(2)]
        end = time.monotonic() + 60
        while (folder / "master.Master.log").read_text(errors="replace").count("Registering worker") < 2:
            assert time.monotonic() < end, "two workers"
            time.sleep(0.3)
        yield url
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(30)


def drawn(homes: int, hours: int) -> list[dict[str, Any]]:
    chance, rows = Random(5), []
    for number in range(homes):
        at = START + chance.randrange(60 * MINUTE)
        while at < START + hours * 60 * MINUTE:
            kind = chance.choice(("door_open", "door_open", "door_open", "water_use", "temperature"))
            value = chance.choice((20.0, 65.0, 85.0)) if kind == "temperature" else 1.0
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

    homes = tmp_path / "homes.csv"
    homes.write_text("device,household\n" + "\n".join(sorted({f"{row['device']},{row['household']}" for row in rows})), encoding="utf-8")
    again = run(rules, history, "--devices", homes, "--out", tmp_path / "again.jsonl", "--engine", master)
    assert again.exit_code == 0, again.output
    assert alarms(tmp_path / "again.jsonl") == found


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
