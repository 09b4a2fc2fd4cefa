"""What comes in: a person's report or a recognised signal opens a case, or joins the open one of the same thing. Part of ``actions``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gridloop.cases import selectors, store
from gridloop.cases.directory import DIRECTORY
from gridloop.cases.machine import Machine
from gridloop.cases.messages import Report, Reported, SceneMatch
from gridloop.cases.models import Case, Source
from gridloop.cases.proposing import UNKNOWN_TYPE, Kind, given, kind_of, proposal
from gridloop.cases.pushing import all_sources, push_loaded, recount, scenes
from gridloop.cases.rules import SURE_PLACE_M, NewCase, Scene, case_verbs, report_source, reporter_subject
from gridloop.cases.same_thing import (
    RADIUS_M,
    Near,
    Statement,
    around,
    is_another,
    much_alike,
    open_of_thing,
    place_lock,
    thing_lock,
)
from gridloop.cases.types import case_types, type_name
from gridloop.cases.verbs import not_now
from gridloop.dispatch.merging import WITHIN_S
from gridloop.evidence import actions as evidence
from gridloop.flow.selectors import tasks_of
from gridloop.journal.actions import append, append_many, elevated, scoped, seal, verb, withdraw
from gridloop.journal.messages import FactIn
from gridloop.journal.rows import ask_together, insert, together, update
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Invalid, NotFound
from gridloop.kernel.hashing import sha256_hex
from gridloop.kernel.ids import secret_key
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs import desk
from gridloop.orgs import selectors as orgs
from gridloop.registry.rules import clean_plate
from gridloop.registry.selectors import place_of
from gridloop.sdk.signals import Signal

TEXT_LIMIT = 5000


@verb("case.report")
def report(viewer: Viewer, new: Report) -> Reported:
    """A person's report becomes a case, or joins the open one of the same thing at the same place."""
    new = _placed(new)
    _check_report(new)
    new = replace(new, source=report_source(viewer, new.source))
    key = secret_key(12)
    with elevated():
        region = _region_of(new)
        kind = given(new.kind) if new.kind else kind_of(new.text, new.source, region)
        taken = _taken_by(new, kind, region)
        if known := _sent_before(new):
            return Reported(known, "", merged=True, repeated=True)
        seen = _look_around(new, taken)
        if seen.twin is not None:
            _join(viewer, seen.twin, new, key)
            code = seen.twin.code
        else:
            code = _open_from_report(viewer, new, taken, seen, key)
        if new.evidence:
            evidence.attach(viewer, list(new.evidence), code, None)
    return Reported(code, key, seen.twin is not None)


@dataclass(frozen=True, slots=True)
class Taken:
    """Which scene takes a report, where, and the thing it is about ('' = known by place and time)."""

    kind: Kind
    region: str
    scene: Scene
    digest: str
    thing: str
    data: dict[str, str]


