"""From words to marks: one form of writing, the matter without its address, words a person can check."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.dispatch.rules import (
    LONGEST_PIECE,
    MARKS,
    calibration_error,
    gather,
    grave_marks,
    mark,
    matter,
    pieces,
    place_marks,
    telling,
    word_marks,
)
from gridloop.kernel.hanzi import clean
from gridloop.registry.addresses import parse

SOURCE, REGION = "hotline", "990101100200001"


@pytest.mark.parametrize(
    ("traditional", "simplified"),
    [("路燈不亮，請修理", "路灯不亮，请修理"), ("機車違規停車", "机车违规停车"), ("髒亂及汙染", "脏乱及污染"), ("ＡＢＣ１２３", "abc123")],
)
def test_traditional_and_simplified_are_one(traditional: str, simplified: str) -> None:
    assert clean(traditional) == clean(simplified)
    assert word_marks(clean(traditional), SOURCE, REGION) == word_marks(clean(simplified), SOURCE, REGION)


@pytest.mark.parametrize(
    ("said", "about"),
    [
        ("东区崇明路346号 违规停车", "违规停车"),
        ("北区文贤路1122巷1号 空气污染", "空气污染"),
        ("安平区建平九街90号旁边 噪音", "旁边噪音"),
        ("滨河路27号路灯不亮", "路灯不亮"),
        ("井盖不见了，很危险", "井盖不见了很危险"),
        ("", ""),
    ],
)
def test_the_matter_is_what_is_left_without_the_address(said: str, about: str) -> None:
    assert matter(clean(said)) == about


@given(st.text(max_size=600))
def test_any_text_has_marks_within_the_table(text: str) -> None:
    cleaned = clean(text)
    assert len(cleaned) <= 400
    assert clean(cleaned) == cleaned or len(text) > 400  # cleaning twice changes nothing
    for marks in (word_marks(cleaned, SOURCE, REGION), place_marks("01037", REGION, cleaned), grave_marks("01037", SOURCE, cleaned)):
        found, weights = gather(marks)
        assert len(found) == len(weights) == len(set(found.tolist()))
        assert found.min() >= 0
        assert found.max() < MARKS
        assert np.linalg.norm(weights) == pytest.approx(2.0, rel=1e-4)


@pytest.mark.parametrize("hostile", ["村" * 400, "区" * 399 + "灯", "东区西村" * 100, "1" * 400, "一二三" * 130, "路" * 400, "号1" * 200])
def test_no_text_takes_long(hostile: str) -> None:
    began = time.thread_time()  # our own: others share the machine
    word_marks(clean(hostile), SOURCE, REGION)
    parse(clean(hostile))
    assert time.thread_time() - began < 0.5


@given(st.text(alphabet="路灯不亮坏了井盖", min_size=1, max_size=30))
def test_pieces_are_all_runs_up_to_three(text: str) -> None:
    found = list(pieces(text))
    assert len(found) == sum(max(0, len(text) - length + 1) for length in range(1, LONGEST_PIECE + 1))
    assert all(piece in text for piece in found)


def test_no_marks_have_no_weight() -> None:
    found, weights = gather([])
    assert len(found) == len(weights) == 0


def test_the_words_told_are_those_that_spoke() -> None:
    lift = {mark("matter", piece): 1.0 for piece in pieces("井盖")}
    assert telling(clean("小区门口的井盖不见了"), lift) == ["井盖"]
    assert telling("", lift) == []
    assert telling(clean("小区门口的井盖不见了"), {}) == []


@pytest.mark.parametrize(
    ("said", "error"),
    [([], 0.0), ([(1.0, True)] * 4, 0.0), ([(0.75, True), (0.75, True), (0.75, True), (0.75, False)], 0.0), ([(0.9, False)] * 5, 0.9)],
)
def test_calibration_compares_what_was_said_with_what_was_right(said: list[tuple[float, bool]], error: float) -> None:
    assert calibration_error(said) == pytest.approx(error)
