"""What goes into the learner and what comes out of it. Frozen, no database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

HEADS = ("type", "unit", "severity")  # what is learned of a case, each by a learner of its own


@dataclass(frozen=True, slots=True)
class Decided:
    """A case as its desk decided it; the text is '' for a sensor's case or after erasure."""

    case: str
    text: str
    source: str
    region: str
    type: str
    severity: int
    unit: int | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether the desk took what was proposed. ``how``: learned, words, duty, catalogue."""

    head: str
    label: str
    how: str
    right: bool


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A label, how sure (0–1), from how many decided examples, the words that spoke for it, and the labels behind it."""

    label: str
    confidence: float
    examples: int
    words: tuple[str, ...] = ()
    others: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Precision:
    """Of ``proposed`` proposals of a label the desk took ``right``."""

    proposed: int
    right: int


@dataclass(frozen=True, slots=True)
class HeadReport:
    """One learner's training. ``tested``: the last fifth of the examples, each guessed before it was learned."""

    examples: int
    labels: int
    tested: int = 0
    right: int = 0
    in_three: int = 0
    calibration_error: float = 0.0
    by_label: dict[str, tuple[int, int]] = field(default_factory=dict)  # proposed label → (tested, right)


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """A whole training, by head."""

    started_at: datetime
    seconds: float
    heads: dict[str, HeadReport]
