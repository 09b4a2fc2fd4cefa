"""Scope predicates: selectors add them so that indexes help; row security is the second lock. And what opening masked columns needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import Q

from gridloop.access.actions import log_look
from gridloop.kernel.errors import Forbidden
from gridloop.kernel.viewer import Viewer

UNMASK = "people.unmask"


def opening(viewer: Viewer, purpose: str) -> Viewer:
    """With a purpose the viewer sees no further than it may open; Forbidden when that is nowhere."""
    if not purpose:
        return viewer
    if not viewer.can(UNMASK):
        raise Forbidden("registry.may_not_unmask")
    return viewer.within(UNMASK)


def write_down(viewer: Viewer, one: str, many: str, ids: Sequence[int], purpose: str, reason: str) -> None:
    """The look, before anything is shown: one row by its id, a page by its first and last and how many."""
    if purpose and ids:
        log_look(viewer, f"{one}:{ids[0]}" if len(ids) == 1 else f"{many}:{ids[0]}-{ids[-1]}", purpose, reason, len(ids))


def opened(viewer: Viewer, one: str, many: str, places: Mapping[int, tuple[str, int]], purpose: str, reason: str) -> frozenset[int]:
    """Of rows that everybody at work sees (id → region and unit) those whose numbers are shown whole; the look is written down."""
    if not purpose:
        return frozenset()
    within = opening(viewer, purpose)
    ids = [i for i, (region, unit_id) in places.items() if within.may(UNMASK, region, (unit_id,))]
    write_down(viewer, one, many, ids, purpose, reason)
    return frozenset(ids)


def _below(prefixes: tuple[str, ...]) -> Q:
    if "" in prefixes:
        return Q()
    inside = Q(pk__in=[])
    for prefix in prefixes:
        inside |= Q(region_code__startswith=prefix)
    return inside


def personal(viewer: Viewer) -> Q:
    """Rows about people: only territory that the viewer answers for, not what a department sees."""
    return Q() if viewer.system else _below(viewer.regions)


def things(viewer: Viewer) -> Q:
    """Houses, enterprises, places: the territory of any grant, departments included."""
    return Q() if viewer.system else _below(viewer.places)


def devices(viewer: Viewer) -> Q:
    """Devices of the territory and those of the viewer's own units wherever they stand."""
    inside = things(viewer)
    return inside | Q(owner_unit_id__in=viewer.unit_ids) if inside else inside  # an empty Q is everything: OR would narrow it
