"""How long every kind of data is kept: one table (``retention.yaml``), which ``GRIDLOOP_KEEP_DAYS`` may change within the law's bounds."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from gridloop.kernel import plain_yaml
from gridloop.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of data. ``run`` is ``module:function``: ``(limit, dry) -> rows removed, or in a dry run: to be removed``."""

    name: str
    days: float
    zh: str
    en: str
    at_least: float = 0
    sealed: bool = False
    run: str = ""
    quiet: bool = False


@cache
def _table() -> dict[str, Rule]:
    found = plain_yaml.read(Path(__file__).parent / "retention.yaml")
    return {name: Rule(name, **row) for name, row in found.items()}


@cache
def _changed(setting: str) -> dict[str, Rule]:
    table = dict(_table())
    for part in filter(None, (word.strip() for word in setting.split(","))):
        name, _, number = part.partition("=")
        rule = table.get(name.strip())
        if rule is None or rule.days == 0:
            known = ", ".join(sorted(n for n, r in table.items() if r.days))
            raise Invalid("kernel.keep_unknown", name=name, known=known)
        if not number.strip().isdigit() or int(number) < max(1, rule.at_least):
            raise Invalid("kernel.keep_days", name=rule.name, least=f"{max(1, rule.at_least):g}", given=number)
        table[rule.name] = Rule(rule.name, int(number), rule.zh, rule.en, rule.at_least, rule.sealed, rule.run, rule.quiet)
    return table


def rules() -> dict[str, Rule]:
    """The table as it holds here; a wrong ``GRIDLOOP_KEEP_DAYS`` (``looks=400,visits=14``) raises Invalid."""
    return _changed(os.environ.get("GRIDLOOP_KEEP_DAYS", ""))


def kept(name: str) -> timedelta:
    """How long this kind is kept."""
    return timedelta(days=rules()[name].days)
