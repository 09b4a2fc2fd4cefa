"""Who is told: the people behind the words lead, supporting, holders, desk, checker, above, reporter and owner; the loudspeakers near."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from gridloop.cases.models import Case
from gridloop.cases.rules import reporter_subject
from gridloop.cases.selectors import LIVE_TASK, Reporter, sources_of
from gridloop.flow.selectors import tasks_of
from gridloop.journal.messages import FactRow
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices.messages import Recipient
from gridloop.orgs import selectors as orgs
from gridloop.orgs.briefs import OnDuty, StaffBrief
from gridloop.registry.selectors import devices_by_code, devices_near, household_contacts, plate_contact
from gridloop.sdk.pack import Pack

SPEAKERS_M, MOST_SPEAKERS = 300.0, 3  # farther off nobody at the place hears it; its own reach counts when it is smaller
MOST_AT_HOME = 3
MOST_UNROSTERED = 3  # without a roster not a whole department is woken


class Asked(Protocol):
    """What is asked once for all facts that are worked on together."""

    def duty(self, unit: int) -> OnDuty:
        """Who answers for a unit now."""

    @property
    def reporters(self) -> dict[str, list[Reporter]]:
        """Who reported, by the case's code."""


def recipients(audience: str, case: Case, fact: FactRow, pack: Pack, asked: Asked) -> list[Recipient]:
    """Everyone of the audience, each once; empty when there is nobody or no way to reach them."""
    found = {r.key: r for r in _FIND[audience](case, fact, pack, asked)}
    return list(found.values())


def _staff(people: Iterable[StaffBrief]) -> list[Recipient]:
    return [Recipient(f"staff:{s.id}", s.phone, s.name, f"staff:{s.id}") for s in people]


def _people(now: OnDuty) -> list[Recipient]:
    """The roster's people of the moment; without a roster the first of the unit's staff."""
    return _staff(now.staff if now.source == "roster" else now.staff[:MOST_UNROSTERED])


def _lead(case: Case, fact: FactRow, pack: Pack, asked: Asked) -> list[Recipient]:
    """The person it was given to, else the people on duty of the lead unit."""
    if person := fact.data.get("staff"):
        return _staff(orgs.staff_briefs(SYSTEM, [int(person)]).values())
    unit = fact.data.get("unit") or case.lead_unit_id
    return _people(asked.duty(int(unit))) if unit else []


def _supporting(case: Case, fact: FactRow, pack: Pack, asked: Asked) -> list[Recipient]:
    return [r for unit in case.supporting_ids for r in _people(asked.duty(unit))]


def _above(case: Case, fact: FactRow, pack: Pack, asked: Asked) -> list[Recipient]:
    """The commander on duty of the unit the fact names; without one its people."""
    unit = fact.data.get("unit")
    if not unit:
        return []
    now = asked.duty(int(unit))
    return _staff([now.commander]) if now.commander else _people(now)


def _holders(case: Case, fact: FactRow, pack: Pack, asked: Asked) -> list[Recipient]:
    """Who has the case's live tasks in hand (the person, else the unit's people on duty), and the commander on duty of each unit."""
    found: list[Recipient] = []
    for task in tasks_of(case.code):
        if task.status not in LIVE_TASK or task.unit_id is None:
            continue
        person = orgs.staff_briefs(SYSTEM, [task.staff_id]).values() if task.staff_id is not None else ()
        now = asked.duty(task.unit_id)
        found += [*(_staff(person) or _people(now)), *(_staff([now.commander]) if now.commander else [])]
    return found


def _holder(task: str) -> Callable[[Case, FactRow, Pack, Asked], list[Recipient]]:
    def find(case: Case, fact: FactRow, pack: Pack, asked: Asked) -> list[Recipient]:
        units = orgs.competent_units(SYSTEM, task, case.type, case.region, clock.now())
        return _people(asked.duty(units[0].id)) if units else []

    return find


def _reporter(case: Case, fact: FactRow, pack: Pack, asked: Asked) -> list[Recipient]:
    """A fact about one report tells its reporter; one about the case tells every reporter of it."""
    told = asked.reporters.get(case.code, [])
    if named := fact.data.get("reporter"):
        told = [one for one in told if one.sealed == named.get("sealed")]
    elif fact.action in ("reported", "joined"):
        return []
    return [r for one in told if (r := _reached(f"source:{one.source}", reporter_subject(case.code), one.value))]


def _reached(key: str, subject: str, value: Any) -> Recipient | None:
    if not isinstance(value, dict) or not value.get("contact"):
        return None
    return Recipient(key, str(value["contact"]), str(value.get("name", "")), subject, str(value.get("key", "")))


def _owner(case: Case, fact: FactRow, pack: Pack, asked: Asked) -> list[Recipient]:
    """The registered owner of the vehicle the case is about, or who lives in the home it is about."""
    reason = f"{case.code} {fact.action}"
    if plate := plate_of(case, pack):
        owner = plate_contact(SYSTEM, plate, "handle_case", reason)
        found = [owner] if owner else []
    else:
        home = _home_of(case, pack)
        found = household_contacts(SYSTEM, home, "handle_case", reason)[:MOST_AT_HOME] if home else []
    return [Recipient(one.subject, one.phone, one.name, one.subject) for one in found]


def plate_of(case: Case, pack: Pack) -> str:
    """The number plate, when the scene's same-thing key is one."""
    return _subject_of(case, pack, "plate")


def _home_of(case: Case, pack: Pack) -> str:
    """The home the case is about: by itself, or by the device that stands in it."""
    if home := _subject_of(case, pack, "household"):
        return home
    code = _subject_of(case, pack, "home_of")
    device = devices_by_code(SYSTEM, {code}).get(code) if code else None
    return (device.household or "") if device else ""


def _subject_of(case: Case, pack: Pack, what: str) -> str:
    """The case's thing, when the pack says that it is a plate or a household."""
    source = pack.signals.subject.get(what)
    return case.same_thing if source and source == pack.pack.same_thing.key else ""


def _speakers(case: Case, fact: FactRow, pack: Pack, asked: Asked) -> list[Recipient]:
    """The loudspeakers in reach of the place, nearest first."""
    if case.lon is None or case.lat is None:
        return []
    near = devices_near(SYSTEM, "loudspeaker", case.lon, case.lat, SPEAKERS_M, MOST_SPEAKERS)
    return [Recipient(f"device:{one.id}", one.code, one.name) for one in near]


def _source(case: Case, fact: FactRow, pack: Pack, asked: Asked) -> list[Recipient]:
    """The registered devices that told of it themselves: a camera in a lift has the lift's loudspeaker and hold beside it."""
    codes = {one.device for one in sources_of(SYSTEM, case.code) if one.device}
    found = devices_by_code(SYSTEM, codes) if codes else {}
    return [Recipient(f"device:{one.id}", code, one.name) for code, one in sorted(found.items())]


_FIND: dict[str, Callable[[Case, FactRow, Pack, Asked], list[Recipient]]] = {
    "lead": _lead,
    "supporting": _supporting,
    "above": _above,
    "holders": _holders,
    "desk": _holder("intake"),
    "checker": _holder("check"),
    "reporter": _reporter,
    "owner": _owner,
    "speakers": _speakers,
    "source": _source,
}
