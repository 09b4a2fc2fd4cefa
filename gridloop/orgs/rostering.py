"""The roster: who is on duty for a unit. A week is set as a whole, so whoever sets it says which week they have seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from gridloop.journal.actions import append, verb
from gridloop.kernel.errors import FieldFault, NotFound, NotNow
from gridloop.kernel.texts import Words
from gridloop.kernel.viewer import Viewer
from gridloop.orgs.desk import need_own
from gridloop.orgs.loading import load_rows
from gridloop.orgs.messages import ShiftRow
from gridloop.orgs.models import Shift, Staff, Unit
from gridloop.orgs.redrawing import CHAIN, invalid
from gridloop.orgs.selectors import calendar_for
from gridloop.orgs.staffing import need_own_person
from gridloop.orgs.tables import targets

_MOST_TOLD: Final = 20  # of the shifts that others have changed

_Seen = tuple[str, str, datetime, datetime]


@verb("org.edit")
def set_roster(
    viewer: Viewer, unit: str, start: datetime, end: datetime, shifts: Sequence[ShiftRow], base: Sequence[ShiftRow] | None = None
) -> int:
    """Replace the unit's shifts that begin from ``start`` (included) to ``end`` (excluded); returns how many there are now.

    ``base``: the shifts of that period as the caller has seen them; NotNow when others have changed them since.
    """
    found = Unit.objects.select_for_update().filter(code=unit).first()
    if found is None:
        raise NotFound("orgs.unit_unknown", unit=unit)
    need_own(viewer, "org.edit", found.region_code, (found.pk,))
    known: set[str] = set()
    for number, shift in enumerate(shifts):
        if shift.unit != unit:
            raise invalid(f"/{number}/unit", "orgs.shift_other_unit", unit=shift.unit)
        if not start <= shift.starts_at < end:
            raise invalid(f"/{number}/starts_at", "orgs.shift_outside")
        if shift.staff not in known:
            known.add(need_own_person(viewer, shift.staff, f"/{number}/staff").code)
    there = Shift.objects.filter(unit=found, starts_at__gte=start, starts_at__lt=end)
    if base is not None:  # under the unit's lock: of two who save at once, the second sees what the first has saved
        _need_unchanged(viewer, base, list(there.select_related("staff").order_by("starts_at", "pk")))
    there.delete()
    load_rows(viewer, "org.edit", targets(), shifts)
    append(CHAIN, "roster_set", {"unit": unit, "from": start.isoformat(), "to": end.isoformat(), "shifts": len(shifts)}, viewer)
    return len(shifts)


def _seen(shift: ShiftRow | Shift) -> _Seen:
    """A shift as people see it: screens tell and ask for minutes."""
    who = shift.staff if isinstance(shift, ShiftRow) else shift.staff.code
    return who, shift.role, shift.starts_at.replace(second=0, microsecond=0), shift.ends_at.replace(second=0, microsecond=0)


def _need_unchanged(viewer: Viewer, base: Sequence[ShiftRow], there: Sequence[Shift]) -> None:
    before = {_seen(shift): number for number, shift in enumerate(base)}
    now = {_seen(shift): shift.staff.name for shift in there}
    came = [shift for shift in now if shift not in before]
    went = [shift for shift in before if shift not in now]
    if not came and not went:
        return
    local = calendar_for(viewer).local
    names = dict(Staff.objects.filter(code__in={shift[0] for shift in went}).values_list("code", "name"))

    def told(pointer: str, key: str, shift: _Seen, who: str) -> FieldFault:
        start, end = (f"{local(at):%m-%d %H:%M}" for at in shift[2:])
        return FieldFault(pointer, key, {"who": who, "role": Words(f"orgs.shift_role_{shift[1]}"), "from": start, "to": end})

    changes = [told("/base", "orgs.shift_came", shift, now[shift]) for shift in came]
    changes += [told(f"/base/{before[shift]}", "orgs.shift_went", shift, names.get(shift[0], shift[0])) for shift in went]
    raise NotNow("orgs.roster_changed", errors=tuple(changes[:_MOST_TOLD]), came=len(came), went=len(went))