def _taken_by(new: Report, kind: Kind, region: str) -> Taken:
    data = {"plate": clean_plate(new.plate)} if new.plate else {}
    scene, digest = scenes().for_type(kind.taken, region, data)
    thing = scenes().thing_of(scene.version_id, data) if scene.version_id is not None else ""
    return Taken(kind, region, scene, digest, thing, data)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is there already where a report comes from, and the numbers of the case it may become."""

    twin: Case | None
    around: Sequence[tuple[Any, ...]]
    number: store.Number


def _look_around(new: Report, taken: Taken) -> Seen:
    """The open case of the same thing, by key or by place and time, and what else is open around.

    Until the transaction ends nobody else may open a case of this thing.
    """
    twin = open_of_thing(taken.scene.name, taken.thing) if taken.thing else None
    near = _near(new, taken)
    alike = around(new)
    asked: list[Statement] = [(store.NUMBERS, [])]  # a number is lost when the report joins another: numbers only ever rise
    if near is not None:
        asked += [place_lock(near.case_type, near.lon, near.lat), near.statement()]
    if alike is not None:
        asked.append(alike)
    numbers, *rest = ask_together(*asked)
    if near is not None:
        twin = near.nearest(rest[1], lambda case: not is_another(case, near.case_type, new))
    return Seen(twin, rest[-1] if alike is not None else (), store.number_from(taken.region, numbers))


def _near(new: Report, taken: Taken) -> Near | None:
    """Where the same thing is looked for; nowhere when a key tells it, or when neighbours share the place of their road."""
    case_type = taken.kind.taken
    if taken.thing or case_type == UNKNOWN_TYPE or new.lon is None or new.lat is None:
        return None
    if new.place_m is not None and new.place_m > SURE_PLACE_M:
        return None
    return Near(case_type, new.lon, new.lat, taken.scene.radius_m or RADIUS_M, taken.scene.within_s or WITHIN_S)


def _sent_before(new: Report) -> str | None:
    """The case of a report that its platform sends again: nothing is entered twice."""
    if not (new.origin and new.origin_id):
        return None
    ask_together(thing_lock(f"origin:{new.origin}", new.origin_id))
    known = Source.objects.select_related("case").filter(source=new.origin, signal_id=new.origin_id, device="").first()
    return known.case.code if known else None


def _check_report(new: Report) -> None:
    faults: list[FieldFault] = []
    if not new.text.strip() and not new.kind and not new.evidence:
        faults.append(FieldFault("/text", "cases.text_needed"))
    if len(new.text) > TEXT_LIMIT:
        faults.append(FieldFault("/text", "cases.text_too_long", {"limit": TEXT_LIMIT}))
    if new.kind and new.kind not in case_types():
        faults.append(FieldFault("/kind", "cases.no_such_type", {"type": new.kind}))
    if new.lon is None and not new.address.strip() and not new.region:
        faults.append(FieldFault("/place", "cases.place_needed"))
    if faults:
        raise Invalid(faults[0].key, errors=tuple(faults), **faults[0].params)


def _placed(new: Report) -> Report:
    """A report without a point, with the place its address names when that is known well enough and inside the territory."""
    if new.lon is not None or new.lat is not None:
        return new
    found = place_of(SYSTEM, new.address or new.text, new.region)
    if found is None or orgs.region_at(SYSTEM, found.lon, found.lat) is None:
        return new
    return replace(new, lon=round(found.lon, 6), lat=round(found.lat, 6), place_m=found.metres)


def _region_of(new: Report) -> str:
    """The micro-grid of the point; without a point the named region, else the deployment's own top region."""
    if new.lon is not None and new.lat is not None and not (new.place_m is not None and new.region):
        code = orgs.region_at(SYSTEM, new.lon, new.lat)
        if code is None:
            raise Invalid("cases.place_outside", errors=(FieldFault("/place", "cases.place_outside"),))
        return code
    if new.region and orgs.unknown_regions(SYSTEM, [new.region]):
        fault = FieldFault("/region", "cases.no_such_region", {"region": new.region})
        raise Invalid(fault.key, errors=(fault,), **fault.params)  # a case outside of every territory would be seen by nobody
    return new.region or desk.top_region(SYSTEM)


def _open_from_report(viewer: Viewer, new: Report, taken: Taken, seen: Seen, key: str) -> str:
    case_type, region = taken.kind.taken, taken.region
    entry = case_types().get(case_type)
    where = new.address.strip() or DIRECTORY.region_name(region)
    opened = NewCase(
        code=seen.number.code,
        type=case_type,
        title=f"{type_name(case_type, 'zh')} · {where}",
        severity=entry.severity if entry else 4,
        region=region,
        source=new.source,
        text=new.text.strip(),
        reporter=_reporter(new, key),
        reporter_id=viewer.user_id,
        lon=new.lon,
        lat=new.lat,
        place_m=new.place_m,
        address=new.address.strip(),
        proposal={**proposal(taken.kind, new.text, new.source, region), "alike": much_alike(case_type, new, seen.around)},
        same_thing=taken.thing,
        data=taken.data,
    )
    machine = Machine.open(opened, taken.scene, DIRECTORY, clock.now(), viewer)
    return store.save_new(machine, viewer, taken.digest, seen.number.row_id, lambda row: _source_of(row, new, key, viewer)).code


