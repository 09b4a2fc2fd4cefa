"""What a sensor's case says at the place: to the loudspeakers near, to the device itself, again only after a pause."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gridloop.cases import actions as cases
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices import handlers
from gridloop.notices.actions import deliver
from gridloop.notices.rules import asks_for, pause_seconds
from gridloop.notices.tests.conftest import Book
from gridloop.registry.actions import load
from gridloop.registry.messages import DeviceRow
from gridloop.scenes.book import BOOK
from gridloop.sdk.pack import OnFact
from gridloop.sdk.signals import Signal

GRID = "990101100200001001"


def told(kind: str, device: str, value: float, number: str) -> None:
    signal = Signal(number, "ai-box", device, kind, clock.now(), value, HERE[0], HERE[1], {"zone": "lift"})
    for match in BOOK.recognise(signal, GRID):
        cases.receive_signal(SYSTEM, signal, match)
    while handlers.run():
        pass
    while deliver():
        pass


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


def test_the_condition_of_a_notice() -> None:
    rule = OnFact(fact="signal_added", template="any", when="data.value >= 1.0", pause="2h")
    assert asks_for(rule, {"value": 1.0})
    assert not asks_for(rule, {"value": 0.0})
    assert not asks_for(rule, {"value": None})
    assert not asks_for(rule, {})
    assert asks_for(OnFact(fact="closed", template="any"), {"note": object()})
    assert (pause_seconds(rule), pause_seconds(OnFact(fact="closed", template="any"))) == (7200.0, 0.0)
