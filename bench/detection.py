"""Detection: readings a second on one core by step size, number of devices and skew, both kernels, beside others; bytes of state a key.

Ten detectors (two each of threshold with hold, all-of absence, count in a window, dwell, routine), each reading taken by those of its kind,
kinds mixed 40/20/20/10/10; 100,000 devices in random order, up to 60 s of disorder, about one alarm in a thousand readings. ``--seed N``
draws other readings. What is timed is ``Engine.step``, which puts in order, asks conditions and raises alarms, in processor time; neither
making nor parsing readings. Each figure is the best of five in turns, because neighbours on a machine only ever take away. The engine is
as after ten weeks: routines have settled and are judged every hour, which at a reading in 2.4 hours of each device is five closed hours
a reading. Lists of alarms are compared whole: by step, by kernel, and with the peers.

Peers get 10,000 devices and a million readings, in one run with the engine: a loop over dictionaries, and, recomputing the eight detectors
without the routines on one thread each, DuckDB and, where they are installed (``requirements/peers.txt``, ``requirements/spark.txt`` and
Java), Apache DataFusion and Apache Spark, whose Java process's time counts. ``--peers``: nothing but this.

Share of the memory's bandwidth: what a reading must touch at least – its columns, and of each detector that takes it the state of one key,
read and written – times readings a second, over what a large copy moves.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from shutil import which
from typing import Any, cast

import numpy as np
from kit.peers import Spark, loop, recomputed, recomputed_by_datafusion
from kit.record import record

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.hours import Hourly
from gridloop.detection.messages import RAISED, Alarm
from gridloop.detection.rules import DAY, HOUR, MINUTE, Condition, Detector, Pick
from gridloop.doors.cli.loading import loading

SEED = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else 7
SHARES = (0.4, 0.2, 0.2, 0.1, 0.1)
START, EACH, LATENESS = 20_000 * DAY, 3 * DAY // 30, 60_000  # a device sends every 2.4 hours
USUAL, EVERY_USUAL, CALM = 0.04, 0.4, 0.125  # readings an hour of a kind or of all kinds, and how far hours are off that
ROUNDS = 5
KERNELS = {"numpy": False, "numba": True}
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
    """The condition over readings of all kinds, ten times as many: what is rare begins further up."""
    if isinstance(condition, rules.Hold):
        return replace(condition, of=every(condition.of))
    anything: Any = condition
    if isinstance(condition, rules.Routine):
        anything = replace(condition, least=4.0)
    elif isinstance(condition, rules.Count):
        anything = replace(condition, least=5)
    return cast(Condition, replace(anything, pick=Pick()))


def evaluations(conditions: list[Condition], rows: Readings) -> float:
    """Detectors that take a reading, on average."""
    picks = [condition.of.pick if isinstance(condition, rules.Hold) else condition.pick for condition in conditions]  # type: ignore[attr-defined]
    return sum(float(np.isin(rows.kind, pick.kinds).mean()) if pick.kinds else 1.0 for pick in picks)


def grown(conditions: list[Condition], devices: int, *, compiled: bool = False, usual: float = USUAL) -> Engine:
    """As after ten weeks: every device was read of, and every routine knows its hours and has been judged in them."""
    engine = Engine(detectors(conditions), LATENESS, compiled=compiled)
    engine.enroll(rules.DEVICE, np.arange(devices), START)
    for running in engine._running:
        for _, part in running.tree():
            if isinstance(part, Hourly):
                part.hour = (START + part.offset) // HOUR
                part.cells["first"][:] = part.hour - 70 * 24
                part.cells["mean"][:] = usual
                if "calm" in part.cells:
                    part.cells["calm"][:] = CALM
    return engine


def ran(engine: Engine, rows: Readings, step: int) -> tuple[float, list[Alarm]]:
    """Readings a second of processor time, and the alarms."""
    parts = [rows.take(slice(start, start + step)) for start in range(0, len(rows.time), step)]
    alarms: list[Alarm] = []
    begun = time.process_time()
    for part in parts:
        alarms += engine.step(part)
    alarms += engine.finish()
    return len(rows.time) / (time.process_time() - begun), alarms


def speed(
    name: str, conditions: list[Condition], rows: Readings, step: int, usual: float = USUAL
) -> tuple[dict[str, float], dict[str, list[Alarm]]]:
    """Both kernels in turns, the best of each, and their alarms."""
    size, keys = len(rows.time), int(rows.device.max()) + 1
    best, alarms = dict.fromkeys(KERNELS, 0.0), {}
    for _ in range(ROUNDS):
        for kernel, compiled in KERNELS.items():
            rate, alarms[kernel] = ran(grown(conditions, keys, compiled=compiled, usual=usual), rows, step)
            best[kernel] = max(best[kernel], rate)
    for kernel, rate in best.items():
        record(of_kernel(kernel, name), rate, "readings/s", size)
    raised = sum(alarm.what == RAISED for alarm in alarms["numpy"])
    record(f"detection_{name}_alarms", 1000 * raised / size, "alarms/1000", size)
    return best, alarms


def of_kernel(kernel: str, name: str) -> str:
    """NumPy is the engine and goes without saying."""
    return f"detection_{name}" if kernel == "numpy" else f"detection_{kernel}_{name}"


def by_step(rows: Readings) -> None:
    record("detection_evaluations", evaluations(TEN, rows), "detectors/reading", len(rows.time))
    lists: list[list[Alarm]] = []
    for step in (2_000, 10_000, 50_000, 200_000):
        lists += speed(f"step_{step}", TEN, rows, step)[1].values()
    record("detection_lists_unlike_the_first", sum(one != lists[0] for one in lists), "lists", len(lists[0]))
    ten = [every(condition) for condition in TEN]
    _, both = speed("every_rule_step_50000", ten, rows.take(slice(0, 1_000_000)), 50_000, EVERY_USUAL)
    record("detection_every_rule_lists_unlike", int(both["numpy"] != both["numba"]), "lists", len(both["numpy"]))


def skewed() -> None:
    cool, _ = speed("no_hot_key_step_10000", TEN, readings(1_000_000, 100_000), 10_000)
    hot, _ = speed("hot_key_step_10000", TEN, readings(1_000_000, 100_000, 0.25), 10_000)
    for kernel in KERNELS:
        record(of_kernel(kernel, "hot_key_cost"), cool[kernel] / hot[kernel], "times", 1_000_000)


def by_devices() -> None:
    """Each device sends as often, so that few of them fill their readings in many days: hours are closed for few keys, and more happens."""
    drawn = {n: readings(2_000_000, n) for n in (1_000, 10_000, 100_000, 1_000_000)}
    rates = {n: speed(f"devices_{n}_step_200000", TEN, rows, 200_000)[0] for n, rows in drawn.items()}
    for kernel in KERNELS:
        record(of_kernel(kernel, "million_devices_cost"), rates[1_000][kernel] / rates[1_000_000][kernel], "times", 2_000_000)
    for n, rows in drawn.items():
        speed(f"devices_{n}_step_10000", TEN, rows.take(slice(0, 1_000_000)), 10_000)


def beside_peers(devices: int = 10_000) -> None:
    rows = readings(1_000_000, devices)
    names = {detector.id: detector.when for detector in detectors(TEN)}
    eight = {name: condition for name, condition in names.items() if not isinstance(condition, rules.Routine)}

    def engine(conditions: dict[str, Condition], *, compiled: bool) -> list[tuple[str, int, int]]:
        at_work = grown(list(conditions.values()), devices, compiled=compiled)
        return sorted((a.detector, a.key, a.at) for a in ran(at_work, rows, 50_000)[1] if a.what == RAISED)

    calm, usual = (float(np.float32(number)) for number in (CALM, USUAL))
    ways = {
        "ten_numpy": partial(engine, names, compiled=False),
        "ten_numba": partial(engine, names, compiled=True),
        "ten_python_loop": partial(loop, names, rows, START, devices, usual, calm),
        "eight_numpy": partial(engine, eight, compiled=False),
        "eight_numba": partial(engine, eight, compiled=True),
        "eight_python_loop": partial(loop, eight, rows, START, devices, usual, calm),
        "eight_duckdb": partial(recomputed, eight, rows, START, devices),
    }
    spark = Spark() if find_spec("pyspark") and which("java") else None
    if find_spec("datafusion"):
        ways["eight_datafusion"] = partial(recomputed_by_datafusion, eight, rows, START, devices)
    if spark:
        ways["eight_spark"] = partial(spark.recomputed, eight, rows, START, devices)
    rates, answers = dict.fromkeys(ways, 0.0), {}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            begun = _processor_time(spark)
            answers[name] = way()
            rates[name] = max(rates[name], len(rows.time) / (_processor_time(spark) - begun))
    if spark:
        spark.stop()
    for name, rate in rates.items():
        record(f"detection_peers_{name}", rate, "readings/s", len(rows.time))
        of = answers["ten_numpy" if name.startswith("ten") else "eight_numpy"]
        record(
            f"detection_peers_{name}_unlike_ours", len(set(answers[name]) ^ set(of)) + abs(len(answers[name]) - len(of)), "alarms", len(of)
        )
    for peer in (name for name in ways if name.partition("_")[2] not in KERNELS):
        ours = peer.partition("_")[0]
        for kernel in KERNELS:
            record(
                f"detection_peers_{ours}_{kernel}_to_{peer.partition('_')[2]}",
                rates[f"{ours}_{kernel}"] / rates[peer],
                "times",
                len(rows.time),
            )


def _processor_time(spark: Spark | None) -> float:
    """Of this process and of Spark's, which does nothing while others run but tidy up."""
    return time.process_time() + (spark.processor_time() if spark else 0.0)


