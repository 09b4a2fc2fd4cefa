"""Recorded real reports lived again, and the simulated county at work, on the running product."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conftest import shared_data
from tests.house.product import COMMAND, clean_environment, command, until
from tests.proof.conftest import Proof

pytestmark = pytest.mark.server
EXTRACT = Path(__file__).parent.parent / "data" / "tainan_extract.csv"
TERRITORY = "990201"  # of mappings/tainan_1999.yaml
ROWS = 200


def replay(proof: Proof, file: Path, *more: str) -> dict[str, Any]:
    arguments = ["replay", str(file), "--as", "hotline", "--times", "own", "--json", "--data-dir", str(proof.folder), *more]
    done = subprocess.run([*COMMAND, *arguments], env=clean_environment(), capture_output=True, text=True, timeout=850, check=False)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def adds_up(figures: dict[str, Any], rows: int) -> None:
    assert figures["rows"] + figures["failed"] == rows
    assert figures["failed"] == 0
    assert figures["cases"] + figures["merged"] + figures["repeated"] == figures["rows"]
    assert figures["accepted"] == figures["cases"]
    assert sum(figures["units"].values()) == sum(figures["types"].values()) == figures["accepted"]


@pytest.fixture(scope="module")
def lived(proof: Proof) -> dict[str, Any]:
    """The extract's night, lived once."""
    proof.report()  # the sample county has a case of its own
    return replay(proof, EXTRACT)


def test_every_row_becomes_a_case_or_joins_one(proof: Proof, lived: dict[str, Any]) -> None:
    adds_up(lived, ROWS)
    assert lived["merged"] > 0, "a night of many reports of one thing"
    rows = proof.sql("SELECT count(*), count(DISTINCT case_id) FROM cases_source WHERE source = 'tainan_1999'")
    assert rows == [(ROWS, lived["cases"])]
    with EXTRACT.open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    reported = proof.sql("SELECT first_at AT TIME ZONE 'Asia/Taipei' FROM cases_source WHERE signal_id = %s", first["id"])
    late = (reported[0][0] - _time(first["created"])).total_seconds()
    assert -1 < late < 86_400, "in its own time, ten years ago; hours of it pass in each of our seconds, more where others use the machine"


def _time(text: str) -> Any:
    from datetime import datetime

    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007  # compared with the database's local time


def test_the_same_file_again_adds_nothing(proof: Proof, lived: dict[str, Any]) -> None:
    before = proof.sql("SELECT count(*) FROM cases_case"), proof.sql("SELECT count(*) FROM cases_source")
    again = replay(proof, EXTRACT)
    assert (again["rows"], again["repeated"], again["cases"], again["merged"], again["failed"]) == (ROWS, ROWS, 0, 0, 0)
    assert (proof.sql("SELECT count(*) FROM cases_case"), proof.sql("SELECT count(*) FROM cases_source")) == before


def test_each_desk_sees_its_own_territory_only(proof: Proof, lived: dict[str, Any]) -> None:
    theirs = proof.get("/api/v1/cases", f"operator_{TERRITORY}", limit=200, count="true")
    assert theirs["total"] == lived["cases"]
    assert {case["region"][:6] for case in theirs["items"]} == {TERRITORY}
    ours = proof.get("/api/v1/cases", "operator", limit=200, count="true")
    assert ours["total"] >= 1
    assert {case["region"][:6] for case in ours["items"]} == {"990101"}
    code = theirs["items"][0]["code"]
    assert proof.call("GET", f"/api/v1/cases/{code}", "operator").status_code == 404
    assert proof.call("POST", f"/api/v1/cases/{code}/urge", "operator", json={"note": "快"}).status_code == 404


def test_what_cannot_be_replayed_says_so_in_one_line(proof: Proof, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("number,when\n1,2016-02-06\n", encoding="utf-8")
    binary = tmp_path / "rows.csv"
    binary.write_bytes(b"\xff\xfe\x00\x01\x02")
    here = ("--data-dir", str(proof.folder))
    for arguments in (
        ("replay", str(EXTRACT), "--as", "hotline", "--map", "no_such_mapping", *here),
        ("replay", str(other), "--as", "hotline", *here),
        ("replay", str(binary), "--as", "hotline", *here),
        ("replay", str(tmp_path / "missing.csv"), "--as", "hotline", *here),
        ("replay", str(EXTRACT), "--as", "hotline", "--data-dir", str(tmp_path / "nowhere")),
    ):
        done = command(*arguments)
        assert done.returncode != 0, arguments
        assert "Traceback" not in done.stderr + done.stdout, done.stderr
        lines = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(("Usage:", "Try "))]
        assert len(lines) == 1, done.stderr


