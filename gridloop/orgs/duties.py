"""Who is competent, and how units are called: read whole and asked in memory. Asked several times by every push of a case."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection

from gridloop.journal.selectors import reading
from gridloop.kernel.viewer import Viewer
from gridloop.orgs.briefs import UnitBrief
from gridloop.orgs.models import Unit
from gridloop.orgs.rules import duty_open
from gridloop.orgs.territory import table_version

_ALL = """
SELECT d.kind, d.case_type, d.region_code, d.hours, d.valid_from, d.valid_to, u.id, u.name, u.code, u.region_code, u.department_id,
       p.id, p.name, u.path, u.kind, u.presence, u.parent_id, u.phone
FROM orgs_duty d JOIN orgs_unit u ON u.id = d.unit_id LEFT JOIN orgs_post p ON p.id = d.post_id
WHERE u.active ORDER BY d.priority, u.id, d.id
"""


@dataclass(frozen=True, slots=True)
class _Held:
    hours: Any
    valid_from: date
    valid_to: date | None
    unit: UnitBrief


@dataclass(frozen=True, slots=True)
class DutyTable:
    """All duties of units in service, by (kind, case type, region), each list by priority."""

    version: int
    held: dict[tuple[str, str, str], list[_Held]]

    def holders(self, duty: str, case_type: str, region: str, at: datetime, day: date) -> list[UnitBrief]:
        """Who has the duty there and then, most specific first: longest case type, then longest region, then priority. Each once."""
        found: dict[tuple[int, int | None], UnitBrief] = {}
        for i in range(len(case_type), -1, -1):
            for j in range(len(region), -1, -1):
                for one in self.held.get((duty, case_type[:i], region[:j]), ()):
                    if one.valid_from <= day and (one.valid_to is None or one.valid_to > day) and duty_open(one.hours, at):
                        found.setdefault((one.unit.id, one.unit.post_id), one.unit)
        return list(found.values())


_kept: DutyTable | None = None


@reading
def duty_table(viewer: Viewer) -> DutyTable:
    """The duties as they are now; read anew when they, a unit or a post has changed."""
    global _kept
    version = table_version("duties")
    kept = _kept
    if kept is not None and kept.version == version:
        return kept
    with connection.cursor() as cursor:
        cursor.execute(_ALL)
        rows = cursor.fetchall()
    held: dict[tuple[str, str, str], list[_Held]] = {}
    for kind, case_type, region, hours, valid_from, valid_to, *unit in rows:
        hours = json.loads(hours) if isinstance(hours, str) else hours  # Django leaves jsonb as text in a query of its own
        held.setdefault((kind, case_type, region), []).append(_Held(hours, valid_from, valid_to, UnitBrief(*unit)))
    _kept = DutyTable(version, held)
    return _kept


def unit_brief(row: Unit) -> UnitBrief:
    """What others see of a unit's row."""
    return UnitBrief(
        id=row.pk,
        name=row.name,
        code=row.code,
        region_code=row.region_code,
        department=row.department_id,
        post_id=None,
        post_name=None,
        path=row.path,
        kind=row.kind,
        presence=row.presence,
        parent_id=row.parent_id,
        phone=row.phone,
        active=row.active,
    )


@dataclass(frozen=True, slots=True)
class UnitTable:
    """All units by id, those out of service included, so that old cases keep their names."""

    version: int
    units: dict[int, UnitBrief]


_units: UnitTable | None = None


@reading
def unit_table(viewer: Viewer) -> UnitTable:
    """The units as they are now; read anew when one has changed."""
    global _units
    version = table_version("duties")
    kept = _units
    if kept is None or kept.version != version:
        kept = _units = UnitTable(version, {row.pk: unit_brief(row) for row in Unit.objects.all()})
    return kept
