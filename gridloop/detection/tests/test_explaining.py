"""What is explained is what happened: the same alarms, and conditions that hold when the engine says so."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.explaining import Explained
from gridloop.detection.rules import Detector, Pick
from gridloop.detection.tests.reference import Reading
from gridloop.detection.tests.streams import END, LATENESS, WORLD, columns, detector, detectors, engine_for, streams


@given(st.lists(detectors, min_size=1, max_size=2), streams, st.integers(0, 3), st.integers(1, 9))
@settings(max_examples=150)
def test_alarms_of_the_key_are_those_of_the_engine(found: list[Detector], readings: list[Reading], device: int, most: int) -> None:
    by = found[0].by
    key = device if by == rules.DEVICE else WORLD.groups["place"].get(device, -1)
    rules_ = [Detector(f"d{n}", 1, one.when, by, 1, one.steps, one.quiet) for n, one in enumerate(found)]
    engine = engine_for(rules_, WORLD, 1)
    explained = Explained(rules_, LATENESS, 1)
    mine = [device] if by == rules.DEVICE else [one for one, place in WORLD.groups["place"].items() if place == key]
    explained.facts({name: known[key] for name, known in WORLD.facts.items() if key in known})
    if key in (enrolled := WORLD.enrolled.get(by, {})):
        explained.devices(mine, enrolled[key])
    else:
        explained.devices(mine, END * 100)  # nothing is expected of it before it is read
    alarms = []
    for start in range(0, len(readings), most):
        batch = columns(readings[start : start + most])
        alarms += engine.step(batch)
        explained.step(batch)
    alarms += engine.finish(END)
    told = explained.finish(END)
    for one in told:
        of_key = [a for a in alarms if a.detector == one.detector.id and a.key == key]
        assert [(a.at, a.what, a.severity) for a in one.alarms] == [(a.at, a.what, a.severity) for a in of_key]
        whole = one.parts[0]
        assert (whole.condition, whole.depth, whole.part) == (one.detector.when, 0, 0)
        if not one.quieted and not one.detector.quiet:
            assert whole.count == sum(a.what == "raised" for a in of_key)
            assert whole.on == (sum(a.what == "raised" for a in of_key) > sum(a.what == "cleared" for a in of_key))


def test_what_held_when_and_what_it_waits_for() -> None:
    low, silent = rules.Threshold(Pick((1,)), 5.0, None, rules.DOWN), rules.Absence(Pick((2,)), 1_000)
    one = detector(rules.All((low, rules.Hold(rules.Not(silent), 300))), name="both")
    explained = Explained([one], 0, 1)
    explained.devices([4], 0)
    explained.step(Readings.of([100, 200, 400, 500, 900], [4, 4, 9, 4, 4], [1, 2, 1, 1, 2], [9.0, 0, 1.0, 3.0, np.nan]))
    (told,) = explained.finish(950)
    assert [(type(t.condition).__name__, t.depth, t.on, t.count, t.stretches, t.due) for t in told.parts] == [
        ("All", 0, True, 1, ((500, None),), None),
        ("Threshold", 1, True, 1, ((500, None),), None),
        ("Hold", 1, True, 0, (), None),  # of what holds from the first
        ("Not", 2, True, 0, (), None),
        ("Absence", 3, False, 0, (), 1_900),
    ]
    assert [(a.at, a.what) for a in told.alarms] == [(500, "raised")]
    assert {kind: at for kind, (at, _) in explained.last.items()} == {1: 500, 2: 900}
