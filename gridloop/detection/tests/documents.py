"""Random detectors of every operator, the document somebody would write for each, and ways to spoil a document."""

from __future__ import annotations

from datetime import time
from typing import Any

from hypothesis import strategies as st

from gridloop.detection import rules
from gridloop.detection.language import holds_at_first, house_severity
from gridloop.detection.rules import DAY, HOUR, MINUTE, Condition, Detector, Pick
from gridloop.detection.schedules import ANY, REST, WORKING, Schedule, Span
from gridloop.detection.values import Kind
from gridloop.detection.vocabulary import ABOVE_ZERO, FACTS, GROUPINGS, NUMBER, TIME, WEEK, YES
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.hashing import token_of

KINDS = {
    "door_open": Kind(11, "", "门磁开合", "Door opened", "开门", "door opening"),
    "water_use": Kind(12, "L", "用水量", "Water use", "用水", "water use"),
    "gas_use": Kind(13, "m³", "用气量", "Gas use", "用气", "gas use"),
    "electricity_use": Kind(14, "kWh", "用电量", "Electricity use", "用电", "electricity use"),
    "water_level": Kind(15, "m", "水位", "Water level"),
    "crowd_count": Kind(16, "人", "人数", "People counted", unit_en="people"),
    "position": Kind(17, "", "位置", "Position"),
}
NAMES = {kind.number: name for name, kind in KINDS.items()}
ZONES = {token_of(name): name for name in ("fire_lane", "深水区", "gate 2")}
CALENDAR = WorkingCalendar()
EIGHT = 8 * HOUR
SCHEDULES = {
    "night": Schedule((Span(time(22), time(6)),), CALENDAR),
    "school": Schedule((Span(time(7, 30), time(17), frozenset(range(5)), WORKING), Span(time(18), time(20), frozenset({0, 6}))), CALENDAR),
    "rest": Schedule((Span(time(0), time(0), days=REST),), CALENDAR),
}

spans = st.one_of(
    st.sampled_from([1_000, 90_000, MINUTE, 10 * MINUTE, HOUR, 24 * HOUR, 36 * HOUR, 7 * DAY, 3_660 * DAY]),
    st.integers(1, 999_999).map(lambda seconds: seconds * 1_000),
)
figures = st.sampled_from([-1e12, -3.0, 0.0, 0.25, 1.0, 3.2, 17.5, 1000.0, 1e12])
over_zero = st.sampled_from([0.001, 0.5, 1.0, 3.0, 250.0, 1e12])
schedules = st.sampled_from(list(SCHEDULES.values()))
one_kind = st.sampled_from([(kind.number,) for kind in KINDS.values()])
several_kinds = st.one_of(
    one_kind, st.just(()), st.sets(st.sampled_from(list(NAMES)), min_size=2, max_size=4).map(lambda s: tuple(sorted(s)))
)
bounds = st.one_of(
    st.tuples(figures, st.none()),
    st.tuples(st.none(), figures),
    st.lists(figures, min_size=2, max_size=2).map(lambda two: tuple(sorted(two))),
)
valued = st.builds(
    lambda kinds, b, during: Pick(kinds, b[0], b[1], during), one_kind, st.one_of(st.just((None, None)), bounds), st.none() | schedules
)
anyhow = st.builds(
    lambda kinds, above, during: Pick(kinds, ABOVE_ZERO if above else None, None, during),
    several_kinds,
    st.booleans(),
    st.none() | schedules,
)
picks = st.one_of(valued, anyhow)
clocks = st.integers(0, 24 * 60 - 1).map(lambda minutes: minutes * MINUTE)


@st.composite
def thresholds(draw: st.DrawFn) -> Condition:
    low, high = sorted([draw(figures), draw(figures)])
    up, clear = draw(st.booleans()), draw(st.booleans())
    limit, other = (high, low) if up else (low, high)
    return rules.Threshold(draw(valued), limit, other if clear else None, rules.UP if up else rules.DOWN)


@st.composite
def windows(draw: st.DrawFn, make: Any) -> Condition:
    within, tumbling = draw(spans), draw(st.booleans())
    offset = (4 * DAY + draw(clocks) - EIGHT) % within if tumbling else 0
    condition: Condition = make(draw(picks), draw(st.integers(1, 64)), within, tumbling, offset)
    return condition


@st.composite
def days(draw: st.DrawFn) -> Condition:
    least, of = sorted([draw(st.integers(1, 64)), draw(st.integers(1, 64))])
    return rules.Days(draw(picks), least, of, EIGHT - draw(clocks))


@st.composite
def routines(draw: st.DrawFn) -> Condition:
    of = draw(st.sampled_from([rules.COUNT, rules.SEEN, rules.SUM]))
    return rules.Routine(
        draw(valued if of == rules.SUM else picks),
        of,
        draw(st.sampled_from([rules.DOWN, rules.UP, rules.BOTH])),
        draw(st.sampled_from([0.0, 2.5, 3.0, 100.0])),
        draw(over_zero),
        draw(st.integers(1, 52)),
        draw(st.integers(1, 24)),
        draw(st.sampled_from([rules.WEEKDAYS, rules.DAY_TYPES])),
        EIGHT,
    )


