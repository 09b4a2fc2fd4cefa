"""Three officers, three people: nobody holds two of their roles, nobody enters the accounts of those who watch."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from gridloop.access import actions
from gridloop.access.models import RoleGrant
from gridloop.access.selectors import user_id_of, viewer_for
from gridloop.access.tests.conftest import COUNTY, Cast
from gridloop.journal.selectors import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, NotNow
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("operator", "auditor"),
        ("operator", "security_officer"),
        ("admin", "security_officer"),
        ("admin", "auditor"),
        ("auditor", "operator"),
    ],
)
def test_the_verb_keeps_the_roles_apart(cast: Cast, name: str, role: str) -> None:
    with pytest.raises(NotNow) as refused:
        actions.grant_role(cast.viewer("security"), user_id_of(name) or 0, role, region=COUNTY)
    assert refused.value.key == "access.roles_apart"
    assert not re.search("[a-z]", say("access.roles_apart", "zh", **refused.value.params))


@pytest.mark.parametrize(("name", "role"), [("admin", "auditor"), ("security", "admin"), ("auditor", "operator"), ("operator", "auditor")])
def test_so_does_the_database_even_for_the_system(cast: Cast, name: str, role: str) -> None:
    with pytest.raises(IntegrityError, match="cannot hold"), transaction.atomic(), scoped(SYSTEM):
        RoleGrant.objects.create(user_id=user_id_of(name) or 0, role=role, region=COUNTY)
    with scoped(SYSTEM):
        held = RoleGrant.objects.get(user_id=user_id_of(name) or 0)
        other = RoleGrant.objects.create(user_id=held.user_id, role=held.role, region="99")
    with pytest.raises(IntegrityError, match="cannot hold"), transaction.atomic(), scoped(SYSTEM):
        RoleGrant.objects.filter(pk=other.pk).update(role=role)


def test_one_after_the_other_is_allowed(cast: Cast) -> None:
    user, security = user_id_of("operator") or 0, cast.viewer("security")
    with scoped(SYSTEM):
        grant = RoleGrant.objects.get(user_id=user).pk
    actions.end_grant(security, grant)
    assert actions.grant_role(security, user, "auditor", region=COUNTY)
    assert viewer_for(user).everything == {"audit.read", "look.read", "verify.read"}


def test_a_role_that_only_begins_tomorrow_counts(cast: Cast) -> None:
    user = user_id_of("citizen") or 0
    with scoped(SYSTEM):
        RoleGrant.objects.filter(user_id=user).update(valid_from=clock.now() + timedelta(days=1))
    with pytest.raises(NotNow):
        actions.grant_role(cast.viewer("security"), user, "auditor", region=COUNTY)


def test_an_administrator_neither_gives_roles_nor_enters_the_accounts_of_those_who_watch(cast: Cast) -> None:
    admin = cast.viewer("admin")
    with pytest.raises(Forbidden):
        actions.grant_role(admin, user_id_of("worker") or 0, "operator", region=COUNTY)
    with pytest.raises(Forbidden):
        actions.issue_token(admin, user_id_of("operator") or 0)
    for name in ("security", "auditor"):
        for tried in (lambda user: actions.reset_password(admin, user), lambda user: actions.set_active(admin, user, False)):
            with pytest.raises(NotNow) as refused:
                tried(user_id_of(name) or 0)
            assert refused.value.key == "access.officer_account"


def test_an_officer_who_leaves_needs_two_others(cast: Cast) -> None:
    """The role is taken away by a security officer; only then the administrator closes the account."""
    user = user_id_of("auditor") or 0
    with scoped(SYSTEM):
        grant = RoleGrant.objects.get(user_id=user).pk
    actions.end_grant(cast.viewer("security"), grant)
    actions.set_active(cast.viewer("admin"), user, False)


def test_a_security_officer_makes_no_accounts_and_reads_no_log(cast: Cast) -> None:
    from gridloop.access.auditing import AuditFilter, audit

    security = cast.viewer("security")
    for tried in (
        lambda: actions.create_user(security, "puppet", "木偶"),
        lambda: actions.reset_password(security, user_id_of("operator") or 0),
        lambda: audit(security, AuditFilter()),
        lambda: audit(cast.viewer("admin"), AuditFilter()),
    ):
        with pytest.raises(Forbidden):
            tried()


def test_nobody_gets_a_token_of_a_person(cast: Cast) -> None:
    with pytest.raises(NotNow) as refused:
        actions.issue_token(cast.viewer("security"), user_id_of("operator") or 0)
    assert refused.value.key == "access.token_for_machines"
