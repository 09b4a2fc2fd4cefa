"""The job ``retention``: everything whose time is over goes, rule by rule, in batches; one rule's fault stops no other."""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.utils.module_loading import import_string
from prometheus_client import Counter
from structlog.contextvars import bound_contextvars

from gridloop.journal.actions import append
from gridloop.journal.frame import scoped
from gridloop.kernel.retention import Rule, rules
from gridloop.kernel.viewer import SYSTEM

log = logging.getLogger(__name__)
REMOVED = Counter("gridloop_retention_removed_total", "What retention removed", ["rule"])
BATCH, MOST_BATCHES = 500, 200  # one turn: 100,000 of a kind


@cache
def _sweep(target: str) -> Callable[[int, bool], int]:
    return cast(Callable[[int, bool], int], import_string(target.replace(":", ".")))


def swept() -> list[Rule]:
    """The rules that something is removed by."""
    return [rule for rule in rules().values() if rule.run]


def due() -> dict[str, int]:
    """What a turn would remove now, by rule; nothing is changed."""
    return {rule.name: _sweep(rule.run)(0, True) for rule in swept()}


def state_file() -> Path:
    return Path(settings.DATA_DIR) / "run" / "retention.json"


def run() -> bool:
    """One turn; True when a rule had more than a turn removes."""
    removed: dict[str, int] = {}
    failed: dict[str, str] = {}
    more = False
    for rule in swept():
        with bound_contextvars(rule=rule.name):
            try:
                removed[rule.name], left = _apply(rule)
                more = more or left
            except Exception as fault:  # told by doctor and in the log; the other rules go on
                log.exception("retention of %s failed", rule.name)
                failed[rule.name] = type(fault).__name__
    told = {name: count for name, count in removed.items() if count and not rules()[name].quiet}
    if told:
        with scoped(SYSTEM):
            append("org", "retention_applied", {"removed": told}, SYSTEM)
    _note({"at": time.time(), "removed": removed, "failed": failed})
    _note_disk()
    return more


def _apply(rule: Rule) -> tuple[int, bool]:
    total = 0
    for _ in range(MOST_BATCHES):
        count = _sweep(rule.run)(BATCH, False)
        total += count
        REMOVED.labels(rule.name).inc(count)
        if count < BATCH:
            return total, False
    return total, True


def _note_disk() -> None:
    """A sample of the free space for the forecast of ``gridloop doctor``: at most one an hour, a fortnight of them."""
    path = Path(settings.DATA_DIR) / "disk.json"
    samples = json.loads(path.read_text(encoding="utf-8"))["free"] if path.exists() else []
    now = time.time()
    if not samples or now - samples[-1][0] > 3000:
        _write(path, {"free": [*samples[-336:], [now, shutil.disk_usage(settings.DATA_DIR).free]]})


def _note(state: dict[str, Any]) -> None:
    _write(state_file(), state)


def _write(path: Path, state: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".tmp")
    partial.write_text(json.dumps(state), encoding="utf-8")
    partial.replace(path)
