"""Processes are restarted when they die, and when they live on to no use; a full disk does not end who tends them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from gridloop.doors.cli import supervisor
from gridloop.doors.cli.deployment import free_port
from gridloop.doors.cli.supervisor import Log, Service, Supervisor, end_left_behind, end_with_make, told_through_make


@pytest.fixture
def tended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    monkeypatch.setattr(supervisor, "_GIVEN_TIME", 0.3)
    one = Supervisor(Log(tmp_path), lambda pids: None)
    yield one
    one.end()


def child(code: str, **more: Any) -> Service:
    return Service("child", [sys.executable, "-c", code], {}, **more)


def until(one: Supervisor, condition: Callable[[], bool], seconds: float = 10) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        one.tend()
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_what_dies_is_started_again(tended: Supervisor) -> None:
    tended.add(child("import time; time.sleep(60)"))
    first = tended.children["child"].process
    assert first is not None
    first.kill()
    assert until(tended, lambda: tended.children["child"].restarts == 1 and tended.children["child"].alive)


def test_what_says_that_it_can_not_go_on_is_ended_and_started_again(tended: Supervisor, tmp_path: Path) -> None:
    code = f"""
import pathlib, time
seen = pathlib.Path({str(tmp_path / "seen")!r})
print("fine" if seen.exists() else "no space left: I give up", flush=True)
seen.touch()
time.sleep(60)
"""
    tended.add(child(code, hopeless=lambda line: "I give up" in line))
    first = tended.children["child"].process
    assert first is not None
    assert until(tended, lambda: tended.children["child"].process is not first)
    assert first.returncode == -9
    time.sleep(0.6)
    tended.tend()
    assert tended.children["child"].restarts == 1, "the new one is fine"
    assert tended.children["child"].alive
    assert "says that it can not go on" in (tmp_path / "gridloop.log").read_text(encoding="utf-8")


def test_a_full_disk_does_not_end_who_tends(tmp_path: Path) -> None:
    def full(pids: dict[str, tuple[int, float]]) -> None:
        raise OSError(28, "No space left on device")

    one = Supervisor(Log(tmp_path), full)
    try:
        one.add(child("import time; time.sleep(60)"))
        assert one.children["child"].alive
    finally:
        one.end()
    assert "No space left" in (tmp_path / "gridloop.log").read_text(encoding="utf-8")


ROOT = Path(__file__).resolve().parents[3]
UNDER_MAKE = """
import signal, sys, time
from gridloop.doors.cli.deployment import free_port
from gridloop.doors.cli.supervisor import end_with_make
signal.signal(signal.SIGINT, signal.SIG_IGN)  # a recipe in a group of its own would not hear it
told = []
end_with_make(lambda: told.append(1), 0.05)
print("ready", flush=True)
while not told:
    time.sleep(0.02)
print("ended", flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_make_runs_ends_when_make_alone_is_told_to(tmp_path: Path, number: signal.Signals) -> None:
    (tmp_path / "product.py").write_text(UNDER_MAKE, encoding="utf-8")
    (tmp_path / "Makefile").write_text(f"run:\n\t@exec {sys.executable} product.py\n", encoding="utf-8")
    make = subprocess.Popen(
        ["make", "run"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL) and None,
    )
    assert make.stdout is not None
    try:
        assert make.stdout.readline() == "ready\n"
        make.send_signal(number)
        assert make.stdout.read() == "ended\n"
        assert make.wait(10) == -number
    finally:
        make.kill()
        make.wait()


def test_no_other_parent_is_watched() -> None:
    assert told_through_make(os.getpid()) is None
    end_with_make(lambda: pytest.fail("nobody asked for it"), 0.01)
    time.sleep(0.05)


def test_those_that_need_no_other_end_together(tmp_path: Path) -> None:
    code = """
import pathlib, signal, sys, time
mine, other = map(pathlib.Path, sys.argv[1:])
def asked(*_):
    mine.touch()
    end = time.monotonic() + 8
    while not other.exists() and time.monotonic() < end:
        time.sleep(0.02)
    sys.exit(0 if other.exists() else 1)
signal.signal(signal.SIGTERM, asked)
pathlib.Path(f"{mine}.ready").touch()
time.sleep(60)
"""
    one = Supervisor(Log(tmp_path), lambda pids: None)
    for mine, other in (("a", "b"), ("b", "a")):
        command = [sys.executable, "-c", code, str(tmp_path / mine), str(tmp_path / other)]
        one.add(Service(mine, command, {}, ready=(tmp_path / f"{mine}.ready").exists, together=True))
    assert one.wait_ready("a", "b")
    one.end()
    assert [child.process.returncode for child in one.children.values() if child.process] == [0, 0]


def test_an_answer_from_its_port_counts_only_when_it_listens_there_itself(tmp_path: Path) -> None:
    """Two deployments that are started on one port in the same moment: the second must not be told as ready because the first answers."""
    code = """
import socket, sys, time
try:
    door = socket.create_server(("127.0.0.1", int(sys.argv[1])))
except OSError:
    pass  # it tries again and again
time.sleep(60)
"""
    with socket.create_server(("127.0.0.1", 0)) as first:
        taken = first.getsockname()[1]
        free = free_port()
        for port, ready in ((taken, False), (free, True)):
            one = Supervisor(Log(tmp_path), lambda pids: None)
            one.add(Service("edge", [sys.executable, "-c", code, str(port)], {}, port=port))
            assert one.wait_ready("edge", seconds=10 if ready else 1) is ready
            one.end()


@pytest.mark.parametrize(("deaf", "status"), [(False, -signal.SIGTERM), (True, -signal.SIGKILL)])
def test_what_a_killed_supervisor_left_behind_is_ended_before_another_takes_its_folder(tmp_path: Path, deaf: bool, status: int) -> None:
    code = f"import pathlib, signal, time; {'signal.signal(signal.SIGTERM, signal.SIG_IGN);' if deaf else ''} "
    code += f"pathlib.Path({str(tmp_path / 'ready')!r}).touch(); time.sleep(60)"
    old = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    name, file = psutil.Process(old.pid).name(), tmp_path / "old.pid"
    file.write_text(f"{old.pid}\n", encoding="utf-8")
    while not (tmp_path / "ready").exists():
        time.sleep(0.02)
    for other in ((name, str(tmp_path / "elsewhere")), ("postgres", str(tmp_path))):  # its number may be another's by now
        end_left_behind(file, *other, signal.SIGTERM, signal.SIGKILL, patience=0.5)
        assert old.poll() is None
    end_left_behind(file, name, str(tmp_path), signal.SIGTERM, signal.SIGKILL, patience=0.5)
    assert old.wait(5) == status
    end_left_behind(file, name, str(tmp_path), signal.SIGTERM)
    end_left_behind(tmp_path / "none.pid", name, str(tmp_path), signal.SIGTERM)
