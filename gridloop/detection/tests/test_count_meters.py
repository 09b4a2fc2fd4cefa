"""Meters that send their state count as what was used, however the states arrive; wraps are counted on, resets and faults are told."""

from __future__ import annotations

import math
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.columns import Readings, by_device, joined
from gridloop.detection.engine import Engine
from gridloop.detection.language import LanguageFault, detectors
from gridloop.detection.messages import Alarm
from gridloop.detection.rules import HOUR, MINUTE, Detector, Pick, Total
from gridloop.detection.tests.documents import KINDS
from gridloop.detection.totals import Backwards, Totals
from gridloop.detection.values import Kind

USE, STATE, DOOR = 0, 1, 2
METER = Total(STATE, USE, 20.0)
USED = Pick((USE,), at_least=0.25)
RULES = [
    Detector("often", 1, rules.Count(USED, 2, 3 * HOUR), totals=(METER,)),
    Detector("much", 1, rules.Threshold(Pick((USE,)), 5.0), totals=(METER,)),
    Detector("still", 1, rules.Absence(USED, 4 * HOUR), by="household", totals=(METER,)),
]
State = tuple[int, int, float]  # minute, device, value

GONE = -1e9  # says 0 once, and goes on as before; twice in a row so often
steps = st.sampled_from([0.0, 0.25, 0.5, 1.0, 6.0, 19.0, 500.0, -0.5, -900.0, GONE, GONE, -2 * GONE])
streams = st.lists(st.tuples(st.integers(1, 90), st.integers(0, 2), steps), max_size=40)


def states(drawn: list[tuple[int, int, float]]) -> list[State]:
    """Of meters with three digits, each at a moment of its own."""
    now, value, out = 0, [995.0, 10.0, 400.0], []
    for wait, device, step in drawn:
        now += wait
        if abs(step) >= -GONE:
            value[device] = 0.0 if step > 0 else value[device]  # it was exchanged
            out.append((now, device, 0.0))
            continue
        value[device] = (value[device] + step) % 1000
        out.append((now, device, value[device]))
    return out


def used(found: list[State]) -> tuple[list[State], list[int], list[int]]:
    """One after the other in plain Python: uses, devices that fell back and that rose too much."""
    last: dict[int, tuple[int, float]] = {}
    held: dict[int, float] = {}  # what it was before it fell to 0
    uses, back, over = [], [], []
    for minute, device, value in found:
        kept = held.pop(device, math.inf)
        if device in last:
            when, before = last[device]
            most = METER.most * max(minute - when, 60) / 60
            use = value - before
            if use < 0:
                ends = [m * 10**n for m in (1, 6.5536, 1.6777216, 4.294967296) for n in range(4)]
                on = [e - before + value for e in ends if e > before >= 0.9 * e and value <= 0.1 * e and e - before + value <= most]
                use = min(on, default=math.nan)
            if 0 <= value - kept <= most:
                use = value - kept
            if math.isnan(use):
                back.append(device)
                if value == 0:
                    held[device] = before
            elif use > most:
                over.append(device)
            else:
                uses.append((minute, device, use))
        last[device] = minute, value
    return uses, back, over


def columns(found: list[State], kind: int) -> Readings:
    return Readings.of(
        [minute * MINUTE for minute, *_ in found], [one for _, one, _ in found], [kind] * len(found), [value for *_, value in found]
    )


def engine(known: list[Detector]) -> Engine:
    made = Engine(known, lateness=30 * MINUTE)
    made.group("household", [0, 1, 2], [0, 1, 1])
    made.enroll("household", [0, 1], 0)
    return made


def told(alarms: list[Alarm]) -> list[tuple[object, ...]]:
    return [(alarm.detector, alarm.key, alarm.start, alarm.at, alarm.what) for alarm in alarms]


