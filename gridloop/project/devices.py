"""Device adapters: which platforms push to us and how what they say is read, of the house and of the deployment; what reads by itself."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gridloop.kernel import plain_yaml
from gridloop.sdk.pushes import ManifestFault, PushMapping, read_manifest
from gridloop.sdk.readers import Reader

KINDS = Path(__file__).resolve().parent.parent.parent / "packs" / "signal_kinds.yaml"
FOLDER = Path(__file__).resolve().parent.parent / "adapters" / "devices"
OWN = "adapters"  # folder in the data directory with a folder for each adapter of this deployment; a name of the house it takes over


def kept_data() -> dict[str, frozenset[str]]:
    """Kinds of signals of whose data only the named parts may come in, as the catalogue of kinds says (``keeps``)."""
    kinds = plain_yaml.read(KINDS)["kinds"]
    return {name: frozenset(entry["keeps"]) for name, entry in kinds.items() if "keeps" in entry}


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
            manifest = read_manifest(file)
        except ManifestFault as fault:
            faults.append(fault)
            continue
        if manifest.push:
            found[manifest.id] = PushMapping(manifest.id, manifest.push)
    return found, faults


def readers() -> list[str]:
    """Names of the adapters that read by themselves."""
    return sorted(file.parent.name for file in FOLDER.glob("*/reader.py"))


def reader(name: str, settings: Mapping[str, Any]) -> Reader:
    """Built with its settings. ``LookupError`` for a name that is none, ``ValueError`` for settings that mean nothing."""
    if name not in readers():
        raise LookupError(name)
    made: Reader = importlib.import_module(f"gridloop.adapters.devices.{name}.reader").build(settings)
    return made