def _reporter(new: Report, key: str) -> dict[str, str]:
    """What is kept sealed about a reporter; with a way to reach them also their key, so that notices can lead to their page."""
    return {"name": new.name, "contact": new.contact} | ({"key": key} if new.contact else {})


def _join(viewer: Viewer, twin: Case, new: Report, key: str) -> None:
    """One more reporter of the same thing: kept as a source with a key of their own, named in the trace."""
    subject = reporter_subject(twin.code)
    data: dict[str, Any] = {"kind": new.source}
    text = reporter = None
    if new.text.strip():
        data["text"] = seal(new.text.strip(), subject=subject, purpose="case_text", case=twin.code)
        text = data["text"]["sealed"]
    if new.name or new.contact:
        value = _reporter(new, key)
        data["reporter"] = seal(value, subject=subject, purpose="reporter", case=twin.code)
        reporter = data["reporter"]["sealed"]
    source = _source_of(twin, new, key, viewer)
    source.text_sealed, source.reporter_sealed = text, reporter
    insert([source], numbered=False)
    recount(twin)
    append(f"case:{twin.code}", "joined", data, viewer, twin.code)


@verb("case.merge")
def split(viewer: Viewer, code: str, source_id: int, note: str = "") -> str:
    """拆分: one person's report leaves the case it was joined or merged to and becomes a case of its own; its code.

    What the person said moves with it; the reporter's key goes on working. Invalid for a device's source, for the report the case was
    opened with, and for one that is not there.
    """
    row = Case.objects.select_for_update().filter(code=code).first()
    if row is None:
        raise NotFound("cases.no_such_case", code=code)
    if "merge" not in case_verbs(store.case_data(row), [store.task_data(t) for t in tasks_of(code)], viewer):
        raise not_now("split")
    source = Source.objects.filter(case=row, pk=source_id).first()
    if source is None or not source.track_hash or source.text_sealed == row.text_sealed:
        fault = FieldFault("/source", "cases.bad_split_source", {"source": source_id})
        raise Invalid(fault.key, errors=(fault,), **fault.params)
    with elevated():
        made = _open_split(viewer, row, source)
        recount(row)
        data: dict[str, Any] = {"source": source.pk, "into": made}
        if note.strip():
            data["note"] = seal(note.strip(), subject=f"case:{code}", purpose="case_note", case=code)
        append(f"case:{code}", "split_off", data, viewer, code)
    return made


def _open_split(viewer: Viewer, row: Case, source: Source) -> str:
    """The new case of a split-off source, opened from what its reporter said, where they said it is.

    A report that was a case before takes its old type up again. Who came before places were kept with reports gets the region alone:
    the other's place and address are not theirs.
    """
    moved = [str(one) for one in (source.text_sealed, source.reporter_sealed) if one is not None]
    values = selectors.sealed_values(SYSTEM, moved)
    text, reporter = str(values.get(str(source.text_sealed)) or ""), values.get(str(source.reporter_sealed))
    before = Case.objects.filter(code=source.came_under).first() if source.came_under else None
    origin = before or row
    region = (
        orgs.region_at(SYSTEM, source.lon, source.lat) if source.lon is not None and source.lat is not None else None
    ) or origin.region
    scene, digest = scenes().for_type(origin.type, region, {})
    number = store.next_number(region)
    opened = NewCase(
        code=number.code,
        type=origin.type,
        title=f"{type_name(origin.type, 'zh')} · {source.address or DIRECTORY.region_name(region)}",
        severity=origin.severity,
        region=region,
        source=source.kind,
        text=text,
        reporter=reporter if isinstance(reporter, dict) else None,
        reporter_id=source.reporter_id,
        lon=source.lon,
        lat=source.lat,
        place_m=source.place_m,
        address=source.address,
        proposal=proposal(given(origin.type), text, source.kind, region),
    )
    machine = Machine.open(opened, scene, DIRECTORY, clock.now(), viewer)
    machine.note("split_from", {})  # which one, not everybody who sees this case may know: the source does (came_under)
    made = store.save_new(machine, viewer, digest, number.row_id)
    withdraw(viewer, moved, "split")
    source.case, source.came_under = made, source.came_under or row.code
    source.text_sealed, source.reporter_sealed = made.text_sealed, made.reporter_sealed
    source.save(update_fields=["case", "came_under", "text_sealed", "reporter_sealed"])
    recount(made)
    return made.code


