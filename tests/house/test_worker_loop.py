"""The worker's loop: turns, faults, wake-ups, the heartbeat."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from gridloop.doors.worker.loop import Job, Loop, load


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
