"""Sentences by key and language, gathered from every room's ``texts.yaml`` (``key: {zh: …, en: …}``)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gridloop.kernel import plain_yaml

LANGUAGES = ("zh", "en")


@cache
def all_texts() -> dict[str, dict[str, str]]:
    """Every key of every room; a key given twice is a programming error."""
    texts: dict[str, dict[str, str]] = {}
    for path in sorted(Path(__file__).parent.parent.glob("*/texts.yaml")):
        for key, languages in (plain_yaml.read(path) or {}).items():
            if key in texts:
                raise ValueError(f"{path}: text key {key!r} stands in another room too")
            texts[key] = languages
    return texts


@dataclass(frozen=True, slots=True)
class Words:
    """A part of a sentence, said in the sentence's language: a text key and its placeholders."""

    key: str
    params: tuple[tuple[str, Any], ...] = ()

    def said(self, lang: str) -> str:
        return say(self.key, lang, **dict(self.params))

    def __str__(self) -> str:
        return self.said("zh")


@dataclass(frozen=True, slots=True)
class Codes:
    """Codes of the program – verbs, roles – in a sentence: people read ``word(code, language)``, machines the codes (``str``)."""

    codes: tuple[str, ...]
    word: Callable[[str, str], str]

    def said(self, lang: str) -> str:
        return ("、" if lang == "zh" else ", ").join(self.word(code, lang) for code in self.codes) or ("无" if lang == "zh" else "nothing")

    def __str__(self) -> str:
        return ", ".join(self.codes)


def say(key: str, lang: str = "zh", /, **params: Any) -> str:
    """The sentence in the language; an unknown key is shown as itself so that nothing is lost."""
    sentence = all_texts().get(key, {}).get(lang) or all_texts().get(key, {}).get("zh") or key
    try:
        return sentence.format(**{name: value.said(lang) if isinstance(value, Words | Codes) else value for name, value in params.items()})
    except (KeyError, IndexError):
        return sentence
