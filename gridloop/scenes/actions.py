"""Writes of the scenes room: install packs and switch them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from gridloop.flow.actions import install_definition
from gridloop.journal.actions import append, drop, scoped, seal, verb
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Invalid, NotFound, NotNow
from gridloop.kernel.retention import kept
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs import desk
from gridloop.orgs import selectors as orgs
from gridloop.scenes import catalogue, editing
from gridloop.scenes.loading import PACKS, PROCESSES, Known, Loaded, digest_of, load_all
from gridloop.scenes.models import PackSwitch, PackVersion, Rehearsal
from gridloop.scenes.rules import is_basis, tier
from gridloop.scenes.stories.reading import kinds_of
from gridloop.sdk.pack import Pack


@verb("process.edit")
def install(viewer: Viewer, loaded: Loaded) -> int:
    """Keep the pack as a new version unless the newest one is the same. Returns the version's id; Invalid when it has faults."""
    if loaded.pack is None or loaded.process is None:
        raise Invalid("scenes.refused", first=loaded.wrongs[0].words)
    newest = _newest(loaded.name)
    if newest is not None and loaded.digest in (newest.digest, newest.base_digest):
        return int(newest.pk)  # the same, or the one whose detectors were published here
    pack, text = loaded.pack, loaded.detect_text
    own = editing.check(pack, newest.detect_text, Known.of()).pack if newest is not None and newest.edited else None
    if newest is not None and own is not None:  # another pack, with the detectors this deployment has published
        part = own.pack.model_copy(update={"version": editing.next_version(own.pack.version)})
        pack, text = own.model_copy(update={"pack": part}), newest.detect_text
    process = install_definition(viewer, loaded.process.name, loaded.process_xml)
    level = tier(loaded.pack.pack.needs, kinds_of(loaded))
    row = _kept(pack, text, process, level, loaded.digest if own else "")
    data: dict[str, Any] = {"pack": row.name, "version": row.version, "id": row.pk, "digest": row.digest}
    if newest is not None and newest.edited:
        data["detectors"] = "kept" if own else "dropped"
    append("org", "pack_installed", data, viewer)
    return int(row.pk)


def _newest(name: str) -> PackVersion | None:
    return PackVersion.objects.filter(name=name).order_by("-id").first()


def _kept(pack: Pack, text: str, process_digest: str, level: str, base: str = "") -> PackVersion:
    """``base``: digest of the pack of which only the detectors are changed."""
    return PackVersion.objects.create(
        name=pack.pack.id,
        version=pack.pack.version,
        digest=digest_of(pack, process_digest),
        process_digest=process_digest,
        content=pack.model_dump(mode="json"),
        tier=level,
        installed_at=clock.now(),
        detect_text=text,
        edited=bool(base),
        base_digest=base,
    )


@verb("process.edit")
def install_folder(viewer: Viewer, packs: Path = PACKS) -> list[int]:
    """Install the packs of a folder that are right, and the processes that no pack uses yet.

    One with faults stays as it was installed before, and ``doctor`` tells of it: a pack that somebody is writing stops no start.
    """
    catalogue.need_right()
    loaded = [one for one in load_all(packs) if not one.wrongs]
    for path in sorted(PROCESSES.glob("*.bpmn")):
        install_definition(viewer, path.stem, path.read_bytes())
    return [install(viewer, one) for one in loaded]


def install_all() -> list[int]:
    """What ``gridloop prepare`` does: install the packs that come with the program, as the system."""
    return install_folder(SYSTEM)


@verb("pack.switch")
def switch(viewer: Viewer, name: str, on: bool, unit_id: int | None = None, basis: str = "") -> None:
    """Switch a pack on or off for a unit's territory (None = everywhere), inside the viewer's own. Cases that already run keep running.

    A pack that names a law is switched on only with the ``basis``: the document that allows it here, kept with the switch.
    """
    newest = PackVersion.objects.filter(name=name).order_by("-id").first()
    if newest is None:
        raise NotFound("scenes.not_found", name=name)
    law = Pack.model_validate(newest.content).pack.legal_basis
    if on and law is not None and not is_basis(basis):
        params = {"law": law.en if viewer.lang == "en" else law.zh}
        raise Invalid("scenes.basis_needed", errors=(FieldFault("/basis", "scenes.basis_needed", params),), **params)
    region = ""
    if unit_id is not None:
        try:
            region = orgs.unit(SYSTEM, unit_id).region_code
        except NotFound as error:
            raise Invalid("scenes.no_unit", errors=(FieldFault("/unit", "scenes.no_unit", {"unit": unit_id}),), unit=unit_id) from error
    desk.need_own(viewer, "pack.switch", region)
    basis = basis.strip() if on and law is not None else ""
    values = {"on": on, "unit_id": unit_id, "changed_at": clock.now(), "basis": basis}
    PackSwitch.objects.update_or_create(name=name, region=region, defaults=values)
    told = {"pack": name, "on": on, "unit": unit_id, "region": region}
    if basis:  # words of a person's own, who may name people: they stand in the row, which can be changed
        told["basis"] = seal(basis, subject=f"pack:{name}", purpose="switch_basis")
    append("org", "pack_switched", told, viewer)


