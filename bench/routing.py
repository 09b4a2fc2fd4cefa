"""Proposals: how often the learner is right about where a case goes, beside a pinned baseline; and what a proposal costs.

Type: 91,108 real requests of a city's hotline (``tainan_1999`` of the shared data), in order of time, learned from 25,000 and asked about
the other 66,108; as label the hotline's own subcategory. The baseline is what a textbook would do, fitted on the same 25,000 in this
run. Ours is asked three times: learning nothing more after the 25,000, learning each case once its desk has decided (200 cases later),
and learning it at once. Lead unit and severity are known to nobody there: incidents of the simulated county, whose truth only the
simulator knows (agreements of the towns, how pressing the words are), learned from desks that err in one case of twenty, against the
list of duties and the catalogue. That truth has no chance in it: the figures say that what can be learned is, no more.
"""

from __future__ import annotations

import csv
import gzip
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from kit.record import ROOT, percentile, record
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import f1_score
from sklearn.svm import LinearSVC

from gridloop.dispatch.learner import Learner
from gridloop.dispatch.rules import (
    ENOUGH,
    SURE,
    Marks,
    Weights,
    calibration_error,
    gather,
    grave_marks,
    place_marks,
    telling,
    word_marks,
)
from gridloop.kernel.hanzi import clean
from gridloop.simulation.county.county import SEED, County, generate
from gridloop.simulation.county.units import catalogue
from gridloop.simulation.living.truth import Incident, World

FILE = ROOT.parent / "shared" / "data" / "tainan_1999" / "requests_2015_2018.csv.gz"
LEARNED = 25_000
DECIDED_AFTER = 200  # cases: about a day of this hotline
INCIDENTS = 20_000
DESK_ERRS = 0.05  # share of decisions learned that are somebody else's
Rows = list[dict[str, str]]
Lesson = tuple[Marks, Weights, str]


def hotline() -> Rows:
    """The labelled requests in the order they came in."""
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["subcategory"].strip()]
    return sorted(rows, key=lambda row: (row["created"], row["id"]))


def baseline(rows: Rows) -> tuple[float, float]:
    """Top-1 and macro-F1 of character 1–3-grams, TF-IDF with sublinear counts, and a linear support vector machine with C = 1."""
    words = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True)
    texts, labels = [row["description"] for row in rows], [row["subcategory"] for row in rows]
    machine = LinearSVC(C=1.0, random_state=0).fit(words.fit_transform(texts[:LEARNED]), labels[:LEARNED])
    found = machine.predict(words.transform(texts[LEARNED:]))
    return _marks_of(found, labels[LEARNED:])


def _marks_of(found: Sequence[str] | NDArray[np.str_], truth: Sequence[str]) -> tuple[float, float]:
    right = float(np.mean(np.asarray(found) == np.asarray(truth)))
    return right, float(f1_score(truth, found, average="macro", zero_division=0))


def ours(name: str, lessons: list[Lesson], delay: int | None) -> tuple[float, float]:
    """One run through the rows; ``delay``: after how many further cases a decision is known, None: never after the first 25,000."""
    learner, waiting = Learner.empty(128), deque[Lesson]()
    asked: list[tuple[str, str, float, bool]] = []
    for number, (marks, weights, label) in enumerate(lessons):
        if number >= LEARNED:
            best = learner.guess(marks, weights).labels
            asked.append((best[0][0], label, best[0][1], label in [one for one, _ in best]))
            if delay is None:
                continue
        waiting.append((marks, weights, label))
        while len(waiting) > (delay or 0):
            learner.learn(*waiting.popleft())
    right, macro = _marks_of([found for found, *_ in asked], [truth for _, truth, *_ in asked])
    sure = [found == truth for found, truth, chance, _ in asked if chance >= SURE]
    record(f"type_top1_{name}", right, "share", len(asked))
    record(f"type_macro_f1_{name}", macro, "share", len(asked))
    record(f"type_top3_{name}", float(np.mean([in_three for *_, in_three in asked])), "share", len(asked))
    record(
        f"type_calibration_error_{name}",
        calibration_error([(chance, found == truth) for found, truth, chance, _ in asked]),
        "share",
        len(asked),
    )
    record(f"type_sure_{name}", len(sure) / len(asked), "share", len(asked))
    record(f"type_right_when_sure_{name}", float(np.mean(sure)), "share", len(sure))
    return right, macro


