"""Erasing takes the value, its key and its traces in kept answers; the chain and the answers' keys stay."""

from __future__ import annotations

import orjson
import pytest

from gridloop.journal.actions import ERASED_BODY, append, erase, scoped, seal
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
