"""Which platforms push to us, and how what they say is read: the adapters of the house and those of the deployment."""

from __future__ import annotations

import os
from pathlib import Path

from gridloop.sdk.pushes import ManifestFault, PushMapping, read_manifest

FOLDER = Path(__file__).resolve().parent.parent / "adapters" / "devices"
OWN = "adapters"  # folder in the data directory with a folder for each adapter of this deployment; a name of the house it takes over


def folders() -> list[Path]:
    """Where adapters lie, the deployment's last."""
    data = os.environ.get("GRIDLOOP_DATA_DIR", "")
    return [FOLDER, *([Path(data) / OWN] if data else [])]


def pushes() -> tuple[dict[str, PushMapping], list[ManifestFault]]:
    """Mappings by name, and what is wrong with those that are not among them."""
    found: dict[str, PushMapping] = {}
    faults = []
    for file in (file for folder in folders() for file in sorted(folder.glob("*/manifest.yaml"))):
        try:
            found[file.parent.name] = PushMapping(read_manifest(file))
        except ManifestFault as fault:
            faults.append(fault)
    return found, faults
