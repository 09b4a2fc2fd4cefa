"""The lists over HTTP: log-in, rights, scope, masks, pages, and what is wrong with a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from gridloop.access.actions import create_user, grant_role, issue_token
from gridloop.access.models import LookLog
from gridloop.journal.actions import scoped
from gridloop.journal.selectors import chain_facts
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.actions import load as load_orgs
from gridloop.orgs.messages import UnitRow
from gridloop.orgs.selectors import staff_ids_by_code, unit_ids_by_code
from gridloop.orgs.tests import cast as county
from gridloop.registry.tests import cast

pytestmark = pytest.mark.django_db
Get = Callable[..., Any]


@pytest.fixture(autouse=True)
def things() -> None:
    cast.settle()


@pytest.fixture
def caller() -> Callable[..., Client]:
    def make(role: str, region: str = "990101", staff: str = "") -> Client:
        staff_id = staff_ids_by_code(SYSTEM, [staff]).get(staff)
        account = create_user(SYSTEM, f"{role}-{region}", role, staff_id=staff_id)
        grant_role(SYSTEM, account, role, region=region)
        return Client(headers={"Authorization": f"Bearer {issue_token(SYSTEM, account, name='test')}"})

    return make


def get(client: Client, path: str, expect: int = 200, **query: Any) -> Any:
    answer = client.get(f"/api/v1/{path}", query)
    assert answer.status_code == expect, answer.content
    return answer.json()


LISTS = ["levels", "regions", "units", "staff", "people", "houses", "enterprises", "vehicles", "places", "devices"]


@pytest.mark.parametrize(
    "path", [*LISTS, "regions/at?lon=1&lat=1", f"regions/{county.GRID}", "people/P1", "devices/smoke-1", "calendar?year=2026"]
)
def test_strangers_get_nothing(path: str) -> None:
    get(Client(), path, 401)


@pytest.mark.parametrize("path", LISTS)
def test_every_list_answers_an_operator_and_turns_pages(path: str, caller: Callable[..., Client]) -> None:
    client = caller("operator")
    everything = get(client, path)["items"]
    assert everything
    if path == "levels":
        return
    seen, after = [], ""
    while True:
        page = get(client, path, limit=1, after=after)
        assert len(page["items"]) <= 1
        seen += page["items"]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == everything
    get(client, path, 422, limit=201)
    get(client, path, 422, q="\x00")
    get(client, path, 422, region="%")


def test_rights_are_asked(caller: Callable[..., Client]) -> None:
    leader = caller("leader")
    assert get(leader, "regions")["items"]
    refused = get(leader, "people", 403)
    assert (refused["type"], refused["permission"]) == ("urn:gridloop:journal.forbidden", "people.read")
    assert refused["detail"] == "您没有“查看人口（脱敏）”的权限。", "the right by its name, its code is for machines"
    assert leader.post("/api/v1/devices/smoke-1/secret").status_code == 403


def test_regions(caller: Callable[..., Client]) -> None:
    client = caller("operator")
    grid = get(client, f"regions/{county.GRID}")
    assert (grid["level_name"], grid["children"], [b["code"] for b in grid["below"]]) == ("网格", 2, [county.MICRO, county.MICRO_2])
    assert (grid["full_name"], grid["boundary"]["type"]) == ("云海市 · 云澜县 · 城关街道 · 东门社区 · 东门第一网格", "Polygon")
    assert [a["code"] for a in grid["ancestors"]] == ["9901", "990101", county.TOWN, county.VILLAGE]
    at = get(client, "regions/at", lon=county.WEST + 0.001, lat=county.SOUTH + 0.001)
    assert at["code"] == county.MICRO
    assert get(client, "regions/at", lon=0, lat=0)["code"] is None
    get(client, "regions/at", 422, lon=999, lat=0)
    assert get(client, "regions/880101", 404)["type"] == "urn:gridloop:orgs.region_unknown"
    assert [m["role"] for m in get(client, f"regions/{county.MICRO}/team")["members"]] == ["grid_leader", "full_time_grid_worker"]
    assert [r["code"] for r in get(client, "regions", q="城关")["items"]] == [county.TOWN]


def test_units_by_competence(caller: Callable[..., Client]) -> None:
    client = caller("operator")
    found = get(client, "units", duty="handle", type="06010", region=county.MICRO)["items"]
    assert [u["code"] for u in found] == ["town", "town-team", "county-urban", "county"]
    assert (found[0]["post"]["name"], found[1]["department_name"], found[1]["region_name"]) == ("城市管理岗", "综合行政执法局", "城关街道")
    unit = unit_ids_by_code(SYSTEM, ["town"])["town"]
    duty = get(client, f"units/{unit}/duty")
    assert (duty["source"], [s["name"] for s in duty["staff"]]) == ("unit", ["王建国", "李秀英"])
    get(client, "units/0/duty", 404)


def test_people_are_masked_until_opened(caller: Callable[..., Client]) -> None:
    worker = caller("grid_worker", county.TOWN)
    assert [p["name"] for p in get(worker, "people")["items"]] == ["王**", "欧阳**"]
    one = get(worker, "people/P1", purpose="visit", reason="走访独居老人")
    assert (one["name"], one["masked"], one["region_name"]) == ("王建国", False, "一微网格")
    assert get(worker, "people/P1", 422, purpose="visit")["errors"][0]["pointer"] == "/reason"
    with scoped(SYSTEM):
        assert LookLog.objects.filter(subject=f"person:{one['id']}").count() == 1
    neighbour = caller("grid_worker", county.OTHER_VILLAGE)
    get(neighbour, "people/P1", 404)


def test_a_page_of_codes_is_short_because_each_is_drawn(caller: Callable[..., Client]) -> None:
    client = caller("operator")
    first = get(client, f"regions/{county.GRID}/report-codes")
    assert "K1" in [one["code"] for one in first["items"]]
    get(client, f"regions/{county.GRID}/report-codes", 422, limit=51)


def test_devices(caller: Callable[..., Client]) -> None:
    admin = caller("admin", "")
    (smoke, level) = get(admin, "devices")["items"]
    assert (smoke["subject"], smoke["owner_unit"]["name"], smoke["region_name"]) == ("F1", "城关街道", "一微网格")
    assert level["subject"] == "K1"
    assert get(admin, "devices", status="unproved")["counts"]["unproved"] == 2
    changed = admin.post("/api/v1/devices/smoke-1/status", {"status": "faulty"}, content_type="application/json")
    assert changed.json()["status"] == "faulty"
    assert len(admin.post("/api/v1/devices/smoke-1/secret").json()["secret"]) == 32
    assert admin.post("/api/v1/devices/nothing/secret").status_code == 404


def test_an_administrator_adds_a_device_and_changes_it(caller: Callable[..., Client]) -> None:
    admin, town = caller("admin", ""), caller("admin", county.OTHER_VILLAGE)
    unit = unit_ids_by_code(SYSTEM, ["town"])["town"]
    said = {"kind": "smoke", "name": "东门烟感", "place": {"lon": county.WEST + 0.005, "lat": county.SOUTH + 0.005}, "owner_unit": unit}

    def put(client: Client, code: str, expect: int, **more: Any) -> Any:
        answer = client.put(f"/api/v1/devices/{code}", {**said, **more}, content_type="application/json")
        assert answer.status_code == expect, answer.content
        return answer.json()

    made = put(admin, "smoke-9", 201)
    assert (made["status"], made["owner_unit"]["id"], made["interval_seconds"]) == ("unproved", unit, 3600)
    assert made["region"].startswith(county.GRID)
    assert put(admin, "smoke-9", 200, interval_seconds=60)["interval_seconds"] == 60
    facts = [f.action for f in chain_facts(SYSTEM, "device:smoke-9", 0, 10)]
    assert facts == ["device_added", "device_changed"]
    assert "东门烟感" not in str([f.data for f in chain_facts(SYSTEM, "device:smoke-9", 0, 10)])
    for code, more, field in (
        ("smoke 9", {}, "/code"),
        ("smoke-10", {"kind": "Rauchmelder!"}, "/kind"),
        ("smoke-10", {"place": {"lon": 10.0, "lat": 10.0}}, "/place"),
        ("smoke-10", {"owner_unit": 999_999}, "/owner_unit"),
    ):
        wrong = put(admin, code, 422, **more)
        assert wrong["errors"][0]["pointer"] == field, wrong
    assert put(town, "smoke-10", 422, owner_unit=None)["errors"][0]["pointer"] == "/place"
    assert put(caller("operator"), "smoke-9", 403)


def test_an_administrator_keeps_calendar_roster_and_names(caller: Callable[..., Client]) -> None:
    admin = caller("admin", "")

    def post(path: str, body: object) -> Any:
        return admin.post(f"/api/v1/{path}", body, content_type="application/json")

    day = {"day": "2026-03-03", "kind": "holiday", "name": "三月三", "region": "990101"}
    assert post("calendar", {"set": [day]}).status_code == 204
    assert day in get(admin, "calendar", year=2026)["items"]
    assert post("calendar", {"remove": [{"day": "2026-03-03", "region": "990101"}]}).status_code == 204
    assert day not in get(admin, "calendar", year=2026)["items"]
    unit = unit_ids_by_code(SYSTEM, ["town"])["town"]
    shift = {"staff": "S1", "role": "duty_commander", "starts_at": "2026-03-02T00:00:00+08:00", "ends_at": "2026-03-03T00:00:00+08:00"}
    period = {"start": "2026-03-01T00:00:00+08:00", "end": "2026-03-08T00:00:00+08:00"}
    assert post(f"units/{unit}/roster", {**period, "shifts": [shift], "base": []}).json() == {"count": 1}
    late = post(f"units/{unit}/roster", {**period, "shifts": [], "base": []})
    assert (late.status_code, [e["pointer"] for e in late.json()["errors"]]) == (409, ["/base"])
    wrong = post(f"units/{unit}/roster", {**period, "shifts": [{**shift, "staff": "nobody"}]})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/0/staff")
    assert post(f"regions/{county.GRID_2}/rename", {"name": "东门花园网格", "day": "2026-03-01"}).status_code == 204
    assert get(admin, f"regions/{county.GRID_2}")["name"] == "东门花园网格"
    assert post(f"regions/{county.GRID_2}/rename", {"name": "  "}).status_code == 422


def test_a_town_administrator_changes_the_town_alone(caller: Callable[..., Client]) -> None:
    admin = caller("admin", county.TOWN)

    def status(path: str, body: object) -> int:
        return admin.post(f"/api/v1/{path}", body, content_type="application/json").status_code

    unit = unit_ids_by_code(SYSTEM, ["town", "county"])
    period = {"start": "2026-03-01T00:00:00+08:00", "end": "2026-03-08T00:00:00+08:00", "shifts": []}
    day = {"day": "2026-03-03", "kind": "holiday", "name": "三月三"}
    assert status("regions/990101/rename", {"name": "某县"}) == 403
    assert status(f"units/{unit['county']}/roster", period) == 403
    for region in ("", "990101"):
        assert status("calendar", {"set": [{**day, "region": region}]}) == 403
        assert status("calendar", {"remove": [{"day": "2026-03-03", "region": region}]}) == 403
    assert status(f"regions/{county.GRID_2}/rename", {"name": "东门花园网格"}) == 204
    assert status(f"units/{unit['town']}/roster", period) == 200
    assert status("calendar", {"set": [{**day, "region": county.TOWN}]}) == 204


def test_a_grid_worker_sends_its_own_position(caller: Callable[..., Client]) -> None:
    worker = caller("grid_worker", county.TOWN, "S1")
    body = [{"lon": 121.01, "lat": 29.01, "at": "2026-03-02T08:00:00+08:00"}]
    assert worker.post("/api/v1/positions", body, content_type="application/json").json() == {"count": 1}


NUMBERS = {
    "staff": ("phone", "1380000000", "staff"),
    "units": ("phone", "1009", "unit"),
    "enterprises": ("contact_phone", "13800000013", "enterprise"),
    "vehicles": ("plate", "浙Z12345", "vehicle"),
}


@pytest.mark.parametrize("path", NUMBERS)
def test_numbers_are_masked_and_opened_for_a_purpose(path: str, caller: Callable[..., Client]) -> None:
    field, whole, subject = NUMBERS[path]
    load_orgs(SYSTEM, [UnitRow("town", "城关街道", "town", county.TOWN, parent="county", phone="10090000001")])
    worker, inspector = caller("grid_worker"), caller("inspector")
    for who in (worker, inspector):
        shown = [row for row in get(who, path)["items"] if row[field]]
        assert shown
        assert all(row["masked"] and "*" in row[field] and not row[field].startswith(whole) for row in shown)
    get(inspector, path, 403, purpose="visit", reason="走访核实")
    get(worker, path, 422, purpose="curiosity", reason="好奇心")
    get(worker, path, 422, purpose="visit")
    with scoped(SYSTEM):
        assert not LookLog.objects.exists()
    opened = get(worker, path, purpose="visit", reason="走访核实")["items"]
    assert any(row[field].startswith(whole) and not row["masked"] for row in opened)
    with scoped(SYSTEM):
        look = LookLog.objects.get()
    assert (look.purpose, look.subject.split(":")[0].removesuffix("s")) == ("visit", subject)
    assert look.count == sum(not row["masked"] for row in opened)


def test_numbers_outside_of_the_grant_stay_masked(caller: Callable[..., Client]) -> None:
    """Everybody at work sees who works where, but opens the numbers of the own territory alone."""
    worker = caller("grid_worker", county.TOWN)
    rows = get(worker, "staff", purpose="visit", reason="走访核实")["items"]
    assert {row["code"]: row["masked"] for row in rows} == {"S1": False, "S2": False, "S3": False, "S4": True}
    unit = unit_ids_by_code(SYSTEM, ["town"])["town"]
    duty = get(worker, f"units/{unit}/duty")["staff"]
    assert duty
    assert all(row["masked"] for row in duty)


def test_the_devices_of_a_question_stand_on_the_map_the_worst_first(caller: Callable[..., Client]) -> None:
    admin, client = caller("admin"), caller("operator")
    for n in range(3):
        body = {"kind": "smoke", "name": f"烟感{n}", "place": {"lon": 121.001 + n / 1000, "lat": 29.005}}
        assert admin.put(f"/api/v1/devices/map-{n}", body, content_type="application/json").status_code == 201
    points = get(client, "devices/map", q="map-")["items"]
    assert [(p["code"], p["lon"], p["lat"]) for p in points] == [(f"map-{n}", 121.001 + n / 1000, 29.005) for n in range(3)]
    assert admin.post("/api/v1/devices/map-2/status", {"status": "faulty"}, content_type="application/json").status_code == 200
    assert [p["code"] for p in get(client, "devices/map", q="map-")["items"]] == ["map-2", "map-0", "map-1"]
    assert [p["code"] for p in get(client, "devices/map", status="faulty")["items"]] == ["map-2"]
    get(caller("citizen"), "devices/map", 403)


def test_a_device_watches_a_key_place_and_is_cut_off(caller: Callable[..., Client]) -> None:
    admin = caller("admin")
    place = get(admin, "places")["items"][0]
    body = {"kind": "camera", "name": "门口", "place": {"lon": 121.001, "lat": 29.005}, "key_place": place["code"]}
    made = admin.put("/api/v1/devices/cam-9", body, content_type="application/json").json()
    assert made["key_place"] == {"code": place["code"], "name": place["name"]}
    wrong = admin.put("/api/v1/devices/cam-9", {**body, "key_place": "nowhere"}, content_type="application/json")
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/key_place")
    assert get(admin, "devices/cam-9")["key_place"]["code"] == place["code"]
    assert admin.put("/api/v1/devices/cam-9", {**body, "key_place": ""}, content_type="application/json").json()["key_place"] is None
    assert admin.post("/api/v1/devices/cam-9/secret").status_code == 200
    assert [admin.delete("/api/v1/devices/cam-9/secret").json()["count"] for _ in (1, 2)] == [1, 0]
