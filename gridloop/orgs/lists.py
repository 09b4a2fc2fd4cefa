"""Reads for those who administer: what a unit is competent for, its roster, how large the teams are."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Count, Q

from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.errors import Invalid
from gridloop.kernel.viewer import Viewer
from gridloop.orgs.briefs import DutyBrief, RosterLine
from gridloop.orgs.models import Assignment, Department, Duty, Shift
from gridloop.orgs.selectors import calendar_for

MOST_DAYS = 62


@reading
def duties_of(viewer: Viewer, unit_id: int) -> list[DutyBrief]:
    """The unit's duties of today and of days to come, by step, type and place."""
    day = calendar_for(viewer).local(clock.now()).date()
    rows = Duty.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=day), unit_id=unit_id)
    columns = ("id", "kind", "case_type", "region_code", "post__name", "hours", "priority", "valid_from", "valid_to")
    return [DutyBrief(*row) for row in rows.order_by("kind", "case_type", "region_code", "id").values_list(*columns)]


@reading
def roster_of(viewer: Viewer, unit_id: int, start: datetime, end: datetime) -> list[RosterLine]:
    """The unit's shifts that begin in a period of at most two months, in order; Invalid for a longer one."""
    if not start < end or (end - start).days > MOST_DAYS:
        raise Invalid("orgs.roster_period", days=MOST_DAYS)
    rows = Shift.objects.filter(unit_id=unit_id, starts_at__gte=start, starts_at__lt=end).order_by("starts_at", "role", "staff_id")
    return [RosterLine(*row) for row in rows.values_list("staff_id", "staff__code", "staff__name", "role", "starts_at", "ends_at")]


@reading
def team_sizes(viewer: Viewer, codes: Collection[str]) -> dict[str, int]:
    """How many people serve each region now, of its own team (posts are no team); those without one are left out."""
    rows = Assignment.objects.filter(region_code__in=set(codes), post__isnull=True, valid_to__isnull=True, staff__active=True)
    return dict(rows.values_list("region_code").annotate(Count("staff_id", distinct=True)))


@reading
def departments(viewer: Viewer) -> list[tuple[str, str, str]]:
    """Code and names of every department, by code."""
    return list(Department.objects.order_by("code").values_list("code", "name_zh", "name_en"))
