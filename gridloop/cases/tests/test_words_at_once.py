"""Two transactions change the texts of one case at the same moment: its words are those of the texts that stand afterwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from gridloop.cases import actions
from gridloop.cases.history import columns_of, index_words, keep_historic, ready
from gridloop.cases.messages import HistoricCase
from gridloop.cases.rules import reporter_subject
from gridloop.cases.tests.kit import EAST, build
from gridloop.cases.tests.test_life import new_report
from gridloop.cases.tests.test_together import Held
from gridloop.journal.actions import erase, scoped, seal
from gridloop.kernel import clock
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.scenes.book import BOOK

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def county(transactional_db: Any) -> None:
    build()
    BOOK.forget()
    BOOK.installed()


def kept(pair: str) -> bool:
    """Whether the two characters are among the words of the only case (a search looks into the texts, too)."""
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FILTER (WHERE p & ((1::bigint << 42) - 1) = gl.pair), count(DISTINCT case_id)"
            " FROM cases_words w, unnest(w.words) p, (SELECT (gl_pairs(ARRAY[%s], 0))[1] AS pair) gl",
            [pair],
        )
        times, cases = cursor.fetchone()
    assert cases == 1
    return bool(times)


def at_once(first: Callable[[], object], second: Callable[[], object]) -> None:
    """The second begins while the transaction of the first is open; it may have to wait for its end."""
    one, two = Held(first), Held(second)
    one.start()
    assert one.done.wait(20)
    two.commit.set()
    two.start()
    two.done.wait(1)
    one.commit.set()
    for thread in (one, two):
        thread.join(20)
        assert not thread.is_alive()
    assert two.done.is_set()


def tell(code: str, text: str) -> None:
    """One more report's words, by whatever road; the case itself is locked by nobody."""
    with scoped(SYSTEM):
        seal(text, subject=f"case:{code}/another", purpose="case_text", case=code)


@pytest.mark.parametrize("turn", ["told first", "erased first"])
def test_an_erasure_and_a_new_report(county: None, turn: str) -> None:
    code = actions.report(PUBLIC, new_report(text="密语在此", kind="01002")).case
    acts = [lambda: tell(code, "井盖松动"), lambda: erase(SYSTEM, reporter_subject(code), "subject_request")]
    at_once(*(acts if turn == "told first" else reversed(acts)))
    assert kept("井盖")
    assert not kept("密语")


@pytest.mark.parametrize("turn", ["erased first", "words first"])
def test_an_erasure_and_the_words_of_cases_kept_in_bulk(county: None, turn: str) -> None:
    old = HistoricCase("H00000001", "01002", f"{EAST}200001001", clock.now(), closed_at=clock.now(), title="东镇一村路灯", text="密语在此")
    assert keep_historic(SYSTEM, ready(columns_of([old]))) == 1
    with scoped(SYSTEM), connection.cursor() as cursor:  # as a program before the postings has left it
        cursor.execute("DELETE FROM cases_posting")
        cursor.execute("INSERT INTO cases_words_due SELECT id, id FROM cases_case")
    acts = [lambda: erase(SYSTEM, reporter_subject(old.code), "subject_request"), index_words]
    at_once(*(acts if turn == "erased first" else reversed(acts)))
    while index_words():
        continue
    assert kept("一村")
    assert not kept("密语")
