"""Shapes of cases, tasks and facts on the way in and out (docs/reference, contract)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Field
from pydantic import AwareDatetime, ConfigDict

from gridloop.journal.shapes import Schema


class PlaceIn(Schema):
    """WGS-84."""

    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)


class ReportIn(Schema):
    """A person's report; words, a kind (case type) or a photo must be there, and a place or an address."""

    text: str = ""
    place: PlaceIn | None = None
    address: str = Field("", max_length=300)
    contact: str = Field("", max_length=100)
    name: str = Field("", max_length=60)
    kind: str = Field("", max_length=5)
    source: Literal["", "citizen", "grid_worker", "hotline", "deputy", "patrol", "department"] = ""
    evidence: list[str] = Field(default_factory=list, max_length=9)
    region: str = Field("", max_length=18)
    plate: str = Field("", max_length=12)
    account: str = Field(
        "", max_length=150, description="log-in of whoever sends it: 401 when the session is no longer theirs, never taken without a name"
    )
    origin: str = Field("", max_length=60, description="the sending platform; machines only")
    origin_id: str = Field("", max_length=120, description="its own number: the same one twice is one report")


class ReportOut(Schema):
    """``merged``: it joined an open case; ``repeated``: this origin had sent it before."""

    case: str
    track_url: str
    merged: bool
    repeated: bool


class VerbIn(Schema):
    """What a verb may carry; a field it does not know is refused, never passed over."""

    model_config = ConfigDict(extra="forbid")


class AcceptIn(VerbIn):
    """Takes the proposal; every field given overrides it."""

    type: str | None = None
    unit: int | None = None
    severity: int | None = Field(None, ge=1, le=4)
    supporting: list[int] = Field(default_factory=list, max_length=20)
    note: str = Field("", max_length=2000)


class RouteIn(AcceptIn):
    post: int | None = None
    person: int | None = None


class MergeIn(VerbIn):
    into: str
    note: str = Field("", max_length=2000)


class SplitSourceIn(VerbIn):
    source: int = Field(ge=0, le=2**62, description="id of the source that becomes a case of its own")
    note: str = Field("", max_length=2000)


class DraftIn(VerbIn):
    kind: str = Field(description="summary or reply")


class DraftOut(Schema):
    """A language model's words for a person to check."""

    text: str


class UrgeIn(VerbIn):
    note: str = Field("", max_length=2000)
    reply_by: AwareDatetime | None = None


class NoteIn(VerbIn):
    note: str = Field("", max_length=2000)


class ForgottenOut(Schema):
    """What an erasure took: cases whose reporter went, sealed values, files."""

    cases: int
    values: int
    files: int


class RateIn(VerbIn):
    stars: int
    note: str = Field("", max_length=2000)


class ActIn(VerbIn):
    """``to`` goes with ``transfer`` and ``delegate``; where a return or an escalation goes is the process's to say."""

    note: str = Field("", max_length=2000)
    evidence: list[str] = Field(default_factory=list, max_length=20)
    form: dict[str, Any] = Field(default_factory=dict)
    place: PlaceIn | None = None
    type: str | None = None
    unit: int | None = None
    severity: int | None = Field(None, ge=1, le=4)
    supporting: list[int] = Field(default_factory=list, max_length=20)
    to: int | str | None = None


class Named(Schema):
    id: int
    name: str


class SourceOut(Schema):
    kind: str
    at: datetime
    count: int


class CasePlace(Schema):
    """``metres``: expected error of a place found from the address; null when the place was given."""

    lon: float | None
    lat: float | None
    address: str
    metres: float | None = None


class CaseItem(Schema):
    """A case in a list."""

    code: str
    type: str
    type_name: str
    title: str
    severity: int
    status: str
    region: str
    region_name: str
    place: CasePlace
    reported_at: datetime
    due_at: datetime | None
    closed_at: datetime | None
    lead_unit: Named | None
    scene: str
    sources: list[SourceOut]
    card: str | None
    stage: str
    stage_due_at: datetime | None
    merged: int
    reworks: int


class CasePage(Schema):
    items: list[CaseItem]
    next: str | None
    total: int | str | None = None


