"""The catalogue of case types: codes, names, severities and default limits, read from ``packs/case_types.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import yaml

CATALOGUE = Path(__file__).resolve().parent.parent.parent / "packs" / "case_types.yaml"


@dataclass(frozen=True, slots=True)
class CaseType:
    """One case type; ``limits`` hold accept, arrive and resolve in limit words."""

    code: str
    zh: str
    en: str
    severity: int
    limits: Mapping[str, str]
    lead: str  # department code
    category_zh: str
    category_en: str

    @property
    def category(self) -> str:
        return self.code[:2]

    def name(self, lang: str) -> str:
        return self.zh if lang == "zh" else self.en


@cache
def case_types() -> dict[str, CaseType]:
    """Every case type by its 5-digit code."""
    catalogue = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    types: dict[str, CaseType] = {}
    for category in catalogue["categories"]:
        for entry in category["types"]:
            types[entry["code"]] = CaseType(
                code=entry["code"],
                zh=entry["zh"],
                en=entry["en"],
                severity=int(entry["severity"]),
                limits=dict(entry.get("limits") or {}),
                lead=str(entry.get("lead") or ""),
                category_zh=category["zh"],
                category_en=category["en"],
            )
    return types


def type_name(code: str, lang: str) -> str:
    """The type's name in the language, or its code when the catalogue does not have it."""
    found = case_types().get(code)
    return found.name(lang) if found else code


def _pairs(text: str) -> set[str]:
    letters = [c for c in text if c.isalnum()]
    return {a + b for a, b in pairwise(letters)} | set(letters)


def guess_type(text: str) -> tuple[str | None, float, list[str]]:
    """The type whose name shares most with the text: (code or None, confidence 0–1, shared words).

    A stand-by for places without history; with history the learned proposal answers.
    """
    words = _pairs(text)
    best: tuple[float, str | None, list[str]] = (0.0, None, [])
    for entry in case_types().values():
        name = _pairs(entry.zh.removesuffix("异常"))
        pairs = {p for p in name if len(p) == 2}
        shared = sorted(p for p in pairs & words)
        score = len(shared) / len(pairs) if pairs else 0.0
        if score > best[0]:
            best = (score, entry.code, shared)
    return best[1], round(best[0], 2), best[2]
