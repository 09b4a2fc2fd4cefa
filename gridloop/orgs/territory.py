"""Reads of territory: regions by code, by day and by point. Re-exported by ``selectors``."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Count, Q

from gridloop.journal.frame import noted
from gridloop.journal.selectors import reading
from gridloop.kernel.errors import Invalid, NotFound
from gridloop.kernel.viewer import Viewer
from gridloop.orgs.briefs import DatedRegion, LevelBrief, Page, RegionAt, RegionBrief, RegionView
from gridloop.orgs.models import Level, Region
from gridloop.orgs.rules import joined_names

if TYPE_CHECKING:
    from gridloop.kernel import geo

MAX_LIMIT = 200
_BRIEF = ("code", "name", "level_id", "parent_code", "lon", "lat", "households", "population")


@dataclass(frozen=True, slots=True)
class _Kept:
    version: int
    index: geo.RegionIndex


_lock = threading.Lock()
_kept: _Kept | None = None


VERSIONS = "SELECT name, value FROM orgs_tableversion"
_NOTED = "versions of orgs"


def table_version(name: str) -> int:
    """The counter that every change of the table raises, as the running transaction has seen it first."""
    known: dict[str, int] | None = noted().get(_NOTED)
    if known is None:
        with connection.cursor() as cursor:
            cursor.execute(VERSIONS)
            known = note_versions(cursor.fetchall())
    return known.get(name, 0)


def note_versions(rows: Iterable[tuple[Any, ...]]) -> dict[str, int]:
    """Use these rows of ``VERSIONS``, read together with other things, for the rest of the transaction."""
    known = {str(name): int(value) for name, value in rows}
    noted()[_NOTED] = known
    return known


def touched() -> None:
    """This transaction changes a table: what it does next must see it."""
    noted().pop(_NOTED, None)


def _index() -> geo.RegionIndex:
    """The lookup over the deepest bounded regions of every tree, kept by the process until a region changes."""
    global _kept
    version = table_version("regions")
    kept = _kept
    if kept is not None and kept.version == version:
        return kept.index
    with _lock:
        if _kept is not None and _kept.version == version:
            return _kept.index
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT code, boundary FROM orgs_region r WHERE valid_to IS NULL AND boundary IS NOT NULL AND NOT EXISTS ("
                "SELECT 1 FROM orgs_region c WHERE c.parent_code = r.code AND c.valid_to IS NULL AND c.boundary IS NOT NULL)"
            )
            rows = cursor.fetchall()
        from gridloop.kernel import geo  # NumPy and Shapely: every process loads this module, few ask for places

        index = geo.RegionIndex([code for code, _ in rows], [geo.from_wkb(boundary) for _, boundary in rows])
        _kept = _Kept(version, index)
    return index


def forget_regions() -> None:
    """Drop the remembered lookup of this process (tests that roll back need no call: counters never repeat)."""
    global _kept, _named
    _kept = _named = None


@reading
def levels(viewer: Viewer) -> list[LevelBrief]:
    """All levels, widest first."""
    return [LevelBrief(*row) for row in Level.objects.values_list("code", "rank", "digits", "name_zh", "name_en")]


@reading
def regions_at(viewer: Viewer, lons: Sequence[float], lats: Sequence[float]) -> list[str | None]:
    """The deepest region code of every point, None outside of all."""
    return list(_index().lookup(lons, lats))


@reading
def region_at(viewer: Viewer, lon: float, lat: float) -> str | None:
    """The deepest region code at a point, None outside of all."""
    return _index().at(lon, lat)


@reading
def nearest_region(viewer: Viewer, lon: float, lat: float) -> geo.Nearest | None:
    """The closest region of the deepest level and the metres to it (0 inside); None when no boundary is loaded."""
    return _index().nearest(lon, lat)


@reading
def place_of(viewer: Viewer, lon: float, lat: float) -> RegionAt:
    """A point's region with its names, or the nearest one."""
    code = region_at(viewer, lon, lat)
    near = None if code else nearest_region(viewer, lon, lat)
    shown = code or (near.code if near else None)
    chain = _with_ancestors([shown]) if shown else {}
    name = chain[shown].name if shown and shown in chain else ""
    long_name = joined_names(r.name for r in sorted(chain.values(), key=lambda r: len(r.code)))
    return RegionAt(code, name, long_name, near.code if near else None, round(near.distance_m, 1) if near else 0.0)


def in_force(day: date | None) -> Q:
    """The versions of today's map, or of a day's."""
    still = Q(valid_to__isnull=True)
    return still if day is None else (still | Q(valid_to__gt=day)) & Q(valid_from__lte=day)


def _briefs(where: Q, day: date | None = None) -> list[RegionBrief]:
    return [RegionBrief(*row) for row in Region.objects.filter(where, in_force(day)).order_by("code").values_list(*_BRIEF)]


def _with_ancestors(codes: Iterable[str], day: date | None = None) -> dict[str, RegionBrief]:
    """The regions and everything above them, by code."""
    wanted = set(codes)
    digits = Level.objects.values_list("digits", flat=True)
    prefixes = wanted | {code[:d] for code in wanted for d in digits if d < len(code)}
    return {r.code: r for r in _briefs(Q(code__in=prefixes), day)}


