"""Canonical JSON: the quick way writes what the reference implementation writes."""

from __future__ import annotations

from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gridloop.kernel.hashing import canonical

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_the_bytes_are_those_of_the_standard(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize("value", [{"": 1, "\ufb33": 2, "😀": 3}, {"b": 1e21, "a": [0.1, -0.0, 5.0]}, '\x00\x1f\x7f\u2028\\"/𠮷', {"é": 1}])
def test_rare_ones_as_well(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


def test_a_number_no_reader_would_agree_on_is_refused() -> None:
    with pytest.raises(rfc8785.IntegerDomainError):
        canonical({"count": 2**53})
