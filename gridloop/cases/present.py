"""Rows as the world sees them: names for ids, masks on persons, sentences for codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from gridloop.access.actions import log_look
from gridloop.access.rules import mask_contact, mask_name, mask_text
from gridloop.access.selectors import names_of
from gridloop.cases import selectors
from gridloop.cases.actions import Acted
from gridloop.cases.directory import DIRECTORY
from gridloop.cases.forms import in_words
from gridloop.cases.models import Case, Source
from gridloop.cases.rules import CENTRE, END_STATUSES, TaskData, case_verbs, reporter_subject, task_verbs
from gridloop.cases.store import Loaded, case_data, task_data
from gridloop.cases.types import type_name
from gridloop.dispatch import selectors as dispatch
from gridloop.flow.selectors import task_row, tasks_of
from gridloop.journal.messages import FactRow
from gridloop.journal.selectors import chain_facts, facts_called, reading
from gridloop.kernel import clock
from gridloop.kernel.errors import NotFound
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.registry.briefs import DeviceView
from gridloop.registry.scope import opening
from gridloop.registry.selectors import devices_by_code, household_region
from gridloop.sdk.assistants import assistant_setting

CANDIDATES = 6
NAMES_WORDS = ("words", "learned", "unsure_words")  # reasons that say nothing once their words were erased
ALIKE_SHOWN = 2  # as many codes as fit a line


def _named(unit_id: int | None, units: dict[int, Any]) -> dict[str, Any] | None:
    if unit_id is None:
        return None
    brief = units.get(unit_id)
    return {"id": unit_id, "name": brief.name if brief else str(unit_id)}


def region_label(code: str, names: dict[str, str]) -> str:
    """Town and the deepest named part down to the grid: enough to know the place, short enough for a list."""
    parts = [names[code[:n]] for n in (9, 12, 15) if len(code) >= n and code[:n] in names]
    if not parts:
        return names.get(code, code)
    return parts[0] if len(parts) == 1 else f"{parts[0]} {parts[-1]}"


def _region_names(codes: Iterable[str]) -> dict[str, str]:
    """Names of the regions and of those above them: what a label is made of."""
    return DIRECTORY.region_names({code[:n] for code in codes for n in (9, 12, 15)} | set(codes))


def case_items(viewer: Viewer, rows: Sequence[Case]) -> list[dict[str, Any]]:
    """List items; units and regions are looked up once for the page."""
    units = DIRECTORY.units([row.lead_unit_id for row in rows if row.lead_unit_id is not None])
    names = _region_names([row.region for row in rows])
    return [_item(viewer, row, units, names) for row in rows]


def _item(viewer: Viewer, row: Case, units: dict[int, Any], names: dict[str, str]) -> dict[str, Any]:
    return {
        "code": row.code,
        "type": row.type,
        "type_name": type_name(row.type, viewer.lang),
        "title": row.title,
        "severity": row.severity,
        "status": row.status,
        "region": row.region,
        "region_name": region_label(row.region, names),
        "place": {"lon": row.lon, "lat": row.lat, "address": row.address, "metres": row.place_m},
        "reported_at": row.reported_at,
        "due_at": row.due_at,
        "closed_at": row.closed_at,
        "lead_unit": _named(row.lead_unit_id, units),
        "scene": row.scene,
        "sources": row.sources,
        "card": row.card,
        "stage": row.stage,
        "stage_due_at": row.stage_due_at,
        "merged": row.merged_count,
        "reworks": row.reworks,
    }


@reading
def case_detail(viewer: Viewer, code: str) -> dict[str, Any]:
    """Everything a desk shows of one case."""
    return _detail(viewer, selectors.case_row(viewer, code), [task_data(t) for t in tasks_of(code)])


@reading
def accepted(viewer: Viewer, done: Loaded) -> dict[str, Any]:
    """The same of a case as its verb has left it, from what the verb had in hand."""
    return _detail(viewer, done.row, done.situation.tasks)


def _detail(viewer: Viewer, row: Case, tasks: list[TaskData]) -> dict[str, Any]:
    code = row.code
    sources = selectors.sources_of(viewer, code)
    candidates = DIRECTORY.candidates("handle", (row.proposal or {}).get("type") or row.type, row.region, clock.now())[:CANDIDATES]
    ids = [*row.unit_ids, *row.supporting_ids, *(c.id for c in candidates), *(t.unit_id for t in tasks if t.unit_id)]
    units = DIRECTORY.units([i for i in [*ids, row.lead_unit_id, (row.proposal or {}).get("unit")] if i is not None])
    values = selectors.sealed_values(
        viewer, [x for s in sources for x in (s.text_sealed, s.reporter_sealed)] + [row.text_sealed, row.reporter_sealed]
    )
    case = case_data(row)
    detail = _item(viewer, row, units, _region_names([row.region]))
    detail |= {
        "text": _words(values.get(str(row.text_sealed))),
        "reporter": _reporter(values.get(str(row.reporter_sealed))),
        "proposal": _proposal(viewer, row, units),
        "candidates": _candidates(viewer, row, candidates, units),
        "supporting": [_named(u, units) for u in row.supporting_ids],
        "verbs": list(case_verbs(case, tasks, viewer)),
        "tasks": task_items(viewer, tasks, {code: row}),
        "rating": _rating(viewer, row),
        "supervision": _supervision(viewer, row),
        "source_rows": _sources(viewer, row, sources, values),
        "household": _household(viewer, row, sources),
        "merged_into": row.merged_into,
        "returns": row.returns,
        "escalations": row.escalations,
        "doubts": _doubts(viewer, row, _seen_in(viewer, [row])),
        "assistant": bool(assistant_setting()),
    }
    return detail


def _named_in(rows: Iterable[Case]) -> set[str]:
    """Codes of the cases that doubts about these name."""
    return {code for row in rows for doubt in row.doubts for code in [doubt.get("case"), *doubt.get("cases", ())] if code}


def _seen_in(viewer: Viewer, rows: Sequence[Case]) -> dict[str, Case]:
    """Those of them the viewer sees, in one look-up."""
    codes = _named_in(rows)
    return selectors.case_rows(viewer, codes) if codes else {}


def _doubts(viewer: Viewer, row: Case, shown: dict[str, Case]) -> list[str]:
    """What speaks against closing, as sentences, each once; a case the viewer may not see is not named."""

    def named(codes: Iterable[str]) -> str:
        return "、".join(dict.fromkeys(code if code in shown else say("cases.another_case", viewer.lang) for code in codes))

    said = (
        say(
            f"cases.doubt_{doubt['why']}",
            viewer.lang,
            case=named([doubt["case"]] if doubt.get("case") else []),
            cases=named(doubt.get("cases", ())),
            distance=_distance(doubt.get("metres", 0)),
            time=_time(viewer, doubt.get("seconds", 0) + 60 * doubt.get("minutes", 0) + 3600 * doubt.get("hours", 0)),
            times=doubt.get("times", 0),
        )
        for doubt in row.doubts
    )
    return list(dict.fromkeys(said))  # two photos of one other case are one sentence


def _distance(metres: int) -> str:
    return f"{metres} m" if metres < 1000 else f"{metres / 1000:.1f} km"


def _time(viewer: Viewer, seconds: int) -> str:
    """The largest unit of which there are two at least."""
    for unit, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return say(f"cases.time_{unit}", viewer.lang, n=seconds // length)
    return say("cases.time_seconds", viewer.lang, n=seconds)


@reading
def reporter_opened(viewer: Viewer, code: str, purpose: str, reason: str) -> list[dict[str, str]]:
    """Those who reported a case with their contacts and words, unmasked; the look is written down before they are shown.

    For those who may open personal data there, and for whoever has taken the case in hand: they have to call back.
    """
    in_hand = any(t.staff_id is not None and t.staff_id == viewer.staff_id and t.status == "accepted" for t in tasks_of(code))
    row = selectors.case_row(viewer if in_hand and purpose == "handle_case" else opening(viewer, purpose or "-"), code)
    log_look(viewer, reporter_subject(code), purpose, reason)
    first = (row.reporter_sealed, row.text_sealed)
    told = dict.fromkeys([first, *((s.reporter_sealed, s.text_sealed) for s in selectors.sources_of(viewer, code))])
    values = selectors.sealed_values(viewer, [i for pair in told for i in pair])
    people = [(values.get(str(who)), values.get(str(text))) for who, text in told]
    shown = [{**_person(who), "text": str(text or "")} for who, text in people]
    return [entry for entry in shown if any(entry.values())]


def _person(value: Any) -> dict[str, str]:
    known = value if isinstance(value, dict) else {}
    return {"name": known.get("name") or "", "contact": known.get("contact") or ""}


def _reporter(value: Any) -> dict[str, str] | None:
    if not isinstance(value, dict) or not any(value.values()):
        return None
    return {"name": mask_name(value.get("name") or ""), "contact": mask_contact(value.get("contact") or "")}


def _words(value: Any) -> str:
    """People's own words; numbers of persons in them stay masked until they are opened for a purpose."""
    return mask_text(str(value or ""))


