"""Pure rules of the case: its parts, who may do what now, and how people's verbs map to the process.

Everything here works on plain data, so that the product (rows in PostgreSQL) and the stories (tables in memory) run the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.errors import FieldFault, Invalid
from gridloop.kernel.viewer import Viewer

if TYPE_CHECKING:
    from gridloop.flow.engine import Process

OPEN_STATUSES = (
    "reported",
    "verifying",
    "filed",
    "dispatched",
    "accepted",
    "handling",
    "suspended",
    "escalated",
    "submitted",
    "checking",
    "reworked",
)
END_STATUSES = ("closed", "voided", "rejected")
STATUSES = OPEN_STATUSES + END_STATUSES
DESK_STAGES = ("verify", "intake")  # waiting for the centre: box "todo" of the console
SIGNED_STAGES = ("handle", "support")  # work that is signed for (签收) before anything else; a look on the spot needs no signature
LOOK_STAGES = ("verify", "check", "review")
PUBLIC_SOURCES = ("citizen", "hotline", "deputy", "wechat")  # first verified on the spot where the scene asks for it
_WRITES_DOWN = ("hotline", "deputy", "department", "patrol", "citizen")  # a desk writes down what it is told
_STAFF = ("department", "patrol", "citizen")
# As whom a role may report; the first is meant when a report does not say. Sources outside of PUBLIC_SOURCES are believed unseen.
REPORT_SOURCES = {
    "operator": _WRITES_DOWN,
    "duty_commander": _WRITES_DOWN,
    "grid_worker": ("grid_worker", "patrol", "citizen"),
    "deputy": ("deputy", "citizen"),
    "integrator": ("department", "citizen", "hotline", "deputy", "grid_worker", "patrol"),
    **dict.fromkeys(("handler", "officer", "supervisor", "leader", "mediator", "inspector", "designer", "admin"), _STAFF),
}
TASK_ENDING_VERBS = {
    "verify": ("approve", "reject", "escalate", "submit"),
    "intake": ("accept", "reject"),
    "handle": ("submit", "return", "escalate"),
    "support": ("submit", "return"),
    "trace": ("submit",),
    "check": ("approve", "reject"),
    "review": ("approve", "reject"),
}
FORM_VERBS = ("submit",)  # which of them answer the form of a task
REASON_NEEDED = ("return", "reject", "escalate", "void")
CENTRE = "centre"  # the rater all desks and supervisors of a case are together
SURE_PLACE_M = 60.0  # a place found from an address with no more error is as good as a given one
RATE_DAYS = 30  # a case may be rated for so long after closing


@dataclass(frozen=True, slots=True)
class Secret:
    """A free text or personal value on its way into the trace: the store seals it, the fact keeps the commitment."""

    value: Any
    purpose: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Performer:
    """Who must do a task: a unit, and a post or a person inside it when the duty names one."""

    unit_id: int
    unit_name: str = ""
    post_id: int | None = None
    staff_id: int | None = None
    region: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class StageLimit:
    """Limit words of one stage (``15m 4h 2d 4wh 2wd``) and what happens on the way, in percent of the limit."""

    limit: str
    remind: tuple[int, ...] = (50, 80)
    yellow: int = 100
    red: int = 150
    escalate: bool = True


@dataclass(frozen=True, slots=True)
class Scene:
    """What a case's scene pack says, in the version the case was opened with."""

    name: str
    version: str
    version_id: int | None
    process: Process
    params: Mapping[str, Any]
    limits: Mapping[str, StageLimit]
    radius_m: float = 0.0  # reports of one type this close and …
    within_s: float = 0.0  # … this soon after are one matter; 0 = the house's default
    again_s: float = 0.0  # reported again at the place so soon after closing is doubted; 0 = never


