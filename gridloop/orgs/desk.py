"""Small reads the case needs on every push: units by id, the level above, which region a desk serves; and whose territory a thing is."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Q, QuerySet

from gridloop.journal.selectors import reading
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs.briefs import UnitBrief
from gridloop.orgs.duties import unit_table
from gridloop.orgs.models import Duty, Post, Shift, Staff
from gridloop.orgs.selectors import calendar_for


@reading
def units_by_id(viewer: Viewer, ids: Collection[int]) -> list[UnitBrief]:
    """Units by id, those no longer active included, so that old cases keep their names."""
    known = unit_table(viewer).units
    return [known[i] for i in dict.fromkeys(ids) if i in known]


@reading
def top_region(viewer: Viewer) -> str:
    """The widest region that has an intake desk: where a report without a place goes."""
    codes = _intake(viewer).exclude(region_code="").values_list("region_code", flat=True).distinct()
    return min(codes, key=lambda code: (len(code), code), default="")


def need_own(viewer: Viewer, permission: str, region: str, unit_ids: Collection[int] = ()) -> None:
    """Forbidden unless the viewer holds the permission over the region or one of the units. '' = everywhere: theirs who hold the widest."""
    if not viewer.may(permission, region or top_region(SYSTEM), unit_ids):
        raise Forbidden("orgs.outside_territory", region=region or "–")


@reading
def desk_region(viewer: Viewer, unit_id: int) -> str | None:
    """The region whose intake desk the unit is; None when it is no desk."""
    codes = _intake(viewer).filter(unit_id=unit_id, case_type="").values_list("region_code", flat=True)
    return min(codes, key=len, default=None)


def _intake(viewer: Viewer) -> QuerySet[Duty]:
    """Duties of intake that hold today."""
    day = calendar_for(viewer).local(clock.now()).date()
    return Duty.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=day), kind="intake", valid_from__lte=day)


@reading
def unit_of_staff(viewer: Viewer, staff_id: int) -> int | None:
    """The unit of someone who works here now."""
    return Staff.objects.filter(pk=staff_id, active=True).values_list("unit_id", flat=True).first()


@reading
def unit_of_post(viewer: Viewer, post_id: int) -> int | None:
    return Post.objects.filter(pk=post_id).values_list("unit_id", flat=True).first()


@reading
def force_counts(viewer: Viewer, region: str, at: datetime) -> tuple[int, int]:
    """Staff on duty by the roster at the moment, and all active staff, of units inside a region."""
    staff = Staff.objects.filter(active=True, unit__region_code__startswith=region)
    on_duty = Shift.objects.filter(starts_at__lte=at, ends_at__gt=at, unit__region_code__startswith=region)
    return on_duty.values("staff_id").distinct().count(), staff.count()
