"""Verbs on units, people, duties, teams and the roster. No name in a fact: a person's is personal, and ids outlive renames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from django.db.models import Q

from gridloop.journal.actions import append, elevated, verb
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Invalid, NotFound, NotNow
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs import rules
from gridloop.orgs.desk import need_own
from gridloop.orgs.messages import AssignmentRow, DutyRow, StaffRow, UnitRow
from gridloop.orgs.models import Assignment, Department, Duty, Post, Shift, Staff, Unit
from gridloop.orgs.redrawing import CHAIN, invalid, local_day
from gridloop.orgs.selectors import unknown_regions
from gridloop.orgs.tables import rebuild_paths

UNIT_FIELDS = ("name", "kind", "region", "department", "parent", "presence", "phone")
STAFF_FIELDS = ("name", "unit", "phone", "employment", "skills")


def own_unit(viewer: Viewer, unit_id: int, pointer: str = "") -> Unit:
    """The unit's row, locked; it must be the viewer's to administer. ``pointer``: the field that named it, for an Invalid."""
    row = Unit.objects.select_for_update().filter(pk=unit_id).first()
    if row is None:
        raise invalid(pointer, "orgs.unit_unknown", unit=unit_id) if pointer else NotFound("orgs.unit_unknown", unit=unit_id)
    need_own(viewer, "org.edit", row.region_code, (row.pk,))
    return row


def own_staff(viewer: Viewer, staff_id: int) -> Staff:
    """The person's row; the unit must be the viewer's to administer."""
    row = Staff.objects.select_related("unit").filter(pk=staff_id).first()
    if row is None:
        raise NotFound("orgs.staff_unknown", staff=staff_id)
    need_own(viewer, "org.edit", row.unit.region_code, (row.unit_id,))
    return row


def need_own_person(viewer: Viewer, code: str, pointer: str) -> Staff:
    """Somebody at work here: people are lent by those who administer their unit, not by those who need them."""
    row = Staff.objects.select_related("unit").filter(code=code, active=True).first()
    if row is None:
        raise invalid(pointer, "orgs.staff_unknown", staff=code)
    need_own(viewer, "org.edit", row.unit.region_code, (row.unit_id,))
    return row


# --- units -----------------------------------------------------------------------------------------------------------------


def _fit_unit(viewer: Viewer, row: Unit) -> None:
    """What a unit must have, each refusal at its field: a known region of the viewer's, department and parent; no parent below itself."""
    need_own(viewer, "org.edit", row.region_code)
    parent = row.parent.code if row.parent else ""
    told = UnitRow(row.code.strip(), row.name, row.kind, row.region_code, row.department_id or "", parent, row.presence, row.phone)
    if fault := rules.unit_fault(told):
        pointer = "/region" if fault.pointer == "/region_code" else fault.pointer
        raise Invalid(fault.key, errors=(FieldFault(pointer, fault.key, fault.params),), **fault.params)
    if unknown_regions(SYSTEM, [row.region_code]):
        raise invalid("/region", "orgs.row_region_unknown", code=row.region_code)
    if row.department_id and not Department.objects.filter(code=row.department_id).exists():
        raise invalid("/department", "orgs.row_unknown_ref", field="department", value=row.department_id)
    if row.parent and row.pk and row.pk in map(int, row.parent.path.split(".")):
        raise invalid("/parent", "orgs.unit_below_itself")


@verb("org.edit")
def add_unit(viewer: Viewer, row: UnitRow, parent: int | None = None) -> int:
    """A new unit, below ``parent`` (an id; ``row.parent`` is the loader's); returns its id. A known code is refused."""
    if Unit.objects.filter(code=row.code).exists():
        raise invalid("/code", "orgs.unit_exists", code=row.code)
    above = own_unit(viewer, parent, "/parent") if parent is not None else None
    unit = Unit(
        code=row.code,
        name=row.name.strip(),
        kind=row.kind,
        region_code=row.region_code,
        department_id=row.department or None,
        parent=above,
        presence=row.presence,
        phone=row.phone.strip(),
    )
    _fit_unit(viewer, unit)
    unit.save()
    rebuild_paths()
    append(CHAIN, "unit_added", {"unit": unit.pk, "code": unit.code, "region": unit.region_code, "parent": parent}, viewer)
    return unit.pk


@verb("org.edit")
def change_unit(viewer: Viewer, unit_id: int, changes: Mapping[str, Any]) -> None:
    """Change the fields given, of ``UNIT_FIELDS`` (``parent`` an id or None); the tree below moves with it."""
    row = own_unit(viewer, unit_id)
    for name in UNIT_FIELDS:
        if name not in changes:
            continue
        value = changes[name]
        if name == "parent":
            row.parent = own_unit(viewer, value, "/parent") if value is not None else None
        elif name == "department":
            row.department_id = value or None
        else:
            setattr(row, "region_code" if name == "region" else name, value.strip())
    _fit_unit(viewer, row)
    row.save()
    rebuild_paths()
    append(CHAIN, "unit_changed", {"unit": unit_id, "fields": sorted(changes.keys() & set(UNIT_FIELDS))}, viewer)


