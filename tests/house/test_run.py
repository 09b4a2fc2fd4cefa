"""``make run``: the whole sample county with the simulator, and an alarm for the operator; then a small county living quickly."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.house.product import Product, command, crowd, first_start_done, tokens, until
from tests.live.conftest import SCALE

pytestmark = pytest.mark.server
ROOT = Path(__file__).resolve().parents[2]
COUNTY_SECONDS = ALARM_SECONDS = 60
ALARMS = ("facility_damaged", "vehicle_stopped")
HOURS = 4  # simulated: time enough for a case to wait for a human, be handled, checked and rated


def make_run_arguments() -> list[str]:
    """What ``make run`` gives to ``gridloop up``, apart from the port."""
    shown = subprocess.run(["make", "-n", "run"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (line,) = [part for part in shown.splitlines() if "gridloop up" in part]
    return re.sub(r"--port \d+", "", line.partition("gridloop up")[2]).split()


@pytest.fixture
def folder() -> Iterator[Path]:
    above = Path(tempfile.mkdtemp(prefix="gl-run-"))
    yield above / "d"
    shutil.rmtree(above, ignore_errors=True)


def reader(folder: Path, url: str, user: str) -> Callable[..., Any]:
    token = tokens(folder, user)[user]
    http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=20, trust_env=False)

    def call(method: str, path: str, **more: Any) -> Any:
        answer = http.request(method, path, **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return call


def alarm(call: Callable[..., Any]) -> dict[str, Any] | None:
    """A case a machine has told of, waiting in the operator's queue with a proposal to take."""
    for item in call("GET", "/api/v1/cases", params={"box": "todo"})["items"]:
        case: dict[str, Any] = call("GET", f"/api/v1/cases/{item['code']}")
        if "accept" in case["verbs"] and case["proposal"] and {s["kind"] for s in case["sources"]} & set(ALARMS):
            return case
    return None


def test_make_run_loads_the_county_and_brings_an_alarm_to_accept(folder: Path, record_property: Callable[[str, object], None]) -> None:
    arguments = make_run_arguments()
    assert arguments[:2] == ["--simulate", "10"]
    product = Product(folder, *arguments)
    try:
        product.wait_ready(300)
        ready = time.monotonic()
        found = re.search(r"sample county / 示例县 … ([\d.]+) s", product.text)
        assert found, product.text
        loaded = float(found[1])
        call = reader(folder, product.url, "operator")
        assert until(lambda: alarm(call), ALARM_SECONDS * crowd()), (folder / "logs" / "simulate.log").read_text()
        waited = round(time.monotonic() - ready, 1)
        case = alarm(call)
        assert case
        call("POST", f"/api/v1/cases/{case['code']}/accept", json={})
        assert call("GET", f"/api/v1/cases/{case['code']}")["status"] == "dispatched"
    finally:
        ended = product.stop()
    for name, seconds in (("county_seconds", loaded), ("alarm_seconds", waited), ("crowd", round(crowd(), 1))):
        record_property(name, seconds)
    assert loaded < COUNTY_SECONDS * crowd()
    assert ended == 0


def test_staff_accept_walk_handle_and_sometimes_fail(folder: Path) -> None:
    first_start_done(folder, GRIDLOOP_SAMPLE_SCALE=str(SCALE))
    product = Product(folder, "--quiet", GRIDLOOP_SAMPLE_SCALE=str(SCALE))
    try:
        product.wait_ready(120)
        began = product.run()["urls"]["owner"]
        small = {"GRIDLOOP_SAMPLE_SCALE": str(SCALE)}
        done = command("simulate", "--speed", "600", "--hours", str(HOURS), "--data-dir", str(folder), seconds=240, **small)
        assert done.returncode == 0, done.stdout + done.stderr
        truth = [json.loads(line) for line in (folder / "simulation" / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
        with psycopg.connect(began) as owner:
            facts = dict(owner.execute("SELECT action, count(*) FROM journal_fact GROUP BY 1").fetchall())
            walked = owner.execute("SELECT count(*) FROM orgs_staff WHERE position_at IS NOT NULL AND lon IS NOT NULL").fetchone()
    finally:
        product.stop()
    assert len(truth) > 20
    assert {row["there"] for row in truth} == {True, False}
    assert walked
    assert walked[0] > 0
    assert {"reported", "case_accepted", "task_accepted", "checked_in", "submitted", "check_approved", "closed"} <= set(facts), facts
    assert {"returned", "check_rejected"} & set(facts), "everything went well"
