from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.scenes.strict_yaml import read
from gridloop.sdk.pack import LimitsFile


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("a: on", "scenes.trap", 1),
        ("a: x\nb: No", "scenes.trap", 2),
        ("a: 12:30", "scenes.trap", 1),
        ("a: 01002", "scenes.trap", 1),
        ("on: x", "scenes.trap", 1),
        ("5: x", "scenes.text_key", 1),
        ("a: 1\na: 2", "scenes.double_key", 2),
        ("a: &x 1\nb: *x", "scenes.anchor", 1),
        ("a: !!python/object:os.system x", "scenes.tag", 1),
        ("a: [1\nb: 2", "scenes.yaml", 2),
        ("a: 1\n\tb: 2", "scenes.yaml", 2),
        ("x" * 200_001, "scenes.too_large", 1),
    ],
)
def test_refused_with_line(text: str, key: str, line: int) -> None:
    wrong = read(text, "f.yaml").wrongs[0]
    assert (wrong.key, wrong.line, wrong.file) == (key, line, "f.yaml")
    assert str(wrong).startswith(f"f.yaml:{line}: ")


def test_plain_values() -> None:
    document = read('{a: "on", b: [1, -2, 1.5, true, null, "01002", 5m], c: 样A00001}', "f.yaml")
    assert document.wrongs == []
    assert document.data == {"a": "on", "b": [1, -2, 1.5, True, None, "01002", "5m"], "c": "样A00001"}


def test_model_faults_have_the_line_of_the_part() -> None:
    document = read("stages:\n  intake:\n    limit: 15m\n    colour: red\n  accept:\n    limit: soon\n", "l.yaml")
    assert document.parse(LimitsFile) is None
    assert [(w.key, w.line) for w in document.wrongs] == [("scenes.unknown_key", 4), ("scenes.bad_value", 6)]


@given(st.text(max_size=200))
def test_never_raises(text: str) -> None:
    document = read(text, "f.yaml")
    assert document.wrongs or document.data is None or isinstance(document.data, str | int | float | bool | list | dict)


@pytest.mark.parametrize("text", ["[" * 5000, "[" * 5000 + "]" * 5000, "a: " + "{b: " * 3000 + "1" + "}" * 3000, "- " * 3000 + "x"])
def test_too_deep_is_a_fault_and_no_crash(text: str) -> None:
    assert [wrong.key for wrong in read(text, "f.yaml").wrongs] == ["scenes.too_deep"]


def test_a_number_of_thousands_of_digits_is_no_whole_number() -> None:
    assert not isinstance(read("a: " + "1" * 5000, "f.yaml").data["a"], int)