def _source_of(row: Case, report: Report, key: str, viewer: Viewer) -> Source:
    """The source a report makes of its case; its words are those the case was opened with."""
    now = report.at or clock.now()
    return Source(
        case=row,
        kind=report.source,
        source=report.origin,
        signal_id=report.origin_id,
        first_at=now,
        last_at=now,
        lon=report.lon,
        lat=report.lat,
        place_m=report.place_m,
        address=report.address.strip(),
        track_hash=sha256_hex(key.encode()),
        reporter_id=viewer.user_id,
        text_sealed=row.text_sealed,
        reporter_sealed=row.reporter_sealed,
    )


def receive_signal(viewer: Viewer, signal: Signal, match: SceneMatch) -> str | None:
    """A recognised signal opens a case, joins the open one of its thing, or tells it something. Returns the case's code.

    Runs in the caller's transaction (signals move their position with it); the same signal twice has no second effect
    because its id is unique where signals are taken in.
    """
    with scoped(viewer):
        scene, digest = scenes().by_version(match.scene_version_id)
        with elevated():
            row, numbers = _open_case_of(scene, match, signal)
            if row is not None:
                _tell(viewer, row, signal, match)
                return row.code
            return _open_from_signal(viewer, signal, match, scene, digest, numbers) if match.verb == "open" else None


def _open_case_of(scene: Scene, match: SceneMatch, signal: Signal) -> tuple[Case | None, Sequence[tuple[Any, ...]]]:
    """By the scene's key; failing that a person's report of the same thing nearby (another device's case has a key of its own).

    Only a scene that declares a radius goes by place: one that knows its things by their key alone finds nothing without it.
    Until the transaction ends nobody else may open a case of this thing or, by a report, at this place. With it come the numbers of
    the case that may be opened, asked for in the same round trip.
    """
    if match.key and (row := open_of_thing(scene.name, match.key)) is not None:
        return row, ()
    opens, near = match.verb == "open", None
    asked: list[Statement] = [(store.NUMBERS, []), (orgs.VERSIONS, [])] if opens else []
    if signal.lon is not None and signal.lat is not None:
        if opens:
            asked.append(place_lock(match.case_type, signal.lon, signal.lat))
        if match.radius_m:
            within_s, keyless = match.within_s or WITHIN_S, bool(match.key)
            near = Near(match.case_type, signal.lon, signal.lat, match.radius_m, within_s, keyless)
            asked.append(near.statement())
    if not asked:
        return None, ()
    found = ask_together(*asked)
    twin = near.nearest(found[-1]) if near is not None else None
    if not opens:
        return twin, ()
    numbers, versions = found[:2]
    orgs.note_versions(versions)
    return twin, numbers


