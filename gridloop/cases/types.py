"""The catalogue of case types (``packs/case_types.yaml``) and the words people use for them (``packs/case_words.yaml``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

from gridloop.kernel import plain_yaml

CATALOGUE = Path(__file__).resolve().parent.parent.parent / "packs" / "case_types.yaml"
WORDS = CATALOGUE.with_name("case_words.yaml")
COMMON_WORD = 0.8  # how much a word people use for a type says; what desks made of such proposals corrects it


@dataclass(frozen=True, slots=True)
class CaseType:
    """One case type; ``limits`` hold accept, arrive and resolve in limit words."""

    code: str
    zh: str
    en: str
    severity: int
    limits: Mapping[str, str]
    lead: str  # department code
    co: tuple[str, ...]  # departments that support
    category_zh: str
    category_en: str

    @property
    def category(self) -> str:
        return self.code[:2]

    def name(self, lang: str) -> str:
        return self.zh if lang == "zh" else self.en


@cache
def levels_of(department: str) -> tuple[str, ...]:
    """At which levels a department has units, the widest first; () when the catalogue does not have it."""
    catalogue = plain_yaml.read(CATALOGUE)
    return next((tuple(one["levels"]) for one in catalogue["departments"] if one["code"] == department), ())


@cache
def case_types() -> dict[str, CaseType]:
    """Every case type by its 5-digit code."""
    catalogue = plain_yaml.read(CATALOGUE)
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
                co=tuple(entry.get("co") or ()),
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


@cache
def common_words() -> dict[str, tuple[str, ...]]:
    """Words people use for a type, longest first, by its code; ValueError when the file names a type there is not."""
    told = plain_yaml.read(WORDS)
    if unknown := sorted(set(told) - set(case_types())):
        raise ValueError(f"{WORDS.name}: no such case type: {', '.join(unknown)}")
    return {code: tuple(sorted(words, key=len, reverse=True)) for code, words in told.items()}


def guess_type(text: str) -> tuple[str | None, float, list[str]]:
    """The type people's words or its own name speak for: (code or None, how much of it is met 0–1, the words met).

    Answers where too few cases were decided to learn from. Takes simplified Chinese (``kernel.hanzi.clean``).
    """
    met = [(sum(map(len, found)), code, found) for code, words in common_words().items() if (found := _met(text, words))]
    if met:
        _, code, found = max(met, key=lambda m: m[0])
        return code, COMMON_WORD, found
    pairs_of_text = _pairs(text)
    best: tuple[float, str | None, list[str]] = (0.0, None, [])
    for entry in case_types().values():
        pairs = {p for p in _pairs(entry.zh.removesuffix("异常")) if len(p) == 2}
        shared = sorted(pairs & pairs_of_text)
        score = len(shared) / len(pairs) if pairs else 0.0
        if score > best[0]:
            best = (score, entry.code, shared)
    return best[1], round(best[0], 2), best[2]


def _met(text: str, words: tuple[str, ...]) -> list[str]:
    """The words a text holds, none inside another."""
    found: list[str] = []
    for word in words:
        if word in text and not any(word in longer for longer in found):
            found.append(word)
    return found
