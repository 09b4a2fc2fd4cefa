"""Shares and means of what became of cases: each with its formula, and the very cases above and below the line.

The counts and the lists come from the same conditions, so that whoever opens the lists can count a figure again by hand. Those of every
scene stand here; a scene's own are read from its pack.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, reduce
from operator import and_, or_
from typing import Any, Literal

from django.db.models import Case as Either
from django.db.models import Count, DurationField, ExpressionWrapper, F, FloatField, Q, QuerySet, Sum, TextField, Value, When, lookups
from django.db.models.functions import Cast, Coalesce

from gridloop.cases import conditions
from gridloop.cases.conditions import CLOSED_BY, Compare, Condition, ConditionFault, Every, Name, Other, Some
from gridloop.cases.messages import SceneShares
from gridloop.cases.models import Case
from gridloop.cases.pushing import scenes
from gridloop.cases.rules import END_STATUSES
from gridloop.cases.selectors import cursor_of, in_scope, page_of, read_cursor
from gridloop.journal.selectors import reading
from gridloop.kernel.errors import NotFound
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import Viewer
from gridloop.sdk.pack import Both
from gridloop.sdk.pack import Indicator as Share

Side = Literal["numerator", "denominator"]
Span = tuple[datetime, datetime]
Moment = Literal["due", "closed", "reported"]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Indicator:
    """Of the cases whose ``moment`` lies in a span, ``among``: those below the line; ``part``: those of them above it. With ``mean`` the
    upper side is its sum, in seconds, over all of them. ``formula``: of a scene's own, by language.
    """

    name: str
    moment: Moment
    among: Q = field(default_factory=Q)
    part: Q = field(default_factory=Q)
    mean: Any = None
    scene: SceneShares | None = None
    title: Both | None = None
    formula: Both | None = None

    def called(self, lang: str) -> str:
        return str(getattr(self.title, lang)) if self.title else say(f"cases.indicator_{self.name}", lang)

    def says(self, lang: str) -> str:
        return str(getattr(self.formula, lang)) if self.formula else say(f"cases.indicator_{self.name}_says", lang)


def _seconds(late: str, early: str) -> Any:
    return ExpressionWrapper(F(late) - F(early), output_field=DurationField())


_HAD_LIMIT = Q(due_at__isnull=False)
EVERY_SCENE = {
    one.name: one
    for one in (
        Indicator("disposal_rate", "due", part=Q(status__in=("submitted", "checking", "closed"))),
        Indicator("closing_rate", "due", part=Q(status="closed")),
        Indicator("on_time_closing_rate", "due", part=Q(status="closed", closed_at__lte=F("due_at"))),
        Indicator("on_time_share", "closed", part=Q(due_at__isnull=True) | Q(closed_at__lte=F("due_at"))),
        Indicator("satisfaction_rate", "closed", Q(stars__isnull=False), Q(stars__gte=4)),
        Indicator("rework_rate", "closed", part=Q(reworks__gt=0)),
        Indicator("average_close_seconds", "closed", mean=_seconds("closed_at", "reported_at")),
        Indicator("average_saved_seconds", "closed", _HAD_LIMIT, mean=_seconds("due_at", "closed_at")),
    )
}

# ---- a scene's own ---------------------------------------------------------------------------------------------------

_WORD = TextField()
_COLUMNS: dict[str, Any] = {
    **{name: F(name) for name in ("status", "type", "source")},
    "card": Coalesce(F("card"), Value(""), output_field=_WORD),
    "closed_by": Either(  # a case closed before reasons were kept, or of the system before, was done
        When(~Q(status="closed"), then=Value("")), When(closed_by="", then=Value(CLOSED_BY)), default=F("closed_by"), output_field=_WORD
    ),
    **{name: Cast(F(name), FloatField()) for name in ("severity", "reworks", "returns", "merged_count")},
    "stars": Coalesce(F("stars"), Value(0.0)),
}
_LOOKUPS: dict[str, Any] = {
    "==": lookups.Exact,
    "<": lookups.LessThan,
    "<=": lookups.LessThanOrEqual,
    ">": lookups.GreaterThan,
    ">=": lookups.GreaterThanOrEqual,
    "startsWith": lookups.StartsWith,
    "endsWith": lookups.EndsWith,
    "contains": lookups.Contains,
}
_CLOSED = Compare(Name("status"), "==", "closed")  # says nothing more of cases that were closed in a period
_ALWAYS, _NEVER = Q(lookups.Exact(Value(1), Value(1))), Q(lookups.Exact(Value(1), Value(0)))  # an empty Q says the same as its opposite


def countable(condition: Condition) -> Q:
    """What the database counts by; no column it compares is null, so that the opposite of a condition is everything else."""
    match condition:
        case Every(parts):
            return reduce(and_, map(countable, parts), _ALWAYS)
        case Some(parts):
            return reduce(or_, map(countable, parts), _NEVER)
        case Other(part):
            return ~countable(part)
        case Compare(left, "in", tuple(among)):
            return reduce(or_, (Q(lookups.Exact(_COLUMNS[left.name], one)) for one in among), _NEVER)
        case Compare(left, "!=", right):
            return ~Q(lookups.Exact(_COLUMNS[left.name], _side(right)))
        case Compare(left, op, right):
            return Q(_LOOKUPS[op](_COLUMNS[left.name], _side(right)))


def _side(right: Any) -> Any:
    return _COLUMNS[right.name] if isinstance(right, Name) else right


@lru_cache(maxsize=1024)
def _own(scene: str, share: Share) -> tuple[Q, Q, Both] | None:
    """Below the line, above it, the formula; None of one that an earlier program let in and this one cannot count: ``doctor`` tells."""
    try:
        of, part = conditions.read(share.of), conditions.read(share.part)
    except ConditionFault as fault:
        log.error("the indicator %s of pack %s is left out: %s", share.name, scene, fault)
        return None
    of_all = of == Every() or (share.period == "closed" and of == _CLOSED)
    key = f"cases.indicator_scene_{share.period}" + ("" if of_all else "_of")
    said = {lang: say(key, lang, of=_said(of, lang), part=_said(part, lang)) for lang in ("zh", "en")}
    return Q(scene=scene) & countable(of), countable(part), Both(**said)


def _said(condition: Condition, lang: str) -> str:
    """A number stands apart from the Chinese word after it."""
    words = conditions.told(condition, lang)
    return f"{words} " if lang == "zh" and words[-1].isascii() else words


def of_scenes(wanted: str = "") -> Iterable[Indicator]:
    """Those of the installed packs, called ``scene.name``."""
    for scene in scenes().shares():
        for share in scene.shares:
            name = f"{scene.name}.{share.name}"
            if wanted in ("", name) and (own := _own(scene.name, share)) is not None:
                yield Indicator(name, share.period, own[0], own[1], scene=scene, title=share.title, formula=own[2])


# ---- counted ---------------------------------------------------------------------------------------------------------


def _within(viewer: Viewer, moment: Moment, region: str, span: Span) -> QuerySet[Case]:
    rows = in_scope(viewer).filter(**{f"{moment}_at__gte": span[0], f"{moment}_at__lt": span[1]}).order_by()
    if moment == "due":
        rows = rows.exclude(status__in=[status for status in END_STATUSES if status != "closed"])
    if moment == "closed":
        rows = rows.filter(status="closed")
    return rows.filter(region__startswith=region) if region else rows


@reading
def computed(viewer: Viewer, region: str, span: Span) -> list[tuple[Indicator, float, int]]:
    """Every indicator with what stands above the line and how many cases below. A scene that is on nowhere and has none is left out."""
    every = [*EVERY_SCENE.values(), *of_scenes()]
    told: dict[str, Any] = {}
    for moment in dict.fromkeys(one.moment for one in every):  # one look at the cases of a span for all that count them
        asked: dict[str, Any] = {}
        for number, one in enumerate(every):
            if one.moment == moment:
                asked[f"n{number}"] = Count("id", filter=one.among or None)
                asked[f"a{number}"] = _above(one)
        told |= _within(viewer, moment, region, span).aggregate(**asked)
    found = [(one, _plain(told[f"a{number}"]), int(told[f"n{number}"])) for number, one in enumerate(every)]
    return [(one, above, below) for one, above, below in found if one.scene is None or one.scene.on or below]


def _above(one: Indicator) -> Any:
    if one.mean is not None:
        return Sum(one.mean, filter=one.among or None)
    return Count("id", filter=(one.among & one.part) or None)


def _plain(above: Any) -> float:
    """A sum of times is told in seconds; of nothing there is none."""
    return above.total_seconds() if hasattr(above, "total_seconds") else above or 0


@reading
def listed(
    viewer: Viewer, name: str, side: Side, region: str, span: Span, limit: int = 50, after: str = ""
) -> tuple[list[Case], str | None]:
    """The cases of one side, newest first. Of a mean every case stands on both."""
    one = EVERY_SCENE.get(name) or next(iter(of_scenes(name)), None)
    if one is None:
        raise NotFound("cases.no_such_indicator", name=name)
    rows = _within(viewer, one.moment, region, span).filter(one.among)
    if side == "numerator":
        rows = rows.filter(one.part)
    if after:
        at, row = read_cursor(after, lambda d, i: (datetime.fromisoformat(d), int(i)))
        rows = rows.filter(Q(reported_at__lt=at) | Q(reported_at=at, id__lt=row))
    return page_of(rows.order_by("-reported_at", "-id"), limit, lambda c: cursor_of(c.reported_at, c.id))
