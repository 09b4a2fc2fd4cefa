"""Shapes of scene packs on the way in and out."""

from __future__ import annotations

from datetime import datetime

from ninja import Field

from gridloop.journal.shapes import Schema


class PackDetectorOut(Schema):
    """What a pack makes of many readings; the sentences are made from the definition."""

    name: str
    title_zh: str
    title_en: str
    sentence_zh: str
    sentence_en: str


class PackNeedOut(Schema):
    """What is still missing before a pack is whole."""

    zh: str
    en: str


class PackOut(Schema):
    """An installed scene pack; ``units`` are those whose territory differs from ``enabled``. ``legal_zh``, ``legal_en``: the law it leans

    on, '' for most; then ``bases`` are the documents recorded where it is on.
    """

    name: str
    version: str
    title_zh: str
    title_en: str
    tier: str
    enabled: bool
    units: list[int]
    type: str
    process: str
    needs: list[PackNeedOut]
    legal_zh: str
    legal_en: str
    bases: list[str]
    detectors: list[PackDetectorOut]


class PackPage(Schema):
    items: list[PackOut]
    next: str | None = None


class SwitchIn(Schema):
    """On or off, everywhere (``unit`` null) or in one unit's territory."""

    on: bool
    unit: int | None = Field(None, ge=1)
    basis: str = Field("", max_length=500, description="the document that allows it, for a pack that names a law")


class DetectTextIn(Schema):
    """A whole ``detect.yaml``."""

    text: str = Field(max_length=200_000)


class DetectTextQuery(Schema):
    """``detector`` and ``limit``: as it would be with another threshold, such as one that false alarms propose."""

    detector: str = Field("", max_length=60)
    limit: float | None = Field(None, allow_inf_nan=False)


class DetectTextOut(Schema):
    """What stands in a pack's ``detect.yaml`` now; ``edited``: published in this deployment."""

    name: str
    version: str
    text: str
    edited: bool


class DetectFaultOut(Schema):
    line: int
    text_zh: str
    text_en: str


class WishedDetectorOut(PackDetectorOut):
    """``state``: new, changed or same, against the pack's present version."""

    state: str


class DetectCheckOut(Schema):
    """Either faults, or the detectors as sentences; ``gone``: names the present version has and the text has not."""

    faults: list[DetectFaultOut]
    detectors: list[WishedDetectorOut]
    gone: list[str]


class RehearsalIn(Schema):
    """``text`` empty: the detectors as they are, for a pack that is about to be switched on."""

    text: str = Field("", max_length=200_000)
    days: int = Field(14, ge=1, le=90)


class RehearsalOut(Schema):
    """``status``: waiting, running, done, failed, cancelled, published. ``share``: how far it is, 0 to 1."""

    id: int
    pack: str
    status: str
    share: float
    readings: int
    since: datetime
    until: datetime
    asked_at: datetime
    finished_at: datetime | None
    fault: str


class RehearsalPage(Schema):
    items: list[RehearsalOut]
    next: str | None = None


class RehearsedDetectorOut(Schema):
    """Alarms of the present and the wished version: those both raise at the same time, and those of one alone; ``hushed``: its whole

    village was silent. The sentence is that of the wished version where there is one.
    """

    name: str
    state: str
    title_zh: str
    title_en: str
    sentence_zh: str
    sentence_en: str
    old: int
    new: int
    both: int
    only_old: int
    only_new: int
    hushed_old: int
    hushed_new: int


class RehearsedCountOut(Schema):
    """Alarms of a day, or of a place or device."""

    name: str
    title: str = ""
    old: int
    new: int


class RehearsedUnitOut(Schema):
    """Cases a unit would get; ``unit`` null: nobody is competent. ``first``: every case asks for the task, others come at most as often."""

    unit: int | None
    title: str
    task_zh: str = ""
    task_en: str = ""
    first: bool = True
    old: int
    new: int


class RehearsedWorkOut(Schema):
    """``measured``: closed cases of which minutes and hours are the middle; 0: they are assumed."""

    minutes: float
    open_hours: float
    measured: int
    units: list[RehearsedUnitOut]


class RehearsalReportOut(Schema):
    """``present``: whether the pack is on: there is something to compare with. ``cut``: when there were too many alarms to go on."""

    present: bool
    detectors: list[RehearsedDetectorOut]
    days: list[RehearsedCountOut]
    places: list[RehearsedCountOut]
    places_elsewhere: int
    devices: list[RehearsedCountOut]
    most_in_an_hour: int
    would_be_held: bool
    cut: datetime | None
    work: RehearsedWorkOut


class RehearsalDetailOut(RehearsalOut):
    """``may_publish``: it has ended, changes something, and the pack is still the one it was rehearsed against."""

    text: str
    may_publish: bool
    report: RehearsalReportOut | None
