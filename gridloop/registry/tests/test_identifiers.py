"""Check digits and plates: the standards' own values, and laws for any number."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.registry import rules

DIGITS = "0123456789"
ID_BODIES = st.tuples(st.integers(110000, 999999), st.dates(date(1900, 1, 1), date(2100, 12, 31)), st.integers(0, 999)).map(
    lambda parts: f"{parts[0]}{parts[1]:%Y%m%d}{parts[2]:03}"
)
USCC_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def test_the_published_numbers_are_valid() -> None:
    assert rules.valid_citizen_id("11010519491231002X")
    assert rules.valid_citizen_id("440524188001010014")
    assert rules.valid_uscc("91350100M000100Y43")
    assert rules.valid_uscc("91330100799655058B")
    assert rules.valid_organisation_code("D2143569-X")
    assert rules.citizen_id_sex("11010519491231002X") == "F"
    assert rules.citizen_id_birth("11010519491231002X") == date(1949, 12, 31)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "110105194912310021",
        "11010519491331002X",
        "11010519490230002X",
        "1101051949123100２X",
        "01010519491231002X",
        "11010519491231002x",
        "X" * 18,
    ],
)
def test_wrong_citizen_ids(wrong: str) -> None:
    assert not rules.valid_citizen_id(wrong)


@pytest.mark.parametrize("wrong", ["", "91350100M000100Y44", "91350100M000100Y4", "I1350100M000100Y43", "91350100m000100y43", "九" * 18])
def test_wrong_credit_codes(wrong: str) -> None:
    assert not rules.valid_uscc(wrong)


@pytest.mark.parametrize(
    "plate", ["浙A12345", "浙AD12345", "浙A12345D", "京A8888警", "粤Z1234港", "沪A1234学", "鲁B1234挂", "使123456", "123456使", "浙AF1Q234"]
)
def test_plates(plate: str) -> None:
    assert rules.valid_plate(plate) == (plate != "浙AF1Q234")


@pytest.mark.parametrize("wrong", ["", "A12345", "浙I12345", "浙A1234", "浙A1234567", "浙A12I45", "浙1A2345", "浙A12345挂"])
def test_wrong_plates(wrong: str) -> None:
    assert not rules.valid_plate(wrong)


def test_plates_are_stored_one_way() -> None:
    assert rules.clean_plate(" 浙a·12 3-45 ") == "浙A12345"


@given(ID_BODIES)
def test_law_exactly_one_check_character_fits_a_citizen_id(body: str) -> None:
    assert [c for c in "0123456789X" if rules.valid_citizen_id(body + c)] == [rules.citizen_id_check(body)]


@given(ID_BODIES, st.integers(0, 16), st.sampled_from(DIGITS))
def test_law_one_wrong_digit_is_seen(body: str, place: int, digit: str) -> None:
    good = body + rules.citizen_id_check(body)
    changed = good[:place] + digit + good[place + 1 :]
    assert rules.valid_citizen_id(changed) == (changed == good)


@given(st.text(USCC_ALPHABET, min_size=17, max_size=17), st.integers(0, 16), st.sampled_from(USCC_ALPHABET))
def test_law_credit_codes(body: str, place: int, character: str) -> None:
    good = body + rules.uscc_check(body)
    assert rules.valid_uscc(good)
    changed = good[:place] + character + good[place + 1 :]
    assert rules.valid_uscc(changed) == (changed == good)
