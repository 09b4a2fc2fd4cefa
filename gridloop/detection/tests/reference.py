"""What every operator means, said plainly: from the whole history of a key, moment by moment, with no state and no haste.

Written before the engine and without a look at it; nothing of it is used outside of tests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple

import numpy as np

from gridloop.detection import rules
from gridloop.detection.messages import CLEARED, RAISED, STEPPED, Alarm
from gridloop.detection.rules import Condition, Detector, Pick

INF = float("inf")
Stretch = tuple[float, float]  # holds from the first moment up to before the second


class Reading(NamedTuple):
    time: int
    device: int
    kind: int
    value: float
    token: int
    id: int


@dataclass
class World:
    """Devices of each key by grouping, facts by name and key, and since when a key is known by grouping."""

    groups: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    facts: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    enrolled: Mapping[str, Mapping[int, int]] = field(default_factory=dict)


def alarms(detectors: list[Detector], readings: Iterable[Reading], to: int, world: World | None = None) -> list[Alarm]:
    """All alarms up to ``to``, that moment included, in the order of time, detector and key."""
    world = world or World()
    once = sorted({(r.time, r.device, r.kind, r.id): r for r in readings}.values(), key=lambda r: (r.time, r.device, r.kind, r.id))
    found: list[tuple[int, int, Alarm]] = []
    for number, detector in enumerate(detectors):
        group = world.groups.get(detector.by)
        keys: dict[int, list[Reading]] = {key: [] for key in world.enrolled.get(detector.by, {})}
        for reading in once:
            key = reading.device if group is None else group.get(reading.device, -1)
            if key >= 0 and reading.time <= to:
                keys.setdefault(key, []).append(reading)
        for key, own in keys.items():
            found.extend((alarm.at, number, alarm) for alarm in _raised(detector, key, own, world, to) if alarm.at <= to)
    return [alarm for _at, _number, alarm in sorted(found, key=lambda f: (f[0], f[1], f[2].key))]


def _raised(detector: Detector, key: int, readings: list[Reading], world: World, to: int) -> list[Alarm]:
    look = _Look(key, readings, world, detector.by, to)
    steps = [(step.severity, look.at(step.when)) for step in detector.steps]
    out: list[Alarm] = []
    raised = -INF
    for start, end in look.at(detector.when):
        if start < raised + detector.quiet:
            continue
        raised = start
        moments = sorted({start} | {s for _, stretches in steps for s, _ in stretches if start < s < end})
        worst = None
        for moment in moments:
            now = max([detector.severity, *(severity for severity, stretches in steps if _within(moment, stretches))])
            if worst is None or now > worst:
                out.append(_alarm(detector, key, start, moment, now, RAISED if worst is None else STEPPED))
                worst = now
        if end < INF:
            out.append(_alarm(detector, key, start, end, worst or 0, CLEARED))
    return out


def _alarm(detector: Detector, key: int, start: float, at: float, severity: int, what: str) -> Alarm:
    return Alarm(int(at), detector.id, detector.version, key, int(start), severity, what)


def _within(moment: float, stretches: list[Stretch]) -> bool:
    return any(start <= moment < end for start, end in stretches)


def _stretches(moments: Iterable[float], holds: Callable[[float], bool]) -> list[Stretch]:
    """Stretches of a condition that changes at no other moments than these, and does not hold before the first."""
    out: list[Stretch] = []
    since: float | None = None
    for moment in sorted(set(moments)):
        now = holds(moment)
        if now and since is None:
            since = moment
        elif not now and since is not None:
            out.append((since, moment))
            since = None
    return out if since is None else [*out, (since, INF)]


def _amounts(c: rules.Routine, readings: list[Reading]) -> dict[int, float]:
    """What each local hour has in which anything was read."""
    hours: dict[int, list[Reading]] = {}
    for r in readings:
        hours.setdefault((r.time + c.offset) // rules.HOUR, []).append(r)
    if c.of == rules.SUM:
        return {h: sum(round(r.value * 1000) for r in own) / 1000 for h, own in hours.items()}
    return {h: len(own) if c.of == rules.COUNT else 1 for h, own in hours.items()}


@dataclass
class _Look:
    """One key of a detector."""

    key: int
    readings: list[Reading]
    world: World
    by: str
    to: int

    def at(self, condition: Condition) -> list[Stretch]:
        ways: dict[type[Condition], Callable[[Any], list[Stretch]]] = {
            rules.Threshold: self.threshold,
            rules.Rate: self.rate,
            rules.Absence: self.absence,
            rules.Count: self.count,
            rules.Distinct: self.distinct,
            rules.Days: self.days,
            rules.Dwell: self.dwell,
            rules.Sequence: self.sequence,
            rules.Unanswered: self.unanswered,
            rules.Routine: self.routine,
            rules.Silence: self.silence,
            rules.Hold: self.hold,
            rules.During: self.during,
            rules.Where: self.where,
            rules.Unless: self.unless,
            rules.All: self.all,
            rules.Any_: self.any,
            rules.Not: self.negated,
        }
        return ways[type(condition)](condition)

    def picked(self, pick: Pick, until: float = INF) -> list[Reading]:
        return [
            r
            for r in self.readings
            if r.time <= until
            and (not pick.kinds or r.kind in pick.kinds)
            and (pick.at_least is None or r.value >= pick.at_least)
            and (pick.at_most is None or r.value <= pick.at_most)
            and (pick.during is None or bool(pick.during.is_open([r.time])[0]))
        ]

    def threshold(self, c: rules.Threshold) -> list[Stretch]:
        clear = c.limit if c.clear is None else c.clear

        def holds(t: float) -> bool:
            on = False
            for r in self.picked(c.pick, t):
                if r.value >= c.limit if c.direction == rules.UP else r.value <= c.limit:
                    on = True
                elif r.value < clear if c.direction == rules.UP else r.value > clear:
                    on = False
            return on

        return _stretches([r.time for r in self.picked(c.pick)], holds)

    def rate(self, c: rules.Rate) -> list[Stretch]:
        def holds(t: float) -> bool:
            last = {r.time: r.value for r in self.picked(c.pick, t) if r.value == r.value}
            if len(last) < 2:
                return False
            (before, old), (now, new) = sorted(last.items())[-2:]
            rise = {rules.UP: new - old, rules.DOWN: old - new, rules.BOTH: abs(new - old)}[c.direction]
            return rise * c.per >= c.change * (now - before)

        return _stretches([r.time for r in self.picked(c.pick)], holds)

    def absence(self, c: rules.Absence) -> list[Stretch]:
        known = self.world.enrolled.get(self.by, {}).get(self.key)

        def holds(t: float) -> bool:
            times = [r.time for r in self.picked(c.pick, t)] or ([known] if known is not None and known <= t else [])
            return bool(times) and max(times) + c.longer <= t

        times = [r.time for r in self.picked(c.pick)] + ([known] if known is not None else [])
        return _stretches([*times, *(t + c.longer for t in times)], holds)

    def _windowed(self, c: rules.Count | rules.Distinct, many: Callable[[list[Reading]], int]) -> list[Stretch]:
        readings = self.picked(c.pick)

        def inside(time: int, t: float) -> bool:
            if c.tumbling:
                return (time - c.offset) // c.within == (t - c.offset) // c.within and time <= t
            return t - c.within < time <= t

        def ends(time: int) -> int:
            return ((time - c.offset) // c.within + 1) * c.within + c.offset if c.tumbling else time + c.within

        moments = [m for r in readings for m in (r.time, ends(r.time))]
        return _stretches(moments, lambda t: many([r for r in readings if inside(r.time, t)]) >= c.least)

    def count(self, c: rules.Count) -> list[Stretch]:
        return self._windowed(c, len)

    def distinct(self, c: rules.Distinct) -> list[Stretch]:
        if c.of == rules.DEVICE:
            return self._windowed(c, lambda readings: len({r.device for r in readings}))
        return self._windowed(c, lambda readings: len({r.token for r in readings if r.token}))

    def days(self, c: rules.Days) -> list[Stretch]:
        readings = [r for r in self.picked(c.pick) if r.token]

        def day(t: float) -> int:
            return int((t + c.offset) // rules.DAY)

        def holds(t: float) -> bool:
            seen: dict[int, set[int]] = {}
            for r in readings:
                if r.time <= t and day(r.time) > day(t) - c.of:
                    seen.setdefault(r.token, set()).add(day(r.time))
            return any(len(days) >= c.least for days in seen.values())

        ends = [(day(r.time) + c.of) * rules.DAY - c.offset for r in readings]
        return _stretches([*(r.time for r in readings), *ends], holds)

    def dwell(self, c: rules.Dwell) -> list[Stretch]:
        at = {r.time: r.token for r in self.picked(c.pick)}  # the last of a moment

        def holds(t: float) -> bool:
            zone, since, last = 0, 0, 0
            for time in sorted(at):
                if time > t:
                    break
                here = at[time] if c.zones is None or at[time] in c.zones else 0
                if here != zone or (c.gap is not None and time - last > c.gap):
                    since = time
                zone, last = here, time
            return zone != 0 and since + c.longer <= t

        return _stretches([m for time in at for m in (time, time + c.longer)], holds)

    def sequence(self, c: rules.Sequence) -> list[Stretch]:
        firsts = [r.time for r in self.picked(c.first)]
        hits = [r.time for r in self.picked(c.then) if any(r.time - c.within <= a < r.time for a in firsts)]
        return _stretches([m for t in hits for m in (t, t + c.keep)], lambda t: any(h <= t < h + c.keep for h in hits))

    def unanswered(self, c: rules.Unanswered) -> list[Stretch]:
        firsts = [r.time for r in self.picked(c.first)]
        answers = [r.time for r in self.picked(c.then)]

        def holds(t: float) -> bool:
            answered = max((a for a in answers if a <= t), default=-1)
            return any(answered < f and f + c.within <= t for f in firsts)

        return _stretches([*answers, *(m for f in firsts for m in (f, f + c.within))], holds)

    def routine(self, c: rules.Routine) -> list[Stretch]:
        readings = [r for r in self.picked(c.pick) if c.of != rules.SUM or abs(r.value) <= rules.MOST_SUMMED]
        known = self.world.enrolled.get(self.by, {}).get(self.key)
        times = [r.time for r in readings] + ([known] if known is not None else [])
        if not times:
            return []

        def slot(h: int) -> tuple[int, int]:
            weekday = date.fromordinal(date(1970, 1, 1).toordinal() + h // 24).weekday()
            return (weekday if c.week == rules.WEEKDAYS else weekday // 5, h % 24)

        amounts = _amounts(c, readings)
        usual: dict[tuple[int, int], list[float]] = {}  # mean, how often seen
        calm, window = float("nan"), [float("nan")] * c.over
        states: dict[float, bool] = {}
        for h in range((min(times) + c.offset) // rules.HOUR + 1, (self.to + c.offset) // rules.HOUR + 1):
            mean, seen = usual.get(slot(h), [0.0, 0])
            off = amounts.get(h, 0) - mean
            window = [off if seen >= c.learn else float("nan"), *window[:-1]]
            deviation = window[0]
            for earlier in window[1:]:
                deviation += float(np.float32(earlier))
            limit = calm * c.times + c.least
            states[(h + 1) * rules.HOUR - c.offset] = (c.direction != rules.UP and deviation <= -limit) or (
                c.direction != rules.DOWN and deviation >= limit
            )
            near = max(-limit, min(limit, off)) if limit == limit and seen >= c.learn else off
            usual[slot(h)] = [float(np.float32(mean + near / min(seen + 1, 8) if seen else amounts.get(h, 0))), seen + 1]
            if deviation == deviation:
                calm = float(np.float32(abs(deviation) if calm != calm else calm + (min(abs(deviation), limit) - calm) / 32))
        return _stretches(states, lambda t: states[t])

    def silence(self, c: rules.Silence) -> list[Stretch]:
        known = self.world.enrolled.get(self.by, {}).get(self.key)
        times = [r.time for r in self.picked(c.pick)] + ([known] if known is not None else [])
        if not times:
            return []
        heard = {(r.time + c.offset) // rules.HOUR for r in self.picked(c.pick)}
        kinds = 7 if c.week == rules.WEEKDAYS else 2
        usual = {(kind, hour): [0.0, 0] for kind in range(kinds) for hour in range(24)}  # share with a reading, how often seen
        bits, on, states = dict[int, int](), False, dict[float, bool]()
        for h in range((min(times) + c.offset) // rules.HOUR + 1, (self.to + c.offset) // rules.HOUR + 1):
            weekday = date.fromordinal(date(1970, 1, 1).toordinal() + h // 24).weekday()
            kind = weekday if kinds == 7 else weekday // 5
            every = [usual[other, h % 24] for other in range(kinds)]
            mean, seen = usual[kind, h % 24]
            all_days = sum(min(n, 8) * m for m, n in every) / (sum(min(n, 8) for _, n in every) + 1)
            share = (min(seen, 8) * mean + 4 * all_days) / (min(seen, 8) + 4)
            bits = {} if h in heard else {back: some for back, some in bits.items() if back > h - c.over}
            if h not in heard and sum(n for _, n in every) >= c.learn:
                bits[h] = round(-32 * math.log2(1 - share))
            harmless = min(6, self.world.facts.get(rules.HARMLESS, {}).get(self.key, 0))
            on = h not in heard and (on or sum(bits.values()) >= -32 * math.log2(c.rarity / 2**harmless))
            states[(h + 1) * rules.HOUR - c.offset] = on
            new = (mean + ((h in heard) - mean) / min(seen + 1, 8)) if seen else float(h in heard)
            usual[kind, h % 24] = [mean if on else float(np.float32(new)), seen + 1]
        return _stretches(states, lambda t: states[t])

    def hold(self, c: rules.Hold) -> list[Stretch]:
        return [(start + c.longer, end) for start, end in self.at(c.of) if start + c.longer < end]

    def during(self, c: rules.During) -> list[Stretch]:
        return self._gated(c.of, lambda t: float(c.schedule.next_open([int(t)])[0]))

    def where(self, c: rules.Where) -> list[Stretch]:
        value = self.world.facts.get(c.fact, {}).get(self.key)
        so = value is not None and (c.at_least is None or value >= c.at_least) and (c.at_most is None or value <= c.at_most)
        return self.at(c.of) if so else []

    def unless(self, c: rules.Unless) -> list[Stretch]:
        since, till = (self.world.facts.get(name, {}).get(self.key, float("nan")) for name in (c.since, c.till))
        return self._gated(c.of, lambda t: till if since <= t < till else t)

    def _gated(self, of: Condition, opens: Callable[[float], float]) -> list[Stretch]:
        return [(opens(start), end) for start, end in self.at(of) if opens(start) < end]

    def _together(self, of: tuple[Condition, ...], how: Callable[[list[bool]], bool]) -> list[Stretch]:
        each = [self.at(condition) for condition in of]
        moments = {m for stretches in each for stretch in stretches for m in stretch if m < INF}
        return _stretches(moments | {-INF}, lambda t: how([_within(t, stretches) for stretches in each]))

    def all(self, c: rules.All) -> list[Stretch]:
        return self._together(c.of, all)

    def any(self, c: rules.Any_) -> list[Stretch]:
        return self._together(c.of, any)

    def negated(self, c: rules.Not) -> list[Stretch]:
        return self._together((c.of,), lambda states: not states[0])
