"""A backup taken in the middle of work: what was acknowledged before it is there once, proven, and goes on in another place."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.house.product import Product, command, running, until
from tests.live.conftest import Live

pytestmark = pytest.mark.server


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """As root PostgreSQL is somebody else: a folder it may enter."""
    folder = Path(tempfile.mkdtemp(prefix="gl-backup-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


class Work:
    """Reports, verbs and signals without end; what was acknowledged is written down, in order."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.cases: list[str] = []
        self.signals: list[str] = []
        self.stop = threading.Event()
        self.spots = [live.place() for _ in range(15)]
        self.cameras = live.get("/api/v1/devices", "admin", kind="camera", limit=200)["items"]
        for user in ("operator", "admin", "worker"):
            live.token(user)
        self.threads = [threading.Thread(target=loop, daemon=True) for loop in (self._people, self._devices)]
        for thread in self.threads:
            thread.start()

    def _people(self) -> None:
        while not self.stop.is_set() and self.spots:
            code, _ = self.live.report(place=self.spots.pop())
            answer = self.live.call("POST", f"/api/v1/cases/{code}/accept", "operator", json={})
            if answer.status_code == 200:
                self.cases.append(code)
            self.stop.wait(0.1)

    def _devices(self) -> None:
        from gridloop.kernel import clock

        number = 0
        while not self.stop.is_set():
            number += 1
            camera = self.cameras[number % len(self.cameras)]
            plate = f"浙J{number:05d}"
            item: dict[str, Any] = {"id": f"backup-{number}", "source": "backup", "device": camera["code"], "kind": "vehicle_stopped"}
            item |= {"at": clock.now().isoformat(), "value": 300, "place": camera["place"], "data": {"plate": plate}}
            if self.live.call("POST", "/api/v1/signals", "admin", json=item).status_code == 202:
                self.signals.append(f"backup-{number}")
            self.stop.wait(0.05)

    def end(self) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join(30)


def rows(product: Product, sql: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(product.run()["urls"]["owner"]) as connection:
        connection.execute("SELECT set_config('gridloop.system', 'on', false)")
        return connection.execute(sql).fetchall()


def test_what_was_acknowledged_before_is_there_once_and_goes_on(live: Live, tmp_path: Path) -> None:
    work = Work(live)
    try:
        assert until(lambda: len(work.cases) >= 5 and len(work.signals) >= 30, 60)
        live.photo("worker")
        cases, signals = list(work.cases), list(work.signals)
        done = command("backup", "--keep", "2", str(tmp_path), "--data-dir", str(live.folder))
        assert done.returncode == 0, done.stderr
    finally:
        work.end()
    assert len(work.signals) > len(signals), "devices went on while it ran"
    (file,) = tmp_path.glob("gridloop-*.tar")
    target = tmp_path / "other"
    restored = command("restore", str(file), "--data-dir", str(target))
    assert restored.returncode == 0, restored.stderr
    assert "verified" in restored.stdout
    with running(target, GRIDLOOP_SAMPLE_SCALE="0.2") as product:
        found = dict(rows(product, "SELECT code, status FROM cases_case"))
        assert all(found.get(code) not in (None, "reported", "verifying") for code in cases)
        in_log = {f"backup-{n}" for n in range(1, len(work.signals) + 5)}
        assert until(lambda: all("0 facts behind" in line for line in doctor(target, "consumer ")), 60)
        assert until(lambda: all(line.split("/")[-1].strip().startswith("0 batches") for line in doctor(target, "signals effects")), 60)
        effects = effects_of(product)
        assert set(signals) <= set(effects), "every signal acknowledged before has had its effect"
        assert set(effects) <= in_log
        assert set(effects.values()) == {1}, "none has had two"
        sent = rows(
            product, "SELECT count(*) FROM journal_fact WHERE action = 'notice_sent' GROUP BY data->>'delivery' HAVING count(*) > 1"
        )
        assert sent == []
        verified = command("verify", "--data-dir", str(target))
        assert verified.returncode == 0, verified.stderr


def effects_of(product: Product) -> Counter[str]:
    """How often each of our signals stands in a case as a source."""
    return Counter(number for (number,) in rows(product, "SELECT signal_id FROM cases_source WHERE source = 'backup'"))


def doctor(folder: Path, part: str) -> list[str]:
    lines = [line for line in command("doctor", "--data-dir", str(folder)).stdout.splitlines() if part in line]
    assert lines
    return lines


def test_restore_tells_of_a_file_that_is_missing_or_changed(live: Live, tmp_path: Path) -> None:
    live.photo("worker")
    file = tmp_path / "whole.tar"
    assert command("backup", str(file), "--data-dir", str(live.folder)).returncode == 0
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path / "taken")
    originals = [p for p in (tmp_path / "taken" / "evidence").rglob("*") if p.is_file() and "." not in p.name]
    max(originals, key=lambda path: path.stat().st_mtime).write_bytes(b"another picture")  # the one just taken
    with tarfile.open(tmp_path / "harmed.tar", "w") as archive:
        for path in sorted((tmp_path / "taken").iterdir()):
            archive.add(path, path.name)
    done = command("restore", str(tmp_path / "harmed.tar"), "--data-dir", str(tmp_path / "other"))
    assert done.returncode == 1
    assert "evidence / 证据" in done.stderr


def test_the_doctor_answers_programs_too(live: Live) -> None:
    done = command("doctor", "--json", "--data-dir", str(live.folder))
    found = {line["part"]: line for line in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    assert {"migrations", "clock drift", "metrics", "retention", "backup", "disk forecast", "front door"} <= set(found)
    assert all(line["zh"] and line["en"] for line in found.values())
    assert (found["migrations"]["level"], found["metrics"]["level"], found["clock drift"]["level"]) == ("ok", "ok", "ok")


def test_old_backups_go(live: Live, tmp_path: Path) -> None:
    for day in range(1, 5):
        (tmp_path / f"gridloop-2026010{day}T000000Z.tar").write_bytes(b"")
    (tmp_path / "mine.tar").write_bytes(b"")
    nowhere = command("backup", "--keep", "2", "/proc", "--data-dir", str(live.folder))
    done = command("backup", "--keep", "2", str(tmp_path), "--data-dir", str(live.folder))
    assert nowhere.returncode == 1
    assert nowhere.stderr.startswith("Error: /proc/gridloop-"), nowhere.stderr
    assert len(nowhere.stderr.splitlines()) == 1, "a folder that takes nothing is told of in one line"
    assert done.returncode == 0, done.stderr
    left = sorted(p.name for p in tmp_path.glob("*.tar"))
    assert len(left) == 3
    assert left[0] == "gridloop-20260104T000000Z.tar"
    assert left[-1] == "mine.tar"
