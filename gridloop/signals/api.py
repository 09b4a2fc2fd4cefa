"""Thin HTTP: what devices have said, detectors held back, erasing a person. Signals come in by the door ``ingest``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from functools import cache, partial
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Field, Query, Router, Status

from gridloop.access.api import need, signed_in
from gridloop.journal.shapes import Schema
from gridloop.kernel import clock
from gridloop.kernel.viewer import Viewer
from gridloop.signals import actions, deciding, irregular, selectors
from gridloop.signals.models import Proposal
from gridloop.signals.outcomes import matcher, unit_of
from gridloop.signals.readings import MOST_HOURS, Readings, readings

router = Router(tags=["registry"], auth=signed_in)


class EraseIn(Schema):
    """``reason`` is kept sealed; ``words`` are further ones the person is known by, such as the name in the data of signals."""

    reason: str = Field(max_length=400)
    words: list[str] = Field([], max_length=20)


class ErasureOut(Schema):
    """What an erasure took: signals without data and place, sealed values, cases whose reporter went, files they had sent."""

    signals: int
    values: int
    cases: int
    files: int


class ReadingsQuery(Schema):
    """``purpose`` and ``reason`` open what a household's device said; the look is written down."""

    hours: int = Field(24, ge=1, le=MOST_HOURS)
    purpose: str = Field("", max_length=40)
    reason: str = Field("", max_length=400)


class ReadingPointOut(Schema):
    """Least, mean and most of a step that begins ``at``."""

    at: datetime
    low: float
    mean: float
    high: float
    count: int


class ReadingSeriesOut(Schema):
    """``count`` includes readings without a value; ``title`` and ``unit`` of a kind in the catalogue, else empty."""

    kind: str
    title: str
    unit: str
    count: int
    points: list[ReadingPointOut]


class ReadingsOut(Schema):
    """``hidden``: a household's, shown for a purpose with a reason only."""

    since: datetime
    until: datetime
    step_seconds: int
    hidden: bool
    series: list[ReadingSeriesOut]


@router.get("/devices/{code}/readings", response=ReadingsOut, summary="What a device has said, by steps of time, for a chart")
def device_readings(request: HttpRequest, code: str, query: Query[ReadingsQuery]) -> Any:
    viewer = need(request, "device.read")
    found = readings(viewer, code[:64].replace("\x00", ""), query.hours, query.purpose, query.reason)
    return readings_told(found, viewer.lang)


def readings_told(found: Readings, lang: str) -> dict[str, Any]:
    called = matcher().kinds_called(lang)
    series = []
    for one in found.series:
        title, unit = called.get(one.kind, ("", ""))
        series.append({"kind": one.kind, "title": title, "unit": unit, "count": one.count, "points": one.points})
    return {name: getattr(found, name) for name in ("since", "until", "step_seconds", "hidden")} | {"series": series}


class DeviceDoubtOut(Schema):
    """``why``: late, ahead, flood, unit or reset; ``share`` of what came while there were any; ``mostly``: a person should look."""

    why: str
    count: int
    share: float
    mostly: bool


class DeviceDoubts(Schema):
    items: list[DeviceDoubtOut]


@router.get("/devices/{code}/doubts", response=DeviceDoubts, summary="How many of a device's readings of the last day were irregular")
def device_doubts(request: HttpRequest, code: str) -> dict[str, Any]:
    return {"items": irregular.device_doubts(need(request, "device.read"), code[:64].replace("\x00", ""), clock.now())}


@router.post("/people/{code}/erase", response=ErasureOut, summary="Erase a person everywhere; the trace still verifies")
def erase_person(request: HttpRequest, code: str, body: EraseIn) -> Any:
    return actions.erase_person(need(request, "people.erase"), code[:64].replace("\x00", ""), body.reason, body.words)


class HeldDetectorOut(Schema):
    """A detector of which nothing is told. ``why``: alarms, when it raised so many ``alarms``, more than people can take in an hour, or

    fault, when it cannot go on and is set aside; ``fault``: with what, as the program says it.
    """

    name: str
    title: str
    sentence: str
    since: datetime
    why: str
    alarms: int
    fault: str