@reading
def region(viewer: Viewer, code: str, day: date | None = None) -> RegionView:
    """One region, now or on a day, with what lies above and directly below; NotFound when there is none."""
    chain = _with_ancestors([code], day)
    found = chain.get(code)
    if found is None:
        raise NotFound("orgs.region_unknown", code=code)
    from gridloop.kernel import geo

    boundary = Region.objects.filter(in_force(day), code=code).values_list("boundary", flat=True).get()
    ordered = sorted(chain.values(), key=lambda r: len(r.code))
    return RegionView(
        region=found,
        full_name=joined_names(r.name for r in ordered),
        ancestors=[r for r in ordered if r.code != code],
        children=_briefs(Q(parent_code=code), day),
        boundary=geo.wkb_to_geojson(boundary) if boundary else None,
    )


@dataclass(frozen=True, slots=True)
class RegionNames:
    """Every region that is or was: its last name, and of those that are what lies above."""

    version: int
    names: dict[str, str]
    parents: dict[str, str]


_named: RegionNames | None = None


@reading
def region_table(viewer: Viewer) -> RegionNames:
    """Names and parents of all regions, kept by the process until a region changes."""
    global _named
    version = table_version("regions")
    if _named is None or _named.version != version:
        rows = list(Region.objects.order_by("code", "valid_from").values_list("code", "name", "parent_code", "valid_to"))
        _named = RegionNames(version, {r[0]: r[1] for r in rows}, {r[0]: r[2] or "" for r in rows if r[3] is None})
    return _named


@reading
def region_names(viewer: Viewer, codes: Collection[str]) -> dict[str, str]:
    """Names of many regions at once; one that is no more keeps its last name, an unknown code is left out."""
    known = region_table(viewer).names
    return {code: known[code] for code in set(codes) if code in known}


@reading
def child_counts(viewer: Viewer, codes: Collection[str], day: date | None = None) -> dict[str, int]:
    """How many regions lie directly below each, now or on a day; those with none are left out."""
    rows = Region.objects.filter(in_force(day), parent_code__in=set(codes)).values_list("parent_code").annotate(Count("pk"))
    return dict(rows)


@reading
def unknown_regions(viewer: Viewer, codes: Collection[str]) -> set[str]:
    """Those of the codes that are no current region."""
    wanted = set(codes)
    return wanted - set(Region.objects.filter(code__in=wanted, valid_to__isnull=True).values_list("code", flat=True))


def page_limit(limit: int) -> int:
    return max(1, min(limit, MAX_LIMIT))


def number_after(after: str | None) -> int:
    """The id in a cursor; Invalid when somebody made one up."""
    if not after:
        return 0
    if not (after.isascii() and after.isdigit()) or len(after) > 18:
        raise Invalid("orgs.bad_cursor", after=after[:40])
    return int(after)


def turn(rows: list[Any], size: int) -> tuple[list[Any], str | None]:
    """The page and the cursor of the next, from one row more than the page."""
    return rows[:size], str(rows[size - 1].pk) if len(rows) > size else None


@reading
def regions(
    viewer: Viewer,
    *,
    q: str = "",
    level: str = "",
    parent: str = "",
    region: str = "",
    limit: int = 50,
    after: str | None = None,
    day: date | None = None,
) -> Page:
    """Regions by code, of today's or a day's map; ``region`` is a code prefix, ``q`` part of name, pinyin or the code's beginning."""
    where = Q(code__startswith=region) if region else Q()
    if q:
        where &= Q(name__icontains=q) | Q(pinyin__startswith=q.lower()) | Q(code__startswith=q)
    if level:
        where &= Q(level_id=level)
    if parent:
        where &= Q(parent_code=parent)
    if after:
        where &= Q(code__gt=after)
    size = page_limit(limit)
    rows = Region.objects.filter(where, in_force(day)).order_by("code").values_list(*_BRIEF)[: size + 1]
    items = [RegionBrief(*row) for row in rows]
    return Page(items[:size], items[size - 1].code if len(items) > size else None)


@reading
def regions_on(viewer: Viewer, day: date, prefix: str = "") -> list[DatedRegion]:
    """The whole map as it was on a day, by code."""
    rows = Region.objects.filter(in_force(day), code__startswith=prefix)
    return [
        DatedRegion(RegionBrief(*row[:-3]), bytes(row[-3]) if row[-3] is not None else None, row[-2], row[-1])
        for row in rows.order_by("code").values_list(*_BRIEF, "boundary", "valid_from", "valid_to")
    ]


@reading
def region_history(viewer: Viewer, code: str) -> list[DatedRegion]:
    """Every version of one code, oldest first, without boundaries."""
    rows = Region.objects.filter(code=code).order_by("valid_from").values_list(*_BRIEF, "valid_from", "valid_to")
    return [DatedRegion(RegionBrief(*row[:-2]), None, row[-2], row[-1]) for row in rows]
