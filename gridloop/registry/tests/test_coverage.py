"""Which key places are watched: by reach, by being told, by kind; and by whom it may be seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridloop.kernel import geo
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.tests import cast as county
from gridloop.registry import actions, selectors
from gridloop.registry.coverage import Watching, _reached
from gridloop.registry.messages import DeviceRow, PlaceRow
from gridloop.registry.models import Device, Place
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


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_tree_finds_what_measuring_every_pair_finds(seed: int) -> None:
    chance = np.random.default_rng(seed)
    places = [Place(pk=n, lon=float(x), lat=float(y)) for n, (x, y) in enumerate(chance.uniform((121, 29), (121.02, 29.02), (12, 2)))]
    devices: list[Watching] = [
        ("", "", "camera", "online", float(x), float(y), float(r), None)
        for x, y, r in chance.uniform((121, 29, 1), (121.02, 29.02, 1500), (15, 3))
    ]
    wanted = {
        (n, m)
        for n, p in enumerate(places)
        for m, d in enumerate(devices)
        if geo.distance_m(p.lon or 0, p.lat or 0, d[4] or 0, d[5] or 0) <= (d[6] or 0)
    }
    assert set(_reached(places, devices)) == wanted


def test_a_home_is_watched_for_itself() -> None:
    Device.objects.filter(code="smoke-1").update(coverage=50_000, status="online")
    assert "smoke-1" not in {code for _, codes in states().values() for code in codes}