def bandwidth(rows: Readings) -> None:
    """Share of it, by steps of 200,000."""
    one = np.ones(2**25)
    other = np.empty_like(one)
    np.copyto(other, one)
    begun = time.process_time()
    for _ in range(5):
        np.copyto(other, one)
    moved = 5 * 2 * one.nbytes / (time.process_time() - begun)
    record("detection_copy", moved / 1e9, "GB/s")
    touched = 8.0 * len(Readings._fields)
    closed = 0.0
    for condition, detector in zip(TEN, detectors(TEN), strict=True):
        engine = Engine([detector])
        engine.enroll(rules.DEVICE, [9_999], START)
        state = engine.state_bytes()[detector.id] / 10_000
        if isinstance(condition, rules.Routine):
            state -= 4 * 167  # one hour of the week
            closed += 2 * state * EACH * 100_000 / (HOUR * 100_000)
        touched += 2 * state * evaluations([condition], rows)
    record("detection_touched", touched + closed, "bytes/reading", len(rows.time))
    for kernel in KERNELS:
        rate, _ = ran(grown(TEN, 100_000, compiled=KERNELS[kernel]), rows, 200_000)
        record(f"detection_{kernel}_of_bandwidth", 100 * rate * (touched + closed) / moved, "%", len(rows.time))


