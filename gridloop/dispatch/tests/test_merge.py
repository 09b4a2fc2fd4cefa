"""Two reports, one matter or two: what brings them together, what keeps them apart, and how well on labelled pairs."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.dispatch.merging import WEIGHTS, Told, figures, likeness, speaks_against

SAMPLE = Path(__file__).resolve().parents[3] / "tests" / "data" / "merge_pairs.csv"
AT = datetime(2026, 5, 1, 8, 0, tzinfo=UTC)
ONE = Told("01037", "东镇学府路27号 路灯不亮", 121.6, 29.2, AT)
SOON = AT + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("other", "one_matter"),
    [
        (replace(ONE, text="學府路27號路燈壞了", at=SOON), True),
        (replace(ONE, text="这里的路灯不亮", at=SOON), True),
        (replace(ONE, text="学府路127号 路灯不亮", at=SOON), False),
        (replace(ONE, text="人民路5号 路灯不亮", at=SOON), False),
        (replace(ONE, type="06010", text="学府路81号 垃圾没人清", lat=29.2015, at=SOON), False),
        (replace(ONE, at=AT + timedelta(hours=23), lon=121.6005, text="学府路31号 路灯一闪一闪"), False),
    ],
)
def test_what_brings_together_and_what_keeps_apart(other: Told, one_matter: bool) -> None:
    assert (likeness(ONE, other) >= 0.5) is one_matter


def test_addresses_that_differ_speak_against() -> None:
    assert speaks_against(ONE, replace(ONE, text="人民路5号 路灯不亮", at=AT + timedelta(hours=4)))
    assert not speaks_against(ONE, replace(ONE, text="路灯坏了好几天", at=AT + timedelta(hours=20))), "no words of another place"


_told = st.builds(
    Told,
    type=st.sampled_from(["01037", "06010"]),
    text=st.text(alphabet="学府人民路街27号灯坏了垃圾，0123456789 ", max_size=30),
    lon=st.floats(121.59, 121.61),
    lat=st.floats(29.19, 29.21),
    at=st.datetimes(AT.replace(tzinfo=None), (AT + timedelta(days=1)).replace(tzinfo=None), timezones=st.just(UTC)),
)


@given(_told, _told)
def test_it_does_not_matter_who_came_first(one: Told, other: Told) -> None:
    assert len(figures(one, other)) == len(WEIGHTS)
    assert 0 < likeness(one, other) < 1
    assert likeness(one, other) == pytest.approx(likeness(other, one))


def test_on_labelled_pairs_it_is_better_than_place_and_type_alone() -> None:
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    with SAMPLE.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            rows[row["pair"]].append(row)
    joined, truth = [], []
    for number, pair in rows.items():
        if pair[0]["label"] == "unclear" or int(number) % 2 == 0:  # the even half has fitted the weights
            continue
        a, b = (
            Told(r["subcategory"], r["description"], float(r["lon"]), float(r["lat"]), datetime.fromisoformat(r["created"])) for r in pair
        )
        joined.append(likeness(a, b) >= 0.5)
        truth.append(pair[0]["label"] == "same")
    right = sum(j and t for j, t in zip(joined, truth, strict=True))
    assert right / sum(joined) >= 0.78, "precision"
    assert right / sum(truth) >= 0.7, "recall"
