"""Statements sent together: in what is sent together already, nothing waits at the end of the inner part."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, connection, transaction

from gridloop.journal.rows import ask_together, is_together, together

pytestmark = pytest.mark.django_db


def test_an_inner_part_goes_with_the_outer_one() -> None:
    with connection.cursor() as late, together():
        assert is_together()
        late.execute("SELECT 1")
        with together(), connection.cursor() as inner:
            inner.execute("SELECT 2")
        assert is_together(), "the inner part has ended nothing"
        assert ask_together(("SELECT 3", []), ("SELECT 4", [])) == [[(3,)], [(4,)]], "a read waits for all before it"
        assert is_together()
        assert late.fetchone() == (1,)
    assert not is_together()


def twice_the_same_chain() -> None:
    with transaction.atomic(), connection.cursor() as cursor, together():
        with together():
            cursor.execute("INSERT INTO journal_chainhead (chain, seq, hash) VALUES ('x:1', 1, ''), ('x:1', 2, '')")
        cursor.execute("SELECT 1")


def test_a_refusal_in_an_inner_part_ends_the_outer_one_and_the_savepoint_heals_it() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        with pytest.raises(IntegrityError):
            twice_the_same_chain()
        assert not is_together()
        cursor.execute("SELECT 5")
        assert cursor.fetchone() == (5,)
