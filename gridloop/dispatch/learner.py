"""A learner that gets better with every decision: marks in, a probability for each label out. Pure NumPy.

Multinomial logistic regression, learned one example at a time; each mark has a step of its own that shrinks with what it has already
learned (AdaGrad: Duchi, Hazan and Singer 2011). It follows slow drift, needs no second pass, and its probabilities are honest enough to
be shown as they are: ``bench/routing.py`` measures the calibration error beside a batch-trained baseline.

The arrays are handed in, so that they may lie in a file which other processes read while this one learns.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gridloop.dispatch.rules import MARKS, Marks, Weights

STEP = 0.5

Table = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Guess:
    """The best labels with their probabilities, likeliest first, and which marks spoke for the first (weight × strength)."""

    labels: list[tuple[str, float]]
    for_first: dict[int, float] = field(default_factory=dict)


@dataclass
class Learner:
    """``table``: marks × room for labels; ``strength``: what each mark has learned; ``labels`` and ``counts`` grow with new labels."""

    table: Table
    strength: Table
    labels: list[str] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    @classmethod
    def empty(cls, room: int = 64) -> Learner:
        return cls(np.zeros((MARKS, room), np.float32), np.zeros(MARKS, np.float32))

    def chances(self, marks: Marks, weights: Weights) -> NDArray[np.float32]:
        """A probability for each label known, in the order of ``labels``; empty while none is known."""
        known = len(self.labels)
        if not known or not len(marks):
            return np.full(known, 1.0 / known if known else 0.0, np.float32)
        scores = weights @ self.table[marks, :known]
        scores = np.exp(scores - scores.max())
        chances: NDArray[np.float32] = scores / scores.sum()
        return chances

    def guess(self, marks: Marks, weights: Weights, best: int = 3) -> Guess:
        """The ``best`` likeliest labels, and the marks that raised the first of them above the mean of all."""
        chances = self.chances(marks, weights)
        if not len(chances):
            return Guess([])
        order = np.argsort(-chances, kind="stable")[:best]
        labels = [(self.labels[i], float(chances[i])) for i in order]
        if not len(marks):
            return Guess(labels)
        rows = self.table[marks, : len(self.labels)]
        lift = weights * (rows[:, order[0]] - rows.mean(axis=1))
        return Guess(labels, {int(m): float(v) for m, v in zip(marks, lift, strict=True) if v > 0})

    def learn(self, marks: Marks, weights: Weights, label: str) -> None:
        """One decided example. A label there is no room for is left out until the next training makes room."""
        if not len(marks):
            return
        place = self._place(label)
        if place is None:
            return
        fault = self.chances(marks, weights)
        fault[place] -= 1.0
        slope = np.outer(weights, fault)
        self.strength[marks] += (slope * slope).sum(axis=1)
        step = STEP / np.sqrt(self.strength[marks] + 1e-8)
        self.table[marks, : len(self.labels)] -= slope * step[:, None]
        self.counts[place] += 1

    def examples(self, label: str) -> int:
        """How many decided examples of this label were learned."""
        return self.counts[self.labels.index(label)] if label in self.labels else 0

    def _place(self, label: str) -> int | None:
        if label in self.labels:
            return self.labels.index(label)
        if len(self.labels) >= self.table.shape[1]:
            return None
        self.labels.append(label)
        self.counts.append(0)
        return len(self.labels) - 1