@settings(max_examples=80, database=None)
@given(streams, st.integers(0, 2**16), st.integers(1, 9))
def test_they_raise_what_their_uses_raise(drawn: list[tuple[int, int, float]], seed: int, size: int) -> None:
    found, end = states(drawn), 90 * 41 * MINUTE
    uses, back, over = used(found)
    plain = engine([replace(rule, totals=()) for rule in RULES])
    expected = told([*plain.step(columns(uses, USE)), *plain.finish(end)])
    shuffle = Random(seed)
    moved = sorted(found, key=lambda one: one[0] + shuffle.randint(0, 29))  # within the lateness
    meters, out = engine(RULES), list[Alarm]()
    for begin in range(0, len(moved), size):
        out += meters.step(columns(moved[begin : begin + size], STATE))
        if begin % 2:  # goes on from a snapshot; what was counted is with whoever looks at it
            before, meters = meters, engine(RULES)
            assert meters.restore(before.snapshot()) == []
    assert told([*out, *meters.finish(end)]) == expected
    whole = engine(RULES)
    whole.step(columns(found, STATE))
    whole.finish(end)
    assert (whole.fell_back, whole.too_much) == ({d: back.count(d) for d in {*back}}, {d: over.count(d) for d in {*over}})


@settings(max_examples=80, database=None)
@given(streams, st.integers(5, 400))
def test_backwards_they_say_the_same_uses(drawn: list[tuple[int, int, float]], stretch: int) -> None:
    found = states(drawn)
    backwards, parts = Backwards([METER]), []
    end = max((minute for minute, *_ in found), default=0)
    for begin in range(end // stretch * stretch, -1, -stretch):
        doors = Readings.of([begin * MINUTE], [0], [DOOR], [np.nan])
        blank = Readings.of([begin * MINUTE], [0], [STATE], [np.nan])
        piece = columns([one for one in found if begin <= one[0] < begin + stretch], STATE)
        parts.append(backwards.turned(joined([piece, doors, blank])))
    whole = joined([*parts, backwards.rest()])
    told = whole.take(whole.kind == USE)
    assert sorted(zip(told.time.tolist(), told.device.tolist(), told.value.tolist(), strict=True)) == [
        (minute * MINUTE, device, use) for minute, device, use in used(found)[0]
    ]
    left = whole.take((whole.kind == STATE) & ~np.isnan(whole.value))
    rows = by_device(columns(found, STATE))[0]
    whole_, handed = Totals([METER]), Totals([METER])
    whole_.turned(rows)
    handed.turned(by_device(left)[0])
    for name, column in whole_.dump().items():
        np.testing.assert_array_equal(handed.dump()[name], column)
    assert len(left.time) <= 2 * len({device for _, device, _ in found})
    assert (whole.kind == DOOR).sum() == np.isnan(whole.value).sum() / 2 == len(parts)


@pytest.mark.parametrize(
    ("before", "after", "use"),
    [
        (99_999.9, 0.1, 0.2),  # five digits
        (65_530.0, 4.0, 10.0),  # 16 bits
        (655.35, 0.04, 0.05),  # 16 bits, in hundredths
        (4_294_967.0, 1.0, 1.296),  # 32 bits, in thousandths
        (167_772.0, 1.0, 1.16),  # 24 bits, in hundredths
        (900.0, 3.0, None),  # more than a connection gives: it was reset
        (500.0, 499.5, None),
        (5_000.0, 0.0, None),
        (0.5, -0.1, None),
        (100.0, 121.0, None),
        (100.0, 119.0, 19.0),
        (100.0, 100.0, 0.0),
        (0.0, 0.3, 0.3),
    ],
)
def test_a_wrap_is_told_from_a_reset(before: float, after: float, use: float | None) -> None:
    rows = by_device(columns([(0, 0, before), (10, 0, after)], STATE))[0]
    turned = Totals([METER]).turned(rows)
    assert turned.value[turned.kind == USE].tolist() == ([] if use is None else [pytest.approx(use)])


@pytest.mark.parametrize(
    ("found", "uses"),
    [
        ([5.0, 0.0, 5.5], [0.5]),
        ([5.0, 0.0, 5.0], [0.0]),
        ([5.0, 0.0, 4.0], [4.0]),  # exchanged: a new register
        ([5.0, 0.0, 0.0, 5.5], [0.0, 5.5]),  # it stayed there
        ([500.0, 0.0, 521.0], []),  # more than a connection gives, from wherever
        ([500.0, 0.0, 519.0], [19.0]),
        ([5.0, 0.0, 5.5, 0.0, 6.0], [0.5, 0.5]),
        ([5.0, 1.0, 5.5], [4.5]),  # any other fall may be a new register
    ],
)
@pytest.mark.parametrize("whole", [True, False], ids=["at once", "one by one"])
def test_a_single_0_in_between_is_no_use(found: list[float], uses: list[float], whole: bool) -> None:
    totals, out = Totals([METER]), list[float]()
    pieces = [[*enumerate(found)]] if whole else [[one] for one in enumerate(found)]
    for piece in pieces:
        turned = totals.turned(by_device(columns([(10 * n, 0, value) for n, value in piece], STATE))[0])
        out += turned.value[turned.kind == USE].tolist()
    assert out == uses


def test_who_is_forgotten_at_0_begins_anew() -> None:
    totals = Totals([METER])
    totals.turned(by_device(columns([(0, 0, 5.0), (1, 0, 0.0)], STATE))[0])
    totals.forget(np.array([0]))
    turned = totals.turned(by_device(columns([(2, 0, 5.5), (3, 0, 6.0)], STATE))[0])
    assert turned.value[turned.kind == USE].tolist() == [0.5]


def test_a_long_silence_allows_more() -> None:
    found = engine(RULES)
    found.step(columns([(0, 0, 100.0), (60, 1, 0.0), (61, 1, 300.0), (20 * 60, 0, 400.0)], STATE))
    found.finish()
    assert (found.fell_back, found.too_much) == ({}, {1: 1})


def test_states_without_a_value_and_other_kinds_pass_unchanged() -> None:
    found = Engine([Detector("door", 1, rules.Count(Pick((DOOR,)), 1, HOUR), totals=(METER,))])
    found.step(Readings.of([0, 0, 1, 2], [0, 1, 0, 0], [STATE, DOOR, STATE, STATE], [np.nan, 1, 5, np.nan]))
    assert [alarm.key for alarm in found.finish() if alarm.what == "raised"] == [1]


def test_who_is_forgotten_begins_anew() -> None:
    found = engine(RULES)
    found.step(columns([(0, 0, 100.0), (0, 1, 100.0)], STATE))
    found.tick(HOUR)
    found.forget([0], {"household": [0]})
    found.step(columns([(60, 0, 50.0), (60, 1, 50.0)], STATE))
    found.finish()
    assert found.fell_back == {1: 1}
    found.forget([1], {"household": [1]})
    assert found.fell_back == {}


def test_one_that_learned_hands_the_states_on() -> None:
    """Nobody looked at meters before: what the history's last states were is known when the first one comes."""
    (still,) = (rule for rule in RULES if rule.id == "still")
    work, warm = engine([still]), engine([still])
    warm.step(columns([(0, 0, 100.0), (10, 0, 101.0)], STATE))
    warm.finish(HOUR - 1)
    work.finish(HOUR - 1)
    work.adopt(warm)
    work.step(columns([(70, 0, 100.5)], STATE))
    work.finish()
    assert work.fell_back == {0: 1}


WITH_METER = {**KINDS, "water_use": KINDS["water_use"]._replace(most=5000.0), "water_total": Kind(30, "L", counts="water_use")}


def document(kind: str) -> dict[str, object]:
    return {
        "detectors": {
            "still": {"title": {"zh": "久", "en": "Still"}, "severity": 2, "when": {"absence": {"kind": kind, "longer": "24h"}}},
        }
    }


def test_a_detector_of_a_use_asks_for_the_meters_that_stand_for_it() -> None:
    (found,) = detectors(document("water_use"), WITH_METER, 1)
    assert found.totals == (Total(30, 12, 5000.0),)
    (other,) = detectors(document("gas_use"), WITH_METER, 1)
    assert other.totals == ()


def test_a_detector_of_any_kind_asks_for_all_meters() -> None:
    """Whoever is at work beside it then changes nothing for it."""
    (found,) = detectors(document("any"), WITH_METER, 1)
    assert found.totals == (Total(30, 12, 5000.0),)


def test_naming_the_state_itself_is_refused_and_says_what_to_write() -> None:
    with pytest.raises(LanguageFault) as fault:
        detectors(document("water_total"), WITH_METER, 1)
    assert "water_use" in fault.value.faults[0].said("zh")
    assert fault.value.faults[0].path == ("detectors", "still", "when", "absence", "kind")