def types() -> None:
    rows = hotline()
    base_right, base_macro = baseline(rows)
    record("type_top1_baseline", base_right, "share", len(rows) - LEARNED)
    record("type_macro_f1_baseline", base_macro, "share", len(rows) - LEARNED)
    began = time.perf_counter()
    lessons = [(*gather(word_marks(clean(row["description"]), "hotline", row["district"])), row["subcategory"]) for row in rows]
    record("marks_of_a_text", (time.perf_counter() - began) / len(rows) * 1e3, "ms")
    ours("frozen", lessons, None)
    right, macro = ours("decided_later", lessons, DECIDED_AFTER)
    ours("at_once", lessons, 0)
    record("type_top1_over_baseline", (right - base_right) * 100, "points")
    record("type_macro_f1_over_baseline", (macro - base_macro) * 100, "points")
    one_proposal(rows, lessons)


def one_proposal(rows: Rows, lessons: list[Lesson]) -> None:
    """From a text to a type with the words that spoke for it, as a report does it."""
    learner = Learner.empty(128)
    for lesson in lessons[:LEARNED]:
        learner.learn(*lesson)
    took = []
    for row in rows[LEARNED : LEARNED + 5_000]:
        began = time.perf_counter()
        cleaned = clean(row["description"])
        telling(cleaned, learner.guess(*gather(word_marks(cleaned, "hotline", row["district"]))).for_first)
        took.append((time.perf_counter() - began) * 1e3)
    record("type_proposal_p50", percentile(took, 0.5), "ms", len(took))
    record("type_proposal_p99", percentile(took, 0.99), "ms", len(took))


def units_and_severities() -> None:
    """Half of the incidents are learned, the other half asked about and learned one by one."""
    county = generate(SEED, 0.1)
    world = World(county, 7)
    incidents = [one for one in (world.happen() for _ in range(INCIDENTS)) if one.words]
    regions = Regions(county)
    severity_of = {kind["code"]: str(kind["severity"]) for category in catalogue()["categories"] for kind in category["types"]}

    def unit_truth(one: Incident) -> str:
        return one.unit or regions.by_duty(one)

    def unit_lesson(one: Incident) -> tuple[Marks, Weights]:
        return gather(place_marks(one.case_type, regions.of(one), clean(f"{one.address} {one.words}")))

    def severity_lesson(one: Incident) -> tuple[Marks, Weights]:
        return gather(grave_marks(one.case_type, "citizen", clean(f"{one.address} {one.words}")))

    _against("unit", "duties", incidents, unit_lesson, unit_truth, regions.by_duty)
    _against("severity", "catalogue", incidents, severity_lesson, lambda one: str(one.severity), lambda one: severity_of[one.case_type])


def _against(
    head: str,
    other: str,
    incidents: list[Incident],
    lesson: Callable[[Incident], tuple[Marks, Weights]],
    truth: Callable[[Incident], str],
    otherwise: Callable[[Incident], str],
) -> None:
    """What the product proposes (learned when sure and known, else as the list says), beside the list alone; desks err, too."""
    learner, random = Learner.empty(512), np.random.default_rng(7)
    ours_right, list_right, chances = [], [], []
    for number, one in enumerate(incidents):
        marks, weights = lesson(one)
        if number >= len(incidents) // 2:
            label, chance = learner.guess(marks, weights).labels[0]
            learned = learner.examples(label) >= ENOUGH and chance >= SURE
            ours_right.append((label if learned else otherwise(one)) == truth(one))
            list_right.append(otherwise(one) == truth(one))
            chances.append((chance, label == truth(one)))
        decided = incidents[int(random.integers(len(incidents)))] if random.random() < DESK_ERRS else one
        learner.learn(marks, weights, truth(decided))
    record(f"{head}_right_by_{other}", float(np.mean(list_right)), "share", len(list_right))
    record(f"{head}_right_proposed", float(np.mean(ours_right)), "share", len(ours_right))
    record(f"{head}_calibration_error", calibration_error(chances), "share", len(chances))


class Regions:
    """Where an incident is, and who the list of duties names for it: longest case type, then longest region, then priority."""

    def __init__(self, county: County) -> None:
        self._of_address = {b.address: b.region_code for b in county.buildings if b.address}
        self._duties = [d for d in county.duties if d.kind == "handle"]
        self._kept: dict[tuple[str, str], str] = {}

    def of(self, one: Incident) -> str:
        return self._of_address[one.address]

    def by_duty(self, one: Incident) -> str:
        key = one.case_type, self.of(one)
        if key not in self._kept:
            there = [d for d in self._duties if key[0].startswith(d.case_type) and key[1].startswith(d.region_code)]
            self._kept[key] = max(there, key=lambda d: (len(d.case_type), len(d.region_code), -d.priority)).unit
        return self._kept[key]


def main() -> None:
    if FILE.is_file():
        types()
    else:
        sys.stderr.write(f"{FILE} is not there: types are not measured\n")
    units_and_severities()


if __name__ == "__main__":
    main()