CITY = EXTRACT.with_name("city_management_extract.csv")


def city(proof: Proof) -> dict[str, Any]:
    arguments = [*COMMAND, "replay", str(CITY), "--as", "reports", "--map", "city_management", "--speed", "100000", "--json"]
    arguments += ["--data-dir", str(proof.folder)]
    done = subprocess.run(arguments, env=clean_environment(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    figures: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def test_another_platform_s_file_becomes_cases_and_its_status_flows_back(proof: Proof) -> None:
    figures = city(proof)
    assert (figures["rows"], figures["merged"], figures["cases"], figures["accepted"], figures["failed"]) == (6, 1, 5, 5, 1)
    again = city(proof)
    assert (again["rows"], again["repeated"], again["cases"], again["failed"]) == (6, 6, 0, 1)

    def told(number: str) -> list[dict[str, Any]]:
        """What the sending platform reads with its own log-in and its own number."""
        query = {"origin": "city_management", "origin_id": f"城管〔2026〕{number}号"}
        items: list[dict[str, Any]] = proof.get("/api/v1/cases", "replay_city_management", **query)["items"]
        return items

    (lamp,) = told("0001")
    assert (lamp["type"], lamp["status"], lamp["lead_unit"] is not None) == ("01037", "dispatched", True)
    assert [c["code"] for c in told("0002")] == [lamp["code"]], "the second number was joined to the first one's case"
    assert [c["type"] for n in ("0003", "0004", "0007") for c in told(n)] == ["06010", "01002", "04002"]
    assert len(told("0005")) == 1, "an unknown code goes by its words"
    assert told("0006") == told("0999") == [], "a time that cannot be read: told by its row, nothing was made of it"
    listed = proof.get("/api/v1/cases", "replay_city_management", origin="city_management", count="true")
    assert listed["total"] == 5
    proof.post(f"/api/v1/cases/{lamp['code']}/void", "operator", {"note": "重复"})
    assert told("0001")[0]["status"] == "voided"
    assert proof.call("GET", "/api/v1/cases", "operator", params={"origin_id": "1"}).status_code == 422


@pytest.mark.shared_data
@pytest.mark.timeout(900)
def test_a_thousand_rows_of_the_whole_file(proof: Proof, tmp_path: Path) -> None:
    source = shared_data() / "tainan_1999" / "requests_2015_2018.csv.gz"
    file = tmp_path / "first.csv"
    with gzip.open(source, "rt", encoding="utf-8", newline="") as packed, file.open("w", encoding="utf-8", newline="") as out:
        out.writelines(line for line, _ in zip(packed, range(1001), strict=False))
    figures = replay(proof, file)
    adds_up(figures, 1000)
    assert figures["cases"] > 500


def test_the_simulated_county_makes_cases_and_closes_some(proof: Proof) -> None:
    arguments = [*COMMAND, "simulate", "--speed", "120", "--hours", "0.5", "--data-dir", str(proof.folder)]
    done = subprocess.run(arguments, env=clean_environment(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert (proof.folder / "simulation" / "truth.jsonl").stat().st_size > 0
    assert until(
        lambda: proof.sql("SELECT count(*) > 0 FROM cases_case WHERE region LIKE '990101%%' AND status = 'closed'") == [(True,)], 20
    )
    kinds = dict(
        proof.sql(
            "SELECT s.kind, count(*) FROM cases_source s JOIN cases_case c ON c.id = s.case_id WHERE c.region LIKE '990101%%' GROUP BY 1"
        )
    )
    assert set(kinds) & {"citizen", "hotline", "grid_worker"}, kinds
    assert set(kinds) - {"citizen", "hotline", "grid_worker", "department", "deputy", "patrol"}, "signals opened none"


def test_the_trace_still_verifies(proof: Proof) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gridloop.doors.cli.main", "verify", "--data-dir", str(proof.folder)],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
