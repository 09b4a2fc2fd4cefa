"""Pure rules of scenes: what a signal means to a pack, what a pack's stage limits are, which tier it has reached."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gridloop.cases.messages import SceneMatch
from gridloop.cases.rules import StageLimit
from gridloop.detection.sentences import sentences
from gridloop.detection.values import Kind
from gridloop.kernel.durations import WorkingCalendar, parse_duration
from gridloop.kernel.expressions import Expression, ExpressionFault
from gridloop.kernel.texts import Words
from gridloop.sdk.pack import SIGNAL_NAMES, Pack, SameThing, SignalRule
from gridloop.sdk.signals import Signal

Where = Callable[[Signal], str]  # the place a signal speaks of, as people call it; '' when nobody knows
DRAFT = "draft"
TIERS = (DRAFT, "bronze", "silver", "gold")
SILVER_KINDS = ("true", "false", "duplicate", "late", "overdue")
AGAIN_S = 7 * 86_400.0
SHORTEST_BASIS = 6  # characters: less names no document
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "wh": 3600, "wd": 86400}


@lru_cache(maxsize=4096)
def condition(source: str) -> Expression:
    """A pack's condition over a signal, compiled once."""
    return Expression(source, SIGNAL_NAMES)


def signal_names(signal: Signal) -> dict[str, Any]:
    """What a condition sees of a signal."""
    place = None if signal.lon is None else {"lon": signal.lon, "lat": signal.lat}
    return {
        "id": signal.id,
        "source": signal.source,
        "device": signal.device,
        "kind": signal.kind,
        "value": signal.value,
        "place": place,
        "data": dict(signal.data),
    }


def match(pack: Pack, version_id: int, signal: Signal, where: Where | None = None) -> SceneMatch | None:
    """What the pack makes of the signal: the first rule that holds. Data a condition can not work with is no match.

    A pack that knows its things by nothing but a key makes nothing of a signal that lacks it: it could only guess whose it is.
    ``where`` is asked for the title of a case only; without it the device's code stands there. The region is added by who opens the case.
    """
    names = signal_names(signal)
    for rule in pack.signals.rules:
        if _speaks_of(rule, pack, signal) and _holds(rule.when, names):
            found = _matched(pack, version_id, rule, signal, names, where)
            return found if found.key or found.radius_m else None
    return None


ALARM = "alarm"  # kind of the platform's own signals of which a rule speaks by the name of the detector
_OWN_SOURCE = "gridloop"
_DOES = {"open": ("raised", "stepped"), "update": ("raised", "stepped", "cleared"), "clear": ("cleared",)}


def _speaks_of(rule: SignalRule, pack: Pack, signal: Signal) -> bool:
    if rule.alarm is None:
        return rule.kind == signal.kind
    if (signal.kind, signal.source) != (ALARM, _OWN_SOURCE):
        return False
    return signal.data.get("detector") == f"{pack.pack.id}.{rule.alarm}" and signal.data.get("what") in _DOES[rule.does]


def _holds(source: str, names: Mapping[str, Any]) -> bool:
    try:
        return condition(source).holds(names)
    except ExpressionFault:
        return False


def _text(source: str, names: Mapping[str, Any]) -> str:
    try:
        value = condition(source).value(names)
    except ExpressionFault:
        return ""
    return "" if value is None else str(value)


def _matched(pack: Pack, version_id: int, rule: SignalRule, signal: Signal, names: Mapping[str, Any], where: Where | None) -> SceneMatch:
    same = pack.pack.same_thing
    subject = {name: text for name, source in pack.signals.subject.items() if (text := _text(source, names))}
    return SceneMatch(
        scene_version_id=version_id,
        verb=rule.does,
        key=_text(same.key, names) if same.key else "",
        message=rule.message or "",
        title=title(rule.title or pack.pack.title.zh, pack, signal, where) if rule.does == "open" else "",
        case_type=pack.pack.case_type,
        severity=rule.severity or (round(signal.value) if rule.alarm and signal.value else pack.pack.severity),
        radius_m=float(same.radius_m or 0),
        within_s=within_seconds(same),
        subject=subject,
    )


def within_seconds(same: SameThing) -> float:
    """How long after a report another one may still be the same thing, in seconds; 0 when the pack does not say."""
    return _seconds(same.within) if same.within else 0.0


def again_seconds(same: SameThing) -> float:
    """How long after closing another case of the place is doubted, in seconds; 0: never."""
    if same.again == "never" or same.radius_m is None:
        return 0.0
    return _seconds(same.again) if same.again else AGAIN_S


def _seconds(words: str) -> float:
    duration = parse_duration(words)
    return float(duration.amount * _SECONDS[duration.unit])


_ROUND_WHERE = re.compile(r"（\{where\}[^（）]*）")


