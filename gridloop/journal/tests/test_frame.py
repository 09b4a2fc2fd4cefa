"""What row security is told: by every frame, after every frame, after a failure."""

from __future__ import annotations

import pytest
from django.db import ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext

from gridloop.journal.frame import current_viewer, elevated, scoped, settle
from gridloop.kernel.viewer import SYSTEM, Grant, Viewer

CLERK = Viewer("clerk", user_id=7, staff_id=3, grants=(Grant("operator", "990101"),))
LEADER = Viewer("leader", user_id=8, grants=(Grant("leader", "990102"),))


def told() -> tuple[bool, int | None, list[str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT gl_system(), gl_user(), gl_regions()")
        system, user, regions = cursor.fetchone()
    return system, user, regions


@pytest.mark.django_db(transaction=True)
def test_each_frame_tells_its_viewer_and_the_outer_one_afterwards() -> None:
    with scoped(CLERK):
        assert told() == (False, 7, ["990101%"])
        with elevated():
            assert told()[0] is True
            with scoped(LEADER):
                assert told() == (False, 8, ["990102%"])
                assert current_viewer() == LEADER
            assert told()[0] is True
        assert told() == (False, 7, ["990101%"])
    assert told() == (False, None, [])  # on the same connection, used before
    assert current_viewer() is None


@pytest.mark.django_db(transaction=True)
def test_the_system_inside_of_elevated_is_told_nothing_new() -> None:
    with scoped(CLERK), elevated(), CaptureQueriesContext(connection) as seen:
        with scoped(SYSTEM):
            assert current_viewer() == SYSTEM
        with scoped(SYSTEM), scoped(LEADER):
            assert told() == (False, 8, ["990102%"])
        assert told()[0] is True
    assert len([q for q in seen if "set_config" in q["sql"]]) == 2


@pytest.mark.django_db(transaction=True)
def test_a_failed_inner_frame_fails_all_of_it() -> None:
    with scoped(CLERK):
        with pytest.raises(ValueError, match="wrong"), elevated():
            raise ValueError("wrong")
        with pytest.raises(transaction.TransactionManagementError):
            told()
    assert told() == (False, None, [])


@pytest.mark.django_db(transaction=True)
def test_a_savepoint_around_it_puts_the_settings_back() -> None:
    with scoped(CLERK):
        with pytest.raises(ValueError, match="wrong"), transaction.atomic(), elevated():
            raise ValueError("wrong")
        assert told() == (False, 7, ["990101%"])


@pytest.mark.django_db
def test_a_frame_inside_of_a_transaction_of_others_leaves_it_blind() -> None:
    with transaction.atomic():
        with scoped(CLERK):
            assert told()[1] == 7
        assert told() == (False, None, [])
        with pytest.raises(ValueError, match="wrong"), scoped(CLERK):
            raise ValueError("wrong")
        assert told() == (False, None, [])


@pytest.mark.django_db(transaction=True)
def test_a_savepoint_that_is_gone_takes_what_was_told_inside_with_it() -> None:
    """The narrow settings were told inside of it: afterwards the wide ones hold again, and the next look must not use them."""
    with scoped(CLERK):
        with elevated():
            assert told()[0] is True
        before = transaction.savepoint()
        assert told() == (False, 7, ["990101%"])
        transaction.savepoint_rollback(before)
        assert told() == (False, 7, ["990101%"])


@pytest.mark.django_db(transaction=True)
def test_a_failed_statement_in_a_savepoint_leaves_the_frame_usable() -> None:
    with scoped(CLERK):
        with pytest.raises(ProgrammingError), transaction.atomic(), elevated(), connection.cursor() as cursor:
            cursor.execute("SELECT nothing_of_this_name")
        assert told() == (False, 7, ["990101%"])


@pytest.mark.django_db(transaction=True)
def test_a_change_of_viewer_that_asks_nothing_costs_nothing() -> None:
    with CaptureQueriesContext(connection) as seen, scoped(CLERK), elevated(), scoped(LEADER):
        pass
    assert not [q for q in seen if "set_config" in q["sql"]]


@pytest.mark.django_db(transaction=True)
def test_a_statement_past_djangos_cursor_is_settled_by_hand() -> None:
    with scoped(CLERK):
        assert told()[1] == 7
        with scoped(LEADER):
            settle()
            user = connection.connection.execute("SELECT gl_user()").fetchone()[0]
        assert user == 8
