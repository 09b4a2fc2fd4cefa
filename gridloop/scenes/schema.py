"""The published JSON Schema of scene packs and stories, made from the classes that read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import models_json_schema

from gridloop.detection.vocabulary import schema_definitions
from gridloop.scenes.loading import ROOT
from gridloop.scenes.stories.story import Story
from gridloop.sdk.pack import FILES, Part

PUBLISHED = ROOT / "docs" / "reference" / "pack.schema.json"


def schema() -> dict[str, Any]:
    """One schema; ``$defs/files`` names the definition of each file of a pack."""
    models: list[type[Part]] = [*FILES.values(), Story]
    references, definitions = models_json_schema([(model, "validation") for model in models], by_alias=True, title="Gridloop scene pack")
    files = {f"{name}.yaml": references[(model, "validation")] for name, model in FILES.items()}
    files["stories/*.yaml"] = references[(Story, "validation")]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Gridloop scene pack",
        "description": "Each file of a pack is checked against the definition named under files.",
        "files": files,
        "oneOf": list(files.values()),
        "$defs": {**definitions["$defs"], **schema_definitions()},
    }


def text() -> str:
    return json.dumps(schema(), ensure_ascii=False, indent=2) + "\n"


def publish(path: Path = PUBLISHED) -> None:
    """Write the schema where the documentation keeps it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text(), encoding="utf-8")
