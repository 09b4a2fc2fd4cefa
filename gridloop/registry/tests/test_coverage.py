"""Which key places are watched: by reach, by being told, by kind; and by whom it may be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.kernel import geo
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.tests import cast as county
from gridloop.registry import actions, selectors
from gridloop.registry.coverage import STATES, Eye, _reached
from gridloop.registry.messages import DeviceRow, PlaceRow
from gridloop.registry.models import Device
from gridloop.registry.tests import cast

pytestmark = pytest.mark.django_db
WEST, SOUTH = county.WEST, county.SOUTH
REACHED, BEYOND = geo.reach(99, SOUTH)[1], geo.reach(101, SOUTH)[1]


@pytest.fixture(autouse=True)
def things() -> None:
    cast.settle()
    near: dict[str, Any] = {"lon": WEST + 0.004, "region_code": county.GRID, "kind": "camera", "coverage": 100.0}
    actions.load(
        SYSTEM,
        [
            PlaceRow("K2", "市民广场", "square", county.GRID, lon=WEST + 0.004, lat=SOUTH + 0.004),
            PlaceRow("K3", "无人山塘", "reservoir", county.GRID),
            DeviceRow("cam-near", lat=SOUTH + 0.004 + REACHED, status="online", **near),
            DeviceRow("cam-far", lat=SOUTH + 0.004 + BEYOND, status="online", **near),
        ],
    )


def states(**asked: Any) -> dict[str, tuple[str, list[str]]]:
    page, _ = selectors.coverage(SYSTEM, **asked)
    return {p.code: (p.state, [d.code for d in p.devices]) for p in page.items}


def test_a_place_is_watched_by_what_reaches_it_and_by_what_is_told_to() -> None:
    page, counts = selectors.coverage(SYSTEM)
    assert [p.code for p in page.items] == ["K3", "K1", "K2"], "the unwatched first"
    assert states() == {"K3": ("uncovered", []), "K1": ("weak", ["level-1"]), "K2": ("covered", ["cam-near"])}
    assert counts == {"uncovered": 1, "weak": 1, "covered": 1}
    (eye,) = page.items[2].devices
    assert eye.metres == pytest.approx(99, abs=0.6)
    assert page.items[1].devices[0].metres is None


def test_a_silent_device_leaves_a_place_weakly_watched() -> None:
    actions.set_device_status(SYSTEM, "cam-near", "silent")
    assert states()["K2"] == ("weak", ["cam-near"])
    actions.set_device_status(SYSTEM, "level-1", "online")
    assert states()["K1"] == ("covered", ["level-1"])


def test_only_the_asked_kind_counts() -> None:
    assert states(kind="camera")["K1"] == ("uncovered", [])
    assert list(states(place_kind="square")) == ["K2"]
    assert list(states(state="weak")) == ["K1"]
    _, counts = selectors.coverage(SYSTEM, state="weak")
    assert counts["covered"] == 1, "the counts are of all"


def test_pages_follow_each_other_and_only_ones_own_territory_is_told() -> None:
    first, _ = selectors.coverage(SYSTEM, limit=2)
    rest, _ = selectors.coverage(SYSTEM, limit=2, after=first.next)
    assert [p.code for p in [*first.items, *rest.items]] == ["K3", "K1", "K2"]
    assert rest.next is None
    assert selectors.coverage(cast.viewer(county.OTHER_VILLAGE))[0].items == []


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_the_tree_finds_what_measuring_every_pair_finds(seed: int) -> None:
    chance = np.random.default_rng(seed)
    places = [(n, float(x), float(y)) for n, (x, y) in enumerate(chance.uniform((121, 29), (121.02, 29.02), (12, 2)))]
    devices: list[Eye] = [
        (n, None, "online", float(x), float(y), float(r))
        for n, (x, y, r) in enumerate(chance.uniform((121, 29, 1), (121.02, 29.02, 1500), (15, 3)))
    ]
    wanted = {
        (n, m) for n, lon, lat in places for m, _, _, x, y, reach in devices if geo.distance_m(lon, lat, x or 0, y or 0) <= (reach or 0)
    }
    found = _reached(places, devices)
    assert set(zip(found.place.tolist(), found.device.tolist(), strict=True)) == wanted


def test_pages_say_what_measuring_every_pair_says() -> None:
    """Devices that reach a few metres, a few hundred, a town; by pages as by one list."""
    chance = np.random.default_rng(7)
    spots = chance.uniform((WEST, SOUTH), (WEST + 0.4, SOUTH + 0.4), (60, 2))
    actions.load(SYSTEM, [PlaceRow(f"p{n}", f"P{n}", "square", county.GRID, lon=float(x), lat=float(y)) for n, (x, y) in enumerate(spots)])
    eyes = []
    for n, (x, y) in enumerate(chance.uniform((WEST, SOUTH), (WEST + 0.4, SOUTH + 0.4), (60, 2))):
        reach, status = float(chance.choice([50, 150, 199, 1_500, 2_000, 4_000, 9_000])), str(chance.choice(["online", "silent", "faulty"]))
        if n % 2:
            x, y = spots[n] + chance.uniform(-1.2, 1.2, 2) * geo.reach(reach, SOUTH) / np.sqrt(2)
        eyes.append(DeviceRow(f"e{n}", "camera", county.GRID, lon=float(x), lat=float(y), coverage=reach, status=status))
    actions.load(SYSTEM, eyes)
    wanted = {}
    for n, (x, y) in enumerate(spots):
        near = {eye.code: eye.status for eye in eyes if geo.distance_m(x, y, eye.lon or 0, eye.lat or 0) <= (eye.coverage or 0)}
        wanted[f"p{n}"] = ("covered" if "online" in near.values() else "weak" if near else "uncovered"), len(near)
    assert len({state for state, _ in wanted.values()}) == 3
    found, after = [], None
    while True:
        page, counts = selectors.coverage(SYSTEM, place_kind="square", limit=25, after=after)
        found += [p for p in page.items if p.code in wanted]
        if (after := page.next) is None:
            break
    assert {p.code: (p.state, p.device_count) for p in found} == wanted
    assert [STATES.index(p.state) for p in found] == sorted(STATES.index(p.state) for p in found)
    assert sum(counts.values()) == len(wanted) + 1
    with CaptureQueriesContext(connection) as seen:
        selectors.coverage(SYSTEM, limit=5)
    wide = [one["sql"] for one in seen if '"registry_place"."name"' in one["sql"]]
    assert len(wide) == 1, "whole rows are read of the page alone"
    assert wide[0].count(",") < 60
    assert len(selectors.coverage(SYSTEM, place_kind="square", state="weak", limit=100)[0].items) == counts["weak"]


def test_a_home_is_watched_for_itself() -> None:
    Device.objects.filter(code="smoke-1").update(coverage=50_000, status="online")
    assert "smoke-1" not in {code for _, codes in states().values() for code in codes}
