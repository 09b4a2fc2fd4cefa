"""Answers to a task's form (a JSON Schema): what is wrong with them, and which of them a process may go by. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from gridloop.kernel.errors import FieldFault
from gridloop.kernel.texts import Words

FORMATS = FormatChecker(())  # a checker without an argument knows what happens to be installed: only what screens ask for is checked
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})")
_WRONG = {"date": "cases.form_date", "date-time": "cases.form_moment"}


@FORMATS.checks("date", raises=ValueError)
def _day(said: object) -> bool:
    return not isinstance(said, str) or (_DAY.fullmatch(said) is not None and bool(date.fromisoformat(said)))


@FORMATS.checks("date-time", raises=ValueError)
def _moment(said: object) -> bool:
    """With its zone: a time of day alone is another moment elsewhere."""
    return not isinstance(said, str) or (_MOMENT.fullmatch(said) is not None and bool(datetime.fromisoformat(said)))


@dataclass(frozen=True, slots=True)
class Title(Words):
    """What people call fields of a form, in the language of the sentence it is put into."""

    en: str = ""

    def said(self, lang: str) -> str:
        return self.en if lang == "en" and self.en else self.key


def form_fault(form: Mapping[str, Any] | None, answers: Mapping[str, Any]) -> FieldFault | None:
    """The first thing wrong with the answers."""
    if form is None:
        return None
    found = Draft202012Validator(form, format_checker=FORMATS).iter_errors(dict(answers))
    wrong = next(iter(sorted(found, key=lambda one: list(map(str, one.absolute_path)))), None)
    if wrong is None:
        return None
    if wrong.validator == "required":
        name = next((name for name in wrong.validator_value if name not in wrong.instance), "")
        return FieldFault(f"/form/{name}", "cases.form_missing", {"name": titled(form, name)})
    if path := [str(one) for one in wrong.absolute_path]:
        return FieldFault("/form" + "".join(f"/{one}" for one in path), _key(wrong), {"name": titled(form, path[0])})
    known = form.get("properties", {})
    others = ", ".join(str(name)[:40] for name in answers if name not in known)
    return FieldFault("/form", "cases.form_other", {"names": others, "known": titled(form, *known)})


def _key(wrong: ValidationError) -> str:
    return _WRONG.get(str(wrong.validator_value), "cases.form_wrong") if wrong.validator == "format" else "cases.form_wrong"


def titled(form: Mapping[str, Any], *names: str) -> Title:
    fields = {name: form.get("properties", {}).get(name, {}) for name in names}
    chinese = {name: str(field.get("title", name)) for name, field in fields.items()}
    return Title(", ".join(chinese.values()), en=", ".join(str(field.get("x-title-en", chinese[name])) for name, field in fields.items()))


def steering(form: Mapping[str, Any] | None, answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers a process may go by: choices and yes or no. Words of people's own are none: they stay sealed."""
    fields = (form or {}).get("properties", {})
    chosen = {name for name, field in fields.items() if field.get("type") == "boolean" or "enum" in field or "oneOf" in field}
    return {name: answer for name, answer in answers.items() if name in chosen and name not in ("case", "params")}
