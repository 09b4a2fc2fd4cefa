"""kill -9 of every process, again and again, while people report, staff work and devices send; the clock jumps, too.

Nothing acknowledged is lost, nothing happens twice. ``make soak`` plays the same for as long as it is told (GRIDLOOP_SOAK_MINUTES).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import sys
import threading
import time
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import psutil
import pyarrow.parquet as pq
import pytest

from gridloop.evidence.tests.pictures import scene
from gridloop.kernel import clock
from gridloop.simulation.county.county import SEED, generate
from tests.house.product import command, until
from tests.live.conftest import SCALE
from tests.proof.conftest import Proof

pytestmark = pytest.mark.server
VICTIMS = ("web", "worker", "push", "ingest", "edge", "postgres", "nats")
SOAK_MINUTES = float(os.environ.get("GRIDLOOP_SOAK_MINUTES") or 0)
KILLS = 200 if SOAK_MINUTES else 21  # at least
STREET = "不灭路"
PLATE = re.compile("[\u4e00-\u9fff][A-Z][0-9A-Z]{5,6}(?![0-9A-Z])")
LOOKS = 3  # each car is seen in three requests, so that processes die between its looks
ENOUGH = {"reported": 12, "accepted": 6, "closed": 4, "cars": 8, "sent": 30, "published": 30}  # acknowledged before the end
FORWARD, BACK = timedelta(days=2), timedelta(hours=1)
REPORTERS, METERS = 2, 2


@dataclass
class Traffic:
    """Clients that repeat a request with its key until it is answered, and keep what was acknowledged."""

    proof: Proof
    stop: threading.Event = field(default_factory=threading.Event)
    reported: dict[str, str] = field(default_factory=dict)  # address → case
    accepted: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    submitted: dict[str, str] = field(default_factory=dict)  # case → its photo
    sent: set[str] = field(default_factory=set)
    published: set[str] = field(default_factory=set)  # by MQTT
    plates: list[str] = field(default_factory=lambda: [v.plate for v in generate(SEED, SCALE).vehicles if v.person])
    moving: threading.Lock = field(default_factory=threading.Lock)  # held while the clock jumps
    cars: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # plate → signals acknowledged
    refused: list[str] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)

    def post(self, http: httpx.Client, path: str, body: Any, key: str, user: str) -> httpx.Response | None:
        """The answer below 500; None when the end came first and the request stays unanswered."""
        headers = {"Idempotency-Key": key, "Authorization": f"Bearer {self.proof.tokens[user]}"}
        end = time.monotonic() + 60
        while time.monotonic() < end:
            self.tries[path.split("/")[3]] += 1
            try:
                answer = http.post(path, json=body, headers=headers)
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        self.refused.append(f"{path}: no answer for 60 s")
        return None

    def get(self, http: httpx.Client, path: str, user: str) -> Any:
        """JSON of a read, repeated until it is there."""
        while not self.stop.is_set():
            try:
                answer = http.get(path, headers={"Authorization": f"Bearer {self.proof.tokens[user]}"})
                if answer.status_code == 200:
                    return answer.json()
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        return None

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.proof.url, timeout=8, trust_env=False)

    def report(self, who: int, place: dict[str, float]) -> None:
        with self.client() as http:
            number = 0
            while not self.stop.is_set():
                number += 1
                address = f"{STREET}{who}-{number}号"
                # a kind of its own: what proposals learn meanwhile would join reports of one place
                body = {
                    "text": f"请帮忙看看 {address}",
                    "kind": "28002",
                    "place": place,
                    "address": address,
                    "contact": f"100{who:04d}{number:04d}",
                }
                answer = self.post(http, "/api/v1/reports", body, f"report-{who}-{number}", "citizen")
                if answer is not None and answer.status_code == 201:
                    self.reported[address] = answer.json()["case"]
                elif answer is not None:
                    self.refused.append(f"report: {answer.status_code} {answer.text[:200]}")
                self.stop.wait(0.15)

    def accept(self) -> None:
        with self.client() as http:
            while not self.stop.is_set():
                for code in [c for c in list(self.reported.values()) if c not in self.accepted][:5]:
                    answer = self.post(http, f"/api/v1/cases/{code}/accept", {"type": "01037"}, f"accept-{code}", "operator")
                    if answer is not None and answer.status_code == 200:
                        self.accepted.add(code)
                    elif answer is not None:
                        self.refused.append(f"accept: {answer.status_code} {answer.text[:200]}")
                self.stop.wait(0.2)

    def work(self) -> None:
        """Handlers and checkers: each accepted case is signed for, handed in with a photo, checked and, when doubted, reviewed."""
        with self.client() as http:
            while not self.stop.is_set():
                for code in [c for c in list(self.accepted) if c not in self.closed][:3]:
                    self._work_on(http, code)
                self.stop.wait(0.2)

    def _work_on(self, http: httpx.Client, code: str) -> None:
        tasks = (self.get(http, f"/api/v1/cases/{code}/tasks", "commander") or {"items": []})["items"]
        task = next((t for t in tasks if t["status"] in ("open", "accepted") and t["stage"] in ("handle", "check", "review")), None)
        if task is None:
            return
        user, verb = {"check": ("supervisor", "approve"), "review": ("operator", "approve")}.get(task["stage"], ("handler", "accept"))
        body: dict[str, Any] = {}
        if task["status"] == "accepted":
            verb, body = "submit", {"evidence": [self.submitted.setdefault(code, self._photo(http, code))], "note": "已修好"}
        answer = self.post(http, f"/api/v1/tasks/{task['id']}/{verb}", body, f"{verb}-{task['id']}", user)
        if answer is None or answer.status_code != 200:
            said = f"{answer.status_code} {answer.text[:200]}" if answer is not None else "no answer"
            self.refused.append(f"{verb} {task['stage']}: {said}")
        elif verb == "approve" and self._status(http, code) == "closed":
            self.closed.add(code)

    def _status(self, http: httpx.Client, code: str) -> str:
        return str((self.get(http, f"/api/v1/cases/{code}", "commander") or {}).get("status", ""))

    def _photo(self, http: httpx.Client, code: str) -> str:
        while True:
            try:
                files = {"file": ("now.jpg", scene(int(code[-9:]), (320, 240)), "image/jpeg")}
                headers = {"Authorization": f"Bearer {self.proof.tokens['handler']}"}
                answer = http.post("/api/v1/evidence", files=files, headers=headers)
                if answer.status_code == 201:
                    return str(answer.json()["id"])
            except httpx.HTTPError:
                pass
            time.sleep(0.1)

    def publish(self, device: str, secret: str, port: int) -> None:
        """A meter that repeats by MQTT what was not acknowledged."""

        async def run() -> None:
            number = 0
            while not self.stop.is_set():
                try:
                    async with aiomqtt.Client("127.0.0.1", port, username=device, password=secret, timeout=3) as client:
                        while not self.stop.is_set():
                            at = self.now().isoformat()
                            if self.moving.locked():  # a moved clock is not everybody's in the same moment: at is days ahead for some
                                await asyncio.sleep(0.1)
                                continue
                            payload = json.dumps({"id": f"{device}-{number}", "value": number, "at": at})
                            await client.publish(f"gridloop/v1/{device}/water_use", payload, qos=1, timeout=2)
                            self.published.add(f"{device}-{number}")
                            number += 1
                            await asyncio.sleep(0.05)
                except (aiomqtt.MqttError, OSError):
                    await asyncio.sleep(0.1)

        asyncio.run(run())

    def now(self) -> datetime:
        return self.proof.now()

    def signals(self, place: dict[str, float]) -> None:
        with self.client() as http:
            number = 0
            while not self.stop.is_set():
                number += 1
                items = [
                    {"id": f"kill-{number}-{n}", "source": "proof", "device": f"meter-{n}", "kind": "water_use", "value": 1.5}
                    for n in range(4)
                ]
                if (turn := number // LOOKS) < len(self.plates):
                    plate = self.plates[turn]
                    look = {"id": f"look-{number}", "source": "proof", "device": "proof-camera", "kind": "vehicle_stopped"}
                    items.append(look | {"value": 180.0 + 10 * number, "place": place, "data": {"plate": plate}})
                with self.moving:
                    at = self.now().isoformat()
                    answer = self.post(http, "/api/v1/signals", [i | {"at": at} for i in items], f"signals-{number}", "admin")
                if answer is not None and answer.status_code == 202 and not answer.json()["rejected"]:
                    self.sent.update(str(i["id"]) for i in items)
                    if len(items) > 4:
                        self.cars[plate].add(f"look-{number}")
                elif answer is not None:
                    self.refused.append(f"signals: {answer.status_code} {answer.text[:200]}")
                self.stop.wait(0.15)

    def enough(self) -> bool:
        return all(len(getattr(self, name)) >= wanted for name, wanted in ENOUGH.items())


def living(proof: Proof, name: str) -> int:
    """The process of that name; one that ended by itself since its start is waited for, and what was said of it is shown."""
    if not until(lambda: psutil.pid_exists(proof.product.pids().get(name, -1)), 0.1):
        for log in (name, "gridloop"):
            lines = (proof.folder / "logs" / f"{log}.log").read_text(encoding="utf-8").splitlines()
            warnings.warn("\n".join([f"{name} ended by itself; {log}.log:", *lines[-30:]]), stacklevel=2)
    assert until(lambda: psutil.pid_exists(proof.product.pids().get(name, -1)), 45), f"{name} ended by itself and does not come back"
    return proof.product.pids()[name]


def kill(proof: Proof, name: str) -> float:
    """kill -9; seconds until another process of that name is there and the product answers that it is ready."""
    pid = living(proof, name)
    os.kill(pid, signal.SIGKILL)
    began = time.monotonic()
    assert until(lambda: proof.product.pids().get(name) not in (None, pid), 45), f"{name} was not started again"
    assert until(proof.product.ready, 60), f"not ready after kill -9 of {name}"
    return time.monotonic() - began


def make_limits_due(proof: Proof, codes: list[str], within: float) -> set[str]:
    """Bring the first due row of some cases into the time of the kills; returns the tasks they belong to."""
    rows = proof.sql(
        "UPDATE flow_limit SET due_at = now() + random() * make_interval(secs => %s) WHERE id IN (SELECT DISTINCT ON (case_code) id FROM "
        "flow_limit WHERE case_code = ANY(%s) AND state = 'pending' AND kind = 'remind' ORDER BY case_code, due_at) RETURNING id::text",
        within,
        codes,
    )
    return {str(row[0]) for row in rows}


def waiting_cases(proof: Proof, count: int) -> list[str]:
    """Cases nobody will accept, whose reminders fall due while processes die."""
    return [proof.report(text="请帮忙", kind="28002", address=f"等待路{n}号", place=proof.place())[0] for n in range(count)]


def jump(proof: Proof, traffic: Traffic, by: timedelta) -> None:
    """The deployment's clock is moved under everybody's feet."""
    with traffic.moving:
        clock.set_clock(proof.now() + by, folder=proof.folder)
        time.sleep(0.2)  # every process looks at the file twenty times a second


def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(proof: Proof) -> None:
    for user in ("citizen", "operator", "admin", "handler", "supervisor", "commander"):
        proof.token(user)
    limits = make_limits_due(proof, waiting_cases(proof, 8), 20)
    assert len(limits) >= 4
    traffic = Traffic(proof)
    jobs: list[Callable[[], None]] = [traffic.accept, traffic.work, partial(traffic.signals, proof.place())]
    jobs += [partial(traffic.report, who, proof.place()) for who in range(REPORTERS)]
    jobs += [partial(traffic.publish, device, secret, proof.mqtt) for device, secret in proof.meters(METERS)]
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    down = killed_again_and_again(proof, traffic)
    assert until(traffic.enough, 240), {name: len(getattr(traffic, name)) for name in ENOUGH}
    traffic.stop.set()
    for thread in threads:
        thread.join(70)
    assert not any(thread.is_alive() for thread in threads)
    assert traffic.refused == [], down
    all_is_proved(proof, traffic)
    _limits_fired_once(proof, limits)
    _every_limit_fired_once_and_in_order(proof)
    if SOAK_MINUTES:
        seconds = [each for _, each in down]
        longest, mean = max(seconds), sum(seconds) / len(seconds)
        file_soak(traffic, "soak", {"kills": (len(down), "kills"), "down_longest": (longest, "s"), "down_mean": (mean, "s")})


def all_is_proved(proof: Proof, traffic: Traffic) -> None:
    """Everything that was acknowledged is there, once; the trace verifies; all who read it have read all of it."""
    _every_report_is_one_case(proof, traffic)
    _every_verb_happened_once(proof, traffic)
    _every_life_is_one(proof, traffic)
    _every_signal_is_kept(proof, traffic)
    _every_car_is_one_case(proof, traffic)
    _every_notice_went_out_once(proof, traffic)
    _all_is_caught_up(proof)


def killed_again_and_again(proof: Proof, traffic: Traffic) -> list[tuple[str, float]]:
    """Each process in turn with a moment of life between, the clock jumping twice; how long each was down, in seconds."""
    chance = random.Random(7)
    until_then = time.monotonic() + SOAK_MINUTES * 60
    down: list[tuple[str, float]] = []
    jumps = [(1 / 3, FORWARD), (2 / 3, -BACK)]
    while len(down) < KILLS or time.monotonic() < until_then:
        name = VICTIMS[len(down) % len(VICTIMS)]
        down.append((name, round(kill(proof, name), 1)))
        time.sleep(chance.random())
        if jumps and len(down) >= jumps[0][0] * KILLS:
            jump(proof, traffic, jumps.pop(0)[1])
    return down


def file_soak(traffic: Traffic, name: str, figures: dict[str, tuple[float, str]]) -> None:
    """The long run's figures among those of the benchmarks, and how much of each kind was acknowledged meanwhile."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))
    from kit.record import record  # type: ignore[import-not-found]

    for each, (value, unit) in figures.items():
        record(f"{name}_{each}", value, unit, script="soak")
    for each in ENOUGH:
        record(f"{name}_{each}", len(getattr(traffic, each)), "acknowledged, each there once", script="soak")


