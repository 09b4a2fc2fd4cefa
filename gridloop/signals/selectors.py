"""Reads of the signals room."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db.models import Count, F
from django.db.models.functions import Substr

from gridloop.cases.selectors import case_row
from gridloop.journal.frame import elevated
from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.errors import NotFound
from gridloop.kernel.texts import LANGUAGES
from gridloop.kernel.viewer import Viewer
from gridloop.orgs.selectors import region_names
from gridloop.registry.selectors import device_counts, devices_by_code, overdue_devices
from gridloop.signals.actions import GROUP_DIGITS, GROUP_WITHIN, is_mass_silence, most_late
from gridloop.signals.alarms import SILENCE, moment, most_an_hour
from gridloop.signals.irregular import AGAIN, UNKNOWN, WHYS, Day, day_before
from gridloop.signals.judging import Counts
from gridloop.signals.models import Alarm, AsideDetector, HeldDetector, Proposal, Trouble, Witness
from gridloop.signals.outcomes import counts_of, matcher
from gridloop.signals.positions import CONSUMERS, reached
from gridloop.signals.source import source
from gridloop.signals.state import load, tags

EFFECTS_LATE = 10.0  # seconds a batch may wait
LATE = {"history": 3 * 3600.0, "detectors": 300.0, "devices": 300.0}  # whole hours; detectors move when they store what they know


@dataclass(frozen=True, slots=True)
class Lag:
    """``batches`` not yet worked through, the first of them durable since ``since``."""

    batches: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class State:
    """How the room is, for ``gridloop doctor``."""

    lags: dict[str, Lag]
    troubles: int
    last_trouble: str
    mass_silence: bool


@reading
def lags(viewer: Viewer) -> dict[str, Lag]:
    """How far behind the log's end each of its consumers is."""
    ends, found = source().ends(), {}
    for name in CONSUMERS:
        done = dict.fromkeys(ends, 0) | reached(name)
        behind = {p: done[p] for p, end in ends.items() if end > done[p]}
        first = source().first_after(behind) if behind else {}
        found[name] = Lag(sum(ends[p] - seq for p, seq in behind.items()), min(first.values(), default=None))
    return found


@dataclass(frozen=True, slots=True)
class Detecting:
    """How the detectors at work are, as of when their state was last stored: where the last lane stood then, ``latest``: where the first.

    ``passed``: irregular readings since ever, by why; ``held``: detectors held back → alarms; ``aside``: detectors set aside → the fault
    and when; ``hushed``: alarms that wait for others to be heard.
    """

    until: datetime | None
    latest: datetime | None
    passed: dict[str, int]
    held: dict[str, int]
    aside: dict[str, tuple[str, datetime]]
    hushed: int
    anew: tuple[datetime, str] | None = None  # when what was stored could not be read, and why


@reading
def detecting(viewer: Viewer) -> Detecting:
    """Of all lanes together; each reading is counted by one."""
    metas = [_meta(tag) for tag in tags()]
    frontiers = [moment(meta["frontier"]) for meta in metas if meta["frontier"]]
    passed = sum((Counter(meta.get("irregular", {})) for meta in metas), Counter[str]())
    anew = max((meta["anew"] for meta in metas if meta.get("anew")), default=None)
    return Detecting(
        until=min(frontiers, default=None),
        latest=max(frontiers, default=None),
        passed={why: passed[why] for why in (*WHYS, AGAIN, UNKNOWN)},
        held=dict(HeldDetector.objects.order_by("detector").values_list("detector", "alarms")),
        aside={row.detector: (row.fault, row.since) for row in AsideDetector.objects.order_by("detector")},
        hushed=Alarm.objects.filter(told=Alarm.Told.HELD, reason=SILENCE, ended=None).count(),
        anew=(moment(anew[0]), anew[1]) if anew else None,
    )


@reading
def irregular_day(viewer: Viewer, until: datetime) -> Day:
    """Irregular readings of the day up to then."""
    return day_before(until, DOUBTFUL)


def _meta(tag: str) -> dict[str, Any]:
    file = load("meta", tag)
    if file is None:
        return {"frontier": None}
    with file:
        return dict(orjson.loads(file.read()))


@reading
def held_detectors(viewer: Viewer) -> list[dict[str, Any]]:
    """Name, title, sentence, since when and why: how many alarms it raised in that hour and since, or the fault it cannot go on with."""
    held = [(row.since, row.detector, "alarms", row.alarms, "") for row in HeldDetector.objects.all()]
    aside = [(row.since, row.detector, "fault", 0, row.fault) for row in AsideDetector.objects.all()]
    return [
        {"name": name, **detector_words(viewer, name), "since": since, "why": why, "alarms": alarms, "fault": fault}
        for since, name, why, alarms, fault in sorted(held + aside)
    ]


