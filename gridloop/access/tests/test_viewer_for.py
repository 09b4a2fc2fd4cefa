"""What a viewer sees and may do, and how soon a change is felt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from gridloop.access import actions, selectors
from gridloop.access.messages import SampleLogin
from gridloop.access.models import RoleGrant, User
from gridloop.access.tests.conftest import COUNTY, TOWN, Cast
from gridloop.journal.selectors import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import Invalid, NotFound
from gridloop.kernel.viewer import SYSTEM


def test_territory_and_unit_tree(cast: Cast) -> None:
    assert cast.viewer("operator").regions == (COUNTY,)
    handler = cast.viewer("handler")
    assert handler.regions == ()
    assert handler.unit_ids == {cast.bureau, cast.team}
    assert handler.unit_id == cast.team


def test_a_citizen_has_permissions_but_no_sight(cast: Cast) -> None:
    citizen = cast.viewer("citizen")
    assert citizen.can("case.report")
    assert not citizen.can("case.read")
    assert citizen.regions == ()
    assert citizen.unit_ids == frozenset()


def test_scopes_narrow_a_token(cast: Cast) -> None:
    user_id = cast.viewer("operator").user_id
    assert user_id is not None
    narrow = selectors.viewer_for(user_id, frozenset({"signals"}))
    assert narrow.can("signals.write")
    assert not narrow.can("case.accept")
    assert cast.viewer("operator").can("case.accept")


def test_a_closed_account_has_no_viewer(cast: Cast) -> None:
    worker = cast.viewer("worker").user_id
    assert worker is not None
    actions.set_active(cast.viewer("admin"), worker, False)
    with pytest.raises(NotFound):
        selectors.viewer_for(worker)


def test_a_new_role_is_felt_at_once_and_ends_in_time(cast: Cast) -> None:
    worker = cast.viewer("worker")
    assert not worker.can("case.accept")
    start = datetime(2026, 5, 1, tzinfo=UTC)
    with clock.fixed(start):
        actions.grant_role(cast.viewer("security"), worker.user_id or 0, "operator", region=TOWN, valid_to=start + timedelta(hours=8))
        assert cast.viewer("worker").can("case.accept")
    selectors.forget_viewers()
    with clock.fixed(start + timedelta(hours=9)):
        assert not cast.viewer("worker").can("case.accept")
    selectors.forget_viewers()
    with clock.fixed(start - timedelta(days=4000)):
        assert cast.viewer("worker").can("task.act"), "a role without a start holds when a replay sets the clock back"


def test_a_grant_holds_from_its_first_moment_and_no_longer_at_its_last(cast: Cast) -> None:
    """For the viewer as for who looks after grants: the rule stands in two statements."""
    worker = cast.viewer("worker").user_id or 0
    start = datetime(2026, 5, 1, tzinfo=UTC)
    with scoped(SYSTEM):
        RoleGrant.objects.filter(user_id=worker).delete()
        RoleGrant.objects.create(user_id=worker, role="operator", region=TOWN, valid_from=start, valid_to=start + timedelta(hours=8))
    second = timedelta(seconds=1)
    for at, holds in (
        (start - second, False),
        (start, True),
        (start + timedelta(hours=8) - second, True),
        (start + timedelta(hours=8), False),
    ):
        selectors.forget_viewers()
        with clock.fixed(at), scoped(SYSTEM):
            assert (selectors.viewer_for(worker).roles == {"operator"}) is holds, at
            assert selectors.active_grants(worker).exists() is holds, at


def test_load_users_adds_only_what_is_missing(cast: Cast) -> None:
    record = SampleLogin("leader", "钱领", None, "leader", COUNTY, None, lang="en")
    assert actions.load_users([record, SampleLogin("admin", "x", None, "admin", "", None)]) == 1
    assert actions.load_users([record]) == 0
    assert cast.viewer("leader").lang == "en"
    assert cast.viewer("admin").regions == (COUNTY,)


@pytest.mark.parametrize(
    ("record", "fault"),
    [
        (SampleLogin("x", "x", "NOBODY", "handler", COUNTY, None), NotFound),
        (SampleLogin("x", "x", None, "handler", COUNTY, "NOWHERE"), NotFound),
        (SampleLogin("x", "x", None, "emperor", COUNTY, None), Invalid),
    ],
)
def test_load_users_refuses_unknown_codes(cast: Cast, record: SampleLogin, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        actions.load_users([record])
    assert selectors.user_id_of("x") is None


def test_passwords_are_stored_strongly_hashed(db: None) -> None:
    actions.load_users(
        [
            SampleLogin("admin", "管理员", None, "admin", COUNTY, None, password="correct horse battery"),
            SampleLogin("worker", "陈强", None, "grid_worker", TOWN, None),
        ]
    )
    with scoped(SYSTEM):
        assert User.objects.get(username="admin").password.startswith("scrypt$")
        assert not User.objects.get(username="worker").has_usable_password()


def test_a_language_set_in_another_process_is_felt_by_the_next_request(cast: Cast) -> None:
    client = Client()
    with scoped(SYSTEM):
        user = User.objects.get(username="operator")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert client.get("/api/v1/me").json()["lang"] == "zh"  # this process remembers the viewer now
    with scoped(SYSTEM):
        User.objects.filter(pk=user.pk).update(lang="en")  # what another process writes
    assert client.get("/api/v1/me").json()["lang"] == "en"
    refused = client.get("/api/v1/users")
    assert (refused.status_code, refused.json()["title"].isascii()) == (403, True), "sentences of the server, too"


def test_who_has_chosen_no_language_sees_that_of_the_browser(cast: Cast) -> None:
    client = Client()
    with scoped(SYSTEM):
        user = User.objects.get(username="operator")
    assert user.lang == "", "the sample's people have chosen none"
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    for asks, lang in (("en-GB,en;q=0.9", "en"), ("zh-CN", "zh"), ("fr", "zh"), ("", "zh")):
        headers = {"Accept-Language": asks} if asks else {}
        assert client.get("/api/v1/me", headers=headers).json()["lang"] == lang, asks
        refused = client.get("/api/v1/users", headers=headers).json()["title"]
        assert refused.isascii() == (lang == "en"), refused
    assert client.post("/api/v1/me", {"lang": "zh"}, content_type="application/json").status_code == 204
    assert client.get("/api/v1/me", headers={"Accept-Language": "en"}).json()["lang"] == "zh", "what was chosen rules"