def _every_life_is_one(proof: Proof, traffic: Traffic) -> None:
    """Of each closed case: one task a stage, one fact a step, its photo in it once."""
    codes = sorted(traffic.closed)
    rows = proof.sql("SELECT case_code, action, count(*) FROM journal_fact WHERE case_code = ANY(%s) GROUP BY 1, 2", codes)
    facts = {(code, action): count for code, action, count in rows}
    for code in codes:
        for action in ("reported", "filed", "dispatched", "task_accepted", "submitted", "check_approved", "closed", "evidence_added"):
            assert facts.get((code, action)) == 1, (code, action)
    tasks = proof.sql("SELECT case_code, stage, count(*) FROM flow_task WHERE case_code = ANY(%s) GROUP BY 1, 2 HAVING count(*) > 1", codes)
    assert tasks == []
    assert proof.sql("SELECT status, count(*) FROM cases_case WHERE code = ANY(%s) GROUP BY 1", codes) == [("closed", len(codes))]
    files = proof.sql("SELECT case_code, id::text FROM evidence_file WHERE case_code = ANY(%s) ORDER BY 1", codes)
    assert files == sorted((code, traffic.submitted[code]) for code in codes)


def _every_limit_fired_once_and_in_order(proof: Proof) -> None:
    """Two days went by in a moment: whatever fell due has fired once, a reminder before the card, the yellow one before the red."""
    due = "SELECT count(*) FROM flow_limit WHERE state = 'pending' AND due_at <= %s AND kind <> 'wait'"
    assert until(lambda: proof.sql(due, proof.now()) == [(0,)], 60), proof.sql(due, proof.now())
    told = proof.sql(
        "SELECT data ->> 'task', action, data ->> 'stage', COALESCE(data ->> 'card', data ->> 'share'), count(*) FROM journal_fact "
        "WHERE action IN ('reminded', 'card_given') GROUP BY 1, 2, 3, 4 HAVING count(*) > 1"
    )
    assert told == []
    fired = proof.sql(
        "SELECT count(*) FROM flow_limit l WHERE l.state = 'fired' AND l.kind <> 'wait' AND NOT EXISTS (SELECT 1 FROM journal_fact f WHERE "
        "f.case_code = l.case_code AND f.data ->> 'task' = l.task_id::text AND f.data ->> 'stage' = l.stage AND "
        "(f.data ->> 'share' = l.share::text AND f.action = 'reminded' OR f.data ->> 'card' = l.kind AND f.action = 'card_given'))"
    )
    assert fired == [(0,)], "fired without a fact"
    order = proof.sql(
        "SELECT f.data ->> 'task', f.data ->> 'stage', array_agg(l.share ORDER BY f.seq) FROM journal_fact f JOIN flow_limit l ON "
        "l.task_id::text = f.data ->> 'task' AND l.stage = f.data ->> 'stage' AND (f.action = 'reminded' AND l.kind = 'remind' AND "
        "l.share::text = f.data ->> 'share' OR f.action = 'card_given' AND l.kind = f.data ->> 'card') GROUP BY 1, 2"
    )
    assert len(order) >= 8, "the jump has made many limits due"
    assert [shares for _, _, shares in order if shares != sorted(shares)] == []


