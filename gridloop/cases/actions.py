"""The only writes of the cases room: one verb, one transaction, rows and facts together. What comes in stands in ``intake``."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, cast

from gridloop.cases import selectors, store
from gridloop.cases.directory import DIRECTORY
from gridloop.cases.intake import receive_signal, report, split
from gridloop.cases.machine import Machine, merge_sources
from gridloop.cases.messages import Forgotten
from gridloop.cases.models import Case, Source, Visit
from gridloop.cases.pushing import push, push_loaded, recount, scene_of
from gridloop.cases.rules import CENTRE, END_STATUSES, TaskData, rater_of, reporter_subject
from gridloop.cases.types import type_name
from gridloop.evidence import actions as evidence
from gridloop.flow import actions as flow
from gridloop.flow.selectors import task_row
from gridloop.journal.actions import append, drop, elevated, erase, scoped, seal, verb
from gridloop.journal.rows import insert
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Forbidden, Invalid, NotFound
from gridloop.kernel.hashing import sha256_hex
from gridloop.kernel.retention import kept
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs import desk
from gridloop.registry.actions import forget_addresses

__all__ = [
    "accept",
    "act",
    "by_key",
    "erase_reporter",
    "erase_reporters_named",
    "fire_due",
    "forget_visits",
    "merge",
    "rate",
    "rate_by_key",
    "receive_signal",
    "report",
    "route",
    "split",
    "supervise",
    "urge",
    "urge_by_key",
    "void",
]

log = logging.getLogger(__name__)
ERASE_RULE = "subject_request"


# ---- people's verbs --------------------------------------------------------------------------------------------------


class Acted(NamedTuple):
    """A task as it is after a verb, and its case."""

    case: Case
    task: TaskData


@verb("task.act")
def act(viewer: Viewer, task_id: str, verb_name: str, payload: Mapping[str, Any]) -> Acted:
    """A task verb."""
    ids = [str(e) for e in payload.get("evidence") or ()]
    if ids:
        code = task_row(viewer, task_id).case_code
        with elevated():
            evidence.attach(viewer, ids, code, task_id)
    loaded = store.load_of_task(task_id)  # after the files: their facts come first
    task = push_loaded(viewer, loaded, lambda machine: machine.act(task_id, verb_name, payload))
    if verb_name == "check_in" and (place := payload.get("place")) and viewer.staff_id is not None:
        with elevated():
            lon, lat = float(place["lon"]), float(place["lat"])
            insert([Visit(case_code=task.case, staff_id=viewer.staff_id, at=clock.now(), lon=lon, lat=lat)], numbered=False)
    return Acted(loaded.row, task)


@verb("case.accept")
def accept(viewer: Viewer, code: str, payload: Mapping[str, Any]) -> store.Loaded:
    """受理/采纳: take the proposal; verifies, files and dispatches in this one transaction. Returns the case as it is then."""
    loaded = store.load(code)
    push_loaded(viewer, loaded, lambda machine: machine.accept(payload))
    return loaded


def _is_below(region: str, machine: Machine) -> bool:
    """Whether the desk of that region is a lower one than the desk that holds the case now."""
    held = machine.case.desk_region
    here = DIRECTORY.competent("intake", machine.case.type, held, machine.now)
    now_at = here.region if here else held
    return bool(machine.situation.live_tasks("intake")) and region.startswith(now_at) and region != now_at


@verb("case.route")
def route(viewer: Viewer, code: str, payload: Mapping[str, Any]) -> None:
    """Send the case to a unit, post or person; a lower desk named as unit takes it over as desk (hand down)."""
    target = payload.get("unit")
    addressed = _addressed(payload)

    def run(machine: Machine) -> None:
        lower = desk.desk_region(SYSTEM, int(target)) if target else None
        if lower and not machine.case.region.startswith(lower):  # nobody of that desk would ever see it
            unit = machine.directory.unit(int(cast(int, target)))
            fault = FieldFault("/unit", "cases.desk_elsewhere", {"unit": unit.unit_name if unit else target})
            raise Invalid(fault.key, errors=(fault,), **fault.params)
        if lower and _is_below(lower, machine):
            performer = machine.directory.unit(int(cast(int, target)))
            if performer is not None:
                machine.hand_down(lower, performer, payload)
                return
        machine.route(addressed)

    push(viewer, code, run)


def _addressed(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """A person or post brings its own unit; Invalid when it is not there or not of the unit that is named too."""
    own: int | None = payload.get("unit")
    for word, find in (("person", desk.unit_of_staff), ("post", desk.unit_of_post)):
        if (named := payload.get(word)) is None:
            continue
        unit = find(SYSTEM, int(named))
        if unit is None or own not in (None, unit):
            fault = FieldFault(f"/{word}", f"cases.no_such_{word}", {word: named})
            raise Invalid(fault.key, errors=(fault,), **fault.params)
        own = unit
    return {**payload, "unit": own}


@verb("case.void")
def void(viewer: Viewer, code: str, payload: Mapping[str, Any]) -> None:
    push(viewer, code, lambda machine: machine.void(payload))


@verb("case.urge")
def urge(viewer: Viewer, code: str, payload: Mapping[str, Any]) -> None:
    push(viewer, code, lambda machine: machine.urge(payload))


@verb("case.supervise")
def supervise(viewer: Viewer, code: str, payload: Mapping[str, Any]) -> None:
    """督办: a written order to those who hold the case, shown in its detail."""
    push(viewer, code, lambda machine: machine.supervise(payload))


@verb("case.rate")
def rate(viewer: Viewer, code: str, payload: Mapping[str, Any]) -> None:
    push(viewer, code, lambda machine: machine.rate(payload, _names_of(viewer, machine)))


def _names_of(viewer: Viewer, machine: Machine) -> list[str]:
    """A reporter with an account may have rated by key before: the names of their own sources count too."""
    rater = rater_of(machine.case, viewer)
    if rater in ("", CENTRE):
        return [rater]
    own = Source.objects.filter(case__code=machine.case.code, reporter_id=viewer.user_id).values_list("id", flat=True)
    return [rater, *(f"source:{n}" for n in own)]


@verb("case.merge")
def merge(viewer: Viewer, code: str, into: str, payload: Mapping[str, Any]) -> None:
    """并案: the case ends, its sources and reporters go on in the other one, which remembers it."""
    for each in sorted({code, into}):
        store.load(each)  # lock in one order, so that two merges never wait for each other
    target = store.load(into)
    loaded = store.load(code)
    scene, _digest = scene_of(loaded.row)
    machine = Machine(loaded.situation, scene, DIRECTORY, clock.now(), viewer)
    machine.merge_into(target.situation.case, payload)
    store.save(loaded, machine, viewer)
    target_scene, _digest = scene_of(target.row)
    other = Machine(target.situation, target_scene, DIRECTORY, clock.now(), viewer)
    merge_sources(other, [code])
    store.save(target, other, viewer)
    with elevated():
        _move_sources(loaded.row, target.row)
        # those merged into it before follow, so that every reporter's key leads to the case that is alive
        Case.objects.filter(merged_into=code).update(merged_into=into)


def _move_sources(row: Case, target: Case) -> None:
    """Sources go on in the other case; what one device tells in both becomes one source, counted together."""
    known = {(s.kind, s.source, s.device): s for s in Source.objects.filter(case=target).exclude(device="")}
    for source in Source.objects.filter(case=row):
        same = known.get((source.kind, source.source, source.device))
        if same is None:
            source.case, source.came_under = target, source.came_under or row.code
            source.save(update_fields=["case", "came_under"])
            continue
        if source.last_at > same.last_at:
            same.last_at, same.signal_id = source.last_at, source.signal_id
        same.first_at, same.count = min(same.first_at, source.first_at), same.count + source.count
        same.save(update_fields=["first_at", "last_at", "signal_id", "count"])
        source.delete()
    recount(target)


# ---- the reporter's own page -----------------------------------------------------------------------------------------


class ByKey(NamedTuple):
    """The case a key opens, the names under which its reporter may have rated, first the one to write down, when they reported it,

    and under which number, when the report has moved since."""

    case: Case
    raters: tuple[str, ...]
    at: datetime
    under: str


def by_key(code: str, key: str) -> ByKey:
    """What a reporter's key opens, following merges. Forbidden for a wrong key, without saying whether the case exists."""
    with scoped(SYSTEM):
        source = Source.objects.select_related("case").filter(track_hash=sha256_hex(key.encode())).first()
        if source is None:
            raise Forbidden("cases.bad_key")
        case = source.case
        if code not in (case.code, source.came_under) and not Case.objects.filter(code=code, merged_into=case.code).exists():
            raise Forbidden("cases.bad_key")
        account = (f"user:{source.reporter_id}",) if source.reporter_id is not None else ()
        return ByKey(case, (f"source:{source.pk}", *account), source.first_at, source.came_under if source.came_under != case.code else "")


