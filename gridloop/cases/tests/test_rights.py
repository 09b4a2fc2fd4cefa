"""A permission is bound to its grant, the desk's verbs to the desk that holds the case."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from gridloop.access.actions import grant_role, issue_token, load_users
from gridloop.access.messages import SampleLogin
from gridloop.access.models import LookLog
from gridloop.access.selectors import user_id_of, viewer_for
from gridloop.cases import actions, present, selectors
from gridloop.cases.messages import Report
from gridloop.cases.selectors import CaseFilter
from gridloop.cases.tests.kit import COUNTY, EAST, HERE, THERE, Cast
from gridloop.evidence.tests.kit import photo_of
from gridloop.journal.selectors import scoped
from gridloop.kernel.errors import Fault, Forbidden, Invalid, NotFound, NotNow
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer

pytestmark = pytest.mark.django_db
API = "/api/v1"


def report(at: tuple[float, float] = HERE, kind: str = "01037") -> str:
    return actions.report(PUBLIC, Report(text="路灯不亮", kind=kind, lon=at[0], lat=at[1])).case


def act(viewer: Viewer, code: str, stage: str, verb: str, **payload: object) -> None:
    live = [t for t in present.case_tasks(SYSTEM, code) if t["stage"] == stage and t["status"] in ("open", "accepted")]
    actions.act(viewer, str(live[0]["id"]), verb, payload)


def bearer(username: str, *scopes: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {issue_token(SYSTEM, user_id_of(username) or 0, scopes or ('all',))}"}


@pytest.fixture
def both(cast: Cast) -> Viewer:
    """Operator of the east town and leader, who only reads and urges, of the whole county."""
    load_users([SampleLogin("both", "张两任", "S-operator", "operator", EAST, None)])
    user_id = user_id_of("both") or 0
    grant_role(SYSTEM, user_id, "leader", region=COUNTY)
    return viewer_for(user_id)


DESK_VERBS: list[Callable[[Viewer, str, Cast], Any]] = [
    lambda who, code, cast: actions.accept(who, code, {}),
    lambda who, code, cast: actions.route(who, code, {"unit": cast.units["URBAN"], "note": "请处理"}),
    lambda who, code, cast: actions.void(who, code, {"note": "误报"}),
    lambda who, code, cast: actions.merge(who, code, report(THERE, "02010"), {"note": "重复"}),
]


@pytest.mark.parametrize("verb", DESK_VERBS)
def test_a_permission_reaches_no_further_than_its_own_grant(cast: Cast, both: Viewer, verb: Callable[[Viewer, str, Cast], Any]) -> None:
    code = report(THERE)
    assert present.case_detail(both, code)["verbs"] == ["urge", "supervise"], "a leader's verbs, none of an operator"
    with pytest.raises(Fault):
        verb(both, code, cast)
    assert selectors.case_row(SYSTEM, code).status == "verifying"
    actions.urge(both, code, {"note": "请尽快"})
    own = report(HERE)
    assert present.case_detail(both, own)["verbs"] == ["accept", "route", "merge", "urge", "supervise", "void"]
    actions.accept(both, own, {})


def test_a_case_elsewhere_is_no_target_of_a_merge(cast: Cast, both: Viewer) -> None:
    with pytest.raises(NotFound):
        actions.merge(both, report(HERE), report(THERE), {"note": "重复"})


def test_task_verbs_are_bound_to_their_grant_too(cast: Cast, both: Viewer) -> None:
    tasks = present.case_tasks(both, report(THERE))
    assert [t["verbs"] for t in tasks] == [[]]
    assert present.case_tasks(both, report(HERE))[0]["verbs"], "the own town's look on the spot"


def test_over_http_with_a_token_that_narrows(cast: Cast, both: Viewer, client: Client) -> None:
    code = report(THERE)
    answer = client.post(f"{API}/cases/{code}/accept", {}, content_type="application/json", headers=bearer("both"))
    assert answer.status_code == 404
    assert answer.json()["detail"]
    own = report(HERE)
    narrow = bearer("both", "case.read")
    assert client.get(f"{API}/cases/{own}", headers=narrow).json()["verbs"] == []
    assert client.post(f"{API}/cases/{own}/accept", {}, content_type="application/json", headers=narrow).status_code == 403
    assert client.post(f"{API}/cases/{own}/accept", {}, content_type="application/json", headers=bearer("both")).status_code == 200


def escalated(cast: Cast) -> str:
    code = report()
    actions.accept(cast.operator, code, {})
    act(cast.handler, code, "handle", "accept")
    act(cast.handler, code, "handle", "escalate", note="需县里定")
    return code


@pytest.mark.parametrize("verb", DESK_VERBS)
def test_the_desk_that_gave_a_case_up_reads_and_urges(cast: Cast, verb: Callable[[Viewer, str, Cast], Any]) -> None:
    code = escalated(cast)
    assert present.case_detail(cast.operator, code)["verbs"] == ["urge"]
    with pytest.raises((NotNow, NotFound)):
        verb(cast.operator, code, cast)
    with pytest.raises(NotNow):
        actions.route(cast.operator, code, {"unit": cast.units["EAST"], "note": "拿回来"})
    with pytest.raises(NotNow):
        act(cast.operator, code, "intake", "accept")
    actions.urge(cast.operator, code, {"note": "请尽快定"})
    assert present.case_detail(cast.county_operator, code)["verbs"] == ["accept", "route", "merge", "urge", "void"]
    actions.accept(cast.county_operator, code, {})
    assert present.case_detail(cast.operator, code)["verbs"] == ["urge"], "the county's decision is not undone from below"


def test_handed_down_the_lower_desk_has_its_verbs_again(cast: Cast) -> None:
    code = escalated(cast)
    actions.route(cast.county_operator, code, {"unit": cast.units["EAST"], "note": "请东镇定"})
    actions.accept(cast.operator, code, {})


def test_no_desk_gets_a_case_it_cannot_see(cast: Cast, client: Client) -> None:
    code = escalated(cast)
    with pytest.raises(Invalid) as refused:
        actions.route(cast.county_operator, code, {"unit": cast.units["WEST"], "note": "请西镇定"})
    assert refused.value.errors[0].pointer == "/unit"
    body = {"unit": cast.units["WEST"], "note": "请西镇定"}
    answer = client.post(f"{API}/cases/{code}/route", body, content_type="application/json", headers=bearer("county_operator"))
    assert answer.status_code == 422
    assert "西镇" in answer.json()["detail"]
    assert selectors.case_row(SYSTEM, code).desk_region == COUNTY


def test_without_the_permission_anywhere_it_is_forbidden(cast: Cast) -> None:
    with pytest.raises(Forbidden):
        actions.accept(cast.supervisor, report(), {})


@pytest.mark.parametrize(
    ("who", "source", "counts_as"),
    [
        ("citizen", "grid_worker", None),
        ("citizen", "hotline", None),
        ("citizen", "", "citizen"),
        ("worker", "", "grid_worker"),
        ("worker", "hotline", None),
        ("operator", "", "hotline"),
        ("operator", "department", "department"),
        ("operator", "grid_worker", None),
        ("handler", "", "department"),
        ("deputy", "", "deputy"),
        (None, "grid_worker", "citizen"),
    ],
)
def test_a_report_counts_as_what_its_sender_stands_for(
    cast: Cast, client: Client, who: str | None, source: str, counts_as: str | None
) -> None:
    load_users([SampleLogin("deputy", "张代表", None, "deputy", COUNTY, None)])
    body = {"text": "路灯不亮", "kind": "01037", "place": {"lon": HERE[0], "lat": HERE[1]}, "source": source}
    headers = bearer(who) if who else {}
    answer = client.post(f"{API}/reports", body, content_type="application/json", headers=headers)
    if counts_as is None:
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/source")
        return
    row = selectors.case_row(SYSTEM, answer.json()["case"])
    assert row.source == counts_as
    assert row.status == ("verifying" if counts_as in ("citizen", "hotline", "deputy") else "reported")


def test_rating_shows_no_more_than_the_rating(cast: Cast, client: Client) -> None:
    body = {"text": "路灯不亮，我姓王", "kind": "01037", "place": {"lon": HERE[0], "lat": HERE[1]}}
    code = client.post(f"{API}/reports", body, content_type="application/json", headers=bearer("citizen")).json()["case"]
    actions.report(PUBLIC, Report(text="别人的话", kind="01037", lon=HERE[0], lat=HERE[1]))
    finished(cast, code)
    answer = client.post(f"{API}/cases/{code}/rate", {"stars": 4, "note": "好"}, content_type="application/json", headers=bearer("citizen"))
    assert answer.json() == {"code": code, "rating": {"stars": 4, "note": "好"}}
    assert client.get(f"{API}/cases/{code}", headers=bearer("citizen")).status_code == 403


def finished(cast: Cast, code: str) -> None:
    actions.accept(cast.operator, code, {})
    act(cast.handler, code, "handle", "accept")
    act(cast.handler, code, "handle", "submit", evidence=[photo_of(cast.handler)])
    act(cast.supervisor, code, "check", "approve")


def test_words_are_opened_for_a_purpose_and_written_down(cast: Cast, client: Client) -> None:
    code = actions.report(PUBLIC, Report(text="请打 138 1234 5678 找我", kind="01037", lon=HERE[0], lat=HERE[1], name="李四")).case
    actions.urge(cast.operator, code, {"note": "已回电+8613812345678"})
    desk = bearer("operator")
    for path in (f"cases/{code}", f"cases/{code}/trace", f"cases/{code}/signals"):
        shown = client.get(f"{API}/{path}", headers=desk).content.decode()
        assert "138****5678" in shown, path
        assert not any(number in shown for number in ("138 1234", "1381234")), path
    with scoped(SYSTEM):
        assert not LookLog.objects.exists()
    why = "purpose=handle_case&reason=回电核实"
    told = client.get(f"{API}/cases/{code}/reporter?{why}", headers=desk).json()["items"]
    assert told == [{"name": "李四", "contact": "", "text": "请打 138 1234 5678 找我"}]
    trace = client.get(f"{API}/cases/{code}/trace?{why}", headers=desk).json()["items"]
    assert "已回电+8613812345678" in [f["text"] for f in trace]
    with scoped(SYSTEM):
        assert set(LookLog.objects.values_list("subject", flat=True)) == {f"case:{code}/reporter", f"case:{code}"}
    assert client.get(f"{API}/cases/{code}/trace?{why}", headers=bearer("supervisor")).status_code == 403
    assert client.get(f"{API}/cases/{code}/reporter?{why}", headers=bearer("supervisor")).status_code == 403
    assert client.get(f"{API}/cases/{code}/trace?purpose=handle_case", headers=desk).status_code == 422


def test_whoever_has_the_case_in_hand_may_call_back(cast: Cast, client: Client) -> None:
    code = actions.report(PUBLIC, Report(text="灯不亮", kind="01037", lon=HERE[0], lat=HERE[1], name="李四", contact="13812345678")).case
    actions.accept(cast.operator, code, {})
    ask = f"{API}/cases/{code}/reporter?purpose=handle_case&reason=回电核实"
    assert client.get(ask, headers=bearer("handler")).status_code == 403  # offered to the unit, in nobody's hand yet
    act(cast.handler, code, "handle", "accept")
    assert client.get(ask, headers=bearer("handler")).json()["items"] == [{"name": "李四", "contact": "13812345678", "text": "灯不亮"}]
    assert client.get(ask.replace("handle_case", "audit"), headers=bearer("handler")).status_code == 403
    assert client.get(ask, headers=bearer("handler2")).status_code == 403
    with scoped(SYSTEM):
        assert LookLog.objects.count() == 1
    act(cast.handler, code, "handle", "submit", evidence=[photo_of(cast.handler)])
    assert client.get(ask, headers=bearer("handler")).status_code == 403  # out of hand again


@pytest.mark.parametrize("q", ["13812345678", "1234", "381", "138 1234", "330102199001011234"])
def test_masked_numbers_are_not_found_by_trying(cast: Cast, q: str) -> None:
    text = "3号楼灯不亮，请打13812345678或138 1234 5678，身份证330102199001011234"
    code = actions.report(PUBLIC, Report(text=text, kind="01037", lon=HERE[0], lat=HERE[1])).case
    for found, words in ((False, q), (True, "灯不亮"), (True, "3号楼")):
        rows, _next = selectors.case_page(cast.operator, CaseFilter(q=words))
        assert [r.code for r in rows] == ([code] if found else []), words
