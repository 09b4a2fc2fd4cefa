"""The only reads of the cases room. Every one knows its viewer: row security holds the lock, the predicate keeps the index."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import orjson
from django.db import connection
from django.db.models import Count, Model, Q, QuerySet
from django.db.models.expressions import RawSQL

from gridloop.cases.doubting import NAMED
from gridloop.cases.doubting import Visit as Seen
from gridloop.cases.models import Case, Source, Visit
from gridloop.cases.rules import END_STATUSES, RATE_DAYS, reporter_subject
from gridloop.flow.models import Task
from gridloop.journal.models import Sealed
from gridloop.journal.rows import Rows, ask_together
from gridloop.journal.selectors import reading, scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Invalid, NotFound
from gridloop.kernel.viewer import SYSTEM, Viewer

COUNT_LIMIT = 10_000
COUNT_EFFORT = 180_000  # of a count by words (migration 0026): about 0.1 s, or 9,000 cases looked up
POINTS_LIMIT = 2_000
EVERY = 2**31 - 1
OPEN_BOXES = ("todo", "doing", "open")
LIVE_TASK = ("open", "accepted")


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """What a list, a count or a map may be narrowed by; empty = not narrowed. ``bbox`` is west, south, east, north."""

    status: tuple[str, ...] = ()
    type: str = ""
    region: str = ""
    unit: int | None = None
    source: str = ""
    scene: str = ""
    since: datetime | None = None
    until: datetime | None = None
    q: str = ""
    bbox: tuple[float, float, float, float] | None = None
    card: str = ""
    severity: int | None = None
    stage: str = ""
    box: str = ""
    codes: tuple[str, ...] = ()
    overdue: bool = False
    closed_since: datetime | None = None
    origin: str = ""
    origin_id: str = ""


def in_scope(viewer: Viewer) -> QuerySet[Case]:
    """Cases the viewer may see: what row security says, once more. For one case, for those still open, for a span of time; whatever
    might read all cases goes by ``found``."""
    if viewer.system or any(not region for region in viewer.regions):
        return Case.objects.all()
    sees = [Q(region__startswith=region) for region in viewer.regions]
    if viewer.unit_ids:
        sees.append(Q(unit_ids__overlap=sorted(viewer.unit_ids)))
    if viewer.staff_id is not None:
        sees.append(Q(staff_ids__contains=[viewer.staff_id]))
    if viewer.user_id is not None:
        sees.append(Q(reporter_id=viewer.user_id))
    return Case.objects.filter(reduce(or_, sees)) if sees else Case.objects.none()


def _words_of(wanted: CaseFilter, **more: Any) -> dict[str, Any]:
    """The filter as ``gl_cases_ids`` reads it (migration 0013). ``part``: open or done, when it can be nothing else; open cases are few."""
    words: dict[str, Any] = {name: value for name in _PLAIN if (value := getattr(wanted, name)) not in (None, "", ())}
    words["q"] = wanted.q.strip()
    if wanted.overdue:
        words["late"] = clock.now()
    ended = {status in END_STATUSES for status in wanted.status}
    if wanted.overdue or ended == {False}:
        words["part"] = "open"
    elif ended == {True}:
        words["part"] = "done"
    return words | more


_PLAIN = (
    *("status", "type", "region", "unit", "source", "scene", "since", "until", "bbox", "card", "severity", "stage", "box", "codes"),
    *("closed_since", "origin", "origin_id"),
)


def found(wanted: CaseFilter, most: int, **more: Any) -> QuerySet[Case]:
    """The rows of at most so many cases, the newest; they are read under row security.

    The owner's function sees what the frame's viewer may see, and nothing without one.
    """
    words = orjson.dumps(_words_of(wanted, **more)).decode()
    return Case.objects.filter(id__in=RawSQL("SELECT gl_cases_ids(%s::jsonb, %s)", [words, most]))


T = TypeVar("T")
M = TypeVar("M", bound=Model)


def cursor_of(*parts: object) -> str:
    """Where a page ended: the values its list is sorted by, the row's id last."""
    words = (part.isoformat() if isinstance(part, datetime) else "" if part is None else str(part) for part in parts)
    return base64.urlsafe_b64encode("|".join(words).encode()).decode()