def _every_report_is_one_case(proof: Proof, traffic: Traffic) -> None:
    rows = proof.sql("SELECT c.address, c.code, count(s.*) FROM cases_case c JOIN cases_source s ON s.case_id = c.id GROUP BY 1, 2")
    found = {address: (code, sources) for address, code, sources in rows if address.startswith(STREET)}
    assert found == {address: (code, 1) for address, code in traffic.reported.items()}
    assert len([1 for address, _, _ in rows if address.startswith(STREET)]) == len(traffic.reported)
    facts = dict(proof.sql("SELECT case_code, count(*) FROM journal_fact WHERE action = 'reported' GROUP BY 1"))
    assert all(facts[code] == 1 for code in traffic.reported.values())


def _every_verb_happened_once(proof: Proof, traffic: Traffic) -> None:
    facts = dict(proof.sql("SELECT case_code, count(*) FROM journal_fact WHERE action = 'case_accepted' GROUP BY 1"))
    assert {code: facts.get(code) for code in traffic.accepted} == dict.fromkeys(traffic.accepted, 1)
    assert set(facts) == traffic.accepted, "a verb is told as done, or it was not done"


def _every_signal_is_kept(proof: Proof, traffic: Traffic) -> None:
    """In the log, or in the history once the log has been trimmed: two days go by. What was acknowledged by MQTT may come when NATS

    delivers again what a killed ingest had in its hands.
    """

    def kept() -> set[str]:
        logged = proof.inside(
            """
from django.db import connection
from gridloop.journal.actions import scoped
from gridloop.sdk.signals import unpack
with scoped(SYSTEM), connection.cursor() as cursor:
    cursor.execute("SELECT data FROM signals_batch")
    ids = [s.id for row in cursor.fetchall() for s in unpack(bytes(row[0])) if s.source == "proof" or s.device.startswith("proof-")]
print(json.dumps(ids))
"""
        )
        files = (proof.folder / "history").glob("*/*/*.parquet")
        return {*logged, *(name for path in files for name in pq.read_table(path, columns=["id"])["id"].to_pylist())}

    assert until(lambda: traffic.sent <= kept(), 10), ("acknowledged, but not kept", sorted(traffic.sent - kept())[:20])
    if not until(lambda: traffic.published <= kept(), 60):
        gone = traffic.published - kept()
        assert not gone, (len(gone), "of", len(traffic.published), sorted(gone)[:20])


