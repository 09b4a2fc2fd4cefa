"""How long sealed values are kept: one table for every purpose, so that none is kept for ever by oversight."""

from __future__ import annotations

from collections.abc import Collection
from unicodedata import decimal

from gridloop.kernel.retention import Rule, rules

RETENTION: dict[str, Rule] = {name: rule for name, rule in rules().items() if rule.sealed}


FEWEST_DIGITS = 7  # fewer may be anything: a date, a house


def names_one(text: str, words: Collection[str]) -> bool:
    """Whether a text names somebody by one of their words: a name as it is written, a number whatever stands between its digits."""
    digits = digits_of(text)
    return any((len(word) > 1 and word in text) or (len(digits_of(word)) >= FEWEST_DIGITS and digits_of(word) in digits) for word in words)


def digits_of(text: str) -> str:
    """The digits of a text, whatever stands between them and however wide they are written."""
    return "".join(str(decimal(c)) for c in text if c.isdecimal())
