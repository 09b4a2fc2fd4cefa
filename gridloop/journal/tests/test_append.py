"""Facts: append-only in the database, chained, sealed by checkpoints, free of personal values."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from gridloop.journal.actions import append, append_many, erase, scoped, seal
from gridloop.journal.messages import FactIn
from gridloop.journal.models import ChainHead, Fact, Sealed
from gridloop.journal.selectors import chain_facts, unseal, verify
from gridloop.kernel.errors import Forbidden
from gridloop.kernel.hashing import ZERO_HASH, commitment, fact_hash
from gridloop.kernel.viewer import PUBLIC, SYSTEM

pytestmark = pytest.mark.django_db


def told(chain: str = "org", count: int = 3) -> list[dict[str, Any]]:
    with scoped(SYSTEM):
        return append_many(chain, [FactIn("tested", {"n": n, "share": 0.5, "名": "值"}) for n in range(count)], SYSTEM)


def test_chain_starts_with_zeros_and_each_fact_names_the_one_before() -> None:
    facts = told()
    assert facts[0]["previous_hash"] == ZERO_HASH
    assert [f["seq"] for f in facts] == [1, 2, 3]
    assert [f["previous_hash"] for f in facts[1:]] == [f["hash"] for f in facts[:-1]]
    assert all(fact_hash(f) == f["hash"] for f in facts)


def test_what_is_read_back_gives_the_same_hash() -> None:
    facts = told()
    assert [f.public() for f in chain_facts(SYSTEM, "org")] == facts
    assert verify(SYSTEM) == (3, None)


@pytest.mark.parametrize("sql", ["UPDATE journal_fact SET action = 'x'", "DELETE FROM journal_fact", "TRUNCATE journal_fact"])
@pytest.mark.parametrize("role", ["default", "owner"])
@pytest.mark.django_db(transaction=True, databases=["default", "owner"])
def test_update_delete_and_truncate_are_refused(sql: str, role: str) -> None:
    from django.db import connections

    told()
    with pytest.raises(DatabaseError), connections[role].cursor() as cursor:
        cursor.execute(sql)
    assert verify(SYSTEM) == (3, None)


def test_a_missing_end_is_found() -> None:
    told()
    ChainHead.objects.filter(chain="org").update(seq=4, hash="f" * 64)
    broken = verify(SYSTEM)[1]
    assert broken is not None
    assert "org #3" in broken.where


def test_fact_outside_of_a_transaction_is_refused(transactional_db: None) -> None:
    with pytest.raises(RuntimeError):
        append("org", "tested", {}, SYSTEM)


def test_sealed_value_stays_out_of_the_fact_and_erasing_leaves_the_chain_whole() -> None:
    with scoped(SYSTEM):
        entry = seal({"name": "王小明", "contact": "10011112222"}, subject="case:1/reporter", purpose="reporter")
        append("org", "tested", {"reporter": entry}, SYSTEM)
        row = Sealed.objects.get(id=entry["sealed"])
        assert commitment(bytes(row.key or b""), row.value) == entry["commitment"]
    assert "王小明" not in str([f.data for f in chain_facts(SYSTEM, "org")])
    assert unseal(SYSTEM, [entry["sealed"]])[entry["sealed"]]["name"] == "王小明"
    assert erase(SYSTEM, "case:1/reporter", "request") == 1
    assert unseal(SYSTEM, [entry["sealed"]]) == {entry["sealed"]: None}
    with scoped(SYSTEM):
        assert Sealed.objects.get(id=entry["sealed"]).key is None
    assert verify(SYSTEM)[1] is None


def test_erase_needs_the_right() -> None:
    with pytest.raises(Forbidden):
        erase(PUBLIC, "case:1/reporter", "request")


@pytest.mark.django_db(transaction=True)
def test_facts_are_unseen_without_a_viewer_on_a_used_connection() -> None:
    told()
    with scoped(SYSTEM):
        assert Fact.objects.count() == 3
    with transaction.atomic():
        assert Fact.objects.count() == 0, "after a scoped transaction the settings are empty, and empty shows nothing"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM journal_sealed")
        assert cursor.fetchone()[0] == 0


@pytest.mark.django_db(transaction=True)
def test_a_trace_that_grows_while_it_is_verified_is_not_broken() -> None:
    stop = threading.Event()

    def keep_appending() -> None:
        while not stop.is_set():
            told("case:busy", 1)
        connection.close()

    told("case:busy", 50)
    writer = threading.Thread(target=keep_appending)
    writer.start()
    try:
        assert [verify(SYSTEM)[1] for _ in range(30)] == [None] * 30
    finally:
        stop.set()
        writer.join()
