"""Limits of one moment: what only tells fires before what moves the case on, whatever their numbers are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gridloop.flow.actions import due_ids
from gridloop.flow.models import Limit
from gridloop.journal.actions import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM

pytestmark = pytest.mark.django_db
AT = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize("turned", [False, True])
def test_a_card_comes_before_the_wait_that_ends_at_the_same_moment(turned: bool) -> None:
    ids = [UUID(int=n + 1) for n in range(4)]
    told = [("remind", 80), ("yellow", 100), ("wait", 0)]
    with scoped(SYSTEM), clock.fixed(AT):
        for (kind, share), one in zip(told, reversed(ids[:3]) if turned else ids[:3], strict=True):
            Limit.objects.create(id=one, case_code="C1", kind=kind, stage="verify", share=share, due_at=AT)
        Limit.objects.create(id=ids[3], case_code="C1", kind="wait", stage="", due_at=AT - timedelta(seconds=1))
        kinds = dict(Limit.objects.values_list("id", "kind"))
        assert [kinds[UUID(one)] for one in due_ids("C1")] == ["wait", "remind", "yellow", "wait"]
