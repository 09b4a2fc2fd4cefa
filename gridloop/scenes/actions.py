"""Writes of the scenes room: install packs and switch them."""

from __future__ import annotations

from pathlib import Path

from gridloop.flow.actions import install_definition
from gridloop.journal.actions import append, verb
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Invalid, NotFound
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs import desk
from gridloop.orgs import selectors as orgs
from gridloop.scenes.loading import PACKS, PROCESSES, Loaded, load_all
from gridloop.scenes.models import PackSwitch, PackVersion
from gridloop.scenes.rules import is_basis, tier
from gridloop.scenes.stories.reading import kinds_of
from gridloop.sdk.pack import Pack


@verb("process.edit")
def install(viewer: Viewer, loaded: Loaded) -> int:
    """Keep the pack as a new version unless the newest one is the same. Returns the version's id; Invalid when it has faults."""
    if loaded.pack is None or loaded.process is None:
        raise Invalid("scenes.refused", first=str(loaded.wrongs[0]))
    newest = PackVersion.objects.filter(name=loaded.name).order_by("-id").first()
    if newest is not None and newest.digest == loaded.digest:
        return int(newest.pk)
    row = PackVersion.objects.create(
        name=loaded.name,
        version=loaded.pack.pack.version,
        digest=loaded.digest,
        process_digest=install_definition(viewer, loaded.process.name, loaded.process_xml),
        content=loaded.pack.model_dump(mode="json"),
        tier=tier(loaded.pack.pack.needs, kinds_of(loaded)),
        installed_at=clock.now(),
    )
    append("org", "pack_installed", {"pack": row.name, "version": row.version, "id": row.pk, "digest": row.digest}, viewer)
    return int(row.pk)


@verb("process.edit")
def install_folder(viewer: Viewer, packs: Path = PACKS) -> list[int]:
    """Install every pack of a folder, all or none, and the processes that no pack uses yet."""
    loaded = load_all(packs)
    for one in loaded:
        if one.wrongs:
            raise Invalid("scenes.refused", first=str(one.wrongs[0]))
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
    append("org", "pack_switched", told | ({"basis": basis} if basis else {}), viewer)
