"""What the desk is offered for a new case: type, lead unit and severity, how sure, and why. Part of ``intake``.

What desks decided before answers first (room ``dispatch``); a type with few decided examples is found by its name and the words people
use for it; who answers for a type at a place stands in the list of duties until desks have often decided otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gridloop.cases.directory import DIRECTORY
from gridloop.cases.types import case_types, guess_type
from gridloop.dispatch import selectors as dispatch
from gridloop.dispatch.messages import Suggestion
from gridloop.dispatch.rules import ENOUGH, SURE
from gridloop.kernel import clock
from gridloop.kernel.hanzi import clean
from gridloop.kernel.viewer import SYSTEM

UNKNOWN_TYPE = "28002"  # 求助: a person's words that fit no type yet
GIVEN = 0.95  # a source that names the type is right about as often
LIKELY = 0.4  # below it a likeliest type is not even offered
WORDS_SURE = 0.6  # share of a name or a common word that must be met


@dataclass(frozen=True, slots=True)
class Kind:
    """The type a case is taken in with, the one the desk is offered, how sure, and why. ``how``: given, learned, words, unsure."""

    taken: str
    offered: str
    confidence: float
    how: str
    reasons: tuple[dict[str, Any], ...]


def given(case_type: str) -> Kind:
    """The source named it."""
    return Kind(case_type, case_type, GIVEN, "given", ({"why": "given_type"},))


def kind_of(text: str, source: str, region: str) -> Kind:
    """The type for what was said: learned where there is history, else by words, else unsure and why."""
    learned = dispatch.suggest_type(text, source, region)
    if learned is not None and learned.label not in case_types():
        learned = None  # the catalogue has changed since
    if learned is not None and learned.examples >= ENOUGH and learned.confidence >= SURE:
        return Kind(learned.label, learned.label, learned.confidence, "learned", tuple(_learned_reasons(learned, text)))
    by_words, met, words = guess_type(clean(text))
    if by_words is not None and met >= WORDS_SURE and dispatch.examples_of(by_words) < ENOUGH:
        return Kind(by_words, by_words, _honest(by_words, met), "words", ({"why": "words", "words": words},))
    return _unsure(learned, by_words, met, words)


def _learned_reasons(learned: Suggestion, text: str) -> list[dict[str, Any]]:
    reasons: list[dict[str, Any]] = [{"why": "learned", "words": list(learned.words)}] if learned.words else []
    if alike := dispatch.alike(SYSTEM, text, learned.label):
        reasons.append({"why": "alike", "cases": alike})
    return reasons or [{"why": "learned_like"}]


def _honest(case_type: str, met: float) -> float:
    """How sure words alone make us: what is met of the name, weighed with how such proposals of this type fared."""
    fared = dispatch.precision(SYSTEM, "type", case_type, "words")
    return round((met * 4 + fared.right) / (4 + fared.proposed), 2)


def _unsure(learned: Suggestion | None, by_words: str | None, met: float, words: list[str]) -> Kind:
    """Not sure enough to be taken in as anything.

    The likeliest is offered when it is likely enough; else the reason names it, and whoever only says yes takes in a plea for help, not
    a chance hit.
    """
    if learned is not None and learned.examples >= ENOUGH and (by_words is None or learned.confidence >= met):
        rivals = [label for label, chance in learned.others if chance >= learned.confidence / 3 and label in case_types()]
        why: dict[str, Any] = {"why": "unsure_between", "types": [learned.label, rivals[0]]} if rivals else {"why": "unsure"}
        offered = learned.label if learned.confidence >= LIKELY else UNKNOWN_TYPE
        return Kind(UNKNOWN_TYPE, offered, learned.confidence if offered == learned.label else 0.0, "unsure", (why,))
    if by_words is not None:
        return Kind(UNKNOWN_TYPE, by_words, min(_honest(by_words, met), WORDS_SURE), "unsure", ({"why": "unsure_words", "words": words},))
    if learned is not None and learned.confidence >= SURE:
        few = {"why": "unsure_few", "types": [learned.label], "number": learned.examples}
        return Kind(UNKNOWN_TYPE, UNKNOWN_TYPE, 0.0, "unsure", (few,))
    return Kind(UNKNOWN_TYPE, UNKNOWN_TYPE, 0.0, "unsure", ({"why": "unsure"},))


def proposal(kind: Kind, text: str, source: str, region: str) -> dict[str, Any]:
    """The whole offer as the case keeps it: type, unit, severity, confidence of each, ``how`` each was found, reasons."""
    reasons = list(kind.reasons)
    unit, unit_how, unit_sure = _unit(kind.offered, text, region, reasons)
    entry = case_types().get(kind.offered)
    severity, severity_how = entry.severity if entry else 4, "catalogue"
    often = dispatch.examples_of(kind.offered) >= ENOUGH
    learned = dispatch.suggest_severity(kind.offered, text, source) if often else None
    if learned is not None and learned.examples >= ENOUGH and learned.confidence >= SURE:
        if int(learned.label) != severity:
            reasons.append({"why": "learned_severity", "severity": int(learned.label), "number": learned.examples})
        severity, severity_how = int(learned.label), "learned"
    return {
        "type": kind.offered,
        "unit": unit,
        "severity": severity,
        "confidence": kind.confidence,
        "unit_confidence": unit_sure,
        "how": {"type": kind.how, "unit": unit_how, "severity": severity_how},
        "reasons": reasons,
    }


def _unit(case_type: str, text: str, region: str, reasons: list[dict[str, Any]]) -> tuple[int | None, str, float | None]:
    """The lead unit, how it was found and how sure (None: the list of duties says so and nothing was learned)."""
    by_duty = DIRECTORY.competent("handle", case_type, region, clock.now())
    learned = dispatch.suggest_unit(case_type, text, region) if dispatch.examples_of(case_type) >= ENOUGH else None
    if learned is not None and learned.examples >= ENOUGH and learned.confidence >= SURE:
        unit = DIRECTORY.serving(int(learned.label))
        here = unit is not None and region.startswith(unit.region)  # what the neighbours do says nothing of our place
        if unit is not None and here and (by_duty is None or unit.unit_id != by_duty.unit_id):
            reasons.append({"why": "learned_unit", "unit": unit.unit_id, "number": learned.examples})
            return unit.unit_id, "learned", learned.confidence
    if by_duty is None:
        return None, "duty", None
    reasons.append({"why": "duty", "unit": by_duty.unit_id})
    same = learned is not None and learned.examples >= ENOUGH and learned.label == str(by_duty.unit_id)
    return by_duty.unit_id, "duty", learned.confidence if learned is not None and same else None
