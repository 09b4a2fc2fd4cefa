"""The page about detectors: every example is right, is told just so, and every word that can be written stands in it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gridloop.detection import vocabulary
from gridloop.detection.sentences import sentences
from gridloop.detection.vocabulary import OPERATORS, Key
from gridloop.scenes.loading import ROOT, check_detect, signal_kinds
from gridloop.scenes.strict_yaml import read
from gridloop.scenes.tests.packkit import KNOWN

PAGE = (ROOT / "docs" / "reference" / "detect.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```\n\n((?:>[^\n]*\n)+)", PAGE, re.DOTALL)
TABLES: list[dict[str, Key]] = [
    *OPERATORS.values(),
    vocabulary.DETECTOR,
    vocabulary.STEP,
    vocabulary.SPAN,
    vocabulary.ONLY,
    vocabulary.PICK,
    vocabulary.STRETCH,
]
WORDS = {
    *OPERATORS,
    *vocabulary.MODIFIERS,
    *vocabulary.GROUPINGS,
    *vocabulary.FACTS,
    *vocabulary.WEEK,
    *(name for table in TABLES for name in table),
    *(word for table in TABLES for key in table.values() for word in key.words),
    "schedules",
    "known",
    "any",
}


@pytest.mark.parametrize(("text", "told"), EXAMPLES, ids=[text.split("\n")[1].strip(" :") for text, _ in EXAMPLES])
def test_the_example_is_right_and_told_so(text: str, told: str) -> None:
    document = read(text, "detect.yaml")
    check_detect(document, KNOWN)
    assert [wrong.said("en") for wrong in document.wrongs] == []
    zh, en = (list(sentences(document.data, signal_kinds(), lang).values()) for lang in ("zh", "en"))
    assert told == "".join(f"> {one}\n>\n> {other}\n" for one, other in zip(zh, en, strict=True))


def test_there_is_an_example_of_every_operator_and_modifier() -> None:
    def keys(part: Any) -> set[str]:
        if isinstance(part, list):
            return {key for item in part for key in keys(item)}
        return set(part) | {key for value in part.values() for key in keys(value)} if isinstance(part, dict) else set()

    used = {key for text, _ in EXAMPLES for key in keys(read(text, "x").data)}
    assert {*OPERATORS, *vocabulary.MODIFIERS} - used - {"any"} == set()


@pytest.mark.parametrize("word", sorted(WORDS))
def test_every_word_is_explained(word: str) -> None:
    assert re.search(rf"`{word}[`: ]|[{{ ]{word}: ", PAGE) or f"`{word}`" in PAGE