LEAVES: dict[str, st.SearchStrategy[Condition]] = {
    "threshold": thresholds(),
    "rate": st.builds(rules.Rate, valued, over_zero, spans, st.sampled_from([rules.UP, rules.DOWN, rules.BOTH])),
    "absence": st.builds(rules.Absence, picks, spans),
    "count": windows(rules.Count),
    "distinct": windows(
        lambda pick, least, within, tumbling, offset: rules.Distinct(
            pick, least, within, rules.DEVICE if least % 2 else rules.TOKEN, tumbling, offset
        )
    ),
    "days": days(),
    "dwell": st.builds(
        rules.Dwell,
        picks,
        spans,
        st.none() | st.sets(st.sampled_from(list(ZONES)), min_size=1).map(lambda s: tuple(sorted(s))),
        st.none() | spans,
    ),
    "sequence": st.builds(rules.Sequence, picks, picks, spans, spans),
    "unanswered": st.builds(rules.Unanswered, picks, picks, spans),
    "routine": routines(),
    "silence": st.builds(
        rules.Silence,
        picks,
        st.sampled_from([0.000001, 0.005, 0.1, 0.5]),
        st.integers(1, 52),
        st.integers(1, 24),
        st.sampled_from([rules.WEEKDAYS, rules.DAY_TYPES]),
        st.just(EIGHT),
    ),
}
leaves: st.SearchStrategy[Condition] = st.one_of(*LEAVES.values())


@st.composite
def facts(draw: st.DrawFn, inner: st.SearchStrategy[Condition]) -> Condition:
    fact = draw(st.sampled_from(list(FACTS)))
    known = (None, None)
    of = {YES: st.sampled_from([(1.0, None), (None, 0.0), known]), NUMBER: st.one_of(bounds, st.just(known)), TIME: st.just(known)}[
        FACTS[fact]
    ]
    return rules.Where(draw(inner), fact, *draw(of))


