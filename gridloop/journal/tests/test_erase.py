"""Erasing takes the value, its key and its traces in kept answers; the chain and the answers' keys stay."""

from __future__ import annotations

from importlib import import_module

import orjson
import pytest
from django.db import connections, transaction

from gridloop.journal.actions import ERASED_BODY, append, erase, erase_naming, scoped, seal
from gridloop.journal.models import Answer, Sealed
from gridloop.journal.selectors import unseal, verify
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM

pytestmark = pytest.mark.django_db
WORDS = ["欧阳不二过", '他说："100%_是"', "后\\斜线", "多\n行"]


def answered(key: str, body: object) -> None:
    Answer.objects.create(key=key, body_hash="", status=200, body=orjson.dumps(body).decode(), at=clock.now())


@pytest.mark.parametrize("word", WORDS)
def test_kept_answers_lose_the_words_but_not_their_key(word: str) -> None:
    with scoped(SYSTEM):
        sealed = seal({"name": word, "contact": ""}, subject="case:1/reporter", purpose="reporter", case="1")
        append("case:1", "reported", {"reporter": sealed}, SYSTEM, "1")
        answered("told", {"text": f"我是{word}。"})
        answered("other", {"text": "与此无关 100 行"})
    assert erase(SYSTEM, "case:1/reporter", "request") == 1
    with scoped(SYSTEM):
        bodies = dict(Answer.objects.values_list("key", "body"))
        assert bodies["told"] == ERASED_BODY, "a repeat finds its key and has no second effect"
        assert "与此无关" in bodies["other"]
        row = Sealed.objects.get(id=sealed["sealed"])
        assert (row.value, row.key, row.erased_rule) == (None, None, "request")
    assert unseal(SYSTEM, [sealed["sealed"]]) == {sealed["sealed"]: None}
    assert verify(SYSTEM)[1] is None


@pytest.mark.parametrize("word", [*WORDS, "13800001234"])
def test_whatever_names_somebody_goes_whosever_it_is(word: str) -> None:
    told = {
        "case:1": word,
        "case:2": {"note": f"已联系{word}。"},
        "case:3": "请打 138-0000 1234",
        "case:5": "请打１３８００００１２３４",
        "case:4": "与此无关 138 0000 99",
    }
    with scoped(SYSTEM):
        for subject, value in told.items():
            seal(value, subject=subject, purpose="case_note", case=subject.removeprefix("case:"))
    spaced = ["case:3", "case:5"] if word.isdecimal() else []  # a number, whatever stands between its digits, wide ones, too
    assert sorted(erase_naming(SYSTEM, {word}, "request")) == ["case:1", "case:2", *spaced]
    assert erase_naming(SYSTEM, {word, "一"}, "request") == [], "once, and never by one character"
    with scoped(SYSTEM):
        kept = Sealed.objects.filter(erased_at__isnull=True).values_list("subject", flat=True)
        assert sorted(kept) == sorted(told.keys() - {"case:1", "case:2", *spaced})


def test_a_purpose_without_a_retention_is_not_kept_at_all() -> None:
    with scoped(SYSTEM), pytest.raises(KeyError):
        seal("…", subject="case:1", purpose="just_in_case")


@pytest.mark.django_db(databases=["default", "owner"])
def test_values_sealed_without_an_end_get_one() -> None:
    """The migration on rows of before; everything is taken back."""
    migration = import_module("gridloop.journal.migrations.0003_retention")
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("ALTER TABLE journal_sealed ALTER retain_until DROP NOT NULL")
        cursor.execute(
            "INSERT INTO journal_sealed (id, subject, purpose, created_at, erased_rule) "
            "VALUES (gen_random_uuid(), 'case:1/reporter', 'reporter', '2026-01-01T00:00Z', '')"
        )
        cursor.execute(migration.GIVE_AN_END)
        cursor.execute("SELECT retain_until::date::text FROM journal_sealed WHERE subject = 'case:1/reporter'")
        assert cursor.fetchall() == [("2028-12-31",)]
        transaction.set_rollback(True, using="owner")