class HeldDetectorsPage(Schema):
    items: list[HeldDetectorOut]
    next: str | None = None


@router.get(
    "/detectors/held",
    response=HeldDetectorsPage,
    summary="Detectors held back for too many alarms, or set aside for a fault",
)
def held_detectors(request: HttpRequest) -> dict[str, Any]:
    return {"items": selectors.held_detectors(need(request, "pack.read"))}


@router.post(
    "/detectors/{name}/release",
    response=HeldDetectorsPage,
    summary="Let a detector be told of again, or try again",
)
def release_detector(request: HttpRequest, name: str) -> dict[str, Any]:
    viewer = need(request, "pack.switch")
    actions.release_detector(viewer, name[:100])
    return {"items": selectors.held_detectors(viewer)}


class PrecisionQuery(Schema):
    """``by``: one row for each detector, device or village."""

    by: Literal["detector", "device", "place"] = "detector"
    detector: str = Field("", max_length=100)
    device: str = Field("", max_length=64)


class PrecisionOut(Schema):
    """Alarms by what they turned out to be; ``waiting``: their cases are under way. ``precision`` with its 95 % interval is of true and

    false ones alone, null without any. ``sentence``: what a detector waits for, empty where there is none.
    """

    name: str
    title: str
    sentence: str
    true: int
    false: int
    unclear: int
    waiting: int
    precision: float | None
    low: float | None
    high: float | None


class PrecisionPage(Schema):
    items: list[PrecisionOut]
    next: str | None = None


class SensorProposalOut(Schema):
    """``kind``: threshold, maintenance, close or reopen; ``title``: the detector's; ``data``: figures it rests on, readings in ``unit``.

    ``mine``: the caller may follow it now; ``whose``: who has the task that closing would end.
    """

    id: int
    kind: str
    detector: str
    title: str
    device: str
    device_name: str
    case_code: str
    made_at: datetime
    data: dict[str, Any]
    unit: str
    mine: bool
    whose: str


class SensorProposalPage(Schema):
    items: list[SensorProposalOut]
    next: str | None = None


class SensorProposalQuery(Schema):
    device: str = Field("", max_length=64)
    detector: str = Field("", max_length=100)


class AcceptedProposalOut(Schema):
    """``pack``, ``detector`` and ``wish`` of a threshold: it goes on in the scene's editor."""

    id: int
    kind: str
    pack: str = ""
    detector: str = ""
    wish: float | None = None


class DismissIn(Schema):
    """``note``: why it is not followed; of a case's proposal it stands in the trace of the case."""

    note: str = Field("", max_length=400)


class OutcomeIn(Schema):
    """``reason`` of a false alarm: device, normal, known, test or other."""

    outcome: str = Field(max_length=8)
    reason: str = Field("", max_length=16)
    note: str = Field("", max_length=400)


class WitnessOut(Schema):
    """An alarm of the case; ``outcome`` empty: not known yet; ``stated``: somebody said so. ``title`` and ``device_name`` as people say;

    ``sentence``: what the detector waits for, empty when the device told it by itself.
    """

    detector: str
    title: str
    sentence: str
    device: str
    device_name: str
    at: datetime
    outcome: str
    reason: str
    stated: bool


class HeldAlarmsOut(Schema):
    """Alarms of a detector that wait while the case's village is unheard; of the others ``told`` late, or ``passed``: over by then."""

    name: str
    title: str
    sentence: str
    waiting: int
    told: int
    passed: int


class CaseOutcomeOut(Schema):
    """``held``: of the case of a village whose devices fell silent together, what that explains."""

    alarms: list[WitnessOut]
    proposals: list[SensorProposalOut]
    held: list[HeldAlarmsOut]


@router.get("/detectors/precision", response=PrecisionPage, summary="How alarms turned out, by detector, device or village")
def precision(request: HttpRequest, query: Query[PrecisionQuery]) -> dict[str, Any]:
    found = selectors.precisions(need(request, "device.read"), query.by, query.detector, query.device)
    return {"items": [_precision(one) for one in found]}