def read_cursor(cursor: str, read: Callable[..., T]) -> T:
    """``read`` gets the words of a cursor, as many as its list has; whatever does not fit is Invalid."""
    try:
        return read(*base64.urlsafe_b64decode(cursor.encode()).decode().split("|"))
    except (ValueError, TypeError, binascii.Error, UnicodeError) as error:
        raise Invalid("cases.bad_cursor", errors=(FieldFault("/after", "cases.bad_cursor"),)) from error


def _moment(word: str) -> datetime | None:
    return datetime.fromisoformat(word) if word else None


def _later(column: str, at: datetime | None, row_id: Any) -> Q:
    """Rows after (at, id) in rising order, where rows without a time come last."""
    last = Q(**{f"{column}__isnull": True})
    if at is None:
        return last & Q(id__gt=row_id)
    return Q(**{f"{column}__gt": at}) | Q(**{column: at}, id__gt=row_id) | last


def _earlier(column: str, at: datetime, row_id: Any) -> Q:
    return Q(**{f"{column}__lt": at}) | Q(**{column: at}, id__lt=row_id)


@reading
def case_page(viewer: Viewer, wanted: CaseFilter, limit: int = 50, after: str = "", order: str = "newest") -> tuple[list[Case], str | None]:
    """A page of cases and the cursor of the next: newest first, or the most pressing first (severity, then time left)."""
    if order == "urgent":
        place = read_cursor(after, lambda s, d, i: (int(s), _moment(d), int(i))) if after else None
        words = _words_of(wanted, order="urgent", **({"after": place} if place else {}))
        return _cut(_URGENT(orjson.dumps(words).decode(), limit + 1), limit, lambda c: cursor_of(c.severity, c.stage_due_at, c.id))
    start = read_cursor(after, lambda d, i: (datetime.fromisoformat(d), int(i))) if after else None
    words = _words_of(wanted, **({"after": start} if start else {}))
    return _cut(_NEWEST(orjson.dumps(words).decode(), limit + 1), limit, lambda c: cursor_of(c.reported_at, c.id))


_FOUND = "WHERE t.id IN (SELECT gl_cases_ids(%s::jsonb, %s)) ORDER BY"
_NEWEST = Rows(Case, f"{_FOUND} t.reported_at DESC, t.id DESC")
_URGENT = Rows(Case, f"{_FOUND} t.severity, t.stage_due_at, t.id")


def page_of(rows: QuerySet[M], limit: int, cursor: Callable[[M], str]) -> tuple[list[M], str | None]:
    return _cut(list(rows[: limit + 1]), limit, cursor)


def _cut(page: list[M], limit: int, cursor: Callable[[M], str]) -> tuple[list[M], str | None]:
    """What was asked for, of one row more than that: whether another page follows."""
    return page[:limit], cursor(page[limit - 1]) if len(page) > limit else None


@reading
def case_total(viewer: Viewer, wanted: CaseFilter, least: int = 0) -> int | str:
    """How many: exact up to 10,000, then ``"10000+"``. By words that are in very many cases, as far as can be counted soon: ``"2400+"``.

    ``least``: so many are known already.
    """
    with connection.cursor() as cursor:  # ids are the viewer's own to see: no row is read a second time
        cursor.execute(
            "SELECT count(*), count(id) FROM gl_cases_ids(%s::jsonb, %s) id",
            [orjson.dumps(_words_of(wanted, any=True, effort=COUNT_EFFORT)).decode(), COUNT_LIMIT + 1],
        )
        found, total = cursor.fetchone()
    if total > COUNT_LIMIT:
        return f"{COUNT_LIMIT}+"
    return f"{max(total, least)}+" if found > total else int(total)