def _every_car_is_one_case(proof: Proof, traffic: Traffic) -> None:
    """However often a signal was sent, logged or begun to be worked on: one case for a car, each look counted once."""
    cars = {plate: len(looks) for plate, looks in traffic.cars.items()}

    def counted() -> dict[str, list[int]]:
        found: dict[str, list[int]] = defaultdict(list)
        rows = proof.sql(
            "SELECT c.same_thing, s.count FROM cases_case c JOIN cases_source s ON s.case_id = c.id WHERE c.scene = 'illegal_parking'"
        )
        for plate, count in rows:
            found[plate].append(count)
        return found

    assert until(lambda: counted() == {plate: [looks] for plate, looks in cars.items()}, 60), (counted(), cars)
    facts = proof.sql(
        "SELECT c.same_thing, count(*) FROM cases_case c JOIN journal_fact f ON f.case_code = c.code AND f.action = 'reported' "
        "WHERE c.scene = 'illegal_parking' GROUP BY 1"
    )
    assert dict(facts) == dict.fromkeys(cars, 1)


def _every_notice_went_out_once(proof: Proof, traffic: Traffic) -> None:
    """The receipt of every report, the request to every owner of a car: one delivery, one message, one fact each."""

    def waiting() -> int:
        # what a killed sender had taken, and what waits for the morning, is due now
        proof.sql("UPDATE notices_delivery SET next_at = now() WHERE status = 'waiting' AND next_at > now() + interval '2 seconds'")
        return len(proof.sql("SELECT 1 FROM notices_delivery WHERE status = 'waiting'"))

    assert until(lambda: waiting() == 0, 240), proof.sql("SELECT * FROM notices_delivery WHERE status = 'waiting' LIMIT 10")
    _all_is_caught_up(proof)  # each delivery leaves a fact: not before
    told = Counter(row[0] for row in proof.sql("SELECT case_code FROM notices_delivery WHERE template = 'received' AND status = 'sent'"))
    assert {code: told[code] for code in traffic.reported.values()} == dict.fromkeys(traffic.reported.values(), 1)
    messages: dict[str, Any] = {}

    def unlike() -> list[Any]:
        """Deliveries without their one fact or their message: a limit of a case still open may tell somebody at any moment."""
        waiting()
        settled = proof.sql(
            "SELECT d.id::text, d.status, count(f.*) FROM notices_delivery d LEFT JOIN journal_fact f ON f.case_code = d.case_code "
            "AND f.action IN ('notice_sent', 'notice_failed') AND f.data ->> 'delivery' = d.id::text GROUP BY 1, 2"
        )
        outbox = [json.loads(line) for path in (proof.folder / "outbox").glob("*.jsonl") for line in path.read_text("utf-8").splitlines()]
        messages.update({m["id"]: m for m in outbox})  # a sender that died after sending repeats under the same id
        sent = {delivery for delivery, status, _ in settled if status == "sent"}
        return sorted({delivery for delivery, _, facts in settled if facts != 1} | (sent ^ set(messages)))

    assert until(lambda: unlike() == [], 60), proof.sql("SELECT * FROM notices_delivery WHERE id = ANY (%s::uuid[])", unlike()[:10])
    asked: dict[str, list[Any]] = {plate: [] for plate in traffic.cars}
    for message in messages.values():
        for plate in PLATE.findall(message["text"]):  # whole plates: one of seven signs may begin one of eight
            if plate in asked:
                asked[plate].append(message)
    wrong = {plate: told for plate, told in asked.items() if len(told) != 1}
    assert wrong == {}, _told_of(proof, wrong)


