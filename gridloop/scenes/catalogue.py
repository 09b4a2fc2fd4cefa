"""Checks ``packs/case_types.yaml``, to which people add lines: the program itself reads it fast and believes it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gridloop.kernel.errors import Invalid
from gridloop.scenes.strict_yaml import Document, Wrong, read, text_of
from gridloop.sdk.pack import LimitWords, Severity, TypeCode

CATALOGUE = Path(__file__).resolve().parent.parent.parent / "packs" / "case_types.yaml"
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class Part(BaseModel):
    """Further keys, such as a source, are the writer's own."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class TypeEntry(Part):
    code: TypeCode
    zh: Name
    en: Name
    severity: Severity
    limits: dict[Literal["accept", "arrive", "resolve"], LimitWords] = Field(default_factory=dict)
    lead: str = ""
    co: tuple[str, ...] = Field(default=(), strict=False)


class Category(Part):
    code: Annotated[str, StringConstraints(pattern=r"^[0-9]{2}$")]
    zh: Name
    en: Name
    types: tuple[TypeEntry, ...] = Field(strict=False)


class Department(Part):
    code: str


class CatalogueFile(Part):
    departments: tuple[Department, ...] = Field(strict=False)
    categories: tuple[Category, ...] = Field(strict=False)


def faults(path: Path = CATALOGUE) -> list[Wrong]:
    """What is wrong with the catalogue, with file and line; [] when it can be believed."""
    document = read(text_of(path), f"packs/{path.name}")
    part = document.parse(CatalogueFile)
    if part is not None:
        _check(part, document)
    return sorted(document.wrongs)


def need_right(path: Path = CATALOGUE) -> None:
    """Invalid, with the first fault, unless the catalogue is right."""
    if wrongs := faults(path):
        raise Invalid("scenes.refused", first=wrongs[0].words)


def _check(part: CatalogueFile, document: Document) -> None:
    departments = {one.code for one in part.departments}
    seen: dict[str, int] = {}
    for number, category in enumerate(part.categories):
        for place, entry in enumerate(category.types):
            path: tuple[Any, ...] = ("categories", number, "types", place)
            line = document.line((*path, "code"))
            if entry.code in seen:
                document.fault((*path, "code"), "scenes.type_twice", type=entry.code, line=seen[entry.code])
            seen.setdefault(entry.code, line)
            if not entry.code.startswith(category.code):
                document.fault((*path, "code"), "scenes.type_category", type=entry.code, category=category.code)
            for key, code in (("lead", entry.lead), *(("co", one) for one in entry.co)):
                if code and code not in departments:
                    document.fault((*path, key), "scenes.type_department", type=entry.code, name=code)
