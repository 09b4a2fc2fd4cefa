"""Whether two reports are one matter: from their words, places, times and types. Pure.

A logistic regression over eight plain figures. Its weights were fitted on the even half of 300 labelled pairs of a real hotline and are
measured on the odd half (``bench/merging.py``, which also fits them: ``tests/data/merge_pairs.SOURCE.md`` says how the labels were made).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gridloop.dispatch.rules import matter, pieces
from gridloop.kernel.geo import distance_m
from gridloop.kernel.hanzi import clean
from gridloop.registry.addresses import parse

NEAR_M: Final = 300.0  # farther apart two reports are not compared
WITHIN_S: Final = 24 * 3600.0
SUGGESTED: Final = 0.3  # from here on the desk is asked whether it is one matter
UNLIKE: Final = 0.25  # below it, and with addresses that differ, a place and a type in common join nothing
COMMON: Final = 0.2  # words in common that make reports of two types worth a question
SHOWN: Final = 3

# same type, words in common, ln(1 + metres / 10), ln(1 + hours), house numbers in common, another road, ln(1 + numbers apart), no numbers
WEIGHTS: Final = (0.968, 0.902, -0.866, -0.762, 0.563, -1.579, -0.636, -0.784)
BIAS: Final = 0.779

_NUMBER = re.compile(r"\d{1,4}(?!\d)")


@dataclass(frozen=True, slots=True)
class Told:
    """What one report says: ``text`` as it was written, degrees, the time it came."""

    type: str
    text: str
    lon: float
    lat: float
    at: datetime


def figures(one: Told, other: Told) -> list[float]:
    """The eight figures of a pair, in the order of ``WEIGHTS``."""
    first, second = clean(one.text), clean(other.text)
    here, there = parse(first), parse(second)
    ours, theirs = ({int(n) for n in _NUMBER.findall(text)} for text in (first, second))
    shared = len(ours & theirs) / min(len(ours), len(theirs)) if ours and theirs else 0.0
    apart = min(abs(a - b) for a in ours for b in theirs) if ours and theirs and not shared else 0
    return [
        float(one.type == other.type),
        _in_common(first, second),
        math.log1p(float(distance_m(one.lon, one.lat, other.lon, other.lat)) / 10),
        math.log1p(abs((other.at - one.at).total_seconds()) / 3600),
        shared,
        float(here is not None and there is not None and here.road != there.road),
        math.log1p(apart),
        float(not (ours and theirs)),
    ]


def likeness(one: Told, other: Told) -> float:
    """The probability that both are one matter."""
    score = BIAS + sum(weight * value for weight, value in zip(WEIGHTS, figures(one, other), strict=True))
    return 1.0 / (1.0 + math.exp(-score))


def worth_asking(one: Told, other: Told) -> float:
    """The probability again, 0 where the desk need not be asked: another trouble in other words, however near."""
    found = figures(one, other)
    chance = likeness(one, other)
    return chance if chance >= SUGGESTED and (found[0] or found[1] >= COMMON) else 0.0


def speaks_against(one: Told, other: Told) -> bool:
    """Their addresses differ, and nothing else makes up for it: not joined, however near and of one type."""
    found = figures(one, other)
    return (found[5] > 0 or found[6] > 0) and likeness(one, other) < UNLIKE


def _in_common(first: str, second: str) -> float:
    """Cosine of the runs of one and two characters of what both are about, addresses aside."""
    one, other = (Counter(p for p in pieces(matter(text)) if len(p) < 3) for text in (first, second))
    length = math.sqrt(sum(v * v for v in one.values()) * sum(v * v for v in other.values()))
    return sum(count * other[piece] for piece, count in one.items()) / length if length else 0.0
