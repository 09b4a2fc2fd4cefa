"""Water meters of the living county send their state, which only grows."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

import numpy as np

from gridloop.registry.messages import DeviceRow
from gridloop.simulation.living.run import Living


def meter(code: str, kind: str = "water_meter") -> DeviceRow:
    return DeviceRow(code=code, kind=kind, region_code="990101100200001001", lon=121.6, lat=29.2, interval_seconds=3600)


def test_the_state_of_a_water_meter_grows_by_what_is_used() -> None:
    world = cast(Any, SimpleNamespace(random=np.random.default_rng(5)))
    living = Living(world, cast(Any, None), cast(Any, None), 1.0, threading.Event())
    read = [living._reading(meter("w1")) for _ in range(5)]
    other = living._reading(meter("w2"))
    assert {one["kind"] for one in read} == {"water_total"}
    used = np.diff([one["value"] for one in read])
    assert ((used >= 12 * 0.6 - 0.001) & (used <= 12 * 1.4 + 0.001)).all()
    assert 1_000 <= read[0]["value"] < 90_000
    assert other["value"] != read[-1]["value"]
    assert living._reading(meter("g1", "gas_meter"))["kind"] == "gas_use"