@verb("case.track")
def rate_by_key(viewer: Viewer, code: str, key: str, payload: Mapping[str, Any]) -> None:
    """The reporter's stars, with the key from the report's answer."""
    opened = by_key(code, key)
    with elevated():
        push(viewer, opened.case.code, lambda machine: machine.rate(payload, opened.raters))


@verb("case.track")
def urge_by_key(viewer: Viewer, code: str, key: str, payload: Mapping[str, Any]) -> None:
    """The reporter asks how long it will still take."""
    case = by_key(code, key).case
    with elevated():
        push(viewer, case.code, lambda machine: machine.urge(payload, reporter=True))


@verb("people.erase")
def erase_reporter(viewer: Viewer, code: str, note: str = "") -> Forgotten:
    """Erase who reported a case, their words and what they sent, those of cases merged into it too; the trace still verifies.

    Notes and forms of those who handled it stay, except those that name the person: these are about somebody who is to be forgotten.
    The administrator's note is sealed: free text may name the very person.
    """
    if not Case.objects.filter(code=code).exists():
        raise NotFound("cases.no_such_case", code=code)
    return _erase_reporter(viewer, code, note)


@verb("people.erase")
def erase_reporters_named(viewer: Viewer, subjects: Iterable[str], words: Collection[str]) -> Forgotten:
    """Of a person erased everywhere: the cases whose reporter they were (subjects ``case:CODE/reporter``), and the plates by which
    ended cases were known."""
    gone = Forgotten()
    for code in sorted({s.removeprefix("case:").removesuffix("/reporter") for s in subjects if s.endswith("/reporter")}):
        gone += _erase_reporter(viewer, code, "")
    with elevated():
        for word in words:
            Case.objects.filter(status__in=END_STATUSES, same_thing__contains=word).update(same_thing="")
    return gone