@reading
def case_counts(viewer: Viewer, wanted: CaseFilter) -> dict[str, Any]:
    """Counts by severity, status and box, and how many are overdue now.

    Open cases are all counted. Of the ended ones the newest 10,000 are; ``more``: there are others.
    """
    words, now = _words_of(wanted), clock.now()
    parts = [] if words.get("part") == "done" or wanted.box == "done" else [({**words, "part": "open"}, EVERY)]
    if words.get("part") != "open" and wanted.box in ("", "all", "done"):
        parts.append(({**words, "part": "done"}, COUNT_LIMIT + 1))
    counts: dict[str, Any] = {"severity": {}, "status": {}, "box": {"todo": 0, "doing": 0, "done": 0}, "overdue": 0, "more": False}
    for severity, status, waits, number, late in _groups(parts, now):
        ended = status in END_STATUSES
        box = "done" if ended else "todo" if waits else "doing"
        for kind, key in (("severity", str(severity)), ("status", status), ("box", box)):
            counts[kind][key] = counts[kind].get(key, 0) + number
        counts["overdue"] += 0 if ended else late
    counts["more"] = counts["box"]["done"] > COUNT_LIMIT
    return counts


def _groups(parts: Sequence[tuple[dict[str, Any], int]], now: datetime) -> list[tuple[int, str, bool, int, int]]:
    """Severity, status, whether the desk waits, cases, those past their limit; each part's newest cases only."""
    if not parts:
        return []
    calls = " UNION ALL ".join(["SELECT severity, status, desk_waits, cases, late FROM gl_cases_groups(%s::jsonb, %s, %s)"] * len(parts))
    with connection.cursor() as cursor:
        cursor.execute(calls, [value for words, most in parts for value in (orjson.dumps(words).decode(), most, now)])
        found: list[tuple[int, str, bool, int, int]] = cursor.fetchall()
        return found


@reading
def case_map(viewer: Viewer, wanted: CaseFilter, zoom: float) -> dict[str, Any]:
    """Points up to 2,000; beyond, clusters of a cell about 60 screen pixels wide, with the worst severity of each.

    Clusters hold every open case, and of all others the newest 10,000; ``more``: there are others.
    """
    most = EVERY if wanted.box in OPEN_BOXES or wanted.overdue else COUNT_LIMIT
    cell = 360.0 / 2 ** max(0.0, min(zoom, 20.0)) * 60 / 512
    words = orjson.dumps(_words_of(wanted, placed=True)).decode()
    with connection.cursor() as cursor:  # ids where they are few, else clusters: what was found is not found again
        cursor.execute("SELECT ids, lon, lat, cases, worst FROM gl_cases_mapped(%s::jsonb, %s, %s, %s)", [words, most, POINTS_LIMIT, cell])
        rows = cursor.fetchall()
    if rows[0][0] is not None:
        columns = ("code", "lon", "lat", "severity", "status", "title")
        placed = Case.objects.filter(id__in=RawSQL("SELECT unnest(%s::bigint[])", [rows[0][0]])).order_by()
        return {"points": list(placed.values(*columns)), "clusters": [], "more": False}
    clusters = [{"lon": lon, "lat": lat, "count": count, "worst": worst} for _, lon, lat, count, worst in rows]
    return {"points": [], "clusters": clusters, "more": sum(c["count"] for c in clusters) >= COUNT_LIMIT and most == COUNT_LIMIT}


_CASES = Rows(Case, "WHERE code = ANY(%s)")


def _sees(viewer: Viewer, row: Case) -> bool:
    """The predicate of ``in_scope`` for a row that was found by its code."""
    return (
        viewer.system
        or any(row.region.startswith(region) for region in viewer.regions)
        or not viewer.unit_ids.isdisjoint(row.unit_ids)
        or (viewer.staff_id is not None and viewer.staff_id in row.staff_ids)
        or (viewer.user_id is not None and viewer.user_id == row.reporter_id)
    )