def _precision(one: selectors.Precision) -> dict[str, Any]:
    counts = one.counts
    low, high = counts.interval or (None, None)
    numbers = {"true": counts.true, "false": counts.false, "unclear": counts.unclear, "waiting": counts.waiting}
    return {
        "name": one.name,
        "title": one.title,
        "sentence": one.sentence,
        **numbers,
        "precision": counts.precision,
        "low": low,
        "high": high,
    }


@router.get("/proposals", response=SensorProposalPage, summary="What repeated false alarms of devices propose")
def proposals(request: HttpRequest, query: Query[SensorProposalQuery]) -> dict[str, Any]:
    viewer = need(request, "device.read")
    return {"items": _titled(viewer, SensorProposalOut, selectors.proposals(viewer, device=query.device, detector=query.detector))}


def _titled(viewer: Viewer, shape: type[Schema], rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows that name a detector and a device, with what the viewer calls them."""
    devices = selectors.device_names(viewer, [row.device for row in rows])
    follower = cache(partial(deciding.follower, viewer))  # reads the tasks of the row's case
    made: dict[str, Callable[[Any], Any]] = {
        "title": lambda row: selectors.detector_title(viewer, row.detector),
        "sentence": lambda row: matcher().sentence(row.detector, viewer.lang),
        "device_name": lambda row: devices.get(row.device, ""),
        "unit": lambda row: unit_of(row.detector, viewer.lang),
        "mine": lambda row: follower(row)[0],
        "whose": lambda row: follower(row)[1],
    }
    return [{name: made[name](row) if name in made else getattr(row, name) for name in shape.model_fields} for row in rows]


def outcome_of(viewer: Viewer, code: str) -> dict[str, Any]:
    alarms, wishes = selectors.witnesses(viewer, code), selectors.proposals(viewer, case=code)
    told = {"alarms": _titled(viewer, WitnessOut, alarms), "proposals": _titled(viewer, SensorProposalOut, wishes)}
    return told | {"held": [asdict(one) for one in selectors.held_by(viewer, code)]}


@router.post("/proposals/{proposal_id}/accept", response=AcceptedProposalOut, summary="Follow a proposal")
def accept_proposal(request: HttpRequest, proposal_id: int) -> Any:
    viewer = need(request, "device.read")
    row = selectors.proposal(viewer, proposal_id)
    if row.kind == Proposal.Kind.THRESHOLD:
        deciding.accept_threshold(viewer, proposal_id)
        pack, _, name = row.detector.partition(".")
        return {"id": row.pk, "kind": row.kind, "pack": pack, "detector": name, "wish": row.data.get("wish")}
    if row.kind == Proposal.Kind.MAINTENANCE:
        deciding.accept_maintenance(viewer, proposal_id)
    else:
        deciding.accept_relook(viewer, proposal_id)
    return {"id": row.pk, "kind": row.kind}


@router.post("/proposals/{proposal_id}/dismiss", response={204: None}, summary="Put a proposal aside, and say why")
def dismiss_proposal(request: HttpRequest, proposal_id: int, body: DismissIn | None = None) -> Status[None]:
    deciding.dismiss_proposal(need(request, "device.read"), proposal_id, body.note if body else "")
    return Status(204, None)


@router.get("/cases/{code}/outcome", response=CaseOutcomeOut, summary="How the alarms of a case turned out, and what the sensor saw since")
def case_outcome(request: HttpRequest, code: str) -> dict[str, Any]:
    viewer, code = need(request, "case.read"), code[:64].replace("\x00", "")
    return outcome_of(viewer, code)


@router.post("/cases/{code}/outcome", response=CaseOutcomeOut, summary="Say how the alarms of a case turned out")
def state_outcome(request: HttpRequest, code: str, body: OutcomeIn) -> dict[str, Any]:
    viewer, code = need(request, "task.act"), code[:64].replace("\x00", "")
    deciding.state_outcome(viewer, code, body.outcome, body.reason, body.note)
    return outcome_of(viewer, code)
