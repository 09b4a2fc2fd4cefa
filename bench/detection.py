"""Detection: readings a second on one core by step size, number of devices and skew, and bytes of state a key.

Ten detectors (two each of threshold with hold, all-of absence, count in a window, dwell, routine), each reading taken by those of its kind,
kinds mixed 40/20/20/10/10; 100,000 devices in random order, up to 60 s of disorder. ``--seed N`` draws other readings. What is timed:
``Engine.step``, which puts in order, asks conditions and raises alarms; neither making nor parsing readings.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from typing import Any, cast

import numpy as np
from kit.record import record

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.messages import RAISED, Alarm
from gridloop.detection.rules import DAY, HOUR, MINUTE, Condition, Detector, Pick
from gridloop.detection.snapshots import packed, unpacked

SEED = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else 7
SHARES = (0.4, 0.2, 0.2, 0.1, 0.1)
START, EACH, LATENESS = 20_000 * DAY, 3 * DAY // 30, 60_000  # a device sends every 2.4 hours
TEMPERATURE, LEVEL, DOOR, ZONE, POWER = (Pick((kind,)) for kind in range(5))
HOME = Pick((2, 3, 4))

TEN: list[Condition] = [
    rules.Hold(rules.Threshold(TEMPERATURE, 4.3, 3.9), 2 * HOUR),
    rules.Hold(rules.Threshold(LEVEL, 4.3, 3.9), 2 * HOUR),
    rules.Absence(HOME, 60 * HOUR),
    rules.Absence(Pick((0, 1)), 60 * HOUR),
    rules.Count(DOOR, 3, 20 * MINUTE),
    rules.Count(LEVEL, 3, 20 * MINUTE),
    rules.Dwell(ZONE, 70 * HOUR),
    rules.Dwell(ZONE, 66 * HOUR, (1, 2)),
    rules.Routine(POWER, direction=rules.UP, least=2),
    rules.Routine(DOOR, direction=rules.UP, least=2),
]
NINE: list[Condition] = [
    rules.Hold(rules.Threshold(TEMPERATURE, 3.9), HOUR),
    rules.Threshold(LEVEL, 3.9),
    rules.Rate(LEVEL, 1.0, HOUR),
    rules.Absence(DOOR, DAY),
    rules.Absence(HOME, DAY),
    rules.Count(DOOR, 3, HOUR),
    rules.Dwell(ZONE, HOUR),
    rules.Sequence(DOOR, ZONE, HOUR),
    rules.Unanswered(DOOR, POWER, HOUR),
]


def detectors(conditions: list[Condition]) -> list[Detector]:
    return [Detector(f"{type(condition).__name__}{number}", 1, condition) for number, condition in enumerate(conditions)]


def readings(count: int, devices: int, hot: float = 0.0) -> Readings:
    """As they arrive: each up to the lateness after its time. ``hot``: the share that one device has."""
    draw = np.random.default_rng(SEED)
    at = START + np.sort(draw.integers(0, EACH * count // devices, count))
    at = at[np.argsort(at + draw.integers(0, LATENESS, count), kind="stable")]
    device = draw.integers(0, devices, count)
    device[draw.random(count) < hot] = 0
    return Readings.of(
        at, device, draw.choice(5, count, p=SHARES), draw.normal(2, 0.7, count), draw.integers(0, 4, count), draw.integers(0, 2**62, count)
    )


def every(condition: Condition) -> Condition:
    """The condition over readings of all kinds."""
    if isinstance(condition, rules.Hold):
        return replace(condition, of=every(condition.of))
    anything: Any = condition
    if isinstance(condition, rules.Routine):  # ten times as many of each hour: rare alarms begin further up
        anything = replace(condition, least=4)
    return cast(Condition, replace(anything, pick=Pick()))


def evaluations(conditions: list[Condition], rows: Readings) -> float:
    """Detectors that take a reading, on average."""
    picks = [condition.of.pick if isinstance(condition, rules.Hold) else condition.pick for condition in conditions]  # type: ignore[attr-defined]
    return sum(float(np.isin(rows.kind, pick.kinds).mean()) if pick.kinds else 1.0 for pick in picks)


def grown(conditions: list[Condition], devices: int, *, compiled: bool = False, usual: float = 0.04) -> Engine:
    """As after ten weeks: every device was read of, and every routine knows its hours and has been judged in them."""
    engine = Engine(detectors(conditions), LATENESS, compiled=compiled)
    engine.enroll(rules.DEVICE, np.arange(devices), START)
    arrays = unpacked(engine.snapshot())
    for name, array in arrays.items():
        if name.endswith("/first"):
            array[:] = START // HOUR - 70 * 24
        elif name.endswith("/hour"):
            array[...] = (START + 8 * HOUR) // HOUR
        elif name.endswith("/calm"):
            array[:] = 0.1
        elif name.endswith("/mean"):
            array[:] = usual
    engine.restore(packed(arrays))
    return engine


def speed(name: str, conditions: list[Condition], rows: Readings, step: int) -> tuple[float, list[Alarm]]:
    engine = grown(conditions, int(rows.device.max()) + 1)
    parts = [rows.take(slice(start, start + step)) for start in range(0, len(rows.time), step)]
    alarms: list[Alarm] = []
    begun = time.process_time()
    for part in parts:
        alarms += engine.step(part)
    alarms += engine.finish()
    rate = len(rows.time) / (time.process_time() - begun)
    record(f"detection_{name}", rate, "readings/s", len(rows.time))
    record(f"detection_{name}_alarms", 1000 * sum(alarm.what == RAISED for alarm in alarms) / len(rows.time), "alarms/1000", len(rows.time))
    return rate, alarms


def state(name: str, conditions: list[Condition], keys: int = 100_000) -> None:
    engine = Engine(detectors(conditions))
    engine.enroll(rules.DEVICE, [keys - 1], START)
    record(f"detection_state_{name}", sum(engine.state_bytes().values()) / keys, "bytes/key", keys)


def main() -> None:
    rows = readings(3_000_000, 100_000)
    record("detection_evaluations", evaluations(TEN, rows), "detectors/reading", len(rows.time))
    lists = [speed(f"step_{step}", TEN, rows, step)[1] for step in (2_000, 10_000, 50_000, 200_000)]
    record("detection_lists_unlike_the_first", sum(one != lists[0] for one in lists), "lists", len(lists[0]))
    speed("every_rule_step_50000", [every(condition) for condition in TEN], rows.take(slice(0, 1_000_000)), 50_000)
    cool, _ = speed("no_hot_key_step_10000", TEN, readings(1_000_000, 100_000), 10_000)
    hot, _ = speed("hot_key_step_10000", TEN, readings(1_000_000, 100_000, 0.25), 10_000)
    record("detection_hot_key_cost", cool / hot, "times", 1_000_000)
    for devices in (1_000, 1_000_000):
        speed(f"devices_{devices}_step_200000", TEN, readings(2_000_000, devices), 200_000)
    state("nine", NINE)
    state("routine", [rules.Routine(POWER)])
    state("ten", TEN)


if __name__ == "__main__":
    main()
