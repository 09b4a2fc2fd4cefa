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
from gridloop.kernel.texts import Words, say

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


def in_words(form: Mapping[str, Any] | None, answers: Mapping[str, Any], lang: str) -> str:
    """What was answered, a line each, in the form's words; without what the form took from the case, which says it to those who may see."""
    fields = (form or {}).get("properties", {})
    order = [*(name for name in (form or {}).get("required", ()) if name in answers), *answers]
    shown = [name for name in dict.fromkeys(order) if "x-from" not in fields.get(name, {}) and answers[name] not in ("", None)]
    return "\n".join(
        say("cases.form_answer", lang, name=titled(form or {}, name), answer=_answer(fields.get(name, {}), answers[name], lang))
        for name in shown
    )


def _answer(field: Mapping[str, Any], answer: Any, lang: str) -> str:
    if isinstance(answer, bool):
        return say("cases.form_yes" if answer else "cases.form_no", lang)
    for one in field.get("oneOf", ()):
        if one.get("const") == answer:
            return Title(str(one.get("title", answer)), en=str(one.get("x-title-en", ""))).said(lang)
    if field.get("format") == "date-time":  # by the clock it was given in
        return f"{datetime.fromisoformat(str(answer)):%Y-%m-%d %H:%M}"
    return str(answer)
