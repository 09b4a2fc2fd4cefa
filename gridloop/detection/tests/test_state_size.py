"""What is kept of a key: bytes of nine simple operators together and of a routine, after all of them had plenty to remember."""

from __future__ import annotations

import numpy as np

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.rules import DAY, DEVICE, HOUR, Condition, Detector, Pick, Total
from gridloop.detection.snapshots import unpacked

KEYS, START = 2_000, 20_000 * DAY
TEMPERATURE, LEVEL, DOOR, ZONE, POWER = (Pick((kind,)) for kind in range(5))
NINE: list[Condition] = [
    rules.Hold(rules.Threshold(TEMPERATURE, 3.9), HOUR),
    rules.Threshold(LEVEL, 3.9),
    rules.Rate(LEVEL, 1.0, HOUR),
    rules.Absence(DOOR, DAY),
    rules.Absence(Pick((2, 3, 4)), DAY),
    rules.Count(DOOR, 3, HOUR),
    rules.Dwell(ZONE, HOUR),
    rules.Sequence(DOOR, ZONE, HOUR),
    rules.Unanswered(DOOR, POWER, HOUR),
]
ROUTINES: list[Condition] = [rules.Routine(POWER), rules.Routine(POWER, rules.SUM, rules.BOTH, week=rules.DAY_TYPES), rules.Silence(POWER)]


def lived(conditions: list[Condition], days: int, each: int) -> tuple[float, float, int]:
    """Bytes a key: in memory, and as they are stored, without what still waits; and how many alarms there were."""
    engine = Engine([Detector(f"d{number}", 1, condition) for number, condition in enumerate(conditions)], 0)
    engine.reserve(DEVICE, KEYS)
    draw, alarms = np.random.default_rng(5), 0
    for day in range(days):
        size = KEYS * each
        at = START + day * DAY + np.sort(draw.integers(0, DAY, size))
        rows = (
            at,
            draw.integers(0, KEYS, size),
            draw.integers(0, 5, size),
            draw.normal(2, 1.5, size),
            draw.integers(0, 4, size),
            np.arange(size),
        )
        alarms += len(engine.step(Readings.of(*rows)))
    stored = sum(array.nbytes for name, array in unpacked(engine.snapshot()).items() if name.startswith("detector/"))
    return sum(engine.state_bytes().values()) / KEYS, stored / KEYS, alarms


def test_nine_simple_operators_take_120_bytes() -> None:
    memory, stored, alarms = lived(NINE, 3, 60)
    assert alarms > 50 * KEYS, "all of them had something to do"
    assert 60 < memory <= 120
    assert stored <= 1.5 * 120, "with the alarms that last just now"


def test_states_of_meters_take_16_bytes_for_each_kind_that_comes() -> None:
    meters = [Total(kind, 9, 20.0) for kind in (POWER.kinds[0], 8)]
    engine = Engine([Detector("d", 1, rules.Absence(POWER, DAY))], 0, meters=meters)
    engine.reserve(DEVICE, KEYS)
    own = engine.state_bytes()
    assert own.keys() == {"d"}
    engine.step(Readings.of([START] * KEYS, range(KEYS), [POWER.kinds[0]] * KEYS, [5.0] * KEYS))
    engine.finish()
    assert engine.state_bytes() == own | {"": 16 * KEYS}


def test_a_routine_takes_700_bytes() -> None:
    for condition in ROUTINES:
        memory, stored, _ = lived([condition], 9, 40)
        assert 100 < memory <= 700, condition
        assert stored <= 1.1 * 700, condition
