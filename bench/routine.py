"""The learned routine on real homes of people living alone: silences put into them that are found, and alarms nobody asked for.

Data: ``smart_home`` of the shared data; a reading is the start of a row, homes run one by one, by their own clock. A routine learns as
it goes; what counts is the second half of each home. A silence of 8 hours is put at every hour (and a chance minute of it) from 07 to
15 of every day, where it takes something away; it is found when an alarm is raised within it. Two ways to say which of them lie in waking
hours: all of them (``clock``), and those in which the home's diary has the person awake and at home for 6 of the 8 hours (``diary``):
somebody who goes out to work every day is silent every day. Any other alarm of the second half is false, unless its silence lasts a day.
``fitted``: the same by what the first half taught alone, nothing learned since; less than what is at work, which goes on learning.

Intervals are of 95 %: over whole days drawn anew, because silences of a day overlap; of counts by Poisson. Beside it in the same run:
the deviation of the last eight hours together (``Routine``), which was there before, and the day without anything (``Absence``).
"""

from __future__ import annotations

import csv
import gzip
import itertools
import sys
from collections import defaultdict
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from kit.data import DATA
from kit.record import record
from scipy.stats import chi2

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.messages import RAISED, Alarm
from gridloop.detection.rules import DAY, HOUR, MINUTE, Condition, Detector, Pick
from gridloop.detection.tests.fitted import Fitted

SEED = int(sys.argv[sys.argv.index("--seed") + 1]) if "--seed" in sys.argv else 7
LONG, FIRST, LAST, AWAKE = 8, 7, 15, 6  # hours
MONTH = 365.25 / 12
RARITIES = (0.1, 0.05, 0.03, 0.02, 0.01, 0.007, 0.005, 0.003, 0.002, 0.001, 0.0009, 0.0005)
AWAY = ("go to bed", "Sleeping", "leave house", "Leaving", "Going out")
CONDITIONS: dict[str, Condition] = {
    **{f"silence_{rarity}": rules.Silence(Pick(), rarity, offset=0) for rarity in RARITIES},
    "eight_hours": rules.Routine(Pick(), rules.SEEN, rules.DOWN, 1e-9, 3.5, learn=3, over=8, week=rules.DAY_TYPES, offset=0),
    "day": rules.Absence(Pick(), DAY),
}
DETECTORS = [Detector(name, 1, condition) for name, condition in CONDITIONS.items()]


class Try(NamedTuple):
    """A silence put in: whether it lies in waking hours by the diary, and the detectors that found it."""

    day: tuple[str, int]
    diary: bool
    found: frozenset[str]


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def homes() -> tuple[dict[str, list[int]], dict[str, list[tuple[int, int]]]]:
    """Moments of each home's readings, and stretches in which its person was out or asleep."""
    times, away = defaultdict(list), defaultdict(list)
    with gzip.open(DATA / "smart_home" / "events.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            times[row["home"]].append(moment(row["start"]))
    with gzip.open(DATA / "smart_home" / "activities.csv.gz", "rt", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["activity"].startswith(AWAY):
                away[row["home"]].append((moment(row["start"]), moment(row["end"])))
    return {home: sorted(found) for home, found in times.items()}, away


def fed(engine: Engine, times: list[int], to: int) -> list[Alarm]:
    """The alarms of what was read, up to before a moment."""
    out = engine.step(Readings.of(times, [0] * len(times), [0] * len(times), id=range(len(times)))) if times else []
    return out + engine.finish(to - 1)


def tries(home: str, times: list[int], away: list[tuple[int, int]], *, fitted: bool) -> tuple[list[Try], list[Alarm]]:
    """Every silence put in, and the alarms of the home as it was. ``fitted``: nothing is learned of the second half."""
    draw = np.random.default_rng(SEED)
    middle, out, alarms = (times[0] + times[-1]) // 2, [], []
    around = Fitted(middle) if fitted else (lambda _, part: part)
    engine, done = Engine(DETECTORS, lateness=0, grid=1, around=around), 0
    for day in range(middle // DAY + 1, times[-1] // DAY + 1):
        for hour in range(FIRST, LAST + 1):
            start = day * DAY + hour * HOUR + int(draw.integers(60 if hour < LAST else 1)) * MINUTE
            end = start + LONG * HOUR
            taken = [at for at in times if start <= at < end]
            if end > times[-1] or not taken:
                continue
            alarms += fed(engine, [at for at in times[done:] if at < start], start)
            done = sum(at < start for at in times)
            other = Engine(DETECTORS, lateness=0, grid=1, around=around)
            other.restore(engine.snapshot())
            found = frozenset(alarm.detector for alarm in fed(other, [], end + 1) if alarm.what == RAISED)
            gone = sum(max(0, min(end, till) - max(start, since)) for since, till in away)
            out.append(Try((home, day), gone <= (LONG - AWAKE) * HOUR, found))
    return out, [alarm for alarm in alarms + fed(engine, times[done:], times[-1] + 1) if alarm.what == RAISED]


def interval(some: list[Try], name: str) -> tuple[float, float]:
    """Of the share found, over whole days drawn anew."""
    days: dict[tuple[str, int], list[bool]] = defaultdict(list)
    for one in some:
        days[one.day].append(name in one.found)
    found = np.array([[sum(day), len(day)] for day in days.values()])
    drawn = found[np.random.default_rng(SEED).integers(0, len(found), (4_000, len(found)))].sum(axis=1)
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
    return float(low), float(high)


def main() -> None:
    times, away = homes()
    months = sum((own[-1] - own[0]) / 2 / DAY / MONTH for own in times.values())
    record("routine_months_scored", months, "months", len(times))
    for fitted in (True, False):
        found = {home: tries(home, own, away[home], fitted=fitted) for home, own in times.items()}
        every = [one for some, _ in found.values() for one in some]
        for name in CONDITIONS:
            called = f"routine_fitted_{name}" if fitted else f"routine_{name}"
            for which, some in (("clock", every), ("diary", [one for one in every if one.diary])):
                low, high = interval(some, name)
                record(f"{called}_found_{which}", 100 * np.mean([name in one.found for one in some]), "%", len(some))
                record(f"{called}_found_{which}_low", 100 * low, "%", len(some))
                record(f"{called}_found_{which}_high", 100 * high, "%", len(some))
            for home, (some, _) in found.items():
                record(f"{called}_found_clock_{home}", sum(name in one.found for one in some), "silences", len(some))
            wrong = sum(false_alarms(times[home], alarms, name) for home, (_, alarms) in found.items())
            record(f"{called}_false", wrong / months, "alarms/month", wrong)
            record(f"{called}_false_low", (chi2.ppf(0.025, 2 * wrong) / 2 if wrong else 0) / months, "alarms/month", wrong)
            record(f"{called}_false_high", chi2.ppf(0.975, 2 * wrong + 2) / 2 / months, "alarms/month", wrong)
    long = [b for own in times.values() for a, b in itertools.pairwise(own) if b - a > DAY]
    raised = [alarm.at for _, alarms in found.values() for alarm in alarms if alarm.detector == "day"]
    record("routine_days_of_silence_found", len(raised), "silences", len(long))


def false_alarms(times: list[int], alarms: list[Alarm], name: str) -> int:
    """Of the second half, other than in a silence of a day."""
    middle = (times[0] + times[-1]) // 2
    long = [(a, b) for a, b in itertools.pairwise(times) if b - a > DAY]
    return sum(alarm.detector == name and alarm.at > middle and not any(a < alarm.at <= b for a, b in long) for alarm in alarms)


if __name__ == "__main__":
    main()