@verb("org.edit")
def set_unit_active(viewer: Viewer, unit_id: int, active: bool) -> None:
    """Take a unit out of service, or back. Refused while units, people or duties hang on it; nobody could answer for them."""
    row = own_unit(viewer, unit_id)
    if row.active == active:
        return
    if not active:
        left = {
            "units": Unit.objects.filter(parent=row, active=True).count(),
            "staff": Staff.objects.filter(unit=row, active=True).count(),
            "duties": _duties_now(viewer).filter(unit=row).count(),
        }
        if any(left.values()):
            raise NotNow("orgs.unit_in_use", **left)
    row.active = active
    row.save(update_fields=["active"])
    append(CHAIN, "unit_restored" if active else "unit_retired", {"unit": unit_id}, viewer)


# --- people ----------------------------------------------------------------------------------------------------------------


def _fit_staff(row: Staff) -> None:
    if fault := rules.staff_fault(StaffRow(row.code.strip(), row.name, row.unit.code)):
        raise Invalid(fault.key, errors=(fault,), **fault.params)
    if not row.unit.active:
        raise invalid("/unit", "orgs.unit_closed", unit=row.unit.name)


@verb("org.edit")
def add_staff(viewer: Viewer, row: StaffRow, unit: int) -> int:
    """A new person of a unit (an id); returns the person's id. A known code is refused. An account is another verb."""
    if Staff.objects.filter(code=row.code).exists():
        raise invalid("/code", "orgs.staff_exists", code=row.code)
    name = row.name.strip()
    person = Staff(code=row.code, name=name, unit=own_unit(viewer, unit, "/unit"), phone=row.phone.strip(), pinyin=rules.pinyin(name))
    person.employment, person.skills = row.employment.strip(), list(row.skills)
    _fit_staff(person)
    with elevated():
        person.save()
    append(CHAIN, "staff_added", {"staff": person.pk, "unit": unit}, viewer)
    return person.pk


@verb("org.edit")
def change_staff(viewer: Viewer, staff_id: int, changes: Mapping[str, Any]) -> None:
    """Change the fields given, of ``STAFF_FIELDS`` (``unit`` an id). Both units must be the viewer's to administer."""
    row = own_staff(viewer, staff_id)
    for name in STAFF_FIELDS:
        if name not in changes:
            continue
        value = changes[name]
        if name == "unit":
            row.unit = own_unit(viewer, value, "/unit")
        else:
            setattr(row, name, list(value) if name == "skills" else value.strip())
    row.pinyin = rules.pinyin(row.name)
    _fit_staff(row)
    fields = sorted(changes.keys() & set(STAFF_FIELDS))
    with elevated():
        row.save(update_fields=[*fields, "pinyin"])
    append(CHAIN, "staff_changed", {"staff": staff_id, "unit": row.unit_id, "fields": fields}, viewer)


@verb("org.edit")
def set_staff_active(viewer: Viewer, staff_id: int, active: bool) -> None:
    """Somebody leaves (their teams end today, shifts to come are taken off the roster), or comes back to the unit."""
    row = own_staff(viewer, staff_id)
    if row.active == active:
        return
    if active and not row.unit.active:
        raise invalid("/active", "orgs.unit_closed", unit=row.unit.name)
    with elevated():
        row.active = active
        row.save(update_fields=["active"])
    data: dict[str, Any] = {"staff": staff_id}
    if not active:
        data["teams"] = Assignment.objects.filter(staff=row, valid_to__isnull=True).update(valid_to=local_day(viewer, None))
        data["shifts"] = Shift.objects.filter(staff=row, starts_at__gt=clock.now()).delete()[0]
    append(CHAIN, "staff_returned" if active else "staff_left", data, viewer)


# --- duties ----------------------------------------------------------------------------------------------------------------


def _duties_now(viewer: Viewer) -> Any:
    day = local_day(viewer, None)
    return Duty.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=day))


