"""What a sensor's case says at the place: to the loudspeakers near, to the device itself, again only after a pause."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import pytest
from django.db import connection

from gridloop.adapters.channels.file.channel import FileChannel
from gridloop.cases import actions as cases
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.journal.actions import append
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices import handlers
from gridloop.notices.actions import command, deliver
from gridloop.notices.rules import asks_for, pause_seconds
from gridloop.notices.tests.conftest import Book
from gridloop.registry.actions import load
from gridloop.registry.messages import DeviceRow
from gridloop.scenes.book import BOOK
from gridloop.sdk.channels import DEVICE_KINDS, Message, Receipt
from gridloop.sdk.pack import OnFact
from gridloop.sdk.signals import Signal

GRID = "990101100200001001"


def told(kind: str, device: str, value: float, number: str) -> None:
    signal = Signal(number, "ai-box", device, kind, clock.now(), value, HERE[0], HERE[1], {"zone": "lift"})
    for match in BOOK.recognise(signal, GRID):
        cases.receive_signal(SYSTEM, signal, match)
    while handlers.run():
        pass
    while deliver() or command():
        pass


@pytest.fixture
def hints(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Jobs that were hinted at since the last look."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.setblocking(False)
        monkeypatch.setenv("GRIDLOOP_WORKER_HINT", str(ear.getsockname()[1]))

        def heard() -> list[str]:
            found = []
            with suppress(BlockingIOError):
                while True:
                    found.append(ear.recv(100).decode())
            return found

        yield heard


@contextmanager
def writing() -> Iterator[None]:
    """A transaction elsewhere has begun to write and has not ended."""
    begun, end = threading.Event(), threading.Event()

    def write() -> None:
        with scoped(SYSTEM):
            append("org", "tested", {}, SYSTEM)
            begun.set()
            end.wait(10)
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    assert begun.wait(10)
    yield
    end.set()
    thread.join(10)


def said(outbox: Book, *kinds: str) -> list[tuple[str, str, str]]:
    return [(line["kind"], line["to"], line["text"]) for line in outbox.lines() if line["kind"] in kinds]


@pytest.fixture
def places(county: Cast) -> None:
    lon, lat = HERE
    near = [DeviceRow("bank-speaker", "loudspeaker", GRID, lon=lon, lat=lat)]
    load(SYSTEM, [*near, DeviceRow("lift-1", "camera", GRID, lon=lon, lat=lat), DeviceRow("bank-1", "camera", GRID, lon=lon, lat=lat)])


def test_the_lift_itself_is_held_spoken_to_and_let_go(places: None, outbox: Book) -> None:
    told("ebike_detected", "lift-1", 1.0, "e1")
    assert said(outbox, "speaker", "control") == [
        ("control", "lift-1", "hold"),
        ("speaker", "lift-1", "电动自行车禁止进入电梯，请立即退出。"),
    ]
    told("ebike_detected", "lift-1", 0.0, "e2")
    assert [text for _, _, text in said(outbox, "control")] == ["hold", "release"]


def test_the_bank_speaks_again_only_after_its_pause(places: None, outbox: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    told("person_near_water", "bank-1", 1.0, "w1")
    told("person_near_water", "bank-1", 1.0, "w2")
    assert [to for _, to, _ in said(outbox, "speaker")] == ["bank-speaker"]
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=61))
    told("person_near_water", "bank-1", 0.0, "w3")
    assert len(said(outbox, "speaker")) == 1, "nothing is said to nobody"
    told("person_near_water", "bank-1", 1.0, "w4")
    assert len(said(outbox, "speaker")) == 2


def test_the_loudspeaker_waits_for_no_message_to_people(
    places: None, outbox: Book, hints: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = FileChannel.send

    def slow(channel: FileChannel, message: Message) -> Receipt:
        assert message.kind in DEVICE_KINDS, "a service for people that never answers"
        return sent(channel, message)

    monkeypatch.setattr(FileChannel, "send", slow)
    signal = Signal("w1", "ai-box", "bank-1", "person_near_water", clock.now(), 1.0, HERE[0], HERE[1])
    cases.receive_signal(SYSTEM, signal, BOOK.recognise(signal, GRID)[0])
    handlers.run()
    assert {"notices.command", "notices.deliver"} <= set(hints())
    command()
    assert [to for _, to, _ in said(outbox, "speaker")] == ["bank-speaker"]


def test_what_an_open_transaction_holds_up_is_looked_for_soon(places: None, outbox: Book, hints: Callable[[], list[str]]) -> None:
    while handlers.run():
        pass
    handlers.run()
    hints()
    handlers.run()
    assert hints() == [], "there is nothing to look for"
    signal = Signal("w1", "ai-box", "bank-1", "person_near_water", clock.now(), 1.0, HERE[0], HERE[1])
    with writing():
        cases.receive_signal(SYSTEM, signal, BOOK.recognise(signal, GRID)[0])
        handlers.run()
        command()
        assert said(outbox, "speaker") == []
        assert hints() == ["notices.facts"]
    handlers.run()
    assert "notices.command" in hints()
    command()
    assert [to for _, to, _ in said(outbox, "speaker")] == ["bank-speaker"]


def test_the_condition_of_a_notice() -> None:
    rule = OnFact(fact="signal_added", template="any", when="data.value >= 1.0", pause="2h")
    assert asks_for(rule, {"value": 1.0})
    assert not asks_for(rule, {"value": 0.0})
    assert not asks_for(rule, {"value": None})
    assert not asks_for(rule, {})
    assert asks_for(OnFact(fact="closed", template="any"), {"note": object()})
    assert (pause_seconds(rule), pause_seconds(OnFact(fact="closed", template="any"))) == (7200.0, 0.0)
