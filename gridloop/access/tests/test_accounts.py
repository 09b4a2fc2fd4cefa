"""Verbs on accounts, grants and tokens: who may, what they leave in the trace, what they refuse."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.hashers import ScryptPasswordHasher

from gridloop.access import actions, selectors
from gridloop.access.messages import SampleLogin
from gridloop.access.models import LookLog, User
from gridloop.access.tests.conftest import COUNTY, TOWN, Cast
from gridloop.journal.selectors import chain_facts, scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, Invalid, NotFound, NotNow
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.models import Staff
from gridloop.project import settings as project


def acts(user_id: int) -> list[str]:
    return [f.action for f in chain_facts(SYSTEM, f"account:{user_id}")]


def test_create_grant_and_end_leave_facts_without_names(cast: Cast) -> None:
    admin, security = cast.viewer("admin"), cast.viewer("security")
    user_id = actions.create_user(admin, "new.person", "钱七七")
    grant = actions.grant_role(security, user_id, "handler", region=TOWN, unit_id=cast.team)
    assert actions.grant_role(security, user_id, "handler", region=TOWN, unit_id=cast.team) == grant
    actions.end_grant(security, grant)
    actions.end_grant(security, grant)
    facts = chain_facts(SYSTEM, f"account:{user_id}")
    assert [f.action for f in facts] == ["account_created", "role_granted", "role_ended"]
    assert "钱七七" not in str([f.data for f in facts])
    assert not cast.viewer("new.person").everything


def test_only_an_administrator_may(cast: Cast) -> None:
    for name in ("operator", "supervisor", "citizen"):
        with pytest.raises(Forbidden):
            actions.create_user(cast.viewer(name), "x", "x")
        with pytest.raises(Forbidden):
            actions.issue_token(cast.viewer(name), 1)
        with pytest.raises(Forbidden):
            selectors.users(cast.viewer(name))


def test_an_administrator_stays_inside_the_own_territory(cast: Cast) -> None:
    stranger, operator = cast.viewer("stranger"), cast.viewer("operator").user_id or 0
    with pytest.raises(NotFound):
        actions.set_active(stranger, operator, False)
    actions.load_users([SampleLogin("far", "赵安", None, "security_officer", "990102", None)])
    far = cast.viewer("far")
    for tried in (actions.issue_token, actions.unlock, actions.end_sessions_of):
        with pytest.raises(NotFound):
            tried(far, operator)
    with pytest.raises(Forbidden):
        actions.grant_role(far, operator, "leader", region=COUNTY)
    assert {u.username for u in selectors.users(stranger)} == {"stranger", "far"}
    assert "stranger" not in {u.username for u in selectors.users(cast.viewer("admin"))}


def test_a_town_administrator_stays_with_the_towns_units_and_people(cast: Cast) -> None:
    town_admin = SampleLogin("town_admin", "镇管理", None, "admin", TOWN, None)
    town_security = SampleLogin("town_security", "镇安全", None, "security_officer", TOWN, None)
    actions.load_users([town_admin, town_security, SampleLogin("bureau", "王局", None, "handler", TOWN, "BUREAU")])
    admin = cast.viewer("town_admin")
    with scoped(SYSTEM):
        outside = Staff.objects.create(code="S9", name="李县", unit_id=cast.bureau).pk
        inside = Staff.objects.get(code="S1").pk
    with pytest.raises(Forbidden):
        actions.create_user(admin, "spy", "某某", staff_id=outside)
    with pytest.raises(Invalid) as refused:
        actions.create_user(admin, "spy", "某某", staff_id=10**9)
    assert refused.value.errors[0].pointer == "/staff"
    user_id = actions.create_user(admin, "own", "本镇", staff_id=inside)
    security = cast.viewer("town_security")
    with pytest.raises(Forbidden):
        actions.grant_role(security, user_id, "handler", region=TOWN, unit_id=cast.bureau)
    assert actions.grant_role(security, user_id, "handler", region=TOWN, unit_id=cast.team)
    county_person = actions.create_user(cast.viewer("admin"), "county", "县里", staff_id=outside)
    with pytest.raises(NotFound):
        actions.reset_password(admin, county_person)


def test_two_grants_do_not_lend_each_other_their_territory(cast: Cast) -> None:
    actions.load_users([SampleLogin("both", "张两任", None, "admin", TOWN, None)])
    user_id = cast.viewer("both").user_id or 0
    actions.grant_role(SYSTEM, user_id, "leader", region=COUNTY)
    both = cast.viewer("both")
    assert set(both.regions) == {COUNTY, TOWN}
    with pytest.raises(NotFound):
        actions.reset_password(both, cast.viewer("operator").user_id or 0)
    assert {u.username for u in selectors.users(both)} == {"worker", "both"}


def test_nobody_closes_or_degrades_themselves(cast: Cast) -> None:
    admin = cast.viewer("admin")
    with pytest.raises(NotNow):
        actions.set_active(admin, admin.user_id or 0, False)
    security = cast.viewer("security")
    with pytest.raises(NotNow):
        actions.end_grant(security, selectors.me(security).grants[0].id)
    with pytest.raises(NotNow):
        actions.grant_role(security, security.user_id or 0, "operator", region=COUNTY)


def test_a_taken_name_is_refused(cast: Cast) -> None:
    with pytest.raises(NotNow):
        actions.create_user(cast.viewer("admin"), "operator", "x")


def test_the_three_officers_are_made_once_each_with_a_password_of_its_own(db: None) -> None:
    selectors.forget_viewers()
    made = actions.create_officers()
    assert [(role, name) for role, name, _ in made] == [("admin", "admin"), ("security_officer", "security"), ("auditor", "auditor")]
    assert len({password for _, _, password in made}) == 3
    for _, name, password in made:
        user_id = selectors.user_id_of(name)
        assert user_id is not None
        with scoped(SYSTEM):
            user = User.objects.get(pk=user_id)
            assert (user.check_password(password), user.password_given) == (True, True), "to be changed first"
        assert selectors.viewer_for(user_id).regions == ("",)
    assert actions.create_officers() == []


def test_a_deployment_that_had_an_administrator_gets_the_other_two(db: None) -> None:
    actions.load_users([SampleLogin("boss", "老管理", None, "admin", "", None)])
    assert [name for _, name, _ in actions.create_officers()] == ["security", "auditor"]


def test_a_name_that_is_taken_stops_no_start(db: None) -> None:
    actions.load_users([SampleLogin(name, "老账号", None, "operator", "", None) for name in ("Auditor", "auditor2", "security")])
    assert [name for _, name, _ in actions.create_officers()] == ["admin", "security2", "auditor3"]


def test_token_of_a_machine(cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    admin, security = cast.viewer("admin"), cast.viewer("security")
    user_id = actions.create_user(admin, "gateway", "网关", machine=True)
    actions.grant_role(security, user_id, "integrator", region=COUNTY)
    token = actions.issue_token(security, user_id, ["case.read", "signals"], "测试", days=30)
    assert selectors.check_bearer(token) == (user_id, frozenset({"case.read", "signals"}))
    assert selectors.check_bearer(token + "x") is None
    own = cast.viewer("gateway")
    (row,) = selectors.tokens(own)
    assert row.name == "测试"
    assert row.scopes == ("case.read", "signals")
    with pytest.raises(NotFound):
        actions.end_token(cast.viewer("handler"), row.id)
    with django_capture_on_commit_callbacks(execute=True):
        actions.end_token(own, row.id)
        selectors._bearers[selectors.hash_token(token)] = (
            float("inf"),
            (user_id, frozenset({"signals"})),
        )  # read by a thread just before the end
    assert selectors.check_bearer(token) is None
    assert acts(user_id)[-2:] == ["token_issued", "token_ended"]


def test_closing_an_account_ends_its_tokens(cast: Cast) -> None:
    operator = cast.viewer("operator").user_id or 0
    token = actions.issue_token(SYSTEM, operator)
    actions.set_active(cast.viewer("admin"), operator, False)
    actions.set_active(cast.viewer("admin"), operator, True)
    assert selectors.check_bearer(token) is None


@pytest.mark.parametrize("scopes", [[], ["everything"], ["all", "case.fly"]])
def test_unknown_scopes_are_refused(cast: Cast, scopes: list[str]) -> None:
    with pytest.raises(Invalid):
        actions.issue_token(SYSTEM, cast.viewer("operator").user_id or 0, scopes)


def test_language(cast: Cast) -> None:
    actions.set_language(cast.viewer("operator"), "en")
    assert cast.viewer("operator").lang == "en"
    with pytest.raises(Invalid):
        actions.set_language(cast.viewer("operator"), "fr")


def test_own_password(cast: Cast) -> None:
    operator = cast.viewer("operator")
    for weak in ("short", "nachtbrücke", "1234567890123", "password1234", "operator1234", "夜路" * 64 + "灯"):
        with pytest.raises(Invalid):
            actions.change_password(operator, weak)
    actions.change_password(operator, "eine lange Nacht")
    with scoped(SYSTEM):
        assert User.objects.get(username="operator").check_password("eine lange Nacht")


def test_passwords_are_stored_by_scrypt_with_a_salt_each(monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.PASSWORD_HASHERS == ["django.contrib.auth.hashers.ScryptPasswordHasher"]
    monkeypatch.setattr(ScryptPasswordHasher, "work_factor", 2**14)  # as outside of the tests
    words, hasher = "eine lange Nacht", ScryptPasswordHasher()
    stored = [hasher.encode(words, hasher.salt()) for _ in range(2)]
    told = hasher.decode(stored[0])
    assert (told["work_factor"], told["block_size"], told["parallelism"]) == (2**14, 8, 5)
    assert (len(str(told["salt"])), stored[0] != stored[1]) == (22, True), "a salt of its own"
    assert hasher.verify(words, stored[0])
    assert not hasher.verify("eine kurze Nacht", stored[0])


def test_long_passwords_are_taken_whole(cast: Cast) -> None:
    operator, words = cast.viewer("operator"), "夜里三点路灯都亮着 " * 12
    assert 64 < len(words) <= 128
    actions.change_password(operator, words)
    with scoped(SYSTEM):
        kept = User.objects.get(username="operator")
        assert kept.check_password(words)
        assert not kept.check_password(words[:64]), "nothing of it is cut off"


def test_every_look_is_written_with_its_reason(cast: Cast) -> None:
    operator, supervisor = cast.viewer("operator"), cast.viewer("supervisor")
    actions.log_look(operator, "person:12", "handle_case", "核实现场联系人", count=3)
    (row,) = selectors.looks(operator)
    assert (row.subject, row.purpose, row.count, row.user_name) == ("person:12", "handle_case", 3, "周敏")
    assert selectors.looks(cast.viewer("handler")) == []
    assert "核实" not in str([f.data for f in chain_facts(SYSTEM, f"account:{operator.user_id}")])
    with pytest.raises(Invalid):
        actions.log_look(operator, "person:12", "curiosity", "只是想看")
    with pytest.raises(Invalid):
        actions.log_look(operator, "person:12", "visit", " ")
    assert selectors.looks(supervisor) == [], "the operator belongs to no unit: only its own and the system see the look"


def test_looks_of_a_unit_are_seen_by_its_supervisor(cast: Cast) -> None:
    actions.log_look(cast.viewer("handler"), "person:7", "visit", "入户走访")
    assert [x.subject for x in selectors.looks(cast.viewer("supervisor"))] == ["person:7"]
    assert selectors.looks(cast.viewer("stranger")) == []


def test_old_looks_are_forgotten(cast: Cast) -> None:
    with clock.fixed(datetime(2020, 1, 1, tzinfo=UTC)):
        actions.log_look(cast.viewer("handler"), "person:7", "visit", "入户走访")
    assert actions.forget_looks() == 1
    with scoped(SYSTEM):
        assert LookLog.objects.count() == 0
