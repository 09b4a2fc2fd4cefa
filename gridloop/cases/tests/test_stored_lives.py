"""Lives at random on real rows: whatever verbs come in whatever order, the trace of the case counts on by one and verifies."""

from __future__ import annotations

import random
from contextlib import suppress
from itertools import pairwise

import pytest

from gridloop.cases import actions, present
from gridloop.cases.tests.kit import Cast
from gridloop.cases.tests.test_life import new_report
from gridloop.evidence.tests.kit import photo_of
from gridloop.journal.actions import checkpoint
from gridloop.journal.selectors import verify
from gridloop.kernel.errors import Fault, NotFound
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer

PUSHES = 20


def offers(people: list[Viewer], code: str) -> list[tuple[Viewer, str, str]]:
    found = []
    for who in people:
        with suppress(NotFound):  # the case is not theirs to see yet
            found += [(who, str(t["id"]), verb) for t in present.case_tasks(who, code) for verb in t["verbs"]]
    return found


def push(people: list[Viewer], code: str, chance: random.Random) -> bool:
    """Something that is offered to somebody, else a verb that may be refused; True when it was done."""
    found = offers(people, code)
    try:
        if not found or chance.random() < 0.2:
            chance.choice((actions.urge, actions.supervise))(chance.choice(people), code, {"note": "请尽快"})
        else:
            who, task, verb = chance.choice(found)
            actions.act(who, task, verb, {"note": "说明"} | ({"evidence": [photo_of(who)]} if verb == "submit" else {}))
    except Fault:
        return False
    return True


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(3))
def test_stored_lives_verify(cast: Cast, seed: int) -> None:
    chance = random.Random(seed)
    people = [one for name, one in sorted(cast.viewers.items()) if name not in ("admin", "citizen")]
    code = actions.report(PUBLIC, new_report()).case
    assert sum(push(people, code, chance) for _ in range(PUSHES)) >= 3
    facts = present.trace(SYSTEM, code, 0, 500)
    assert [fact["seq"] for fact in facts] == list(range(1, len(facts) + 1))
    assert all(later["previous_hash"] == one["hash"] for one, later in pairwise(facts))
    checkpoint()
    count, broken = verify(SYSTEM)
    assert broken is None
    assert count >= len(facts)
