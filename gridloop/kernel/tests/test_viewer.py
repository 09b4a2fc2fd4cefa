"""Where a permission holds: never further than its grant, never wider than the token."""

from __future__ import annotations

from dataclasses import replace

from gridloop.kernel.viewer import PUBLIC, SYSTEM, Grant, Viewer

TOWN = Grant("operator", "990101100", permissions=frozenset({"case.read", "case.accept"}))
COUNTY = Grant("leader", "990101", permissions=frozenset({"case.read", "case.urge"}))
BUREAU = Grant("handler", "", frozenset({7, 8}), frozenset({"case.read", "task.act"}))
BOTH = Viewer("both", 1, grants=(TOWN, COUNTY), permissions=frozenset({"case.report"}))


def test_a_permission_is_held_where_its_own_grant_reaches() -> None:
    assert all(BOTH.can(p) for p in ("case.accept", "case.urge", "case.report"))
    assert BOTH.may("case.accept", "990101100200")
    assert not BOTH.may("case.accept", "990101101")
    assert BOTH.may("case.urge", "990101101")
    assert not BOTH.may("case.urge", "990102")
    assert not BOTH.may("case.report", "990101100"), "of no territory: only for what names the viewer"
    assert BOTH.may("case.report", "", named=True)
    assert not BOTH.may("case.void", "990101100", named=True)


def test_a_grant_of_a_department_reaches_what_its_units_have_in_hand() -> None:
    handler = Viewer("handler", 2, grants=(BUREAU,))
    assert handler.may("task.act", "990101100", (8, None))
    assert not handler.may("task.act", "990101100", (9,))
    assert not handler.may("task.act", "990101100")


def test_sight_narrows_to_the_grants_that_give_the_permission() -> None:
    assert BOTH.within("case.accept").regions == ("990101100",)
    assert BOTH.within("case.read") is BOTH
    assert BOTH.within("task.act").regions == ()
    assert BOTH.within("task.act").can("case.report")


def test_a_token_narrows_all_three() -> None:
    narrow = replace(BOTH, scopes=frozenset({"case.read"}))
    assert narrow.everything == {"case.read"}
    assert not narrow.may("case.accept", "990101100")
    assert not narrow.can("case.urge")


def test_the_system_may_everything_and_the_public_its_own() -> None:
    assert SYSTEM.may("case.void", "")
    assert SYSTEM.within("case.void") is SYSTEM
    assert PUBLIC.within("case.report") is PUBLIC
    assert not PUBLIC.may("case.read", "", named=True)