@reading
def case_row(viewer: Viewer, code: str) -> Case:
    """One case; NotFound when it is not there or not this viewer's to see."""
    row = case_rows(viewer, [code]).get(code)
    if row is None:
        raise NotFound("cases.no_such_case", code=code)
    return row


@reading
def case_rows(viewer: Viewer, codes: Iterable[str]) -> dict[str, Case]:
    """Cases by code, as far as the viewer sees them."""
    return {row.code: row for row in _CASES(list(codes)) if _sees(viewer, row)}


_SOURCES = Rows(Source, "JOIN cases_case c ON c.id = t.case_id WHERE c.code = %s ORDER BY t.first_at, t.id")
_SEALED = Rows(Sealed, "WHERE t.id = ANY(%s::uuid[])")


@reading
def sources_of(viewer: Viewer, code: str) -> list[Source]:
    return _SOURCES(code)


class Reporter(NamedTuple):
    """A source of a case with what its reporter left: name, contact and key, None once erased."""

    source: int
    sealed: str
    value: Any


_REPORTERS = """
SELECT c.code, s.id, s.reporter_sealed::text, v.value
FROM cases_source s JOIN cases_case c ON c.id = s.case_id LEFT JOIN journal_sealed v ON v.id = s.reporter_sealed
WHERE c.code = ANY(%s) AND s.reporter_sealed IS NOT NULL ORDER BY s.first_at, s.id
"""


@reading
def reporters_of(viewer: Viewer, codes: Iterable[str]) -> dict[str, list[Reporter]]:
    """Those who reported these cases and left a way to reach them."""
    found: dict[str, list[Reporter]] = {}
    for code, source, sealed, value in ask_together((_REPORTERS, [list(codes)]))[0]:
        found.setdefault(code, []).append(Reporter(source, sealed, orjson.loads(value) if isinstance(value, str) else value))
    return found


@reading
def my_tasks(viewer: Viewer, status: str = "live", mine: bool = True, limit: int = 100, after: str = "") -> tuple[list[Task], str | None]:
    """Tasks that wait for the viewer (named, or of their unit and not another person's), soonest limit first; done ones latest first."""
    rows = Task.objects.all()
    if status == "live":
        rows = rows.filter(status__in=LIVE_TASK)
    elif status:
        rows = rows.filter(status=status)
    if mine:
        units = sorted({*viewer.unit_ids, *([viewer.unit_id] if viewer.unit_id else [])})
        own = Q(unit_id__in=units) & (Q(staff_id__isnull=True) | Q(staff_id=viewer.staff_id) | Q(status="open"))
        if viewer.staff_id is not None:
            own |= Q(staff_id=viewer.staff_id)
        if status == "done":
            own = Q(done_by=viewer.actor)
        rows = rows.filter(own)
        if not viewer.can("case.accept"):
            rows = rows.exclude(stage="intake")
    if status == "done":
        if after:
            rows = rows.filter(_earlier("done_at", *read_cursor(after, lambda d, i: (datetime.fromisoformat(d), UUID(i)))))
        return page_of(rows.order_by("-done_at", "-id"), limit, lambda t: cursor_of(t.done_at, t.id))
    if after:
        rows = rows.filter(_later("due_at", *read_cursor(after, lambda d, i: (_moment(d), UUID(i)))))
    return page_of(rows.order_by("due_at", "id"), limit, lambda t: cursor_of(t.due_at, t.id))


@reading
def sealed_values(viewer: Viewer, ids: Iterable[Any]) -> dict[str, Any]:
    """Values of sealed ids in one query; erased or invisible ones are None or absent."""
    wanted = [str(i) for i in ids if i is not None]
    return {str(s.id): s.value for s in _SEALED(wanted)} if wanted else {}


@reading
def reporter_words(viewer: Viewer, codes: Iterable[str]) -> set[str]:
    """Names and contacts of those who reported these cases, as they gave them."""
    rows = Sealed.objects.filter(subject__in=[reporter_subject(code) for code in codes], purpose="reporter", erased_at__isnull=True)
    return {
        str(row.value[part]).strip() for row in rows if isinstance(row.value, dict) for part in ("name", "contact") if row.value.get(part)
    }


