"""NumPy and the compiled loops raise the same alarms, at every size of batch: whole lists are compared, never counts."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine, compiled_asked
from gridloop.detection.messages import Alarm
from gridloop.detection.rules import DAY, HOUR, MINUTE, Condition, Detector, Pick
from gridloop.kernel.errors import Invalid

START, SPAN, DEVICES, LATENESS = 20_000 * DAY, 24 * DAY, 350, 60_000
TEMPERATURE, LEVEL, DOOR, ZONE, POWER = (Pick((kind,)) for kind in range(5))
CONDITIONS: list[Condition] = [
    rules.Hold(rules.Threshold(TEMPERATURE, 3.0, 2.0), HOUR),
    rules.Threshold(LEVEL, 0.5, 1.0, rules.DOWN),
    rules.Absence(Pick((2, 3, 4)), DAY),
    rules.Count(DOOR, 3, 2 * HOUR),
    rules.Count(LEVEL, 2, HOUR, tumbling=True, offset=7 * MINUTE),
    rules.Dwell(ZONE, 20 * HOUR),
    rules.Dwell(ZONE, 9 * HOUR, (1, 2), 30 * HOUR),
    rules.Routine(POWER, direction=rules.UP, learn=1),
    rules.Routine(DOOR, rules.SUM, rules.BOTH, learn=1, week=rules.DAY_TYPES),
    rules.Routine(LEVEL, rules.SEEN, rules.UP, learn=2, week=rules.DAY_TYPES, over=3),
    rules.Silence(Pick((0, 1)), 0.1, learn=3),
    rules.Silence(TEMPERATURE, 0.2, learn=2, over=12, week=rules.WEEKDAYS),
    rules.Sequence(DOOR, ZONE, HOUR),
]


def readings(hot: float) -> Readings:
    """In random order of devices, up to the lateness out of order, some sent twice; one device may have a share of all."""
    draw, size = np.random.default_rng(11), 30_000
    at = START + np.sort(draw.integers(0, SPAN, size))
    device = draw.integers(0, DEVICES, size)
    device[draw.random(size) < hot] = 3
    value = np.where(draw.random(size) < 0.03, np.nan, draw.normal(2, 0.8, size).round(2))
    made = Readings.of(at, device, draw.choice(5, size, p=(0.4, 0.2, 0.2, 0.1, 0.1)), value, draw.integers(0, 4, size), np.arange(size))
    sent = np.concatenate((np.arange(size), draw.integers(0, size, size // 50)))
    return made.take(sent[np.argsort(made.time[sent] + draw.integers(0, LATENESS, len(sent)), kind="stable")])


def raised(sent: Readings, step: int, *, compiled: bool) -> list[Alarm]:
    engine = Engine([Detector(f"d{n}", 1, condition) for n, condition in enumerate(CONDITIONS)], LATENESS, compiled=compiled)
    out: list[Alarm] = []
    for start in range(0, len(sent.time), step):
        out += engine.step(sent.take(slice(start, start + step)))
    assert engine.passed.late == 0
    return out + engine.finish()


@pytest.mark.parametrize("hot", [0.0, 0.25])
def test_alarms_are_the_same_by_both_and_at_every_size(hot: float) -> None:
    sent = readings(hot)
    expected = raised(sent, 5_000, compiled=False)
    assert {alarm.detector for alarm in expected} == {f"d{n}" for n in range(len(CONDITIONS))}
    for step, compiled in ((100_000, False), (900, True), (5_000, True), (100_000, True)):
        assert raised(sent, step, compiled=compiled) == expected, (step, compiled)


@pytest.mark.parametrize(("asked", "compiled"), [("", False), ("numpy", False), ("numba", True)])
def test_the_loops_are_a_word(monkeypatch: pytest.MonkeyPatch, asked: str, compiled: bool) -> None:
    """The caller says it: what is pure reads no environment."""
    monkeypatch.setenv("GRIDLOOP_DETECTION", "numpy" if compiled else "numba")
    assert compiled_asked(asked) is compiled


@pytest.mark.parametrize(("asked", "key"), [("numba", "detection.no_numba"), ("cuda", "detection.no_such_loops")])
def test_loops_that_are_not_there_are_told(monkeypatch: pytest.MonkeyPatch, asked: str, key: str) -> None:
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(Invalid, match=key):
        compiled_asked(asked)
