"""A restart goes on as if nothing had been, or says clearly that it cannot."""

from __future__ import annotations

import dataclasses
import io
import pickle
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.columns import Readings
from gridloop.detection.engine import Engine
from gridloop.detection.rules import Detector, Pick
from gridloop.detection.snapshots import unpacked
from gridloop.detection.tests.reference import Reading
from gridloop.detection.tests.streams import END, WORLD, Arrival, arriving, columns, detectors, engine_for, streams

QUIET = Detector("q", 1, rules.Count(Pick(), 1, 5), quiet=100)
SILENT = Detector("s", 1, rules.Absence(Pick(), 50))


@settings(max_examples=40, database=None)
@given(detectors, streams, st.integers(0, 2**16))
def test_snapshot_of_a_restored_engine_is_the_same(rule: Detector, readings: list[Reading], seed: int) -> None:
    engine = engine_for([rule], WORLD, 3)
    sent = arriving(readings, Arrival(seed))
    engine.step(columns(sent[: Random(seed).randint(0, len(sent))]))
    again = Engine([rule], 12, 3)
    assert again.restore(engine.snapshot()) == []
    first, second = unpacked(engine.snapshot()), unpacked(again.snapshot())
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name], name)


def test_replay_from_an_older_snapshot_names_the_same_alarms() -> None:
    engine = Engine([QUIET, SILENT], lateness=0, grid=1)
    engine.step(Readings.of([10, 20], [0, 1], [0, 0]))
    old = engine.snapshot()
    rest = Readings.of([40, 90, 130, 300], [0, 1, 0, 2], [0, 0, 0, 0])
    lost = engine.step(rest)
    again = Engine([QUIET, SILENT], lateness=0, grid=1)
    again.restore(old)
    assert again.step(rest) == lost
    assert len(lost) > 4
    assert again.quieted == engine.quieted == {"q": 2, "s": 0}


def test_what_is_waiting_and_counted_is_kept() -> None:
    engine = Engine([SILENT], lateness=30, grid=10)
    engine.step(Readings.of([100, 101, 40, 120], [0, 3, 2, 3], [0, 0, 0, 1], [1.0, np.nan, 2.0, 3.0]))
    again = Engine([SILENT], lateness=30, grid=10)
    again.restore(engine.snapshot())
    assert (again.watermark, again.passed, again.late_by) == (engine.watermark, engine.passed, {2: 1})
    assert again.finish(500) == engine.finish(500)


def test_a_changed_definition_begins_anew_and_is_named() -> None:
    engine = Engine([QUIET, SILENT], lateness=0, grid=1)
    engine.step(Readings.of([10, 20], [0, 1], [0, 0]))
    changed = dataclasses.replace(SILENT, version=2, when=rules.Absence(Pick(), 60))
    again = Engine([changed, QUIET], lateness=0, grid=1)
    assert again.restore(engine.snapshot()) == ["s"]
    mine = [alarm for alarm in again.finish(500) if alarm.detector == "s"]
    assert [(alarm.key, alarm.start) for alarm in mine] == [(1, 80)]  # it never saw device 0; the reading of 1 still waited
    assert again.step(Readings.of([600, 700], [0, 0], [0, 0]))[-1].start == 660


@settings(max_examples=40, database=None)
@given(detectors, streams, st.integers(0, 2**16))
def test_a_new_detector_is_warmed_up_from_history(rule: Detector, readings: list[Reading], seed: int) -> None:
    """From then on it raises what it would have raised had it always been there."""
    sent = arriving(readings, Arrival(seed))
    cut = Random(seed).randint(0, len(sent))
    whole, before = (engine_for(rules_, WORLD, 3) for rules_ in ([SILENT, rule], [SILENT]))
    whole.step(columns(sent[:cut]))
    before.step(columns(sent[:cut]))
    engine = Engine([SILENT, rule], 12, 3)
    assert engine.restore(before.snapshot()) == ["d"]
    for by in {rule.by} & WORLD.groups.keys():
        engine.group(by, list(WORLD.groups[by]), list(WORLD.groups[by].values()))
    warm = engine_for([rule], WORLD, 3)
    warm.step(columns(sorted(r for r in sent[:cut] if r.time < engine.watermark)))
    warm.finish(engine.watermark - 1)
    assert engine.adopt(warm) == ["d"]
    for name, known in WORLD.facts.items():
        engine.facts(rule.by, name, [known.get(key, np.nan) for key in range(6)])
    rest = columns(sent[cut:])
    assert engine.step(rest) + engine.finish(END) == whole.step(rest) + whole.finish(END)


def test_warm_up_to_another_moment_is_refused() -> None:
    engine, warm = Engine([SILENT], lateness=0), Engine([SILENT], lateness=0)
    engine.step(Readings.of([5000], [0], [0]))
    warm.finish(100)
    with pytest.raises(ValueError, match="5000 is needed"):
        engine.adopt(warm)


def test_schedules_and_facts_are_part_of_the_definition() -> None:
    plain = Detector("d", 1, rules.Where(SILENT.when, "alone", 1))
    engine = Engine([plain])
    other = Engine([dataclasses.replace(plain, when=rules.Where(SILENT.when, "alone", 0))])
    assert other.restore(engine.snapshot()) == ["d"]


@pytest.mark.parametrize("cut", [0, 10, 0.5, -1])
def test_a_cut_snapshot_is_refused(cut: float) -> None:
    data = Engine([SILENT]).snapshot()
    part = data[: int(len(data) * cut) if isinstance(cut, float) else cut]
    with pytest.raises(ValueError, match="cannot be read"):
        Engine([SILENT]).restore(part)


def test_a_flipped_byte_is_refused() -> None:
    engine = Engine([SILENT])
    engine.step(Readings.of(range(50), range(50), [0] * 50))
    data = engine.snapshot()
    at = data.index(np.arange(50).tobytes()) + 9
    with pytest.raises(ValueError, match="cannot be read"):
        Engine([SILENT]).restore(data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])


def test_objects_are_refused_and_later_formats_too() -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        unpacked(pickle.dumps([1]))
    with pytest.raises(ValueError, match="format 2"):
        unpacked(_format(2))


def _format(number: int) -> bytes:
    out = io.BytesIO()
    np.savez(out, format=np.array(number))
    return out.getvalue()
