"""Reads of the scenes room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

from gridloop.detection import language
from gridloop.detection.rules import Detector
from gridloop.detection.values import Kind
from gridloop.journal.frame import reading
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs.selectors import calendar_for
from gridloop.scenes.loading import signal_kinds
from gridloop.scenes.models import PackSwitch, PackVersion
from gridloop.scenes.rules import ToldDetector, is_on, may_be_on, told_detectors
from gridloop.sdk.pack import Pack


@dataclass(frozen=True, slots=True)
class Installed:
    """The newest version of a pack and where it is switched; ``regions`` maps a code prefix to on or off."""

    version_id: int
    name: str
    version: str
    tier: str
    process_digest: str
    pack: Pack
    regions: Mapping[str, bool]
    units: Mapping[str, int | None]
    bases: Mapping[str, str]

    def on_at(self, region: str) -> bool:
        return is_on(self.regions, region, self.unswitched)

    @property
    def unswitched(self) -> bool:
        """Whether it is on where nobody has switched it: not one that needs a recorded legal basis."""
        return self.pack.pack.legal_basis is None

    @property
    def on_somewhere(self) -> bool:
        return self.regions.get("", self.unswitched) or any(self.regions.values())


@lru_cache(maxsize=1024)
def version(version_id: int) -> tuple[Pack, str, str, str]:
    """Pack, name, version and process digest of an installed version; versions never change, so the answer is kept for good."""
    return _version(SYSTEM, version_id)


@reading
def _version(viewer: Viewer, version_id: int) -> tuple[Pack, str, str, str]:
    row = PackVersion.objects.filter(pk=version_id).first()
    if row is None:
        raise NotFound("scenes.not_found", name=str(version_id))
    return Pack.model_validate(row.content), row.name, row.version, row.process_digest


@reading
def packs(viewer: Viewer) -> list[Installed]:
    """The newest version of every pack, by name. Packs are rules of the house, not of a region: everyone sees all."""
    switches: dict[str, dict[str, PackSwitch]] = {}
    for one in PackSwitch.objects.all():
        switches.setdefault(one.name, {})[one.region] = one
    rows = PackVersion.objects.order_by("name", "-id").distinct("name")
    return [_installed(row, switches.get(row.name, {})) for row in rows]


def _installed(row: PackVersion, switches: Mapping[str, PackSwitch]) -> Installed:
    pack = version(int(row.pk))[0]
    return Installed(
        version_id=int(row.pk),
        name=row.name,
        version=row.version,
        tier=row.tier,
        process_digest=row.process_digest,
        pack=pack,
        regions={region: one.on and may_be_on(pack, one.basis) for region, one in switches.items()},
        units={region: one.unit_id for region, one in switches.items()},
        bases={region: one.basis for region, one in switches.items() if one.on and one.basis},
    )


def enabled(one: Installed) -> dict[str, Any]:
    """``enabled`` (everywhere) and ``units`` where it differs, as the API shows it."""
    everywhere = one.regions.get("", one.unswitched)
    differing = [unit for region, unit in one.units.items() if region and one.regions[region] != everywhere and unit is not None]
    return {"enabled": everywhere, "units": sorted(differing)}


@cache
def kinds() -> dict[str, Kind]:
    """The catalogue of signal kinds that comes with the program."""
    return signal_kinds()


@reading
def detectors(viewer: Viewer) -> tuple[Detector, ...]:
    """Of all packs that are on somewhere, in the order of pack and file. A detector's id is ``pack.name``; its version is the id of

    the pack's version that gave it its present definition: another pack file or title may change, and its alarms remain the same.
    """
    calendar = calendar_for(viewer, "")
    found: list[Detector] = []
    for one in packs(viewer):
        if one.pack.detect is not None and one.on_somewhere:
            versions = _versions(one.name, one.version_id)
            made = language.detectors(one.pack.detect.document(), kinds(), one.version_id, calendar=calendar)
            found += [replace(detector, id=f"{one.name}.{detector.id}", version=versions[detector.id]) for detector in made]
    return tuple(found)


@lru_cache(maxsize=256)
def told(version_id: int) -> tuple[ToldDetector, ...]:
    """The detectors of a version as people read them; neither the version nor the zone of a deployment changes."""
    return tuple(told_detectors(version(version_id)[0], kinds(), calendar_for(SYSTEM, "")))


@lru_cache(maxsize=1024)
def _versions(name: str, version_id: int) -> dict[str, int]:
    """By detector of a pack's version: the first of the versions up to it that all define it in the same way."""
    rows = PackVersion.objects.filter(name=name, pk__lte=version_id).order_by("-id").values_list("pk", "content__detect")
    found: dict[str, int] = {}
    newest: dict[str, Any] = {}
    going: set[str] = set()
    for number, (pk, detect) in enumerate(rows.iterator(chunk_size=50)):
        parts = language.definitions(detect or {})
        newest = newest or parts
        going = set(newest) if number == 0 else going
        going = {one for one in going if parts.get(one) == newest[one]}
        found |= dict.fromkeys(going, int(pk))
        if not going:
            break
    return found