def title(template: str, pack: Pack, signal: Signal, where: Where | None = None) -> str:
    """The case's title; a figure without needless decimals. Brackets around a place nobody knows a name of go, with all that is in them."""
    value = "" if signal.value is None else f"{signal.value:g}"
    place = (where(signal) if where else signal.device) if "where" in placeholders(template) else ""
    template = template if place else _ROUND_WHERE.sub("", template)
    return template.format_map({"type": pack.pack.title.zh, "device": signal.device, "value": value, "where": place}).replace("（）", "")


def placeholders(template: str) -> list[str]:
    """Names in braces; ``?`` for something that is no plain name."""
    try:
        fields = [(name, spec, change) for _, name, spec, change in string.Formatter().parse(template) if name is not None]
    except ValueError:
        return ["?"]
    return [name if name.isidentifier() and not spec and not change else "?" for name, spec, change in fields]


def stage_limits(pack: Pack) -> dict[str, StageLimit]:
    """The pack's limits as the rules of cases take them."""
    return {stage: StageLimit(one.limit, tuple(one.remind), one.yellow, one.red, one.escalate) for stage, one in pack.limits.stages.items()}


def tier(needs: Iterable[object], story_kinds: Iterable[str], passed_live: bool = False, measured: bool = False) -> str:
    """bronze = one true story; silver = also false, duplicate, late, overdue; gold = silver, nothing needed, live and measured."""
    kinds = set(story_kinds)
    if "true" not in kinds:
        return DRAFT
    if not kinds.issuperset(SILVER_KINDS):
        return "bronze"
    return "gold" if passed_live and measured and not list(needs) else "silver"


@dataclass(frozen=True, slots=True)
class ToldDetector:
    """A pack's detector as people read it: its name, titles, and the sentence made from its definition."""

    name: str
    title_zh: str
    title_en: str
    sentence_zh: str
    sentence_en: str


def told_detectors(pack: Pack, kinds: Mapping[str, Kind], calendar: WorkingCalendar | None = None) -> list[ToldDetector]:
    """In the order of the file."""
    if pack.detect is None:
        return []
    document = pack.detect.document()
    zh, en = (sentences(document, kinds, lang, calendar) for lang in ("zh", "en"))
    titles = {name: one["title"] for name, one in document["detectors"].items()}
    return [ToldDetector(name, titles[name]["zh"], titles[name]["en"], zh[name], en[name]) for name in zh]


@dataclass(frozen=True, slots=True)
class Candidate:
    """An installed scene that could take a report of a type."""

    version_id: int
    name: str
    pack: Pack


def thing_of(pack: Pack, data: Mapping[str, Any]) -> str:
    """The same-thing key of a person's report from what it carries (such as a plate); '' when it does not tell."""
    same = pack.pack.same_thing
    return _text(same.key, {"data": dict(data)}) if same.key else ""


def choose(candidates: Iterable[Candidate], case_type: str, data: Mapping[str, Any]) -> Candidate | None:
    """Whose report this is: the pack of exactly the type, then of a named type or category, then the one for any type.

    A pack that knows its things by nothing but a key (the plate of a car) does not take a report that lacks it.
    """
    best: tuple[int, str] | None = None
    chosen: Candidate | None = None
    for one in candidates:
        same = one.pack.pack.same_thing
        if same.key and not same.radius_m and not thing_of(one.pack, data):
            continue
        rank = _rank(one.pack, case_type)
        if rank is not None and (best is None or (rank, one.name) < best):
            best, chosen = (rank, one.name), one
    return chosen


def _rank(pack: Pack, case_type: str) -> int | None:
    if pack.pack.case_type == case_type:
        return 0
    if case_type in pack.pack.also:
        return 1
    if case_type[:2] in pack.pack.also:
        return 2
    return 3 if pack.pack.any_type else None


def shared(one: Pack, others: Iterable[Pack]) -> list[Words]:
    """What a pack has in common with others that are installed beside it: no fault, but a copy that nobody meant does everything twice."""
    found: list[Words] = []
    opened = {rule.kind for rule in one.signals.rules if rule.does == "open" and rule.kind}
    for other in others:
        kinds = opened & {rule.kind for rule in other.signals.rules if rule.does == "open"}
        if kinds:
            found.append(Words("scenes.shared_kind", (("kind", ", ".join(sorted(map(str, kinds)))), ("pack", other.pack.id))))
        if one.pack.case_type == other.pack.case_type:
            first = min(one.pack.id, other.pack.id)
            found.append(Words("scenes.shared_type", (("type", one.pack.case_type), ("pack", other.pack.id), ("first", first))))
    return found


def is_on(switches: Mapping[str, bool], region: str, unswitched: bool = True) -> bool:
    """Whether a pack is on at a place: the switch of the narrowest region around it decides; without any it is as if never switched."""
    around = [code for code in switches if region.startswith(code)]
    return switches[max(around, key=len)] if around else unswitched


def may_be_on(pack: Pack, basis: str) -> bool:
    """A scene that leans on a law is on only where the basis was recorded."""
    return pack.pack.legal_basis is None or is_basis(basis)


def is_basis(text: str) -> bool:
    """Whether it can be the name of a document."""
    return len(text.strip()) >= SHORTEST_BASIS