def _erase_reporter(viewer: Viewer, code: str, note: str) -> Forgotten:
    with elevated():
        codes = [code, *Case.objects.filter(merged_into=code).order_by("code").values_list("code", flat=True)]
        words = selectors.reporter_words(SYSTEM, codes)
        count = sum(erase(viewer, f"case:{each}", ERASE_RULE, words) + erase(viewer, reporter_subject(each), ERASE_RULE) for each in codes)
        for row in Case.objects.filter(code__in=codes).select_for_update():
            _forget_words(row)
        files = evidence.erase_sent(viewer, codes, ERASE_RULE)
        forget_addresses(f"case:{each}" for each in codes)
        data: dict[str, Any] = {"rule": ERASE_RULE, "values": count, "files": files}
        if note.strip():
            data["note"] = seal(note.strip(), subject=f"case:{code}", purpose="case_note", case=code)
        append(f"case:{code}", "reporter_erased", data, viewer, code)
    return Forgotten(1, count, files)


def _forget_words(row: Case) -> None:
    """What the reporter typed as address stands in the address and the title; an ended case also forgets its thing (a plate)."""
    place = DIRECTORY.region_name(row.region)
    row.title, row.address = f"{type_name(row.type, 'zh')} · {place}", ""
    if row.status in END_STATUSES:
        row.same_thing = ""
    if row.proposal:  # the words that spoke for a proposal are the reporter's own
        reasons = [{key: value for key, value in reason.items() if key != "words"} for reason in row.proposal.get("reasons", ())]
        row.proposal = {**row.proposal, "reasons": reasons}
    row.save(update_fields=["title", "address", "same_thing", "proposal"])
    Source.objects.filter(case=row).update(address="")


# ---- time ------------------------------------------------------------------------------------------------------------


def fire_due(batch: int = 200) -> bool:
    """Fire what is due, oldest first, each case in a transaction of its own. True when there may be more."""
    with scoped(SYSTEM):
        due, more = flow.due_codes(batch)
    for code in due:
        try:
            _fire_case(code)
        except Exception:  # one due row of the case is poisoned: its neighbours fire without it
            log.warning("limits of case %s failed together, now each alone", code, exc_info=True, extra={"case": code})
            _fire_case_singly(code)
    return more


def _fire_case_singly(code: str) -> None:
    with scoped(SYSTEM):
        ids = flow.due_ids(code)
    for limit_id in ids:
        try:
            _fire_case(code, limit_id)
        except Exception as fault:  # reported and pushed ahead
            log.exception("limit %s of case %s failed", limit_id, code, extra={"case": code})
            with scoped(SYSTEM):
                flow.push_ahead(limit_id, f"{type(fault).__name__}: {fault}")


def _fire_case(code: str, limit_id: str = "") -> None:
    """Fire every due row of a case in order, or just one. A case that someone acts on now is left to the next look."""
    with scoped(SYSTEM):
        row = Case.objects.select_for_update(skip_locked=True).filter(code=code).first()
        ids = ([limit_id] if limit_id else flow.due_ids(code)) if row else []
        if row and ids:
            push(SYSTEM, code, lambda machine: _fire_all(machine, ids), row)


def _fire_all(machine: Machine, ids: Iterable[str]) -> None:
    for limit_id in ids:
        machine.fire(limit_id)


def forget_visits(limit: int = 500, dry: bool = False) -> int:
    """Retention: where people checked in is nobody's business after a month; the trace keeps that they did."""
    with scoped(SYSTEM):
        return drop(Visit.objects.filter(at__lt=clock.now() - kept("visits")), limit, dry)
