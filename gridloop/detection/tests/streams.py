"""Random streams and random detectors, small enough that much happens in them; and the ways a stream may arrive."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.messages import Alarm
from gridloop.detection.rules import Condition, Detector, Pick
from gridloop.detection.tests.reference import Reading, World

LATENESS = 12
END = 140

picks = st.builds(
    Pick,
    kinds=st.sampled_from([(), (0,), (1,), (0, 1), (2,)]),
    at_least=st.sampled_from([None, None, 1.0]),
    at_most=st.sampled_from([None, None, 2.0]),
)
spans = st.integers(1, 25)
levels = st.sampled_from(
    [(rules.UP, 1.0, None), (rules.UP, 2.0, 1.0), (rules.UP, 2.0, 0.5), (rules.DOWN, 1.0, None), (rules.DOWN, 0.5, 2.0)]
)
thresholds = st.builds(lambda pick, level: rules.Threshold(pick, level[1], level[2], level[0]), picks, levels)
rates = st.builds(
    rules.Rate, picks, st.sampled_from([0.25, 1.0, 3.0]), st.integers(1, 20), st.sampled_from([rules.UP, rules.DOWN, rules.BOTH])
)
absences = st.builds(rules.Absence, picks, spans)
leasts = st.sampled_from([1, 1, 2, 2, 3, 4, 5, 9])  # more than a step brings of a key, too
counts = st.builds(rules.Count, picks, leasts, st.integers(1, 40), st.booleans(), st.integers(0, 5))
distincts = st.builds(rules.Distinct, picks, leasts, spans, st.sampled_from([rules.TOKEN, rules.DEVICE]), st.booleans(), st.integers(0, 5))
dwells = st.builds(rules.Dwell, picks, st.integers(1, 12), st.sampled_from([None, (1,), (1, 3)]), st.one_of(st.none(), st.integers(1, 10)))
sequences = st.builds(rules.Sequence, picks, picks, spans, spans)
unanswereds = st.builds(rules.Unanswered, picks, picks, spans)
LEAVES = {
    "threshold": thresholds,
    "rate": rates,
    "absence": absences,
    "count": counts,
    "distinct": distincts,
    "dwell": dwells,
    "sequence": sequences,
    "unanswered": unanswereds,
}
leaves: st.SearchStrategy[Condition] = st.one_of(*LEAVES.values())


def begins_false(condition: Condition) -> bool:
    match condition:
        case rules.Not():
            return not begins_false(condition.of)
        case rules.All():
            return any(begins_false(inner) for inner in condition.of)
        case rules.Any_():
            return all(begins_false(inner) for inner in condition.of)
        case rules.Hold():
            return begins_false(condition.of)
        case _:
            return True


def joined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    gated = inner.filter(begins_false)
    several = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return st.one_of(
        st.builds(rules.All, several),
        st.builds(rules.Any_, several),
        st.builds(rules.Not, inner),
        st.builds(rules.Hold, inner, spans),
        st.builds(rules.Where, gated, st.just("alone"), st.just(1.0)),
        st.builds(rules.Unless, gated, st.just("away"), st.just("back")),
    )


pairs = st.lists(leaves, min_size=2, max_size=2).map(tuple)
JOINED: dict[str, st.SearchStrategy[Any]] = {
    "hold": st.builds(rules.Hold, leaves, st.integers(1, 9)),
    "where": st.builds(rules.Where, leaves, st.just("alone"), st.sampled_from([None, 1.0]), st.sampled_from([None, 0.5])),
    "unless": st.builds(rules.Unless, leaves, st.just("away"), st.just("back")),
    "all": st.builds(rules.All, pairs),
    "any": st.builds(rules.Any_, pairs),
    "and_not": st.builds(lambda yes, no: rules.All((yes, rules.Not(no))), leaves, leaves),
    "held_and_not": st.builds(
        lambda yes, no, longer: rules.Hold(rules.All((yes, rules.Not(no))), longer), leaves, leaves, st.integers(1, 9)
    ),
}
conditions = st.recursive(leaves, joined, max_leaves=4)
readings_ = st.builds(
    Reading,
    time=st.integers(0, END),
    device=st.integers(0, 3),
    kind=st.integers(0, 2),
    value=st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.0, float("nan")]),
    token=st.integers(0, 3),
    id=st.integers(0, 1),
)


def busy(seed: int, size: int, devices: int = 4) -> list[Reading]:
    """A dense stream: lists that shrink well are mostly short."""
    chance = Random(seed)
    values = [0.0, 0.5, 1.0, 2.0, 3.0, float("nan")]
    made = {
        (r.time, r.device, r.kind, r.id): r
        for r in (
            Reading(
                chance.randint(0, END),
                chance.randrange(devices),
                chance.randint(0, 2),
                chance.choice(values),
                chance.randint(0, 3),
                chance.randint(0, 1),
            )
            for _ in range(size)
        )
    }
    return list(made.values())


crowds = st.builds(busy, st.integers(0, 2**20), st.integers(20, 90))
few = st.lists(readings_, max_size=30, unique_by=lambda r: (r.time, r.device, r.kind, r.id))
streams = st.one_of(few, crowds)

WORLD = World(
    groups={"place": {0: 0, 1: 0, 2: 1}},
    facts={"alone": {0: 1.0, 1: 0.0}, "away": {0: 30.0, 1: 50.0, 2: 60.0}, "back": {0: 55.0, 1: 90.0}},
    enrolled={"device": {0: 3, 5: 7}, "place": {1: 4}},
)


def detector(when: Condition, by: str = rules.DEVICE, steps: tuple[rules.Step, ...] = (), quiet: int = 0, name: str = "d") -> Detector:
    return Detector(name, 1, when, by, 1, steps, quiet)


detectors = st.builds(
    detector,
    conditions.filter(begins_false),
    st.sampled_from([rules.DEVICE, "place"]),
    st.lists(st.builds(rules.Step, st.integers(1, 4), conditions), max_size=2).map(tuple),
    st.sampled_from([0, 0, 15, 40]),
)


@dataclass(frozen=True)
class Arrival:
    """How a stream comes in: ``seed`` of the shuffle within the lateness, share sent again, batch sizes, and restarts in between.

    ``compiled``: by which loops; after a restart by the others.
    """

    seed: int
    again: float = 0.0
    most: int = 7
    restarts: float = 0.0
    grid: int = 1
    compiled: bool = False


arrivals = st.builds(
    Arrival,
    st.integers(0, 2**16),
    st.sampled_from([0.0, 0.3]),
    st.integers(1, 12),
    st.sampled_from([0.0, 0.0, 0.2]),
    st.integers(1, 9),
    st.booleans(),
)


def columns(readings: list[Reading]) -> Readings:
    return Readings.of(*zip(*readings, strict=True)) if readings else Readings.of([], [], [])


def engine_for(rules_: list[Detector], world: World, grid: int, lateness: int = LATENESS, *, compiled: bool = False) -> Engine:
    engine = Engine(rules_, lateness, grid, compiled=compiled)
    used = {d.by for d in rules_}
    for by in used & world.groups.keys():
        engine.group(by, list(world.groups[by]), list(world.groups[by].values()))
    for by in used:
        for name, known in world.facts.items():
            engine.facts(by, name, [known.get(key, np.nan) for key in range(6)])
        for key, at in world.enrolled.get(by, {}).items():
            engine.enroll(by, [key], at)
    return engine


def arriving(readings: list[Reading], how: Arrival, lateness: int = LATENESS) -> list[Reading]:
    chance = Random(how.seed)
    sent = [r for r in readings for _ in range(2 if chance.random() < how.again else 1)]
    return [r for _, r in sorted(((r.time + chance.random() * lateness, r) for r in sent), key=lambda pair: pair[0])]


def found(
    rules_: list[Detector], readings: list[Reading], how: Arrival, world: World = WORLD, to: int = END, lateness: int = LATENESS
) -> list[Alarm]:
    """The engine's alarms of the stream as it arrives."""
    chance = Random(how.seed + 1)
    engine, compiled = engine_for(rules_, world, how.grid, lateness, compiled=how.compiled), how.compiled
    sent = arriving(readings, how, lateness)
    out: list[Alarm] = []
    while sent:
        size = chance.randint(1, how.most)
        out += engine.step(columns(sent[:size]))
        sent = sent[size:]
        if chance.random() < how.restarts:
            compiled = not compiled
            again = Engine(rules_, lateness, how.grid, compiled=compiled)
            assert again.restore(engine.snapshot()) == []
            engine = again
    out += engine.finish(to)
    assert engine.passed.late == 0
    return out