MOST_DAYS = 90
LIVE = (Rehearsal.Status.WAITING, Rehearsal.Status.RUNNING)


@verb("pack.switch")
def ask_rehearsal(viewer: Viewer, name: str, text: str = "", days: int = 14) -> int:
    """Run a pack's detectors over the last days, as they are or with this ``detect.yaml``; the rehearsal's id. The worker does it."""
    desk.need_own(viewer, "pack.switch", "")
    newest = _newest(name)
    if newest is None:
        raise NotFound("scenes.not_found", name=name)
    if not 1 <= days <= MOST_DAYS:
        raise Invalid("scenes.rehearse_days", errors=(FieldFault("/days", "scenes.rehearse_days", {"most": MOST_DAYS}),), most=MOST_DAYS)
    pack = Pack.model_validate(newest.content)
    if text.strip():
        _need_right(editing.check(pack, text, Known.of()))
    elif pack.detect is None:
        raise NotNow("scenes.no_detectors", name=name)
    if (live := Rehearsal.objects.filter(pack=name, status__in=LIVE).first()) is not None:
        raise NotNow("scenes.rehearsing_already", id=live.pk)
    now = clock.now()
    wish = text if text.strip() else ""
    row = Rehearsal.objects.create(
        pack=name, base_id=newest.pk, text=wish, since=now - timedelta(days=days), until=now, asked_by=viewer.name, asked_at=now
    )
    append("org", "rehearsal_asked", {"rehearsal": row.pk, "pack": name, "days": days, "changed": bool(wish)}, viewer)
    return row.pk


def _need_right(checked: editing.Checked) -> None:
    if checked.wrongs:
        faults = tuple(FieldFault(f"/text/{wrong.line}", wrong.key, dict(wrong.params)) for wrong in checked.wrongs)
        raise Invalid("scenes.refused", errors=faults, first=checked.wrongs[0].words)


@verb("pack.switch")
def cancel_rehearsal(viewer: Viewer, rehearsal_id: int) -> None:
    """It is not wanted any more; the worker lets go of it at its next look."""
    desk.need_own(viewer, "pack.switch", "")
    row = _rehearsal(rehearsal_id)
    if row.status not in LIVE:
        raise NotNow("scenes.rehearsal_over", id=row.pk)
    row.status, row.finished_at = Rehearsal.Status.CANCELLED, clock.now()
    row.save(update_fields=["status", "finished_at"])
    append("org", "rehearsal_cancelled", {"rehearsal": row.pk, "pack": row.pack}, viewer)


@verb("process.edit")
def publish_detectors(viewer: Viewer, rehearsal_id: int) -> int:
    """What was rehearsed becomes the pack's new version, and its detectors go to work; the version's id.

    NotNow unless the rehearsal came to its end, changes something, and the pack is still the one it was rehearsed against.
    """
    desk.need_own(viewer, "process.edit", "")
    row = _rehearsal(rehearsal_id)
    newest = PackVersion.objects.select_for_update().filter(name=row.pack).order_by("-id").first()
    if row.status != Rehearsal.Status.DONE or not row.text or newest is None:
        raise NotNow("scenes.publish_not_now", id=row.pk)
    if newest.pk != row.base_id:
        raise NotNow("scenes.rehearsed_other", version=newest.version)
    pack = Pack.model_validate(newest.content)
    checked = editing.check(pack, row.text, Known.of())
    _need_right(checked)
    if checked.pack is None or all(state == editing.SAME for state in checked.states.values()):
        raise NotNow("scenes.nothing_changed", version=newest.version)
    part = pack.pack.model_copy(update={"version": editing.next_version(newest.version)})
    made = _kept(
        checked.pack.model_copy(update={"pack": part}), row.text, newest.process_digest, newest.tier, newest.base_digest or newest.digest
    )
    row.status, row.published_id = Rehearsal.Status.PUBLISHED, made.pk
    row.save(update_fields=["status", "published_id"])
    changed = {name: state for name, state in checked.states.items() if state != editing.SAME}
    data = {"pack": made.name, "version": made.version, "id": made.pk, "digest": made.digest, "from": newest.pk, "rehearsal": row.pk}
    append("org", "detectors_published", {**data, "changed": changed}, viewer)
    return int(made.pk)


def _rehearsal(rehearsal_id: int) -> Rehearsal:
    row = Rehearsal.objects.select_for_update().filter(pk=rehearsal_id).first()
    if row is None:
        raise NotFound("scenes.no_rehearsal", id=rehearsal_id)
    return row


def forget_rehearsals(limit: int = 500, dry: bool = False) -> int:
    """Retention: rehearsals asked for long ago."""
    with scoped(SYSTEM):
        return drop(Rehearsal.objects.filter(asked_at__lt=clock.now() - kept("rehearsals")).exclude(status__in=LIVE), limit, dry)
