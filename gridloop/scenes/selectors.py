"""Reads of the scenes room."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from gridloop.cases.conditions import is_countable
from gridloop.detection import language
from gridloop.detection.rules import Detector
from gridloop.detection.values import Kind
from gridloop.journal.frame import reading
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.errors import NotFound, NotNow
from gridloop.kernel.texts import Words, say
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs.selectors import calendar_for, region_names, unit_names
from gridloop.registry.selectors import devices_by_code
from gridloop.scenes.editing import GONE, SAME, check, text_of, with_limit
from gridloop.scenes.editing import told as told_as
from gridloop.scenes.loading import PACKS, Known, load_all, signal_kinds
from gridloop.scenes.models import PackSwitch, PackVersion, Rehearsal
from gridloop.scenes.rules import DRAFT, ToldDetector, is_on, may_be_on, told_detectors
from gridloop.sdk.pack import Pack

MOST_PLACES = 100
log = logging.getLogger(__name__)


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
        """Whether it is on where nobody has switched it: not one that needs a recorded legal basis, nor one no story has proved."""
        return self.pack.pack.legal_basis is None and self.tier != DRAFT

    @property
    def on_somewhere(self) -> bool:
        return self.regions.get("", self.unswitched) or any(self.regions.values())


@lru_cache(maxsize=1024)
def version(version_id: int) -> tuple[Pack, str, str, str]:
    """Pack, name, version and process digest of an installed version; versions never change, so the answer is kept for good.

    NotNow for one that a later program has installed, in words this one does not know.
    """
    return _version(SYSTEM, version_id)


@reading
def _version(viewer: Viewer, version_id: int) -> tuple[Pack, str, str, str]:
    row = PackVersion.objects.filter(pk=version_id).first()
    if row is None:
        raise NotFound("scenes.not_found", name=str(version_id))
    try:
        pack = Pack.model_validate(row.content)
    except ValidationError as fault:
        raise NotNow("scenes.of_a_later_program", pack=row.name, version=row.version) from fault
    return pack, row.name, row.version, row.process_digest


@reading
def packs(viewer: Viewer) -> list[Installed]:
    """The newest version of every pack, by name. Packs are rules of the house, not of a region: everyone sees all.

    Of what a later program has left behind, the newest this one can read, see ``doctor``: one pack must not keep reports from being taken.
    """
    switches: dict[str, dict[str, PackSwitch]] = {}
    for one in PackSwitch.objects.all():
        switches.setdefault(one.name, {})[one.region] = one
    rows = (_readable(row) for row in PackVersion.objects.order_by("name", "-id").distinct("name"))
    return [_installed(row, switches.get(row.name, {})) for row in rows if row is not None]


def _readable(row: PackVersion) -> PackVersion | None:
    """The version, or the last one before that this program can read."""
    found: PackVersion | None = row
    while found is not None and not _is_readable(int(found.pk)):
        found = PackVersion.objects.filter(name=row.name, pk__lt=found.pk).order_by("-id").first()
    return found


def _is_readable(version_id: int) -> bool:
    try:
        return bool(version(version_id))
    except NotNow:
        return False


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
        if one.on_somewhere and (made := _made(one, calendar)):
            versions = _versions(one.name, one.version_id)
            found += [replace(detector, id=f"{one.name}.{detector.id}", version=versions[detector.id]) for detector in made]
    return tuple(found)


def _made(one: Installed, calendar: WorkingCalendar) -> list[Detector]:
    """None of a pack that names what this program no longer knows: it was right when it was installed, and the others go on."""
    try:
        return list(language.detectors(one.pack.detect.document(), kinds(), one.version_id, calendar=calendar)) if one.pack.detect else []
    except language.LanguageFault as fault:
        log.error("the detectors of pack %s %s are left out: %s", one.name, one.version, fault)
        return []


def left_out(folder: Path = PACKS) -> list[tuple[str, Words]]:
    """Packs of the folder that are not installed as they stand there, each with its first fault."""
    return [(one.name, one.wrongs[0].words) for one in load_all(folder) if one.wrongs]


@reading
def doctor(viewer: Viewer) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Lines for ``gridloop doctor``: packs of a later program, and those that are on whose detectors cannot be read any more."""
    calendar = calendar_for(viewer, "")
    lines = [("BAD", "packs", "scenes.doctor_left_out", {"pack": name, "first": first}) for name, first in left_out()]
    for row in PackVersion.objects.order_by("name", "-id").distinct("name"):
        if not _is_readable(int(row.pk)):
            lines.append(("BAD", "packs", "scenes.of_a_later_program", {"pack": row.name, "version": row.version}))
    for one in packs(viewer):
        if one.pack.detect is not None and one.on_somewhere and not _made(one, calendar):
            lines.append(("BAD", "detectors", "scenes.doctor_detect", {"pack": one.name, "version": one.version}))
        for share in one.pack.indicators.indicators:
            if not is_countable(share.of) or not is_countable(share.part):
                lines.append(("BAD", "indicators", "scenes.doctor_share", {"pack": one.name, "version": one.version, "name": share.name}))
    return lines


@lru_cache(maxsize=256)
def told(version_id: int) -> tuple[ToldDetector, ...]:
    """The detectors of a version as people read them; neither the version nor the zone of a deployment changes."""
    try:
        return tuple(told_detectors(version(version_id)[0], kinds(), calendar_for(SYSTEM, "")))
    except language.LanguageFault:  # see ``doctor``
        return ()


