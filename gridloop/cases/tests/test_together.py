"""A signal and a person's report of one thing at the same moment, on two connections, make one case (B1)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, transaction

from gridloop.cases import actions
from gridloop.cases.models import Case, Source
from gridloop.cases.tests.kit import HERE, build
from gridloop.cases.tests.test_life import new_report
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.scenes.book import BOOK
from gridloop.sdk.signals import Signal

pytestmark = pytest.mark.django_db(transaction=True)


def by_signal() -> None:
    lamp = Signal("s1", "lamps", "lamp-1", "facility_damaged", clock.now(), 1.0, *HERE)
    for match in BOOK.recognise(lamp, "990101"):
        actions.receive_signal(SYSTEM, lamp, match)


def by_report() -> None:
    actions.report(PUBLIC, new_report(kind="01002"))


class Held(threading.Thread):
    """Does something on a connection of its own and keeps the transaction open until told."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__()
        self.act, self.done, self.commit = act, threading.Event(), threading.Event()

    def run(self) -> None:
        with transaction.atomic():
            self.act()
            self.done.set()
            self.commit.wait(20)
        connections.close_all()


@pytest.mark.parametrize("acts", [(by_signal, by_report), (by_report, by_signal)], ids=["signal first", "report first"])
def test_both_at_once_are_one_case(transactional_db: Any, acts: tuple[Callable[[], None], Callable[[], None]]) -> None:
    build()
    BOOK.forget()
    BOOK.installed()
    first, second = (Held(act) for act in acts)
    first.start()
    assert first.done.wait(20)
    second.start()
    assert not second.done.wait(1), "the second waits for the first at its place"
    second.commit.set()
    first.commit.set()
    for thread in (first, second):
        thread.join(20)
    with scoped(SYSTEM):
        assert Case.objects.count() == 1
        assert Source.objects.count() == 2