def _told_of(proof: Proof, wrong: dict[str, list[Any]]) -> list[Any]:
    """All there is about cars whose owners were asked never or twice."""
    facts = (
        "SELECT c.same_thing, f.seq, f.at, f.action, f.data FROM cases_case c JOIN journal_fact f ON f.case_code = c.code "
        "WHERE c.same_thing = ANY(%s) ORDER BY 1, 2"
    )
    return [*wrong.values(), *proof.sql(facts, list(wrong))]


def _limits_fired_once(proof: Proof, limits: set[str]) -> None:
    left = "SELECT case_code, state, due_at, now(), retry_at, last_error FROM flow_limit WHERE id = ANY(%s::uuid[]) AND state <> 'fired'"
    assert until(lambda: proof.sql(left, sorted(limits)) == [], 45), proof.sql(left, sorted(limits))
    told = proof.sql(
        "SELECT l.id, count(f.*) FROM flow_limit l LEFT JOIN journal_fact f ON f.case_code = l.case_code AND f.action = 'reminded' "
        "AND f.data ->> 'share' = l.share::text AND f.data ->> 'task' = l.task_id::text WHERE l.id = ANY(%s::uuid[]) GROUP BY 1",
        sorted(limits),
    )
    assert [count for _, count in told] == [1] * len(limits)


def _all_is_caught_up(proof: Proof) -> None:
    def caught_up() -> bool:
        lines = [line for line in command("doctor", "--data-dir", str(proof.folder)).stdout.splitlines() if "consumer " in line]
        return bool(lines) and all(" 0 facts behind" in line for line in lines)

    assert until(caught_up, 120), command("doctor", "--data-dir", str(proof.folder)).stdout
    done = command("verify", "--data-dir", str(proof.folder))
    assert done.returncode == 0, done.stdout + done.stderr