def _sources(viewer: Viewer, row: Case, sources: Sequence[Source], values: dict[str, Any]) -> list[dict[str, Any]]:
    """Each source with the name of its device, as far as the viewer sees devices."""
    codes = {s.device for s in sources if s.device} if viewer.can("device.read") else set()
    devices = devices_by_code(viewer, codes) if codes else {}
    return [_source(row, s, values, devices.get(s.device)) for s in sources]


def _household(viewer: Viewer, row: Case, sources: Sequence[Source]) -> str | None:
    """The home a sensor's case is about, for those who may say that nobody is in it."""
    devices = {s.device for s in sources if s.device}
    if not viewer.can("people.absence") or not (row.same_thing or devices):
        return None
    reach = viewer.within("people.absence")
    homes = [row.same_thing, *(one.household or "" for one in devices_by_code(reach, devices).values())]
    return next((code for code in homes if code and household_region(reach, code) is not None), None)


def _source(row: Case, source: Source, values: dict[str, Any], device: DeviceView | None) -> dict[str, Any]:
    return {
        "id": source.pk,
        "splits": bool(source.track_hash) and source.text_sealed != row.text_sealed,
        "kind": source.kind,
        "source": source.source,
        "device": source.device,
        "device_name": device.name if device else "",
        "device_kind": device.kind if device else "",
        "device_place": device.place_name if device else "",
        "first_at": source.first_at,
        "last_at": source.last_at,
        "count": source.count,
        "text": _words(values.get(str(source.text_sealed))),
        "reporter": _reporter(values.get(str(source.reporter_sealed))),
    }