def joined(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    gated = inner.filter(lambda condition: not holds_at_first(condition))
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    times = st.sampled_from(["away_since", "away_till"])
    return st.one_of(
        st.builds(rules.All, several),
        st.builds(rules.Any_, several),
        st.builds(rules.Not, inner),
        st.builds(rules.Hold, inner, spans),
        st.builds(rules.During, gated, schedules),
        facts(gated),
        st.builds(rules.Unless, gated, times, times),
    )


conditions = st.recursive(leaves, joined, max_leaves=6)


@st.composite
def detectors(draw: st.DrawFn, when: st.SearchStrategy[Condition] = conditions) -> Detector:
    severity = draw(st.integers(1, 4))
    step = st.builds(rules.Step, st.integers(severity + 1, 4), conditions) if severity < 4 else st.nothing()
    return Detector(
        draw(st.sampled_from(["silent", "flood_1", "aa"])),
        draw(st.integers(1, 9)),
        draw(when.filter(lambda condition: not holds_at_first(condition))),
        draw(st.sampled_from(GROUPINGS)),
        severity,
        tuple(draw(st.lists(step, max_size=2))) if severity < 4 else (),
        draw(st.just(0) | spans),
    )


# --- as somebody would write it --------------------------------------------------------------------------------------------


def written(*detectors: Detector) -> dict[str, Any]:
    """The document of detectors."""
    plain = {name: [_span(span) for span in schedule.spans] for name, schedule in SCHEDULES.items()}
    return {"schedules": plain, "detectors": {detector.id: _detector(detector) for detector in detectors}}


def _detector(detector: Detector) -> dict[str, Any]:
    out: dict[str, Any] = {"title": {"zh": "某检测器", "en": "Some detector"}, "by": detector.by}
    out |= {"severity": house_severity(detector.severity), "when": condition_written(detector.when)}
    if detector.steps:
        out["steps"] = [{"severity": house_severity(s.severity), "when": condition_written(s.when)} for s in detector.steps]
    return {**out, "quiet": duration(detector.quiet)} if detector.quiet else out


def _span(span: Span) -> dict[str, Any]:
    weekdays = {"weekdays": [WEEK[day] for day in sorted(span.weekdays)]} if len(span.weekdays) < 7 else {}
    return {"from": f"{span.since:%H:%M}", "to": f"{span.till:%H:%M}", **weekdays, **({"days": span.days} if span.days != ANY else {})}


def duration(length: int) -> str:
    unit, size = next((unit, size) for unit, size in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", 1_000)) if length % size == 0)
    return f"{length // size}{unit}"


def _pick(pick: Pick) -> dict[str, Any]:
    names = [NAMES[number] for number in pick.kinds]
    above = pick.at_least == ABOVE_ZERO
    only: dict[str, Any] = {"above_zero": above or None, "at_least": None if above else pick.at_least, "at_most": pick.at_most}
    only["during"] = next((name for name, schedule in SCHEDULES.items() if schedule is pick.during), None)
    only = {name: value for name, value in only.items() if value is not None}
    return {"kind": names[0] if len(names) == 1 else names or "any", **({"only": only} if only else {})}


def condition_written(condition: Condition) -> dict[str, Any]:
    match condition:
        case rules.Not():
            return {"not": condition_written(condition.of)}
        case rules.All() | rules.Any_():
            return {"all" if isinstance(condition, rules.All) else "any": [condition_written(inner) for inner in condition.of]}
        case rules.Hold():
            return {"all": [condition_written(condition.of)], "hold": duration(condition.longer)}
        case rules.During():
            name = next(name for name, schedule in SCHEDULES.items() if schedule is condition.schedule)
            return {"all": [condition_written(condition.of)], "during": name}
        case rules.Where():
            return {"all": [condition_written(condition.of)], "where": {condition.fact: _wanted(condition)}}
        case rules.Unless():
            return {"all": [condition_written(condition.of)], "unless": {"since": condition.since, "till": condition.till}}
    return {type(condition).__name__.lower(): _leaf(condition)}


def _wanted(where: rules.Where) -> Any:
    given = {"at_least": where.at_least, "at_most": where.at_most}
    if given == {"at_least": None, "at_most": None}:
        return "known"
    return where.at_most is None if FACTS[where.fact] == YES else {name: value for name, value in given.items() if value is not None}


def _leaf(leaf: Any) -> dict[str, Any]:
    match leaf:
        case rules.Threshold():
            own: dict[str, Any] = {"at_least" if leaf.direction == rules.UP else "at_most": leaf.limit, "clear": leaf.clear}
        case rules.Rate():
            own = {{"up": "rises", "down": "falls", "both": "moves"}[leaf.direction]: leaf.change, "per": duration(leaf.per)}
        case rules.Absence():
            own = {"longer": duration(leaf.longer)}
        case rules.Count() | rules.Distinct():
            own = {"least": leaf.least, "within": duration(leaf.within), **({"of": leaf.of} if isinstance(leaf, rules.Distinct) else {})}
            own["windows_from"] = _windows_from(leaf) if leaf.tumbling else None
        case rules.Days():
            begin = (EIGHT - leaf.offset) // MINUTE
            own = {"least": leaf.least, "of": leaf.of, "from": f"{begin // 60:02}:{begin % 60:02}"}
        case rules.Dwell():
            gap = None if leaf.gap is None else duration(leaf.gap)
            own = {"longer": duration(leaf.longer), "zones": leaf.zones and [ZONES[zone] for zone in leaf.zones], "gap": gap}
        case rules.Routine():
            own = {name: getattr(leaf, name) for name in ("of", "direction", "times", "least", "learn", "over", "week")}
        case rules.Silence():
            own = {name: getattr(leaf, name) for name in ("rarity", "learn", "over", "week")}
        case _:
            pair = {"first": _pick(leaf.first), "then": _pick(leaf.then), "within": duration(leaf.within)}
            return {**pair, **({"keep": duration(leaf.keep)} if isinstance(leaf, rules.Sequence) else {})}
    return {**_pick(leaf.pick), **{name: value for name, value in own.items() if value is not None}}


def _windows_from(leaf: Any) -> str:
    """Some time of day that the windows begin at; several do where the windows are short."""
    minute = next(m for m in range(24 * 60) if (4 * DAY + m * MINUTE - EIGHT) % leaf.within == leaf.offset)
    return f"{minute // 60:02}:{minute % 60:02}"


# --- spoiled ---------------------------------------------------------------------------------------------------------------

junk = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.just(10**400),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(
            ["24h", "4wh", "0d", "9999999d", "22:00", "any", "door_open", "3.2 m", "3 cm", "known", "night", "down", -1, 0, 65]
        ),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["kind", "longer", "all", "not", "any", "absence", "hold", "when", "detectors", "only", "at_least", "", "中"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=6,
)


@st.composite
def spoiled(draw: st.DrawFn) -> Any:
    """A right document with one to three places changed, emptied, taken away or added to."""
    document = written(draw(detectors()))
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            break
        holder, name = draw(st.sampled_from(places))
        how = draw(st.sampled_from(["change", "change", "take", "add"]))
        if how == "change":
            holder[name] = draw(junk)
        elif how == "take":
            del holder[name]
        elif isinstance(holder, dict):
            holder[draw(st.sampled_from(["kind", "hold", "during", "where", "unless", "not", "clear", "least", "spelled_wrong"]))] = draw(
                junk
            )
    return document


def _places(part: Any) -> Any:
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for name, value in list(inner):
        yield part, name
        yield from _places(value)
