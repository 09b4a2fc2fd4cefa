"""A proposed threshold is put into the text of the detectors, and nothing else of it changes."""

from __future__ import annotations

import pytest

from gridloop.scenes.editing import check, next_version, text_of, with_limit
from gridloop.scenes.loading import PACKS, load_all
from gridloop.scenes.tests.packkit import KNOWN

BETWEEN = (PACKS / "ebike_charging" / "detect.yaml").read_text(encoding="utf-8")
TEXT = (PACKS / "water_level" / "detect.yaml").read_text(encoding="utf-8")


def test_another_limit_takes_the_place_of_the_old_one_and_the_step_to_clear_stays() -> None:
    made = with_limit(TEXT, "high_water", 2.85)
    assert made == TEXT.replace("at_least: 2.5 m, clear: 2.3 m", "at_least: 2.85 m, clear: 2.65 m")
    loaded = next(one for one in load_all() if one.name == "water_level")
    assert loaded.pack is not None
    found = check(loaded.pack, made, KNOWN)
    assert (found.wrongs, found.states) == ((), {"high_water": "changed", "fast_rise": "same", "heavy_rain": "same"})


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (TEXT, "fast_rise"),
        (BETWEEN, "steady_charge"),
        (TEXT, "nobody"),
        ("detectors: [", "high_water"),
        ("", "high_water"),
        ("detectors: {high_water: 3}", "high_water"),
    ],
)
def test_a_text_without_one_threshold_stays_as_it_is(text: str, name: str) -> None:
    assert with_limit(text, name, 3.0) == text


def test_a_text_that_was_not_kept_is_written_anew_and_says_the_same() -> None:
    for loaded in load_all():
        if loaded.pack is not None and loaded.pack.detect is not None:
            made = text_of(loaded.pack, "")
            found = check(loaded.pack, made, KNOWN)
            assert found.pack == loaded.pack, loaded.name
            assert set(found.states.values()) == {"same"}


def test_the_last_number_of_a_version_rises() -> None:
    assert (next_version("0.1.0"), next_version("2.0.9")) == ("0.1.1", "2.0.10")