@dataclass(slots=True)
class CaseData:
    """A case as the rules see it. ``process_state`` is the engine's JSON; ``handled_by`` holds actors who may not check."""

    code: str
    type: str
    title: str
    severity: int
    status: str
    region: str
    desk_region: str
    source: str
    scene: str
    reported_at: datetime
    scene_version_id: int | None = None
    same_thing: str = ""
    lon: float | None = None
    lat: float | None = None
    place_m: float | None = None  # expected error of a place found from the address; None: the place was given
    address: str = ""
    due_at: datetime | None = None
    closed_at: datetime | None = None
    closed_by: str = ""  # why its process closed it: done, left, false_alarm …
    lead_unit_id: int | None = None
    supporting_ids: list[int] = field(default_factory=list)
    unit_ids: list[int] = field(default_factory=list)
    staff_ids: list[int] = field(default_factory=list)
    handled_by: list[str] = field(default_factory=list)
    checked_by: str = ""
    doubts: list[dict[str, Any]] = field(default_factory=list)
    reporter_id: int | None = None
    proposal: dict[str, Any] | None = None
    card: str | None = None
    returns: int = 0
    reworks: int = 0
    escalations: int = 0
    merged_count: int = 0
    supervised: int = 0
    merged_into: str | None = None
    stars: float | None = None  # mean of its reporters'
    centre_stars: int | None = None
    ratings: dict[str, int] = field(default_factory=dict)  # who has rated (``CENTRE``, ``user:…``, ``source:…``) → stars
    process_state: dict[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES


@dataclass(slots=True)
class TaskData:
    """One user task. ``ref`` is the engine's; ``id`` is ours and public."""

    id: str
    case: str
    ref: str
    name: str
    title_zh: str
    title_en: str
    stage: str
    performer: str
    verbs: tuple[str, ...]
    opened_at: datetime
    status: str = "open"  # open | accepted | done | cancelled
    unit_id: int | None = None
    post_id: int | None = None
    staff_id: int | None = None
    region: str = ""
    must: tuple[str, ...] = ()
    form: dict[str, Any] | None = None
    item: Any = None
    due_at: datetime | None = None
    accepted_at: datetime | None = None
    done_at: datetime | None = None
    done_by: str = ""
    outcome: str = ""

    @property
    def is_live(self) -> bool:
        return self.status in ("open", "accepted")


@dataclass(slots=True)
class LimitData:
    """A due row: a reminder, a card, an escalation or a process wait."""

    id: str
    case: str
    kind: str  # remind | yellow | red | wait
    stage: str
    due_at: datetime
    task_id: str | None = None
    share: int = 0  # percent of the limit at which it fires
    ref: str = ""  # the engine's reference of a wait
    state: str = "pending"  # pending | fired | cancelled


@dataclass(slots=True)
class Situation:
    """A case with everything that is alive around it."""

    case: CaseData
    tasks: list[TaskData] = field(default_factory=list)
    limits: list[LimitData] = field(default_factory=list)

    def live_tasks(self, *stages: str) -> list[TaskData]:
        return [t for t in self.tasks if t.is_live and (not stages or t.stage in stages)]


@dataclass(frozen=True, slots=True)
class NewCase:
    """What is needed to open a case; ``text`` and ``reporter`` become sealed values."""

    code: str
    type: str
    title: str
    severity: int
    region: str
    source: str
    text: str = ""
    reporter: Mapping[str, str] | None = None  # name, contact
    reporter_id: int | None = None
    lon: float | None = None
    lat: float | None = None
    place_m: float | None = None
    address: str = ""
    same_thing: str = ""
    proposal: dict[str, Any] | None = None
    data: Mapping[str, Any] = field(default_factory=dict)  # for the process: e.g. the subject of a courtesy notice


def reporter_subject(code: str) -> str:
    """Under what the values of those who reported a case are sealed: who they are and their words, not the notes of those who handle it."""
    return f"case:{code}/reporter"


class Directory(Protocol):
    """What the outside knows. Implemented on rows by the cases room and in memory by the stories."""

    def competent(self, duty: str, case_type: str, region: str, at: datetime) -> Performer | None:
        """The most specific holder of a duty for a type at a place and time."""

    def helpers(self, case_type: str, region: str, at: datetime) -> list[Performer]:
        """Who has the duty to support such cases there: of each department the most specific unit, in the order of the duties."""

    def unit(self, unit_id: int) -> Performer | None:
        """A unit by id."""

    def upper_desk(self, region: str, at: datetime) -> tuple[str, Performer] | None:
        """The next higher region that has an intake desk, and that desk."""

    def calendar(self, region: str) -> WorkingCalendar:
        """The working calendar in force at a place."""

    def new_picture(self, task: TaskData, evidence: Sequence[str]) -> bool:
        """Whether one of these files is a picture made for this task: sent since it opened, never shown in the case before."""

    def doubts(self, case: CaseData, task: TaskData, evidence: Sequence[str], at: datetime, again_s: float) -> list[dict[str, Any]]:
        """What speaks against closing, as this task ends (``doubting``): the result handed in, or the check approved."""


def is_candidate(task: TaskData, viewer: Viewer) -> bool:
    """Whether the task is this viewer's to do: named, or of its unit and not another person's."""
    named = task.staff_id is not None and viewer.staff_id == task.staff_id
    if task.staff_id is not None and task.status == "accepted":
        return named
    if named or (task.status == "open" and task.stage in LOOK_STAGES and _keeps_watch(task, viewer)):
        return viewer.may("task.act", task.region, named=named)
    if task.unit_id is None:
        return False
    own = task.unit_id in viewer.unit_ids or task.unit_id == viewer.unit_id
    return own and viewer.may("task.act", task.region, (task.unit_id,))


def _keeps_watch(task: TaskData, viewer: Viewer) -> bool:
    """Those who take in or supervise for a whole territory may look on the spot wherever nobody has begun to: county for town."""
    return viewer.may("case.accept", task.region) or viewer.may("case.supervise", task.region)


def _desk_units(case: CaseData, tasks: Iterable[TaskData]) -> list[int | None]:
    """The unit whose desk has the case; before a desk was asked, whoever is involved."""
    return [t.unit_id for t in tasks if t.stage == "intake"][-1:] or list(case.unit_ids)


def task_verbs(case: CaseData, task: TaskData, viewer: Viewer) -> tuple[str, ...]:
    """Verbs the viewer may do on the task now, in the order a screen should offer them."""
    if not task.is_live or not case.is_open:
        return ()
    if task.stage == "intake":
        desk = viewer.may("case.accept", case.desk_region, (task.unit_id,)) and (viewer.staff_id is not None or viewer.system)
        return tuple(v for v in task.verbs if desk)
    if not viewer.can("task.act") or not (viewer.system or is_candidate(task, viewer)):
        return ()
    if task.stage in ("check", "review") and viewer.actor in case.handled_by:
        return ()  # nobody checks their own work
    if task.stage == "review" and viewer.actor == case.checked_by:
        return ()  # nor reviews their own check
    verbs = task.verbs
    if task.status == "open" and "accept" in verbs and task.stage in SIGNED_STAGES:
        return tuple(v for v in verbs if v in ("accept", "return", "escalate"))
    return tuple(v for v in verbs if v != "accept" and (v != "return" or task.status == "open" or task.stage == "support"))


def case_verbs(case: CaseData, tasks: list[TaskData], viewer: Viewer) -> tuple[str, ...]:
    """Verbs the viewer may do on the case now.

    The desk's verbs belong to the desk that holds the case now and to those above it: a desk that gave the case up may still urge.
    """
    if not case.is_open:
        rater = rater_of(case, viewer)
        return ("rate",) if case.status == "closed" and rater and rater not in case.ratings else ()
    desk_waits = any(t.is_live and t.stage in DESK_STAGES for t in tasks)
    units = _desk_units(case, tasks)
    now = {"accept": desk_waits, "route": desk_waits or any(t.is_live and t.stage == "handle" for t in tasks)}

    def offered(verb: str) -> bool:
        if verb == "urge":
            return _concerns(case, "case.urge", viewer)
        if verb == "supervise":
            return viewer.may("case.supervise", case.region, case.unit_ids)
        return now.get(verb, True) and viewer.may(f"case.{verb}", case.desk_region, units)

    return tuple(verb for verb in ("accept", "route", "merge", "urge", "supervise", "void") if offered(verb))


def rater_of(case: CaseData, viewer: Viewer) -> str:
    """As whom a viewer rates a case: the centre for desks and supervisors of its place, a reporter for their own report, '' nobody."""
    if viewer.may("case.rate", case.region, case.unit_ids):
        return CENTRE
    own = viewer.user_id is not None and viewer.user_id == case.reporter_id and viewer.can("case.rate")
    return f"user:{viewer.user_id}" if own else ""


def _concerns(case: CaseData, permission: str, viewer: Viewer) -> bool:
    """Whether a permission that is nobody's desk alone holds for a case: of one's territory, unit, work or own report."""
    worked = viewer.staff_id is not None and viewer.staff_id in case.staff_ids
    reported = viewer.user_id is not None and viewer.user_id == case.reporter_id
    return viewer.may(permission, case.region, case.unit_ids, named=worked or reported)


def report_source(viewer: Viewer, asked: str) -> str:
    """The source a report counts as: the one asked for when one of the viewer's roles stands for it; the public is always a citizen."""
    if viewer.system or viewer.user_id is None:
        return asked if asked and viewer.system else "citizen"
    allowed = tuple(dict.fromkeys(s for role, sources in REPORT_SOURCES.items() if role in viewer.roles for s in sources)) or ("citizen",)
    if asked and asked not in allowed:
        fault = FieldFault("/source", "cases.source_not_yours", {"source": asked, "allowed": ", ".join(allowed)})
        raise Invalid(fault.key, errors=(fault,), **fault.params)
    return asked or allowed[0]
