from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridloop.scenes.strict_yaml import read
from gridloop.sdk.pack import LimitsFile


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("a: on", "scenes.trap_yes", 1),
        ("a: x\nb: No", "scenes.trap_yes", 2),
        ("a: 12:30", "scenes.trap", 1),
        ("a: 01002", "scenes.trap", 1),
        ("on: x", "scenes.trap_yes", 1),
        ("a: 1\nb：2\nc: 3", "scenes.yaml", 2),
        ("a: 1\nb:2\nc: 3", "scenes.yaml", 2),
        ("a:\n  b: {c: 1}\n　　d: {c: 2}\n  e: 1", "scenes.yaml", 3),
        ("a: 1\nb: \udcce\udcc4", "scenes.not_utf8", 2),
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


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        ("a: b: c", "冒号", "colon"),
        ("a: 1\nb\nc: 2", "缺少", "followed by"),
        ("a: - b", "列表项", "list entry"),
        ("a:\n\tb: 2", "制表符", "tab"),
        ("a: @b", "'@'", "'@'"),
        ('a: "b', "引号没有配对", "not closed"),
        ('a: "\\q"', "反斜杠", "backslash"),
        ("a: [1\nb: 2", "括号没有配对", "bracket"),
        ("a: {b: 1", "“}”", "“}”"),
        ("a:\n  - 1\n b: 2", "缩进", "indentation"),
        ("a: 1\n---\nb: 2", "一份内容", "one document"),
        ("a: *b", "* 或 &", "* and &"),
        ("a: \x07", "控制字符", "control character"),
        ("%TAG x\n--- 1", "写法不对", "not written as"),
    ],
)
def test_what_is_no_yaml_is_said_in_both_languages(text: str, zh: str, en: str) -> None:
    wrong = read(text, "f.yaml").wrongs[0]
    said = {lang: wrong.said(lang).partition("YAML")[2] for lang in ("zh", "en")}
    assert zh in said["zh"]
    assert en in said["en"]
    assert not re.search("[A-Za-z]{4}", said["zh"]), "words of the library"


def test_a_fault_of_a_value_is_said_in_both_languages() -> None:
    document = read("stages:\n  intake:\n    limit: soon\n  accept: 5\n", "l.yaml")
    assert document.parse(LimitsFile) is None
    assert [wrong.said("zh") for wrong in document.wrongs] == [
        "l.yaml:3: stages.intake.limit 的值 soon 不正确（应为数字加单位，如 30m：m 分钟、h 小时、d 天、wh 工作小时、wd 工作日）",
        "l.yaml:4: stages.accept 的值 5 不正确（应为“键: 值”的对象）",
    ]
    assert [wrong.said("en").partition("(")[2] for wrong in document.wrongs] == [
        "must be a number and its unit such as 30m: m minutes, h hours, d days, wh working hours, wd working days)",
        "must be an object of keys and values)",
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("stages:\n  intake：{limit: 5m}\n  check: 1", "：”"),
        ("stages:\n  intake: {limit：5m}\n", "：”"),
        ("stages:\n  intake: {limit: 5m，red: 200}\n", "，”"),
        ("stages:\n  intake: {limit: “5m”}\n", "““”"),
        ("stages:\n  intake: {limit: 5m}\n　　check: {limit: 5m}\n", "U+3000"),
        ("stages:\n  intake: {limit: 5}\n", ""),
        ("stages:\n  intake: {limit: 5分钟}\n", ""),
        ("stages:\n  intake: {limit: '5m：'}\n  check: [a: b: '：'\n", ""),
    ],
)
def test_marks_of_a_chinese_keyboard_are_named(text: str, found: str) -> None:
    document = read(text, "l.yaml")
    assert document.parse(LimitsFile) is None
    said = " ".join(wrong.said("zh") for wrong in document.wrongs)
    assert ("全角" in said) == bool(found), said
    assert found in said
    assert "^[" not in said, "a pattern says nothing to most people"


@given(st.text(max_size=200))
def test_never_raises(text: str) -> None:
    document = read(text, "f.yaml")
    assert document.wrongs or document.data is None or isinstance(document.data, str | int | float | bool | list | dict)


@pytest.mark.parametrize("text", ["[" * 5000, "[" * 5000 + "]" * 5000, "a: " + "{b: " * 3000 + "1" + "}" * 3000, "- " * 3000 + "x"])
def test_too_deep_is_a_fault_and_no_crash(text: str) -> None:
    assert [wrong.key for wrong in read(text, "f.yaml").wrongs] == ["scenes.too_deep"]


def test_a_number_of_thousands_of_digits_is_no_whole_number() -> None:
    assert not isinstance(read("a: " + "1" * 5000, "f.yaml").data["a"], int)
