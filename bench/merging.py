"""Merging: precision and recall on 463 labelled pairs of a real hotline, the pack's rule beside what is learned (``--fit`` fits anew).

Of the first drawing (0 to 299) even pairs have fitted the weights and odd ones measure; the second drawing was labelled when the weights
stood and measures only. The surge is the week of an earthquake: its pairs that have fitted nothing. How the pairs were drawn and
labelled: tests/data/merge_pairs.SOURCE.md. The sample is stratified: its shares are not those of a hotline's day.
"""

from __future__ import annotations

import csv
import sys
from collections import defaultdict
from datetime import datetime

import numpy as np
from kit.record import ROOT, record
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from gridloop.dispatch.merging import Told, figures, speaks_against, worth_asking

SAMPLE = ROOT / "tests" / "data" / "merge_pairs.csv"
RULE_M = 50.0
FIRST_DRAWING = 300
Yes = NDArray[np.bool_]


def pairs() -> list[tuple[int, str, bool, Told, Told]]:
    """(number, stratum, same?, first, second); what is labelled unclear is left out."""
    rows: dict[int, list[dict[str, str]]] = defaultdict(list)
    with SAMPLE.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[int(row["pair"])].append(row)
    return [(n, a["stratum"], a["label"] == "same", told(a), told(b)) for n, (a, b) in sorted(rows.items()) if a["label"] != "unclear"]


def told(row: dict[str, str]) -> Told:
    at = datetime.fromisoformat(row["created"])
    return Told(row["subcategory"], row["description"], float(row["lon"]), float(row["lat"]), at)


def measure(name: str, found: Yes, truth: Yes) -> None:
    right = int((found & truth).sum())
    record(f"merge_precision_{name}", right / max(1, int(found.sum())), "share", int(found.sum()))
    record(f"merge_recall_{name}", right / int(truth.sum()), "share", int(truth.sum()))


def main() -> None:
    sample = pairs()
    truth = np.array([same for _, _, same, _, _ in sample])
    values = np.array([figures(a, b) for *_, a, b in sample])
    number = np.array([n for n, *_ in sample])
    second = number >= FIRST_DRAWING
    odd = (number % 2 == 1) & ~second
    if "--fit" in sys.argv:
        fitted = LogisticRegression(C=1.0, max_iter=2000).fit(values[~odd & ~second], truth[~odd & ~second])
        sys.stdout.write(f"WEIGHTS = {tuple(float(w) for w in np.round(fitted.coef_[0], 3))}\nBIAS = {fitted.intercept_[0]:.3f}\n")
        return
    surge = np.array([stratum.startswith("surge") for _, stratum, *_ in sample])
    rule = (values[:, 0] == 1) & (np.expm1(values[:, 2]) * 10 <= RULE_M)
    joined = rule & ~np.array([speaks_against(a, b) for *_, a, b in sample])
    offered = joined | np.array([worth_asking(a, b) > 0 for *_, a, b in sample])
    for name, part in (("odd_half", odd), ("second_drawing", second), ("surge", surge & (odd | second))):
        measure(f"{name}_by_rule", rule[part], truth[part])
        measure(f"{name}_joined", joined[part], truth[part])
        measure(f"{name}_joined_or_offered", offered[part], truth[part])


if __name__ == "__main__":
    main()
