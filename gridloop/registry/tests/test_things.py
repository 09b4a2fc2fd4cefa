"""Houses, enterprises, places and devices: scope, search, and how a device falls silent and comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from gridloop.journal.actions import scoped
from gridloop.journal.models import Fact
from gridloop.journal.selectors import verify
from gridloop.kernel import geo
from gridloop.kernel.errors import Forbidden, Invalid, NotFound
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer
from gridloop.orgs.selectors import unit_ids_by_code
from gridloop.orgs.tests import cast as county
from gridloop.registry import actions, selectors
from gridloop.registry.messages import DeviceRow
from gridloop.registry.models import Device, DeviceChange, DeviceCredential
from gridloop.registry.tests import cast
from gridloop.registry.things import hash_secret

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)
DOOR = Viewer("ingest", permissions=frozenset({"signals.write"}))


@pytest.fixture(autouse=True)
def things() -> None:
    cast.settle()


def test_what_people_call_the_place_of_a_device_or_an_alarm() -> None:
    actions.load(SYSTEM, [DeviceRow("cam-1", "camera", county.GRID, "西门村摄像机1"), DeviceRow("bare-1", "camera", county.GRID)])
    assert selectors.named_place(SYSTEM, "level-1") == "城关小学", "the key place it watches"
    assert selectors.named_place(SYSTEM, "smoke-1") == "城关街道幸福路8号1幢", "a home by its building, without the room"
    assert selectors.named_place(SYSTEM, "", household="F1") == "城关街道幸福路8号1幢"
    assert selectors.named_place(SYSTEM, "smoke-1", household="F2") == "西门村12号", "the alarm's home before the device's"
    assert selectors.named_place(SYSTEM, "", building="B2") == "西门村12号"
    assert selectors.named_place(SYSTEM, "cam-1", place="K1") == "城关小学"
    assert selectors.named_place(SYSTEM, "cam-1") == "西门村摄像机1"
    assert (selectors.named_place(SYSTEM, "bare-1"), selectors.named_place(SYSTEM, "nobody")) == ("", "")


def test_lists_are_scoped_and_masked() -> None:
    villager = cast.viewer(county.OTHER_VILLAGE)
    assert [h.code for h in selectors.houses(villager).items] == ["H2"]
    assert selectors.enterprises(villager).items == []
    department = cast.viewer("990101", unit_ids=frozenset({7}))
    (firm,) = selectors.enterprises(department, q="五金").items
    assert (firm.name, firm.contact_name, firm.contact_phone, firm.masked) == ("云澜测试五金厂", "赵**", "138****0013", True)
    assert [v.plate for v in selectors.vehicles(SYSTEM).items] == ["浙Z**345", "浙Z**346", "浙Z**347"]
    assert [v.owner_kind for v in selectors.vehicles(SYSTEM, q="浙z 12345").items] == ["person"]
    assert selectors.vehicles(SYSTEM, q="浙Z").items == []
    assert [p.name for p in selectors.places(villager).items] == []
    assert [p.name for p in selectors.places(SYSTEM, kind="school", q="城关").items] == ["城关小学"]
    assert [h.room for h in selectors.houses(SYSTEM, q="幸福").items] == ["201"]
    for read in (selectors.houses, selectors.enterprises, selectors.vehicles, selectors.places, selectors.devices):
        assert read(PUBLIC).items == []


def test_the_closest_building_gives_the_address() -> None:
    here = (county.WEST + 0.0021, county.SOUTH + 0.002)
    (near,) = selectors.buildings_near(SYSTEM, *here)
    assert (near.code, near.distance_m is not None and near.distance_m < 15) == ("B1", True)
    assert selectors.address_at(SYSTEM, *here) == "城关街道幸福路8号1幢"
    assert selectors.address_at(SYSTEM, 0, 0) == ""
    assert near.lon is not None
    assert near.lat is not None
    dx, dy = geo.reach(150, near.lat)
    assert selectors.address_at(SYSTEM, near.lon - 0.65 * dx, near.lat - 0.65 * dy) == "城关街道幸福路8号1幢"
    assert selectors.address_at(SYSTEM, near.lon - 0.9 * dx, near.lat - 0.9 * dy) == "", "inside of the square, 190 m away"


def test_devices_of_the_territory_and_of_ones_own_units() -> None:
    fire = unit_ids_by_code(SYSTEM, ["fire"])["fire"]
    assert [d.code for d in selectors.devices(cast.viewer(county.GRID)).items] == ["smoke-1"]
    assert [d.code for d in selectors.devices(cast.viewer("88", unit_ids=frozenset({fire}))).items] == ["level-1"]
    found = selectors.devices_by_code(SYSTEM, ["smoke-1", "level-1", "nothing"])
    assert (found["smoke-1"].household, found["smoke-1"].building, found["level-1"].place) == ("F1", "B1", "K1")
    assert [d.code for d in selectors.devices(SYSTEM, kind="smoke", q="smo", status="unproved").items] == ["smoke-1"]
    with pytest.raises(NotFound):
        selectors.device(cast.viewer(county.OTHER_VILLAGE), "smoke-1")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, {"unproved": 2, "silent": 40, "faulty": 10}),
        ({"kind": "door"}, {"silent": 40, "faulty": 10}),
        ({"q": "door-1"}, {"silent": 11}),
        ({"q": "北门"}, {"faulty": 10}),
        ({"q": "北门", "kind": "smoke"}, {}),
        ({"region": county.OTHER_VILLAGE}, {"unproved": 1, "faulty": 10}),
    ],
    ids=lambda value: ",".join(f"{k}={v}" for k, v in value.items()) or "all",
)
def test_the_counts_are_of_what_the_words_find(asked: dict[str, str], found: dict[str, int]) -> None:
    """Status by status as many as the list has pages for, and asked in one statement."""
    rows = [DeviceRow(f"door-{n}", "door", county.GRID, status="silent") for n in range(40)]
    rows += [DeviceRow(f"door-{n}", "door", county.OTHER_VILLAGE, name="北门磁", status="faulty") for n in range(40, 50)]
    actions.load(SYSTEM, rows)
    with CaptureQueriesContext(connection) as seen:
        counts = selectors.device_counts(SYSTEM, **asked)
    assert len([one for one in seen if "registry_device" in one["sql"]]) == 1
    assert {status: n for status, n in counts.items() if n} == found
    assert counts == {status: len(selectors.devices(SYSTEM, **asked, status=status, limit=200).items) for status in counts}
    assert sum(selectors.device_counts(cast.viewer(county.GRID), **asked).values()) == len(
        selectors.devices(cast.viewer(county.GRID), **asked, limit=200).items
    ), "of one's own territory"


def test_a_device_comes_to_life_falls_silent_and_comes_back() -> None:
    news = [("smoke-1", NOON, 1.0), ("smoke-1", NOON - timedelta(hours=1), 9.0), ("ghost", NOON, None)]
    assert actions.devices_heard(DOOR, news) == []  # heard for the first time is no coming back
    heard = selectors.device(SYSTEM, "smoke-1")
    assert (heard.status, heard.last_seen, heard.last_value) == ("online", NOON, 1.0)
    assert actions.devices_heard(DOOR, [("smoke-1", NOON - timedelta(seconds=1), 5.0)]) == []
    assert selectors.overdue_devices(SYSTEM, NOON + timedelta(seconds=179)) == []
    assert [d.code for d in selectors.overdue_devices(SYSTEM, NOON + timedelta(seconds=181))] == ["smoke-1"]
    assert actions.set_device_status(SYSTEM, "smoke-1", "silent") is True
    assert actions.set_device_status(SYSTEM, "smoke-1", "silent") is False
    assert selectors.device_counts(SYSTEM) == {"online": 0, "silent": 1, "faulty": 0, "unproved": 1}
    assert actions.devices_heard(DOOR, [("smoke-1", NOON + timedelta(hours=1), None)]) == ["smoke-1"]
    assert selectors.device(SYSTEM, "smoke-1").last_value == 1.0
    with scoped(SYSTEM):
        facts = Fact.objects.filter(chain="device:smoke-1", action="device_status").order_by("seq").values_list("data", flat=True)
        assert [(f["from"], f["to"]) for f in facts] == [("unproved", "online"), ("online", "silent"), ("silent", "online")]


@pytest.mark.parametrize("most", [100, 2])
def test_who_is_overdue_is_told_by_each_ones_own_interval(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index only narrows: the same as asking each device, whether there are few lengths of intervals or too many to name."""
    monkeypatch.setattr("gridloop.registry.things._MOST_INTERVALS", most)
    intervals = [30, 200, 3600, 86_400]
    rows = [DeviceRow(f"d-{n}", "door", county.GRID, status="online", interval_seconds=intervals[n % 4]) for n in range(80)]
    actions.load(SYSTEM, rows)
    heard = {f"d-{n}": NOON - timedelta(seconds=(n // 4) ** 4 * 2) for n in range(80)}
    actions.devices_heard(DOOR, [(code, at, None) for code, at in heard.items()])
    for least in (timedelta(0), timedelta(minutes=15)):
        wanted = [c for n, (c, at) in enumerate(heard.items()) if NOON - at > max(least, timedelta(seconds=3 * intervals[n % 4]))]
        found = [d.code for d in selectors.overdue_devices(SYSTEM, NOON, least)]
        assert set(found) == set(wanted)
        assert 10 < len(found) < 70
        assert [heard[code] for code in found] == sorted(heard[code] for code in found), "longest silent first"


def test_thousands_that_come_back_together_cost_as_many_statements_as_one() -> None:
    """A gateway was mended: each has its fact in a chain that holds, and its change for the trend."""
    actions.load(SYSTEM, [DeviceRow(f"door-{n}", "door", county.GRID, status="silent") for n in range(300)])
    asked = []
    for codes in (["door-0"], [f"door-{n}" for n in range(1, 300)]):
        with CaptureQueriesContext(connection) as seen:
            assert actions.devices_heard(DOOR, [(code, NOON, 1.0) for code in codes]) == sorted(codes)
        asked.append(len(seen))
    assert asked[0] == asked[1]
    with scoped(SYSTEM):
        facts = Fact.objects.filter(action="device_status", chain__startswith="device:door-")
        assert {(f.chain, f.data["device"], f.data["from"], f.data["to"]) for f in facts} == {
            (f"device:door-{n}", f"door-{n}", "silent", "online") for n in range(300)
        }
        assert [f.seq for f in facts.filter(chain="device:door-7")] == [2], "after the one of its registration"
        changes = DeviceChange.objects.filter(device__code__startswith="door-")
        assert set(changes.values_list("before", "after")) == {("silent", "online")}
        assert changes.count() == 300
    assert verify(SYSTEM)[1] is None


def test_what_a_device_in_a_home_said_is_left_out_and_when_is_but_the_day() -> None:
    fire = unit_ids_by_code(SYSTEM, ["fire"])["fire"]
    mine = [replace(row, owner_unit="fire") for row in cast.rows() if isinstance(row, DeviceRow)]
    actions.load(SYSTEM, mine)
    actions.devices_heard(DOOR, [("smoke-1", NOON, 1.0), ("level-1", NOON, 2.0)])
    there, elsewhere = cast.viewer(county.TOWN), cast.viewer("88", unit_ids=frozenset({fire}))
    for viewer in (there, elsewhere):
        lists = [selectors.devices(viewer).items, list(selectors.devices_by_code(viewer, ["smoke-1", "level-1"]).values())]
        for shown in (*lists, [selectors.device(viewer, code) for code in ("level-1", "smoke-1")]):
            found = {d.code: (d.private, d.status, d.last_value, d.last_seen and d.last_seen.isoformat()) for d in shown}
            assert found == {
                "smoke-1": (True, "online", None, "2026-03-02T00:00:00+08:00"),
                "level-1": (False, "online", 2.0, "2026-03-02T04:00:00+00:00"),
            }
    assert selectors.device(SYSTEM, "smoke-1").last_value == 1.0


@pytest.mark.parametrize("minutes", [0, 3, 9, 10, 11])
def test_ten_minutes_in_the_index_hide_nobody_who_was_heard_in_them(minutes: int) -> None:
    """What is looked for by the column answers by the very moment, wherever in its ten minutes that lies."""
    heard = NOON + timedelta(minutes=minutes, seconds=59)
    actions.devices_heard(DOOR, [("smoke-1", heard, 1.0)])
    asked = [heard + timedelta(seconds=seconds) for seconds in range(-1300, 1301, 26)]
    assert [selectors.heard_since(SYSTEM, at) for at in asked] == [at <= heard for at in asked]
    interval = timedelta(seconds=selectors.device(SYSTEM, "smoke-1").interval_seconds)
    late = [heard + 3 * interval + timedelta(seconds=seconds) for seconds in range(-26, 27, 13)]
    found = [["smoke-1" in [one.code for one in selectors.overdue_devices(SYSTEM, at)]] for at in late]
    assert found == [[at > heard + 3 * interval] for at in late]


def test_a_faulty_device_stays_faulty_however_much_it_talks() -> None:
    actions.set_device_status(SYSTEM, "smoke-1", "faulty")
    assert actions.devices_heard(DOOR, [("smoke-1", NOON, 3.0)]) == []
    assert selectors.device(SYSTEM, "smoke-1").status == "faulty"
    with pytest.raises(Invalid):
        actions.set_device_status(SYSTEM, "smoke-1", "tired")
    with pytest.raises(NotFound):
        actions.set_device_status(SYSTEM, "ghost", "silent")
    with pytest.raises(Forbidden):
        actions.set_device_status(DOOR, "smoke-1", "online")


def secrets_of(viewer: Viewer, code: str) -> list[str]:
    with scoped(viewer):
        found = DeviceCredential.objects.filter(device__code=code, revoked_at__isnull=True)
        return list(found.values_list("secret_hash", flat=True))


def test_a_device_secret_is_shown_once_and_kept_as_a_hash() -> None:
    admin = cast.viewer("990101", "device.edit")
    old = actions.issue_device_secret(admin, "smoke-1")
    new = actions.issue_device_secret(admin, "smoke-1")
    assert secrets_of(SYSTEM, "smoke-1") == [hash_secret(new)] != [hash_secret(old)]
    assert secrets_of(SYSTEM, "level-1") == []
    assert secrets_of(admin, "smoke-1") == []  # row security: secrets are the system's
    with scoped(SYSTEM):
        assert DeviceCredential.objects.count() == 2
        assert not DeviceCredential.objects.filter(secret_hash__contains=new).exists()
    assert actions.revoke_device_secrets(admin, "smoke-1") == 1
    assert secrets_of(SYSTEM, "smoke-1") == []
    for act in (actions.issue_device_secret, actions.revoke_device_secrets):
        with pytest.raises(NotFound):
            act(cast.viewer("88", "device.edit"), "smoke-1")
    with scoped(SYSTEM):
        assert Device.objects.count() == 2
