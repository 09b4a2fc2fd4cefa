"""Scope predicates: selectors add them so that indexes help; row security on personal tables is the second lock."""

from __future__ import annotations

from django.db.models import Q

from gridloop.kernel.viewer import Viewer


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
    return Q() if viewer.system else _below(tuple(sorted({grant.region for grant in viewer.grants})))


def devices(viewer: Viewer) -> Q:
    """Devices of the territory and those of the viewer's own units wherever they stand."""
    inside = things(viewer)
    return inside | Q(owner_unit_id__in=viewer.unit_ids) if inside else inside  # an empty Q is everything: OR would narrow it