@verb("org.edit")
def give_duty(viewer: Viewer, unit_id: int, row: DutyRow) -> int:
    """Make a unit competent for a step, kind of case and place from a day on; returns the duty's id. ``row.unit`` is the loader's."""
    unit = own_unit(viewer, unit_id)
    need_own(viewer, "org.edit", row.region_code)
    if not unit.active:
        raise invalid("", "orgs.unit_closed", unit=unit.name)
    if fault := rules.duty_fault(replace(row, unit=unit.code)):
        raise Invalid(fault.key, errors=(fault,), **fault.params)
    if row.region_code and unknown_regions(SYSTEM, [row.region_code]):
        raise invalid("/region", "orgs.row_region_unknown", code=row.region_code)
    post = Post.objects.filter(code=row.post, unit=unit).first() if row.post else None
    if row.post and post is None:
        raise invalid("/post", "orgs.row_unknown_ref", field="post", value=row.post)
    where: dict[str, Any] = {"kind": row.kind, "case_type": row.case_type, "region_code": row.region_code, "unit": unit, "post": post}
    if _duties_now(viewer).filter(**where).exists():
        raise invalid("", "orgs.duty_exists")
    duty, _ = Duty.objects.update_or_create(
        **where, valid_from=row.valid_from, defaults={"hours": row.hours, "priority": row.priority, "valid_to": None}
    )
    data = {"duty": duty.pk, "unit": unit_id, "kind": row.kind, "type": row.case_type, "region": row.region_code}
    append(CHAIN, "duty_given", data, viewer)
    return duty.pk


@verb("org.edit")
def end_duty(viewer: Viewer, duty_id: int, day: date | None = None) -> None:
    """The unit is competent until the day (excluded). The last desk that takes cases in for a place stays."""
    duty = Duty.objects.select_for_update().filter(pk=duty_id).first()
    if duty is None:
        raise NotFound("orgs.duty_unknown", duty=duty_id)
    own_unit(viewer, duty.unit_id)
    day = local_day(viewer, day)
    if day < duty.valid_from:
        raise invalid("/day", "orgs.duty_day_before", day=day.isoformat(), since=duty.valid_from.isoformat())
    if duty.kind == "intake" and not _taken_in_without(viewer, duty):
        raise NotNow("orgs.duty_last_intake", region=duty.region_code)
    Duty.objects.filter(pk=duty_id).update(valid_to=day)
    append(CHAIN, "duty_ended", {"duty": duty_id, "unit": duty.unit_id, "day": day.isoformat()}, viewer)


def _taken_in_without(viewer: Viewer, duty: Duty) -> bool:
    """Whether another desk, at all times, takes in what this one does."""
    others = _duties_now(viewer).filter(kind="intake", hours__isnull=True, unit__active=True).exclude(pk=duty.pk)
    return any(
        duty.region_code.startswith(region) and duty.case_type.startswith(kind)
        for region, kind in others.values_list("region_code", "case_type")
    )


# --- teams and roster ------------------------------------------------------------------------------------------------------


@verb("org.edit")
def assign(viewer: Viewer, row: AssignmentRow) -> None:
    """Put a staff member into a grid team or post from a day on; both the region and the person must be the viewer's to administer."""
    need_own(viewer, "org.edit", row.region_code)
    person = need_own_person(viewer, row.staff, "/staff")
    if fault := rules.assignment_fault(row):
        raise Invalid(fault.key, errors=(fault,), **fault.params)
    if unknown_regions(SYSTEM, [row.region_code]):
        raise invalid("/region", "orgs.row_region_unknown", code=row.region_code)
    post = Post.objects.filter(code=row.post).first() if row.post else None
    if row.post and post is None:
        raise invalid("/post", "orgs.row_unknown_ref", field="post", value=row.post)
    where: dict[str, Any] = {"staff": person, "region_code": row.region_code, "role": row.role, "post": post}
    if Assignment.objects.filter(**where, valid_to__isnull=True).exists():
        raise invalid("/staff", "orgs.assignment_exists")
    Assignment.objects.update_or_create(**where, valid_from=row.valid_from, defaults={"valid_to": row.valid_to})
    append(CHAIN, "staff_assigned", {"staff": row.staff, "region": row.region_code, "role": row.role}, viewer)


@verb("org.edit")
def end_assignment(viewer: Viewer, staff: str, region_code: str, role: str, day: date | None = None) -> None:
    """The staff member leaves the team on the day; NotFound when there is no such current assignment."""
    need_own(viewer, "org.edit", region_code)
    day = local_day(viewer, day)
    current = Assignment.objects.filter(staff__code=staff, region_code=region_code, role=role, valid_to__isnull=True)
    late = current.filter(valid_from__gt=day).first()
    if late is not None:
        raise invalid("/day", "orgs.duty_day_before", day=day.isoformat(), since=late.valid_from.isoformat())
    if not current.update(valid_to=day):
        raise NotFound("orgs.row_unknown_ref", field="assignment", value=f"{staff} {region_code} {role}")
    append(CHAIN, "assignment_ended", {"staff": staff, "region": region_code, "role": role, "day": day.isoformat()}, viewer)
