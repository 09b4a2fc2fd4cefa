"""The learner by itself: better with every decision, honest about how sure it is, safe with anything it is given."""

from __future__ import annotations

import csv
import gzip
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import shared_data
from gridloop.dispatch.learner import Learner
from gridloop.dispatch.rules import MARKS, calibration_error, gather, word_marks
from gridloop.kernel.hanzi import clean

EXTRACT = Path(__file__).resolve().parents[3] / "tests" / "data" / "tainan_extract.csv"
SAID = {"灯": "路灯不亮", "盖": "井盖松动", "树": "树枝断了", "车": "车辆违停"}


def taught(times: int) -> Learner:
    learner = Learner.empty()
    for _ in range(times):
        for label, words in SAID.items():
            learner.learn(*gather(word_marks(clean(words), "app", "990101")), label)
    return learner


def test_it_knows_nothing_before_it_learns() -> None:
    assert Learner.empty().guess(*gather(word_marks("路灯", "app", "990101"))).labels == []


def test_what_it_has_learned_it_says_surer_with_every_example() -> None:
    marks = gather(word_marks(clean("这里的路燈不亮了"), "app", "990101"))
    chances = [dict(taught(times).guess(*marks, best=4).labels)["灯"] for times in (1, 5, 25)]
    assert chances == sorted(chances)
    assert chances[-1] > 0.9
    assert taught(25).examples("灯") == 25
    assert taught(1).examples("水") == 0


def test_the_reasons_are_marks_of_the_text() -> None:
    marks, weights = gather(word_marks(clean("井盖松动"), "app", "990101"))
    guess = taught(5).guess(marks, weights)
    assert guess.labels[0][0] == "盖"
    assert guess.for_first
    assert set(guess.for_first) <= set(marks.tolist())


def test_a_label_there_is_no_room_for_is_left_out() -> None:
    learner = Learner.empty(room=2)
    for label in ("a", "b", "c"):
        learner.learn(*gather(word_marks(f"words of {label}", "app", "99")), label)
    assert learner.labels == ["a", "b"]
    assert learner.counts == [1, 1]
    assert learner.examples("c") == 0


@settings(max_examples=30)
@given(st.lists(st.tuples(st.lists(st.integers(0, MARKS - 1), max_size=12), st.sampled_from("abcde")), max_size=40))
def test_whatever_it_learns_its_chances_are_chances(examples: list[tuple[list[int], str]]) -> None:
    learner = Learner.empty(room=8)
    for marks, label in examples:
        learner.learn(*gather(marks), label)
        chances = learner.chances(*gather(marks))
        assert np.isfinite(chances).all()
        assert (chances >= 0).all()
        assert not len(chances) or chances.sum() == pytest.approx(1.0, rel=1e-4)
    assert sum(learner.counts) == sum(1 for marks, _ in examples if marks)


def test_a_label_known_but_never_seen_keeps_its_share() -> None:
    learner = Learner.empty(room=128)
    learner.labels, learner.counts = ["灯", *(f"{n}" for n in range(99))], [0] * 100
    for _ in range(60):
        learner.learn(*gather(word_marks(clean("路灯不亮"), "app", "990101")), "灯")
    chance = {words: learner.guess(*gather(word_marks(clean(words), "app", "990101"))).labels[0] for words in ("路灯不亮", "大家好")}
    assert chance["路灯不亮"][1] > 0.9
    assert chance["大家好"][1] < 0.3, "the only label ever seen is not certain whatever is said"


def rows_of(path: Path) -> list[tuple[str, str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["subcategory"].strip()]
    rows.sort(key=lambda row: (row["created"], row["id"]))
    return [(row["description"], row["district"], row["subcategory"]) for row in rows]


def judged(rows: list[tuple[str, str, str]], learned: int) -> tuple[float, float, float]:
    """Top-1, top-3 and calibration error of the rows after the first ones, each guessed before it is learned."""
    learner, said, three = Learner.empty(128), [], []
    for number, (words, place, label) in enumerate(rows):
        marks = gather(word_marks(clean(words), "hotline", place))
        if number >= learned:
            best = learner.guess(*marks).labels
            said.append((best[0][1], best[0][0] == label))
            three.append(label in [name for name, _ in best])
        learner.learn(*marks, label)
    return float(np.mean([right for _, right in said])), float(np.mean(three)), calibration_error(said)


def test_a_real_hotline_is_learned_from_its_first_hundred_cases() -> None:
    right, three, _ = judged(rows_of(EXTRACT), 100)
    assert right > 0.7, "the larger set and its baseline are in bench/routing.py"
    assert three > 0.85


@pytest.mark.shared_data
def test_a_real_hotline_is_learned_honestly() -> None:
    rows = rows_of(shared_data() / "tainan_1999" / "requests_2015_2018.csv.gz")[: 25_000 + 6_000]
    began = time.process_time()  # our own: others share the machine
    right, three, error = judged(rows, 25_000)
    assert right > 0.93, "the textbook baseline has 0.916 over the whole rest: bench/routing.py"
    assert three > 0.98
    assert error < 0.03
    assert (time.process_time() - began) / len(rows) < 0.005, "guessing and learning one case"
