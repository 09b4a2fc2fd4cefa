"""Detectors on real series of water, rain and household meters: how long before, how often for nothing.

Data: ``hazards`` and ``household_meter`` of the shared data. Every threshold is chosen on the first half of a series and reported on the
second, which chooses nothing. What a flood is, is said by the first half too: the highest level that came ``LEAST`` times in it.

Gauge (hourly, nine years) and river (daily, ten years): an alarm within ``WINDOW`` before a flood warned of it, its lead is to the hour or
day the flood began; one after which none came is false. Of each kind of rule the setting with the best F1 of the first half is taken,
of equal ones that with the longest lead. Meters (hourly, twelve homes, a year) have no truth: of each kind the most sensitive setting
with at most one alarm a home and month in the first half is taken; the second half says how many alarms remain, and how soon a use that
stops is noticed: each home's lowest value of the first half, for 48 hours from 40 random moments on. The pipeline (hourly, 53 days):
when segments under three quarters of its usual flow are noticed.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import statistics
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from kit.data import DATA
from kit.record import record
from numpy.typing import NDArray

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.messages import RAISED
from gridloop.detection.rules import DAY, HOUR, Condition, Detector, Pick

SEED = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else 7
LEAST = 15  # floods of the first half
STOPS = 40
YEAR, MONTH = 365.25 * DAY, 365.25 * DAY / 12
RAIN, LEVEL = Pick((0,)), Pick((1,))
Floats = NDArray[np.float64]


class Series(NamedTuple):
    name: str
    time: NDArray[np.int64]
    level: Floats
    rain: Floats  # NaN where there is none
    apart: int  # floods that are no further apart are one
    window: int

    def half(self, which: int) -> tuple[int, int]:
        middle = int(self.time[len(self.time) // 2])
        return (int(self.time[0]), middle) if which == 0 else (middle, int(self.time[-1]) + 1)


def rows(path: Path) -> Iterable[dict[str, str]]:
    text = (gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()).decode()
    yield from csv.DictReader(text.splitlines())


def moment(text: str) -> int:
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def raised(conditions: list[Condition], time: NDArray[np.int64], columns: list[tuple[int, Floats]]) -> list[list[int]]:
    """The moments at which each of the conditions raised an alarm."""
    engine = Engine([Detector(str(number), 1, condition) for number, condition in enumerate(conditions)], lateness=0)
    kinds = [np.full(len(time), kind) for kind, _ in columns]
    readings = Readings.of(
        np.tile(time, len(columns)), np.zeros(len(time) * len(columns)), np.concatenate(kinds), np.hstack([c for _, c in columns])
    )
    out: list[list[int]] = [[] for _ in conditions]
    ordered = readings.take(np.argsort(readings.time, kind="stable"))
    for alarm in engine.step(ordered.take(~np.isnan(ordered.value))) + engine.finish():
        if alarm.what == RAISED:
            out[int(alarm.detector)].append(alarm.at)
    return out


def floods(series: Series, limit: float) -> list[int]:
    """When the level came over the limit, after at least ``apart`` below."""
    over = series.time[series.level >= limit]
    return [int(b) for a, b in zip([-series.apart * 2, *over[:-1].tolist()], over.tolist(), strict=True) if b - a > series.apart]


class Score(NamedTuple):
    leads: list[int]  # of the floods that were warned of
    floods: int
    false: int

    @property
    def f1(self) -> float:
        return 2 * len(self.leads) / (self.floods + len(self.leads) + self.false) if self.leads else 0.0

    @property
    def order(self) -> tuple[float, float]:
        return round(self.f1, 3), statistics.median(self.leads) if self.leads else 0


def score(series: Series, alarms: list[int], came: list[int], half: tuple[int, int]) -> Score:
    begin, end = half
    mine = [at for at in alarms if begin <= at < end]
    own = [at for at in came if begin <= at < end]
    leads = [start - min(before) for start in own if (before := [at for at in mine if start - series.window <= at < start])]
    nothing = [at for at in mine if not any(at - series.apart <= start <= at + series.window for start in came)]
    return Score(leads, len(own), len(nothing))


def warned(series: Series, families: dict[str, list[Condition]]) -> None:
    first, second = series.half(0), series.half(1)
    levels = np.unique(np.floor(series.level * 10) / 10)[::-1]
    limit = next(float(level) for level in levels if sum(at < first[1] for at in floods(series, level)) >= LEAST)
    came = floods(series, limit)
    record(f"hazards_{series.name}_flood_level", limit, "m or m³/s", len(came))
    for name, conditions in families.items():
        found = raised(conditions, series.time, [(1, series.level), (0, series.rain)])
        best = max(range(len(conditions)), key=lambda n: score(series, found[n], came, first).order)
        sys.stdout.write(f"{series.name} {name}: {conditions[best]}\n")
        years = (second[1] - second[0]) / YEAR
        result = score(series, found[best], came, second)
        what = f"hazards_{series.name}_{name}"
        record(f"{what}_warned", 100 * len(result.leads) / result.floods, "%", result.floods)
        record(f"{what}_lead", statistics.median(result.leads or [0]) / HOUR, "h", len(result.leads))
        record(f"{what}_lead_shortest", min(result.leads or [0]) / HOUR, "h", len(result.leads))
        record(f"{what}_false", result.false / years, "alarms/year", result.false)
        worst = max(at for at in came if at <= series.time[series.level.argmax()])
        before = [at for at in found[best] if worst - series.window <= at < worst]
        record(f"{what}_lead_of_worst", (worst - min(before)) / HOUR if before else 0, "h", len(before))  # wherever it lies


def gauge() -> None:
    read = list(rows(DATA / "hazards" / "battery_water_level_hourly_2011on.csv.gz"))
    time = np.array([moment(row["time"]) for row in read])
    level = np.array([float(row["level_m"]) for row in read])
    series = Series("gauge", time, level, np.full(len(time), np.nan), 48 * HOUR, 24 * HOUR)
    tops = [float(top) for top in np.arange(0.7, 1.3, 0.05).round(2)]
    lows = [float(low) for low in np.arange(-0.3, 0.7, 0.1).round(2)]
    rises = [float(rise) for rise in np.arange(0.3, 0.8, 0.05).round(2)]
    held: list[Condition] = [rules.Hold(rules.Threshold(LEVEL, low), hours * HOUR) for low in lows for hours in range(6, 15)]
    warned(
        series,
        {
            "level": [rules.Threshold(LEVEL, top) for top in tops],
            "rise": [rules.Rate(LEVEL, rise, HOUR, rules.UP) for rise in rises],
            "no_low_water": held,
            "no_low_water_and_level": [rules.All((one, rules.Threshold(LEVEL, top))) for one in held for top in tops[::2]],
        },
    )


def river() -> None:
    read = list(rows(DATA / "hazards" / "fulda_rain_discharge_daily.csv.gz"))
    time = np.array([moment(row["date"]) for row in read])
    series = Series("river", time, *(np.array([float(row[name]) for row in read]) for name in ("Q", "Prec")), 14 * DAY, 7 * DAY)
    flows = [float(flow) for flow in range(30, 110, 5)]
    rains = [float(rain) for rain in range(2, 32, 2)]
    wet: list[Condition] = [
        rules.Count(Pick((0,), rain), n, days * DAY) for rain in rains for n, days in ((1, 1), (2, 3), (3, 4), (3, 7), (4, 7))
    ]
    warned(
        series,
        {
            "level": [rules.Threshold(LEVEL, flow) for flow in flows],
            "rise": [rules.Rate(LEVEL, float(rise), DAY, rules.UP) for rise in range(5, 60, 5)],
            "rain": wet,
            "rain_and_level": [rules.All((one, rules.Threshold(LEVEL, flow))) for one in wet for flow in flows[::2]],
        },
    )


def meters() -> None:
    read = list(rows(DATA / "household_meter" / "electricity_hourly.csv.gz"))
    time = np.array([int(row["row"]) * HOUR + 15_000 * DAY for row in read])
    load = np.array([[float(row[name]) for name in row if name.startswith("load_kwh")] for row in read])
    half = len(load) // 2
    load /= np.quantile(load[:half], 0.05, axis=0) + 0.01  # in what the home uses when nobody does anything
    # of each kind from the most sensitive on
    kinds: dict[str, list[Condition]] = {
        "low_held": [rules.Hold(rules.Threshold(LEVEL, 1.1, direction=rules.DOWN), hours * HOUR) for hours in range(2, 49)],
        "routine": [_routine(times, over) for times in (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0) for over in (6, 12)],
        "silence": [
            rules.Silence(Pick((1,), 1.5), rarity, offset=0) for rarity in (0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0001)
        ],
    }
    for name, conditions in kinds.items():
        metered(name, conditions, time, load)


def _routine(times: float, over: int) -> Condition:
    return rules.Routine(LEVEL, rules.SUM, rules.DOWN, times, 1.0, over=over, week=rules.DAY_TYPES, offset=0)


def metered(name: str, conditions: list[Condition], time: NDArray[np.int64], load: Floats) -> None:
    """All homes together, as keys of one engine; from each moment at which use is stopped an engine of its own goes on."""
    homes, half = load.shape[1], len(load) // 2
    detectors = [Detector(str(number), 1, condition) for number, condition in enumerate(conditions)]

    def readings(first: int, values: Floats) -> Readings:
        at = np.repeat(time[first : first + len(values)], homes)
        return Readings.of(at, np.tile(np.arange(homes), len(values)), np.ones(len(at), np.int64), values.ravel())

    engine, done, alarms = Engine(detectors, lateness=0), 0, []
    noticed: dict[tuple[int, int, int], float] = {}  # by setting, moment and home
    starts = np.sort(np.random.default_rng(SEED).integers(half + 24, len(load) - 48, STOPS)).tolist()
    for start in starts:
        alarms += engine.step(readings(done, load[done:start]))
        done = start
        other = Engine(detectors, lateness=0)
        other.restore(engine.snapshot())
        stopped = np.tile(load[:half].min(axis=0), (48, 1))
        for alarm in other.step(readings(start, stopped)) + other.finish():
            if alarm.what == RAISED and alarm.at >= time[start]:
                noticed.setdefault((int(alarm.detector), start, alarm.key), (alarm.at - int(time[start])) / HOUR)
    alarms += engine.step(readings(done, load[done:])) + engine.finish()
    raised_at = [[alarm.at for alarm in alarms if alarm.what == RAISED and int(alarm.detector) == n] for n in range(len(conditions))]
    allowed = homes * (time[half] - time[0]) / MONTH
    best = next((n for n, own in enumerate(raised_at) if sum(at < time[half] for at in own) <= allowed), len(conditions) - 1)
    sys.stdout.write(f"meters {name}: {conditions[best]}\n")
    delays = [delay for (setting, *_), delay in noticed.items() if setting == best]
    after = sum(bool(at >= time[half]) for at in raised_at[best])
    record(f"hazards_meters_{name}_false", after / (homes * (time[-1] - time[half]) / MONTH), "alarms/month", after)
    record(f"hazards_meters_{name}_found", 100 * len(delays) / (STOPS * homes), "%", STOPS * homes)
    record(f"hazards_meters_{name}_delay", statistics.median(delays or [0]), "h", len(delays))


def pipeline() -> None:
    read = list(rows(DATA / "household_meter" / "pipeline_water_flow_hourly.csv"))
    time = np.array([moment(row["Time"]) for row in read])
    flow = np.array([float(row["Water flow [l/s]"]) for row in read])
    half = len(flow) // 2
    usual = float(np.median(flow[:half]))
    low = time[flow < 0.75 * usual]
    segments = [int(b) for a, b in zip([0, *low[:-1].tolist()], low.tolist(), strict=True) if b - a > HOUR and b >= time[half]]
    families: dict[str, Callable[[float], Condition]] = {
        "level": lambda off: rules.Threshold(LEVEL, usual - off, direction=rules.DOWN),
        "change": lambda off: rules.Rate(LEVEL, off, HOUR),
    }
    for name, made in families.items():
        conditions = [made(off) for off in (0.5, 1, 2, 3, 5, 8, 12, 20)]
        found = raised(conditions, time, [(1, flow)])
        allowed = (
            sum(bool(b - a > HOUR and b < time[half]) for a, b in itertools.pairwise(low.tolist())) + 3
        )  # its own segments and one a week
        best = next((n for n, alarms in enumerate(found) if sum(at < time[half] for at in alarms) <= allowed), len(conditions) - 1)
        alarms = [at for at in found[best] if at >= time[half]]
        noticed = [min(abs(at - start) for at in alarms) for start in segments if any(abs(at - start) <= DAY for at in alarms)]
        record(f"hazards_pipeline_{name}_found", len(noticed), "segments", len(segments))
        record(f"hazards_pipeline_{name}_delay", max(noticed or [0]) / HOUR, "h", len(noticed))
        others = [at for at in alarms if not any(abs(at - start) <= DAY for start in segments)]
        record(f"hazards_pipeline_{name}_false", len(others) / ((time[-1] - time[half]) / MONTH), "alarms/month", len(others))


def main() -> None:
    gauge()
    river()
    meters()
    pipeline()


if __name__ == "__main__":
    main()