def _open_from_signal(
    viewer: Viewer, signal: Signal, match: SceneMatch, scene: Scene, digest: str, numbers: Sequence[tuple[Any, ...]]
) -> str:
    region = orgs.region_at(SYSTEM, signal.lon, signal.lat) if signal.lon is not None and signal.lat is not None else None
    region = region or desk.top_region(SYSTEM)
    where = DIRECTORY.region_name(region)
    number = store.number_from(region, numbers)
    offer = proposal(given(match.case_type), "", signal.kind, region)
    offer |= {"severity": match.severity, "told": match.severity, "how": offer["how"] | {"severity": "given"}}
    opened = NewCase(
        code=number.code,
        type=match.case_type,
        title=f"{match.title} · {where}",
        severity=match.severity,
        region=region,
        source=signal.kind,
        lon=signal.lon,
        lat=signal.lat,
        same_thing=match.key,
        proposal=offer,
        data={**match.subject, "kind": signal.kind, "value": signal.value},
    )
    machine = Machine.open(opened, scene, DIRECTORY, clock.now(), viewer)
    _note(machine, signal)
    store.save_new(machine, viewer, digest, number.row_id, lambda row: _heard(row, [], signal))
    evidence.attach_of_signal(signal.data.get("evidence"), number.code)
    return number.code


def _tell(viewer: Viewer, row: Case, signal: Signal, match: SceneMatch) -> None:
    """The signal becomes a source of the case, and the case's process hears what it says. Its pictures are named first: their facts
    must not come between the reading of the case and its writing."""
    evidence.attach_of_signal(signal.data.get("evidence"), row.code)
    presses = match.verb == "open" and match.severity < (row.proposal or {}).get("told", 5)
    if not presses and not match.message:
        _note_signal(viewer, row, signal)
        return

    def told(machine: Machine) -> None:
        _note(machine, signal)
        if presses:
            machine.press(match.severity)
        if match.message:
            machine.receive(match.message, {"value": signal.value})

    loaded, sources = store.load(row.code, row), all_sources(row)
    with together():
        changed = _keep_source(row, sources, signal)
        push_loaded(viewer, loaded, told, changed)


def _note_signal(viewer: Viewer, row: Case, signal: Signal) -> None:
    """Nothing but one more signal of what is known: the case's process is not asked."""
    sources = all_sources(row)
    with together():
        update(row, _keep_source(row, sources, signal))
        append_many(f"case:{row.code}", [_fact_of(signal)], viewer, row.code)


def _keep_source(row: Case, sources: list[Source], signal: Signal) -> list[str]:
    """Write the signal's source: one row per device and kind, counted. Returns the names of what is different on the case's row."""
    source = _heard(row, sources, signal)
    if source._state.adding:
        insert([source], numbered=False)
        sources.append(source)
        sources.sort(key=lambda one: one.first_at)  # as they are read; of one moment the new one is the last
    else:
        update(source, ["signal_id", "last_at", "count"])
    row.sources, row.updated_at = store.summary_of(sources), clock.now()
    return ["sources", "updated_at"]


def _heard(row: Case, sources: Sequence[Source], signal: Signal) -> Source:
    """The signal's source among those of the case, or a new one."""
    whose = (signal.kind, signal.source, signal.device)
    source = next((s for s in sources if (s.kind, s.source, s.device) == whose), None)
    if source is None:
        source = Source(case=row, kind=signal.kind, source=signal.source, device=signal.device, first_at=signal.at, count=0)
    source.signal_id, source.last_at, source.count = signal.id, signal.at, source.count + 1
    return source


def _note(machine: Machine, signal: Signal) -> None:
    fact = _fact_of(signal)
    machine.note(fact.action, fact.data)


def _fact_of(signal: Signal) -> FactIn:
    """The sender's own id may hold a plate or a name: the fact keeps its digest, the source's row the id."""
    digest = sha256_hex(f"{signal.source}\n{signal.id}".encode())[:32]
    return FactIn(
        "signal_added", {"signal": digest, "source": signal.source, "device": signal.device, "kind": signal.kind, "value": signal.value}
    )
