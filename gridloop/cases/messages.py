"""What comes in to the cases room from doors and from the signals room."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from gridloop.cases.rules import Scene
from gridloop.sdk.pack import Both, Indicator


@dataclass(frozen=True, slots=True)
class Report:
    """A person's report. ``kind`` is a case type or empty; place is WGS-84; ``source``: as whom ('' = the sender's own)."""

    text: str
    source: str = ""
    kind: str = ""
    lon: float | None = None
    lat: float | None = None
    address: str = ""
    contact: str = ""
    name: str = ""
    region: str = ""
    evidence: tuple[str, ...] = ()
    plate: str = ""
    place_m: float | None = None  # expected error of a place found from the address
    origin: str = ""  # the sending platform, when not our own page
    origin_id: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """The answer to a report: the case (a new one or the one it was merged into) and the reporter's key."""

    case: str
    key: str
    merged: bool
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What an erasure took: cases whose reporter went, sealed values, files."""

    cases: int = 0
    values: int = 0
    files: int = 0

    def __add__(self, other: Forgotten) -> Forgotten:
        return Forgotten(self.cases + other.cases, self.values + other.values, self.files + other.files)


@dataclass(slots=True)
class HistoricCase:
    """An ended case of the system before. ``unit``: id of who led it; ``title`` '' is made from type and place."""

    code: str
    type: str
    region_code: str
    reported_at: datetime
    status: str = "closed"
    closed_at: datetime | None = None
    title: str = ""
    severity: int = 4
    address: str = ""
    text: str = ""
    lon: float | None = None
    lat: float | None = None
    source: str = "hotline"
    unit: int | None = None


@dataclass(frozen=True, slots=True)
class SceneMatch:
    """What a scene makes of a signal: open (or join) a case, or tell an open one something.

    ``key`` is the same-thing key inside the scene ('' = by place and time, for which the scene must declare a radius);
    ``message`` is for clear/update, such as ``gone``.
    """

    scene_version_id: int
    verb: str  # open | update | clear
    key: str = ""
    message: str = ""
    title: str = ""
    case_type: str = ""
    severity: int = 4
    radius_m: float = 0.0
    within_s: float = 0.0
    subject: Mapping[str, Any] = field(default_factory=dict)  # e.g. {"plate": …}: whom a courtesy notice goes to


@dataclass(frozen=True, slots=True)
class SceneShares:
    """What a scene's pack wants watched; ``on``: it is switched on somewhere."""

    name: str
    version: str
    title: Both
    on: bool
    shares: tuple[Indicator, ...]


class SceneBook(Protocol):
    """Where cases find the scene of a type and the version a case was opened with. Wired by the project (scenes implement it)."""

    def by_version(self, version_id: int) -> tuple[Scene, str]:
        """The scene of an installed pack version and the digest of its process."""

    def for_type(self, case_type: str, region: str, data: Mapping[str, Any]) -> tuple[Scene, str]:
        """The active scene for a person's report of this type at a place; ``data`` is what the report carries, such as a plate."""

    def thing_of(self, version_id: int, data: Mapping[str, Any]) -> str:
        """The same-thing key of a report in a scene; '' when the scene goes by place and time."""

    def shares(self) -> Sequence[SceneShares]:
        """Of every installed pack that wants any watched, by name."""