def title_of(installed: Sequence[Installed], name: str, lang: str) -> str:
    """Of a detector (``pack.name``) by its pack's newest version; of what a device tells by itself (``pack:kind``) by the kind."""
    pack, by_itself, kind = name.partition(":")
    if by_itself:
        seen = kinds()[kind].called(lang) if kind in kinds() else kind
        return say("scenes.told_by_itself", lang, what=seen[:1].upper() + seen[1:])
    pack, _, detector = name.partition(".")
    for one in installed:
        if one.name == pack and one.pack.detect is not None and detector in one.pack.detect.detectors:
            return str(one.pack.detect.detectors[detector]["title"][lang])
    return name


def sentence_of(installed: Sequence[Installed], name: str, lang: str) -> str:
    """What a detector (``pack.name``) waits for, by its pack's newest version; '' of what a device tells by itself and of one gone."""
    pack, _, detector = name.partition(".")
    for one in installed:
        if one.name == pack:
            return next(
                (said.sentence_en if lang == "en" else said.sentence_zh for said in told(one.version_id) if said.name == detector), ""
            )
    return ""


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


@dataclass(frozen=True, slots=True)
class DetectPage:
    """What stands in a pack's ``detect.yaml`` now; ``edited``: it was published in this deployment."""

    name: str
    version_id: int
    version: str
    text: str
    edited: bool


@reading
def detect_page(viewer: Viewer, name: str, detector: str = "", limit: float | None = None) -> DetectPage:
    """``detector`` and ``limit``: the text as it would be with another threshold."""
    row = PackVersion.objects.filter(name=name).order_by("-id").first()
    if row is None:
        raise NotFound("scenes.not_found", name=name)
    text = text_of(version(int(row.pk))[0], row.detect_text)
    if detector and limit is not None:
        text = with_limit(text, detector, limit)
    return DetectPage(name, int(row.pk), row.version, text, row.edited)


def check_text(viewer: Viewer, name: str, text: str) -> tuple[list[tuple[int, str, str]], list[tuple[ToldDetector, str]], list[str]]:
    """A ``detect.yaml`` as it is typed: faults with line and both languages; detectors as sentences with their state; those gone."""
    pack = version(detect_page(viewer, name).version_id)[0]
    checked = check(pack, text, Known.of())
    faults = [(w.line, say(w.key, "zh", **dict(w.params)), say(w.key, "en", **dict(w.params))) for w in checked.wrongs]
    if checked.pack is None:
        return faults, [], []
    made = told_as(checked.pack, kinds(), calendar_for(viewer, ""), checked.states)
    return [], made, [state for state in checked.states if checked.states[state] == GONE]


@reading
def rehearsals(viewer: Viewer, name: str, limit: int = 20) -> list[Rehearsal]:
    """Of a pack, the newest first."""
    return list(Rehearsal.objects.filter(pack=name).defer("report", "text").order_by("-id")[:limit])


@reading
def rehearsal(viewer: Viewer, rehearsal_id: int) -> Rehearsal:
    row = Rehearsal.objects.filter(pk=rehearsal_id).first()
    if row is None:
        raise NotFound("scenes.no_rehearsal", id=rehearsal_id)
    return row


@reading
def rehearsal_report(viewer: Viewer, row: Rehearsal) -> dict[str, Any] | None:
    """Counts for a person's eyes: places, devices and units by name, those of other territories left out; sums are of all."""
    if row.report is None:
        return None
    found = dict(row.report)
    places = [one for one in found["places"] if viewer.may("pack.read", one["name"])]
    names = region_names(viewer, [one["name"] for one in places])
    devices = devices_by_code(viewer, [one["name"] for one in found["devices"]])
    units = unit_names(viewer, [one["unit"] for one in found["work"]["units"] if one["unit"]])
    found["places_elsewhere"] = len(found["places"]) - len(places)
    found["places"] = [{**one, "title": names.get(one["name"], one["name"])} for one in places[:MOST_PLACES]]
    found["devices"] = [{**one, "title": devices[one["name"]].name} for one in found["devices"] if one["name"] in devices]
    found["work"] = {**found["work"], "units": [{**one, "title": units.get(one["unit"] or 0, "")} for one in found["work"]["units"]]}
    titles = {one.name: one for side in (row.base_id, row.published_id) if side for one in told(side)}
    if row.text and (wished := check(version(row.base_id)[0], row.text, Known.of())).pack is not None:
        titles |= {one.name: one for one, _ in told_as(wished.pack, kinds(), calendar_for(viewer, ""), wished.states)}
        found["detectors"] = _with_state(found["detectors"], wished.states)
    found["detectors"] = [
        {**one, **asdict(titles[one["name"]])}
        for one in _with_state(found["detectors"], dict.fromkeys(titles, SAME))
        if one["name"] in titles
    ]
    return found


def _with_state(rows: list[dict[str, Any]], states: Mapping[str, str]) -> list[dict[str, Any]]:
    """Detectors that raised nothing are told, too."""
    zero = dict.fromkeys(("old", "new", "both", "only_old", "only_new", "hushed_old", "hushed_new"), 0)
    known = {one["name"]: one for one in rows}
    names = [*states, *(name for name in known if name not in states)]
    return [{"state": states.get(name, SAME), **known.get(name, {"name": name, **zero})} for name in names]