class TaskOut(Schema):
    """A task; ``verbs`` is what the caller may do now."""

    id: str
    case: str
    case_title: str
    severity: int
    name: str
    title: str
    stage: str
    status: str
    assignee: Named | None
    unit: Named | None
    opened_at: datetime
    due_at: datetime | None
    done_at: datetime | None
    verbs: list[str]
    form: dict[str, Any] | None
    must: list[str]
    place: CasePlace
    region_name: str
    doubts: list[str]


class TaskPage(Schema):
    items: list[TaskOut]
    next: str | None


class Candidate(Schema):
    unit: Named
    reason: str
    load: int
    distance_m: float | None


class Reporter(Schema):
    """Masked."""

    name: str
    contact: str


class Told(Schema):
    """Opened for a purpose."""

    name: str
    contact: str
    text: str


class Fared(Schema):
    """Of ``proposed`` proposals of this type, made in this way, desks took ``right``."""

    proposed: int
    right: int


class AlikeOut(Schema):
    """An open case that may be the same matter, and how likely that is."""

    code: str
    title: str
    likely: float


class ProposalOut(Schema):
    """What the desk is offered. ``how``: given (by the source), learned, words, unsure, desk (decided before)."""

    type: str
    type_name: str
    unit: Named | None
    severity: int
    confidence: float
    unit_confidence: float | None
    how: str
    precision: Fared | None
    reasons: list[str]
    alike: list[AlikeOut]


class Rating(Schema):
    """What one rater gave."""

    stars: int
    note: str = ""


class CaseRating(Schema):
    """The mean of the reporters' stars, of how many, their latest words; and what the centre gave."""

    stars: float | None
    count: int
    note: str
    centre: Rating | None


class Rated(Schema):
    """What whoever rated has said; the rest of the case is not theirs to read."""

    code: str
    rating: Rating


class SourceDetail(Schema):
    """One source of a case: a device's signals or one person's report. ``splits``: it may become a case of its own."""

    id: int
    splits: bool
    kind: str
    source: str
    device: str
    device_name: str
    device_kind: str
    device_place: str
    first_at: datetime
    last_at: datetime
    count: int
    text: str
    reporter: Reporter | None


class SourcePage(Schema):
    items: list[SourceDetail]
    next: str | None


class SupervisionOut(Schema):
    """One order of a supervisor."""

    at: datetime
    by: str
    note: str
    reply_by: datetime | None


class CaseDetail(CaseItem):
    text: str
    reporter: Reporter | None
    proposal: ProposalOut | None
    candidates: list[Candidate]
    supporting: list[Named]
    verbs: list[str]
    tasks: list[TaskOut]
    rating: CaseRating | None
    supervision: list[SupervisionOut]
    source_rows: list[SourceDetail]
    household: str | None
    merged_into: str | None
    returns: int
    escalations: int
    doubts: list[str]
    assistant: bool


class FactOut(Schema):
    """An entry of the trace; ``hash`` is SHA-256 over the canonical JSON of the first seven fields."""

    chain: str
    seq: int
    at: str
    actor: str
    action: str
    data: dict[str, Any]
    previous_hash: str
    hash: str
    actor_name: str
    action_name: str
    text: str = ""


class FactPage(Schema):
    items: list[FactOut]
    next: str | None


class CaseTypeOut(Schema):
    code: str
    name_zh: str
    name_en: str
    severity: int
    category: dict[str, str]


class Counts(Schema):
    severity: dict[str, int]
    status: dict[str, int]
    box: dict[str, int]
    overdue: int
    more: bool = Field(False, description="more ended cases than the 10,000 counted: say 10,000+")


class Point(Schema):
    code: str
    lon: float
    lat: float
    severity: int
    status: str
    title: str


class Cluster(Schema):
    lon: float
    lat: float
    count: int
    worst: int


class CaseMap(Schema):
    points: list[Point]
    clusters: list[Cluster]
    more: bool = Field(False, description="the clusters hold the newest 10,000 only")


class TrackStep(Schema):
    name: str
    at: datetime | None
    state: Literal["done", "now", "waiting"]


class Track(Schema):
    """The reporter's view: progress without anybody's personal data. ``under``: the number it was reported under, if another."""

    code: str
    under: str
    title: str
    status: str
    status_name: str
    steps: list[TrackStep]
    unit: str
    remaining: str
    evidence: list[dict[str, str]]
    can_rate: bool
    rating: Rating | None
    texts: list[dict[str, str]]