def detector_title(viewer: Viewer, name: str) -> str:
    """What the viewer calls it; see ``messages.Matcher``."""
    return matcher().title(name, viewer.lang)


def detector_words(viewer: Viewer, name: str) -> dict[str, str]:
    """``title`` and ``sentence`` in the viewer's language; see ``messages.Matcher``."""
    return {"title": detector_title(viewer, name), "sentence": matcher().sentence(name, viewer.lang)}


@reading
def state(viewer: Viewer) -> State:
    """Lags of the consumers, signals that could not be taken, and whether most devices fell silent together."""
    last = Trouble.objects.order_by("-at").first()
    online = device_counts(viewer)["online"]
    late = len(overdue_devices(viewer, clock.now(), limit=most_late(online)))
    return State(lags(viewer), Trouble.objects.count(), last.error if last else "", is_mass_silence(late, online))


def doctor(viewer: Viewer) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Lines for ``gridloop doctor``: level, name, sentence and what stands in it."""
    now = clock.now()
    found = state(viewer)
    lines: list[tuple[str, str, str, dict[str, Any]]] = []
    said: dict[str, Any]
    for name, lag in sorted(found.lags.items()):
        age = (now - lag.since).total_seconds() if lag.since else 0.0
        most = LATE.get(name, EFFECTS_LATE)
        said = {"batches": lag.batches, "age": f"{age:.0f}", "most": f"{most:.0f}"}
        lines.append(("warn" if age > most else "ok", f"signals {name}", "signals.doctor_lag", said))
    if found.troubles:
        said = {"count": found.troubles, "last": found.last_trouble}
        lines.append(("warn", "signals without effect", "signals.doctor_troubles", said))
    lines += _doctor_of_detectors(viewer)
    if found.mass_silence:
        lines.append(("BAD", "devices", "signals.doctor_silence", {}))
    return lines


def _doctor_of_detectors(viewer: Viewer) -> list[tuple[str, str, str, dict[str, Any]]]:
    found = detecting(viewer)
    if found.latest is None:
        return [("ok", "detectors", "signals.doctor_no_detectors", {})]
    day = irregular_day(viewer, found.latest)
    counts = {why: day.counts.get(why, 0) for why in (*WHYS, AGAIN, UNKNOWN)}
    most = ", ".join(f"{name} ({count})" for name, count in day.worst) or "–"
    level = "warn" if any(counts[why] for why in WHYS) else "ok"
    lines = [(level, "readings", "signals.doctor_passed", {**counts, "most": most})]
    lines += [
        ("warn", "devices", f"signals.doctor_{one.why}", {"device": code, "count": one.count, "share": f"{100 * one.share:.0f}"})
        for code, one in day.doubtful
    ]
    lines += [
        ("BAD", "detectors", "signals.doctor_held", {"name": _called(name), "alarms": alarms, "most": most_an_hour()})
        for name, alarms in found.held.items()
    ]
    lines += [
        ("BAD", "detectors", "signals.doctor_aside", {"name": _called(name), "at": f"{since:%Y-%m-%d %H:%M} UTC", "fault": fault})
        for name, (fault, since) in found.aside.items()
    ]
    if found.anew and clock.now() - found.anew[0] < timedelta(days=1):
        lines.append(("warn", "detectors", "signals.doctor_anew", {"at": f"{found.anew[0]:%Y-%m-%d %H:%M} UTC", "why": found.anew[1]}))
    if found.hushed:
        lines.append(("warn", "detectors", "signals.doctor_hushed", {"count": found.hushed}))
    return lines


def _called(detector: str) -> str:
    """In all languages, as a line of the doctor is told in each from the same words; with its name, by which it is found."""
    titles = " / ".join(dict.fromkeys(matcher().title(detector, lang) for lang in LANGUAGES))
    return detector if titles == detector else f"{titles} ({detector})"


@reading
def log_faults(viewer: Viewer) -> list[str]:
    """Whether what the log keeps is gapless up to its end, and no consumer is beyond it."""
    faults, ends = source().faults(), source().ends()
    for partition, end in sorted(ends.items()):
        furthest = max(reached(name).get(partition, 0) for name in CONSUMERS)
        if furthest > end:
            faults.append(f"partition {partition}: a consumer is at {furthest}, the end is {end}")
    return faults


DOUBTFUL = 10  # devices the doctor names
BY = {"detector": "detector", "device": "device", "place": "region"}
PLACE_DIGITS = 12  # of a region code: the village


@dataclass(frozen=True, slots=True)
class Precision:
    """How alarms of a detector, device or place turned out; ``title``: what people call it; ``sentence``: what a detector waits for."""

    name: str
    title: str
    counts: Counts
    sentence: str = ""


@reading
def precisions(viewer: Viewer, by: str = "detector", detector: str = "", device: str = "", limit: int = 200) -> list[Precision]:
    """Of the viewer's territory, those with the most alarms first."""
    rows = Witness.objects.all()
    if detector:
        rows = rows.filter(detector=detector)
    if device:
        rows = rows.filter(device=device)
    name = Substr("region", 1, PLACE_DIGITS) if by == "place" else F(BY[by])
    found: dict[str, list[tuple[str, int]]] = {}
    for one, outcome, number in rows.annotate(name=name).values_list("name", "outcome").annotate(n=Count("id")).order_by():
        found.setdefault(one, []).append((outcome, number))
    most = sorted(found, key=lambda one: (-sum(number for _, number in found[one]), one))[:limit]
    if by == "place":
        titles = region_names(viewer, most)
    elif by == "device":
        titles = device_names(viewer, most)
    else:
        titles = {one: detector_title(viewer, one) for one in most}
    said = {one: matcher().sentence(one, viewer.lang) for one in most} if by == "detector" else {}
    return [Precision(one, titles.get(one, ""), counts_of(found[one]), said.get(one, "")) for one in most]


