"""A restore into a server whose transactions are counted from a lower number: what comes after is still seen after."""

from __future__ import annotations

import pytest
from django.db import connections

from gridloop.doors.cli.database import continue_order
from gridloop.journal.actions import append, consume, scoped
from gridloop.journal.models import Offset
from gridloop.kernel.viewer import SYSTEM


def _add(n: int) -> None:
    with scoped(SYSTEM):
        append("org", "tested", {"n": n}, SYSTEM)


def _drain() -> list[int]:
    seen: list[int] = []
    while consume("restored", lambda facts: seen.extend(f.data["n"] for f in facts)):
        pass
    return seen


@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_new_facts_come_after_restored_ones() -> None:
    before = Offset.objects.get().value
    Offset.objects.update(value=before + 10_000_000)  # the server the backup was taken from was older by ten million transactions
    _add(1)
    assert _drain() == [1]
    Offset.objects.update(value=before)
    _add(2)
    assert _drain() == [], "without the offset a new fact lies before the restored one"
    Offset.objects.update(value=before)
    continue_order(connections["owner"])
    _add(3)
    assert _drain() == [3]
    raised = Offset.objects.get().value
    continue_order(connections["owner"])
    assert Offset.objects.get().value >= raised, "a second call never lowers it"
