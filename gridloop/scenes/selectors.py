"""Reads of the scenes room."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gridloop.journal.frame import reading
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.scenes.models import PackSwitch, PackVersion
from gridloop.scenes.rules import is_on
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

    def on_at(self, region: str) -> bool:
        return is_on(self.regions, region)


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
    return Installed(
        version_id=int(row.pk),
        name=row.name,
        version=row.version,
        tier=row.tier,
        process_digest=row.process_digest,
        pack=version(int(row.pk))[0],
        regions={region: one.on for region, one in switches.items()},
        units={region: one.unit_id for region, one in switches.items()},
    )


def enabled(one: Installed) -> dict[str, Any]:
    """``enabled`` (everywhere) and ``units`` where it differs, as the API shows it."""
    everywhere = one.regions.get("", True)
    differing = [unit for region, unit in one.units.items() if region and one.regions[region] != everywhere and unit is not None]
    return {"enabled": everywhere, "units": sorted(differing)}
