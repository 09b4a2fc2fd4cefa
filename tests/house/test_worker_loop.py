"""The worker's loop: turns, faults, wake-ups, the heartbeat."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from gridloop.doors.cli.deployment import free_port
from gridloop.doors.worker.loop import Job, Loop, load
from tests.house.product import crowd, until


def _fail() -> bool:
    raise ValueError("broken row")


@pytest.mark.django_db
def test_more_work_is_done_at_once_and_none_waits() -> None:
    left = [1, 2, 3]
    job = Job("a", 5.0, lambda: bool(left.pop()) and bool(left))
    loop = Loop([job])
    assert [loop.turn(job) for _ in range(3)] == [0.0, 0.0, 5.0]
    assert loop.states["a"].runs == 3


@pytest.mark.django_db
def test_a_failing_job_is_tried_again_later_each_time_and_recovers() -> None:
    job = Job("a", 1.0, _fail)
    loop = Loop([job])
    pauses = [loop.turn(job) for _ in range(9)]
    assert 1.6 <= pauses[0] <= 2.4
    assert pauses[0] < pauses[1] < pauses[2]
    assert max(pauses) <= 72
    assert loop.states["a"].in_a_row == 9
    assert "broken row" in loop.states["a"].last_error
    loop.turn(Job("a", 1.0, lambda: False))
    assert loop.states["a"].in_a_row == 0
    assert loop.states["a"].failures == 9


@pytest.mark.django_db(transaction=True)
def test_a_job_gives_back_what_it_holds_when_the_worker_ends(caplog: pytest.LogCaptureFixture) -> None:
    ended: list[str] = []

    def bad() -> None:
        ended.append("bad")
        raise ValueError("no database any more")

    loop = Loop([Job("good", 3600.0, lambda: False, lambda: ended.append("good")), Job("bad", 3600.0, lambda: False, bad)])
    threads = [threading.Thread(target=loop.keep, args=(job,), daemon=True) for job in loop.jobs]
    for thread in threads:
        thread.start()
    loop.end()
    for thread in threads:
        thread.join(5)
    assert sorted(ended) == ["bad", "good"]
    assert "job bad could not end well" in caplog.text
    assert load([("signals.detectors", 0.5, "gridloop.signals.handlers:run_detectors")])[0].end is not None


def test_one_failing_job_does_not_hold_up_another_and_waking_works(tmp_path: Path) -> None:
    done = threading.Semaphore(0)

    def work() -> bool:
        done.release()
        return False

    loop = Loop([Job("bad", 0.1, _fail), Job("good", 3600.0, work)])
    threads = [threading.Thread(target=loop.keep, args=(job,), daemon=True) for job in loop.jobs]
    for thread in threads:
        thread.start()
    assert done.acquire(timeout=5)
    time.sleep(0.1)
    loop.wake("good")
    assert done.acquire(timeout=5)
    loop.beat(tmp_path / "worker.json")
    beat = json.loads((tmp_path / "worker.json").read_text())
    assert beat["jobs"]["good"]["failures"] == 0
    assert beat["jobs"]["bad"]["in_a_row"] >= 1
    loop.end()
    for thread in threads:
        thread.join(5)
    assert not any(thread.is_alive() for thread in threads)


def test_wiring_of_the_product_loads() -> None:
    from gridloop.project.jobs import JOBS

    jobs = load(JOBS)
    assert [job.name for job in jobs] == [name for name, _, _ in JOBS]
    assert all(callable(job.run) for job in jobs)


def test_a_job_that_cannot_be_imported_stops_the_start() -> None:
    with pytest.raises(ModuleNotFoundError):
        load([("x", 1.0, "gridloop.no_such_room:run")])


def test_many_signals_at_once_end_it(tmp_path: Path) -> None:
    """Two SIGTERM in one moment once left a worker for ever: the second was handled inside the lock of the first."""
    code = (
        "import sys; from pathlib import Path; from gridloop.doors.worker.loop import Job, run; "
        "run([Job(str(n), 3600.0, lambda: False) for n in range(20)], Path(sys.argv[1]))"
    )
    beat = tmp_path / "worker.json"
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "gridloop.project.settings"}
    for _ in range(5):
        worker = subprocess.Popen([sys.executable, "-c", code, str(beat)], env=environment)
        try:
            assert until(beat.exists, seconds=20)
            worker.send_signal(signal.SIGUSR1)
            for _ in range(50):
                worker.send_signal(signal.SIGTERM)
            assert worker.wait(15) == 0
        finally:
            worker.kill()
        assert not beat.exists()


def _hint(port: int, name: bytes = b"a") -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mouth:
        mouth.sendto(name, ("127.0.0.1", port))


def test_a_hint_wakes_its_job_many_hints_gather_and_a_failing_job_is_not_hastened() -> None:
    turns, fails = list[float](), list[float]()
    loop = Loop([Job("a", 60.0, lambda: bool(turns.append(time.monotonic()))), Job("b", 60.0, lambda: bool(fails.append(0.0)) or _fail())])
    taken, port = free_port(), free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:  # another worker's ear
        other.bind(("127.0.0.1", taken))
        threads = [threading.Thread(target=loop.listen, args=(f"{taken},{port}",), daemon=True)]
        threads += [threading.Thread(target=loop.keep, args=(job,), daemon=True) for job in loop.jobs]
        for thread in threads:
            thread.start()
        until(lambda: bool(turns and loop.states["b"].in_a_row), seconds=10 * crowd())
        until(lambda: _hint(port) or len(turns) > 1, seconds=10 * crowd())  # the ear may not be open yet
        began, before = time.monotonic(), len(turns)
        while time.monotonic() - began < 1:
            _hint(port)
            _hint(port, b"b")
            _hint(port, b"\xff" * 200)
            time.sleep(0.005)
        assert 2 <= len(turns) - before <= 12
        assert len(fails) == 1
        loop.end()
        for thread in threads:
            thread.join(5 * crowd())
    assert not any(thread.is_alive() for thread in threads)
