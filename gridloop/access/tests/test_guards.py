"""Row security of accounts: the second lock behind the selectors. It must hold on a connection that was used before."""

from __future__ import annotations

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from gridloop.access.actions import issue_token, log_look
from gridloop.access.models import LookLog, RoleGrant, User
from gridloop.access.tests.conftest import Cast
from gridloop.doors.cli.database import Urls
from gridloop.journal.selectors import scoped
from gridloop.kernel.viewer import SYSTEM


def test_the_app_role_is_ordinary(cast: Cast) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == ("gridloop_app", False, False)


@pytest.mark.django_db(transaction=True)
def test_a_used_connection_shows_nothing_outside_a_frame(cast: Cast) -> None:
    with scoped(cast.viewer("operator")):
        log_look(cast.viewer("operator"), "person:1", "visit", "走访独居老人")
        assert LookLog.objects.count() == 1
    # the same connection, the settings of the transaction are over ('' now, not NULL)
    assert LookLog.objects.count() == 0
    assert RoleGrant.objects.count() == 0
    with scoped(cast.viewer("operator")):
        assert LookLog.objects.count() == 1


def test_a_person_sees_own_grants_only(cast: Cast) -> None:
    operator = cast.viewer("operator")
    with scoped(operator):
        assert [g.role for g in RoleGrant.objects.all()] == ["operator"]


def test_a_person_cannot_give_themselves_a_role(cast: Cast) -> None:
    operator = cast.viewer("operator")
    with pytest.raises(DatabaseError), transaction.atomic(), scoped(operator):
        RoleGrant.objects.create(user_id=operator.user_id or 0, role="admin")


def test_a_person_cannot_change_another_account(cast: Cast) -> None:
    with scoped(cast.viewer("operator")):
        assert User.objects.filter(username="handler").update(name="x") == 0
        assert User.objects.filter(username="operator").update(lang="en") == 1
    with pytest.raises(DatabaseError), transaction.atomic(), scoped(cast.viewer("operator")):
        User.objects.create(username="ghost", name="x")


def test_looks_cannot_be_changed_or_deleted_by_people(cast: Cast) -> None:
    operator = cast.viewer("operator")
    log_look(operator, "person:1", "visit", "走访独居老人")
    with scoped(operator):
        assert LookLog.objects.update(reason="nothing") == 0
        assert LookLog.objects.all().delete()[0] == 0
    with scoped(SYSTEM):
        assert LookLog.objects.get().reason == "走访独居老人"


@pytest.mark.django_db(transaction=True)
def test_ingest_checks_a_token_without_rights_on_the_tables(cast: Cast, database_urls: Urls) -> None:
    operator = cast.viewer("operator").user_id
    token = issue_token(SYSTEM, operator or 0, ["signals"])
    with psycopg.connect(database_urls.ingest) as ingest:
        found = ingest.execute(
            "SELECT user_id, scopes, roles FROM gl_bearer(encode(sha256(%s), 'hex'), now())", [token.encode()]
        ).fetchall()
        assert found == [(operator, "signals", ["operator"])]
        assert ingest.execute("SELECT * FROM gl_bearer('nonsense', now())").fetchall() == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ingest.execute("SELECT * FROM allauth_idp_oidc_token")