@reading
def loads_of(viewer: Viewer, unit_ids: Iterable[int]) -> dict[int, int]:
    """Live tasks each unit has in hand."""
    rows = Task.objects.filter(unit_id__in=list(unit_ids), status__in=LIVE_TASK).order_by().values("unit_id").annotate(n=Count("id"))
    return {r["unit_id"]: r["n"] for r in rows if r["unit_id"] is not None}


def held(codes: Iterable[str]) -> set[str]:
    """Of these, the cases whose records no retention may touch: those at work, and those that may still be rated or taken up again."""
    lately = clock.now() - timedelta(days=RATE_DAYS)
    ended = Q(status__in=END_STATUSES) & (Q(closed_at__lt=lately) | Q(closed_at__isnull=True, updated_at__lt=lately))
    with scoped(SYSTEM):
        return set(Case.objects.filter(code__in=list(codes)).exclude(ended).values_list("code", flat=True))


# ---- what speaks against closing -----------------------------------------------------------------------------------------

SAME_PLACE_M = 50.0
VISITS_BEFORE = timedelta(days=1)


_SINCE = """
SELECT count(*) FROM cases_source s JOIN cases_case c ON c.id = s.case_id WHERE c.code = %s AND s.last_at > %s AND s.track_hash <> ''
"""


@reading
def reported_since(viewer: Viewer, code: str, since: datetime) -> int:
    """How many people have reported the case since then."""
    return int(ask_together((_SINCE, [code, since]))[0][0][0])


_VISITS = Rows(
    Visit,
    """JOIN (SELECT staff_id, min(at) OVER () AS first FROM cases_visit WHERE case_code = %s) here USING (staff_id)
    WHERE t.at >= here.first - %s AND t.at <= %s ORDER BY t.at""",
)
_NEAR_CLOSED = Rows(
    Case,
    """WHERE type = %s AND status = 'closed' AND closed_at BETWEEN %s AND %s
    AND id = ANY ((SELECT gl_cases_near(%s, %s, %s, %s, '-infinity'))::bigint[]) AND code <> %s ORDER BY closed_at DESC""",
)


def _people(rows: Iterable[Visit]) -> list[list[Seen]]:
    people: dict[int, dict[int, Seen]] = {}
    for row in rows:  # once for each of a person's check-ins at the case
        people.setdefault(row.staff_id, {})[row.pk] = Seen(row.case_code, row.at, row.lon, row.lat)
    return [list(seen.values()) for seen in people.values()]


@dataclass(frozen=True, slots=True)
class Before:
    """What was there before a closing: the ways of those who checked in, and cases of the type closed at the same place."""

    people: list[list[Seen]]
    closed: list[str]


@reading
def before_closing(
    viewer: Viewer, code: str, case_type: str, place: tuple[float, float] | None, since: datetime, until: datetime, now: datetime
) -> Before:
    """For each person who checked in at the case their check-ins anywhere from a day before the first there, oldest first;

    and the codes of other cases of the type that were closed at the place from ``since`` to ``until``, the last first.
    """
    from gridloop.kernel.geo import distance_m, reach  # NumPy: live screens load this module and measure nothing

    asked: list[tuple[str, list[Any]]] = [(_VISITS.sql, [code, VISITS_BEFORE, now])]
    if place is not None:
        lon, lat = place
        d_lon, d_lat = reach(SAME_PLACE_M, lat)
        asked.append((_NEAR_CLOSED.sql, [case_type, since, until, lon - d_lon, lon + d_lon, lat - d_lat, lat + d_lat, code]))
    visits, *closed = ask_together(*asked)
    near = _NEAR_CLOSED.read(closed[0]) if closed and place is not None else []
    there = [row.code for row in near if place and float(distance_m(*place, row.lon or 0.0, row.lat or 0.0)) <= SAME_PLACE_M]
    return Before(_people(_VISITS.read(visits)), there[:NAMED])