def where_time_goes(rows: Readings) -> None:
    """Shares of a step of 10,000 by part, by the profiler, which makes calls dearer than they are."""
    for kernel, compiled in KERNELS.items():
        engine, profile = grown(TEN, 100_000, compiled=compiled), cProfile.Profile()
        profile.enable()
        ran(engine, rows, 10_000)
        profile.disable()
        found: Any = pstats.Stats(profile)
        spent = {(file.rpartition("/")[2], name): row[3] for (file, _, name), row in found.stats.items() if "detection" in file}
        total = spent["engine.py", "step"] + spent["engine.py", "finish"]
        parts = {
            "reorder": [("reorder.py", "push"), ("reorder.py", "release")],
            "simple": [("parts.py", "step")],
            "hours": [("hours.py", "step")],
            "raising": [("raising.py", "alarms")],
        }
        for part, functions in parts.items():
            share = 100 * sum(spent.get(one, 0.0) for one in functions) / total
            record(f"detection_{kernel}_time_in_{part}", share, "%", len(rows.time))


def state(name: str, conditions: list[Condition], keys: int = 100_000) -> None:
    engine = Engine(detectors(conditions))
    engine.enroll(rules.DEVICE, [keys - 1], START)
    record(f"detection_state_{name}", sum(engine.state_bytes().values()) / keys, "bytes/key", keys)


def main() -> None:
    with loading():  # as the worker begins: the collector does not look through what is loaded
        ran(grown(TEN, 1_000, compiled=True), readings(5_000, 1_000), 1_000)  # compiles
    if "--peers" in sys.argv:
        beside_peers()
        return
    rows = readings(3_000_000, 100_000)
    by_step(rows)
    skewed()
    by_devices()
    beside_peers()
    bandwidth(rows)
    where_time_goes(rows.take(slice(0, 1_000_000)))
    state("nine", NINE)
    state("routine", [rules.Routine(POWER)])
    state("silence", [rules.Silence(POWER)])
    state("ten", TEN)


if __name__ == "__main__":
    main()