def _proposal(viewer: Viewer, row: Case, units: dict[int, Any]) -> dict[str, Any] | None:
    proposal = row.proposal
    if not proposal or not row.desk_waits:
        return None
    how = proposal.get("how", {}).get("type", "")
    fared = dispatch.precision(viewer, "type", proposal["type"], how) if how in ("learned", "words") else None
    return {
        "type": proposal["type"],
        "type_name": type_name(proposal["type"], viewer.lang),
        "unit": _named(proposal.get("unit"), units),
        "severity": proposal["severity"],
        "confidence": proposal["confidence"],
        "unit_confidence": proposal.get("unit_confidence"),
        "how": how,
        "precision": {"proposed": fared.proposed, "right": fared.right} if fared and fared.proposed else None,
        "reasons": [said for reason in proposal.get("reasons", ()) if (said := _reason(viewer, reason, units))],
        "alike": _alike(viewer, proposal.get("alike", ())),
    }


def _alike(viewer: Viewer, told: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
    """Cases that may be the same matter, as far as the viewer sees them and they are still open."""
    rows = selectors.case_rows(viewer, [code for code, _ in told]) if told else {}
    return [
        {"code": code, "title": rows[code].title, "likely": likely}
        for code, likely in told
        if code in rows and rows[code].status not in END_STATUSES
    ]


def _reason(viewer: Viewer, reason: dict[str, Any], units: dict[int, Any]) -> str:
    """One reason of a proposal in the viewer's language; '' when it names only cases the viewer may not see."""
    unit = units.get(reason.get("unit", 0))
    types = [type_name(code, viewer.lang) for code in reason.get("types", ())] + ["", ""]
    told = reason.get("cases", ())
    shown = selectors.case_rows(viewer, told) if told else {}
    cases = [code for code in told if code in shown]
    if (reason["why"] == "alike" and not cases) or (reason["why"] in NAMES_WORDS and not reason.get("words")):
        return ""
    level = reason.get("severity")
    return say(
        f"cases.why_{reason['why']}",
        viewer.lang,
        words=_words("、".join(reason.get("words", ()))),
        unit=unit.name if unit else "",
        one=types[0],
        other=types[1],
        number=reason.get("number", 0),
        severity=say(f"cases.severity_{level}", viewer.lang) if level else "",
        cases="、".join(cases[:ALIKE_SHOWN]),
    )


def _candidates(viewer: Viewer, row: Case, candidates: Sequence[Any], units: dict[int, Any]) -> list[dict[str, Any]]:
    if not row.desk_waits:
        return []
    loads = selectors.loads_of(SYSTEM, [c.id for c in candidates])
    names = DIRECTORY.region_names({c.region_code for c in candidates})
    found = []
    for c in candidates:
        why = say("cases.competent_here", viewer.lang, region=names.get(c.region_code, c.region_code))
        found.append({"unit": _named(c.id, units), "reason": why, "load": loads.get(c.id, 0), "distance_m": None})
    return found


def _rating(viewer: Viewer, row: Case) -> dict[str, Any] | None:
    """The reporters' stars (mean, how many, the latest words) with the centre's beside them."""
    if not row.ratings:
        return None
    sealed = {f.data.get("by"): f.data["note"]["sealed"] for f in facts_called(viewer, f"case:{row.code}", ["rated"]) if "note" in f.data}
    values = selectors.sealed_values(viewer, sealed.values())
    notes = {by: _words(values.get(entry)) for by, entry in sealed.items()}
    centre = {"stars": row.centre_stars, "note": notes.get("centre", "")} if row.centre_stars is not None else None
    return {"stars": row.stars, "count": len(row.ratings) - (CENTRE in row.ratings), "note": notes.get("reporter", ""), "centre": centre}


def _supervision(viewer: Viewer, row: Case) -> list[dict[str, Any]]:
    """Every order of a supervisor, the latest first."""
    if not row.supervised:
        return []
    facts = facts_called(viewer, f"case:{row.code}", ["supervised"])
    sealed = {f.seq: f.data["note"]["sealed"] for f in facts if "note" in f.data}
    values, names = selectors.sealed_values(viewer, sealed.values()), actor_names(viewer, {f.actor for f in facts})
    return [
        {
            "at": f.at,
            "by": names.get(f.actor, ""),
            "note": _words(values.get(sealed.get(f.seq, ""))),
            "reply_by": f.data.get("reply_by"),
        }
        for f in reversed(facts)
    ]


def task_items(viewer: Viewer, tasks: Sequence[TaskData], cases: dict[str, Case] | None = None) -> list[dict[str, Any]]:
    """Tasks with what their case says and what the viewer may do; ``cases``: those already read as the viewer."""
    if cases is None:
        cases = selectors.case_rows(viewer, {t.case for t in tasks})
    units = DIRECTORY.units([t.unit_id for t in tasks if t.unit_id is not None])
    staff = DIRECTORY.staff_names({t.staff_id for t in tasks if t.staff_id is not None})
    names = _region_names([c.region for c in cases.values()])
    named = _seen_in(viewer, list(cases.values()))
    known = {code: case_data(case) for code, case in cases.items()}
    items = []
    for t in tasks:
        case = cases.get(t.case)
        if case is None:
            continue
        items.append(
            {
                "id": t.id,
                "case": t.case,
                "case_title": case.title,
                "severity": case.severity,
                "name": t.name,
                "title": t.title_zh if viewer.lang == "zh" else t.title_en,
                "stage": t.stage,
                "status": t.status,
                "assignee": {"id": t.staff_id, "name": staff.get(t.staff_id, str(t.staff_id))} if t.staff_id is not None else None,
                "unit": _named(t.unit_id, units),
                "opened_at": t.opened_at,
                "due_at": t.due_at,
                "done_at": t.done_at,
                "verbs": list(task_verbs(known[t.case], t, viewer)),
                "form": t.form,
                "must": list(t.must),
                "place": {"lon": case.lon, "lat": case.lat, "address": case.address, "metres": case.place_m},
                "region_name": region_label(case.region, names),
                "doubts": _doubts(viewer, case, named) if t.stage in ("check", "review") and t.status in ("open", "accepted") else [],
            }
        )
    return items


@reading
def trace(viewer: Viewer, code: str, after: int, limit: int, purpose: str = "", reason: str = "") -> list[dict[str, Any]]:
    """The facts of a case with names and, where not erased, the words behind the commitments; with a purpose unmasked and written down."""
    selectors.case_row(opening(viewer, purpose), code)
    if purpose:
        log_look(viewer, f"case:{code}", purpose, reason)
    facts = chain_facts(viewer, f"case:{code}", after, limit)
    names = actor_names(viewer, {f.actor for f in facts})
    values = selectors.sealed_values(viewer, [v["sealed"] for f in facts for k, v in f.data.items() if _shown(k, v)])
    forms = {str(t.pk): t.form for t in tasks_of(code)} if any("form" in f.data for f in facts) else {}
    return [_fact(viewer, f, names, values, forms, str if purpose else _words) for f in facts]


def _shown(key: str, value: Any) -> bool:
    return key in ("form", "note", "text") and isinstance(value, dict) and "sealed" in value


def _fact(
    viewer: Viewer,
    fact: FactRow,
    names: dict[str, str],
    values: dict[str, Any],
    forms: dict[str, Any],
    show: Callable[[Any], str] = _words,
) -> dict[str, Any]:
    words = [values.get(v["sealed"]) or say("cases.erased", viewer.lang) for k, v in fact.data.items() if _shown(k, v)]
    form = forms.get(str(fact.data.get("task")))
    words = [in_words(form, word, viewer.lang) if isinstance(word, dict) else word for word in words]
    return {
        **fact.public(),
        "actor_name": names.get(fact.actor) or say(f"cases.actor_{fact.actor}", viewer.lang),
        "action_name": say(f"cases.did_{fact.action}", viewer.lang),
        "text": "\n".join(show(w) for w in words),
    }


def actor_names(viewer: Viewer, actors: Iterable[str]) -> dict[str, str]:
    """Names of those who acted, as colleagues know them."""
    ids = {int(a.removeprefix("user:")) for a in actors if a.startswith("user:")}
    return {f"user:{user_id}": name for user_id, name in names_of(SYSTEM, sorted(ids)).items()}


@reading
def case_sources(viewer: Viewer, code: str) -> list[dict[str, Any]]:
    """Every source of a case, words included, persons masked."""
    row = selectors.case_row(viewer, code)
    sources = selectors.sources_of(viewer, code)
    values = selectors.sealed_values(viewer, [x for s in sources for x in (s.text_sealed, s.reporter_sealed)])
    return _sources(viewer, row, sources, values)


@reading
def case_tasks(viewer: Viewer, code: str) -> list[dict[str, Any]]:
    row = selectors.case_row(viewer, code)
    return task_items(viewer, [task_data(t) for t in tasks_of(code)], {code: row})


@reading
def my_tasks(viewer: Viewer, status: str, mine: bool, limit: int, after: str = "") -> dict[str, Any]:
    rows, following = selectors.my_tasks(viewer, status, mine, limit, after)
    return {"items": task_items(viewer, [task_data(t) for t in rows]), "next": following}


@reading
def one_task(viewer: Viewer, task_id: str) -> dict[str, Any]:
    """One task; NotFound when its case is not this viewer's to see."""
    items = task_items(viewer, [task_data(task_row(viewer, task_id))])
    if not items:
        raise NotFound("flow.no_such_task")
    return items[0]


def acted(viewer: Viewer, done: Acted) -> dict[str, Any]:
    """A task as its verb has left it, for whoever did it: from what the verb had in hand."""
    return task_items(viewer, [done.task], {done.task.case: done.case})[0]
