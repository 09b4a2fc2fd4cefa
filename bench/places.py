"""Points to regions: look-ups a second over 40,000 polygons, one by one and in arrays."""

from __future__ import annotations

import time

import numpy as np
from kit.record import record
from shapely.geometry import Polygon

from gridloop.kernel.geo import RegionIndex

SIDE, POINTS = 200, 200_000


def polygons() -> list[Polygon]:
    """200 × 200 cells of twelve corners each."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.column_stack([np.cos(angles), np.sin(angles)]) * 0.00055
    return [Polygon(np.add(ring, (121 + 0.001 * (i % SIDE), 29 + 0.001 * (i // SIDE)))) for i in range(SIDE * SIDE)]


def main() -> None:
    began = time.perf_counter()
    index = RegionIndex([f"{n:018d}" for n in range(SIDE * SIDE)], polygons())
    record("regions_index_built", time.perf_counter() - began, "s", SIDE * SIDE)
    random = np.random.default_rng(7)
    lons, lats = 121 + random.random(POINTS) * SIDE * 0.001, 29 + random.random(POINTS) * SIDE * 0.001
    began = time.perf_counter()
    index.lookup(lons, lats)
    record("region_lookup_in_arrays", POINTS / (time.perf_counter() - began), "points/s", SIDE * SIDE)
    began = time.perf_counter()
    for lon, lat in zip(lons[:20_000], lats[:20_000], strict=True):
        index.at(float(lon), float(lat))
    record("region_lookup_one_by_one", 20_000 / (time.perf_counter() - began), "points/s", SIDE * SIDE)


if __name__ == "__main__":
    main()
