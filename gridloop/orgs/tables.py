"""How each record shape of this room is loaded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import connection

from gridloop.kernel.errors import FieldFault
from gridloop.kernel.viewer import Viewer
from gridloop.orgs import messages as m
from gridloop.orgs import rules
from gridloop.orgs.loading import Column, Target
from gridloop.orgs.models import Level, TableVersion
from gridloop.orgs.selectors import unknown_regions
from gridloop.orgs.territory import touched

Found = Iterable[tuple[int, FieldFault]]


def touch(*names: str) -> None:
    """Tell every process that a remembered table changed. The counter never repeats, even when a transaction is rolled back."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {TableVersion._meta.db_table} SET value = greatest(value + 1, (extract(epoch FROM clock_timestamp()) * 1e6)::bigint) "
            "WHERE name = ANY (%s)",
            [list(names)],
        )
    touched()


def region_codes_known(viewer: Viewer, rows: list[Any]) -> Found:
    """Rows whose ``region_code`` is no current region (empty ones are judged elsewhere)."""
    unknown = unknown_regions(viewer, {row.region_code for row in rows if row.region_code})
    for place, row in enumerate(rows):
        if row.region_code in unknown:
            yield place, FieldFault("/region_code", "orgs.row_region_unknown", params={"code": row.region_code})


def _build_paths() -> None:
    """Parents named in the same chunk, then every path that is not what the tree says."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE orgs_unit u SET parent_id = p.id FROM load_stage s JOIN orgs_unit p ON p.code = s.parent_id "
            "WHERE u.code = s.code AND s.parent_id <> '' AND u.parent_id IS DISTINCT FROM p.id"
        )
    rebuild_paths()


def rebuild_paths() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH RECURSIVE tree AS (SELECT id, id::text AS path FROM orgs_unit WHERE parent_id IS NULL "
            "UNION ALL SELECT u.id, t.path || '.' || u.id FROM orgs_unit u JOIN tree t ON u.parent_id = t.id) "
            "UPDATE orgs_unit u SET path = t.path FROM tree t WHERE t.id = u.id AND u.path <> t.path"
        )


def region_target(levels: Mapping[str, int]) -> Target:
    digits = sorted(levels.values())
    return Target(
        table="orgs_region",
        columns=(
            Column("code"),
            Column("name"),
            Column("pinyin", value=lambda r: r.pinyin or rules.pinyin(r.name)),
            Column("level_id", field="level"),
            Column("parent_code", value=lambda r: r.parent_code or rules.parent_of(r.code, digits)),
            Column("lon", "float8"),
            Column("lat", "float8"),
            Column("boundary", "bytea"),
            Column("households", "int"),
            Column("population", "int"),
            Column("valid_from", "date", once=True),
        ),
        key=("code",),
        key_where="valid_to IS NULL",
        check=lambda row: rules.region_fault(row, levels),
        after=lambda: touch("regions"),
    )


_DEPARTMENT = Target(
    table="orgs_department",
    columns=(Column("code"), Column("name_zh"), Column("name_en")),
    key=("code",),
    check=lambda row: rules.filled(row, "code", "name_zh"),
)
_UNIT = Target(
    table="orgs_unit",
    columns=(
        Column("code"),
        Column("name"),
        Column("kind"),
        Column("department_id", field="department", ref="orgs_department", ref_id="code"),
        Column("parent_id", field="parent", ref="orgs_unit"),
        Column("path", value=lambda _row: ""),
        Column("region_code"),
        Column("presence"),
        Column("phone"),
        Column("active", "boolean", value=lambda _row: True),
    ),
    key=("code",),
    check=rules.unit_fault,
    after=_build_paths,
    unknown=region_codes_known,
)
_POST = Target(
    table="orgs_post",
    columns=(Column("code"), Column("name"), Column("unit_id", field="unit", ref="orgs_unit"), Column("panel")),
    key=("code",),
    check=lambda row: rules.filled(row, "code", "name", "unit"),
)
_DUTY = Target(
    table="orgs_duty",
    columns=(
        Column("kind"),
        Column("case_type"),
        Column("region_code"),
        Column("unit_id", field="unit", ref="orgs_unit"),
        Column("post_id", field="post", ref="orgs_post"),
        Column("hours", "jsonb"),
        Column("priority", "int"),
        Column("valid_from", "date"),
        Column("valid_to", "date"),
    ),
    key=("kind", "case_type", "region_code", "unit_id", "post_id", "valid_from"),
    check=rules.duty_fault,
)
_STAFF = Target(
    table="orgs_staff",
    columns=(
        Column("code"),
        Column("name"),
        Column("pinyin", value=lambda r: r.pinyin or rules.pinyin(r.name)),
        Column("unit_id", field="unit", ref="orgs_unit"),
        Column("phone"),
        Column("employment"),
        Column("skills", "jsonb"),
        Column("lon", "float8"),
        Column("lat", "float8"),
        Column("position_at", "timestamptz"),
        Column("active", "boolean", value=lambda _row: True),
    ),
    key=("code",),
    check=rules.staff_fault,
)
_ASSIGNMENT = Target(
    table="orgs_assignment",
    columns=(
        Column("staff_id", field="staff", ref="orgs_staff"),
        Column("post_id", field="post", ref="orgs_post"),
        Column("region_code"),
        Column("role"),
        Column("valid_from", "date"),
        Column("valid_to", "date"),
    ),
    key=("staff_id", "region_code", "role", "post_id", "valid_from"),
    check=rules.assignment_fault,
    unknown=region_codes_known,
)
SHIFT = Target(
    table="orgs_shift",
    columns=(
        Column("unit_id", field="unit", ref="orgs_unit"),
        Column("staff_id", field="staff", ref="orgs_staff"),
        Column("role"),
        Column("starts_at", "timestamptz"),
        Column("ends_at", "timestamptz"),
    ),
    key=("unit_id", "starts_at", "staff_id", "role"),
    check=rules.shift_fault,
)
_DAY = Target(
    table="orgs_calendarday",
    columns=(Column("day", "date"), Column("kind"), Column("name"), Column("region_code")),
    key=("day", "region_code"),
    check=rules.day_fault,
    after=lambda: touch("calendar"),
)
_HOURS = Target(
    table="orgs_workinghours",
    columns=(Column("region_code"), Column("ranges", "jsonb"), Column("tz"), Column("valid_from", "date")),
    key=("region_code", "valid_from"),
    check=rules.hours_fault,
    after=lambda: touch("calendar"),
)


def targets() -> dict[type, Target]:
    """Every record shape of this room; the levels are read once, they are data."""
    levels = dict(Level.objects.values_list("code", "digits"))
    return {
        m.DepartmentRow: _DEPARTMENT,
        m.RegionRow: region_target(levels),
        m.UnitRow: _UNIT,
        m.PostRow: _POST,
        m.DutyRow: _DUTY,
        m.StaffRow: _STAFF,
        m.AssignmentRow: _ASSIGNMENT,
        m.ShiftRow: SHIFT,
        m.CalendarDayRow: _DAY,
        m.WorkingHoursRow: _HOURS,
    }
