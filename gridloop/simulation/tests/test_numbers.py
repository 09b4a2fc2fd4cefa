"""Check digits of invented numbers, against examples printed in the standards."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.simulation.county.numbers import citizen_check, citizen_ids, organisation_code, phone_numbers, plates, uscc


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])
def test_citizen_check_digit_of_the_standard(number: str) -> None:
    assert citizen_check(number[:17]) == number[17]


def test_organisation_code_of_the_standard() -> None:
    assert organisation_code("D2143569") == "D2143569X"


@given(st.integers(min_value=0, max_value=31**6 - 1))
def test_uscc_check_character_closes_the_sum(serial: int) -> None:
    code = uscc("91", "990101", serial)
    alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"
    assert len(code) == 18
    assert (sum(alphabet.index(c) * 3**i for i, c in enumerate(code[:17])) + alphabet.index(code[17])) % 31 == 0


def test_uscc_of_a_real_register_entry() -> None:
    code = "91350100M000100Y43"
    assert organisation_code(code[8:16]) == code[8:17]


def test_citizen_ids_are_distinct_and_tell_birth_and_sex() -> None:
    born = np.array(["1990-02-28"] * 40 + ["2020-12-31"] * 3, dtype="datetime64[D]")
    man = np.array([1, 0] * 20 + [1, 1, 0])
    ids = citizen_ids("990101", born, man)
    assert len(set(ids)) == len(ids)
    for number, day, is_man in zip(ids, born.astype(str), man, strict=True):
        assert number[:14] == "990101" + day.replace("-", "")
        assert int(number[16]) % 2 == is_man
        assert citizen_check(number[:17]) == number[17]


def test_too_many_births_on_one_day_are_an_error() -> None:
    with pytest.raises(ValueError, match="499"):
        citizen_ids("990101", np.array(["2000-01-01"] * 600, dtype="datetime64[D]"), np.ones(600, dtype=np.int64))


def test_phones_and_plates_are_distinct_and_nobodys() -> None:
    phones = phone_numbers(50_000, 0) + phone_numbers(5_000, 1)
    assert len(set(phones)) == len(phones)
    assert all(re.fullmatch(r"100\d{8}", phone) for phone in phones)
    numbers = plates(20_000, np.arange(20_000) % 4 == 0)
    assert len(set(numbers)) == len(numbers)
    assert all(re.fullmatch(r"浙Y([A-HJ-NP-Z0-9]{5}|[DF]\d{5})", plate) for plate in numbers)
