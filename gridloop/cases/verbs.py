"""Verbs by the words that stand on their buttons: in refusals people read them, machines find the codes in ``allowed``."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from gridloop.kernel.errors import NotNow
from gridloop.kernel.texts import Codes, all_texts, say

CASE = "case"


def _word(of: str, verb: str, lang: str) -> str:
    """A verb that has another word at this stage is said by it; one nobody knows, as it was asked for."""
    keys = (f"cases.verb_{of}_{verb}", f"cases.verb_{verb}")
    return next((say(key, lang) for key in keys if key in all_texts()), verb)


def verbs(codes: Iterable[str], of: str = CASE) -> Codes:
    """``of``: the stage of the task they are verbs of, or the case itself."""
    return Codes(tuple(codes), partial(_word, of))


def not_now(verb: str, allowed: Iterable[str] = (), of: str = CASE, key: str = "cases.verb_not_now") -> NotNow:
    """The refusal of a verb, with those that are possible now."""
    return NotNow(key, verb=verbs((verb,), of), allowed=verbs(allowed, of))