def device_names(viewer: Viewer, codes: list[str]) -> dict[str, str]:
    """Of those the viewer sees; others go by their codes."""
    return {code: one.name for code, one in devices_by_code(viewer, codes).items()} if codes else {}


@reading
def proposals(viewer: Viewer, device: str = "", case: str = "", detector: str = "", limit: int = 100) -> list[Proposal]:
    """Open ones of the viewer's territory; of a case they come with the case."""
    rows = Proposal.objects.filter(status=Proposal.Status.OPEN)
    if case:
        case_row(viewer, case)
        with elevated():
            return list(rows.filter(case_code=case).order_by("-id")[:limit])
    rows = rows.filter(case_code="")
    if device:
        rows = rows.filter(device=device)
    if detector:
        rows = rows.filter(detector=detector)
    return list(rows.order_by("-id")[:limit])


@reading
def witnesses(viewer: Viewer, case: str) -> list[Witness]:
    """The alarms of a case the viewer sees."""
    case_row(viewer, case)
    with elevated():
        return list(Witness.objects.filter(case_code=case).order_by("at", "id"))


@dataclass(frozen=True, slots=True)
class HeldAlarms:
    """Alarms of a detector held back while a village is unheard: those that wait, and of the others how many were told late, and how many

    were over when the village was heard again.
    """

    name: str
    title: str
    sentence: str
    waiting: int
    told: int
    passed: int


@reading
def held_by(viewer: Viewer, code: str) -> list[HeldAlarms]:
    """What the silence that is this case's matter, a gateway's for one, explains of other detectors' alarms; of any other case nothing."""
    case = case_row(viewer, code)
    if not case.same_thing or case.same_thing != case.region[:GROUP_DIGITS]:
        return []
    with elevated():
        rows = Alarm.objects.filter(reason=SILENCE, region__startswith=case.same_thing, noticed__gt=case.reported_at - GROUP_WITHIN)
        if case.closed_at:
            rows = rows.filter(noticed__lte=case.closed_at)
        found: dict[str, Counter[str]] = {}
        for name, told, number in rows.values_list("detector", "told").annotate(n=Count("id")).order_by("detector"):
            found.setdefault(name, Counter())[told] = number
    told = Alarm.Told
    return [
        HeldAlarms(name, **detector_words(viewer, name), waiting=of[told.HELD], told=of[told.TOLD], passed=of[told.PASSED])
        for name, of in sorted(found.items())
    ]


@reading
def proposal(viewer: Viewer, proposal_id: int) -> Proposal:
    """One of the viewer's territory or of a case they see, whatever has become of it."""
    with elevated():
        row = Proposal.objects.filter(pk=proposal_id).first()
    if row is not None and row.case_code:
        case_row(viewer, row.case_code)
    if row is None or not (row.case_code or viewer.system or any(row.region.startswith(place) for place in viewer.places)):
        raise NotFound("signals.no_proposal", id=proposal_id)
    return row
