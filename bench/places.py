"""Points to micro-grids over 40,000 polygons, one by one and in arrays, beside PostGIS on the same polygons and points in the same run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import psycopg
from kit.record import record
from kit.servers import installed, postgis
from numpy.typing import NDArray
from shapely.geometry import Polygon

from gridloop.kernel.geo import RegionIndex

SIDE, POINTS, SINGLES, BATCH = 200, 200_000, 20_000, 20_000
Floats = NDArray[np.float64]


def polygons() -> list[Polygon]:
    """200 × 200 cells of twelve corners each, some overlapping a little and with gaps between."""
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.column_stack([np.cos(angles), np.sin(angles)]) * 0.00055
    return [Polygon(np.add(ring, (121 + 0.001 * (i % SIDE), 29 + 0.001 * (i // SIDE)))) for i in range(SIDE * SIDE)]


def codes() -> list[str]:
    return [f"{n:018d}" for n in range(SIDE * SIDE)]


def points() -> tuple[Floats, Floats]:
    random = np.random.default_rng(7)
    return 121 + random.random(POINTS) * SIDE * 0.001, 29 + random.random(POINTS) * SIDE * 0.001


def speed(name: str, count: int, began: float) -> None:
    record(name, count / (time.perf_counter() - began), "points/s", SIDE * SIDE)


def ours(lons: Floats, lats: Floats) -> list[str | None]:
    began = time.perf_counter()
    index = RegionIndex(codes(), polygons())
    record("regions_index_built", time.perf_counter() - began, "s", SIDE * SIDE)
    began = time.perf_counter()
    found = index.lookup(lons, lats)
    speed("region_lookup_in_arrays", POINTS, began)
    began = time.perf_counter()
    single = [index.at(float(lon), float(lat)) for lon, lat in zip(lons[:SINGLES], lats[:SINGLES], strict=True)]
    speed("region_lookup_one_by_one", SINGLES, began)
    many = [str(code) if code else None for code in found]
    if many[:SINGLES] != [code or None for code in single]:
        raise SystemExit("one by one and in arrays give different answers")
    return many


_ONE = "SELECT min(code) FROM regions WHERE ST_Intersects(area, ST_SetSRID(ST_MakePoint(%s, %s), 4326))"
_MANY = """SELECT n, min(code) FROM unnest(%s::float8[], %s::float8[]) WITH ORDINALITY AS p(lon, lat, n)
JOIN regions ON ST_Intersects(area, ST_SetSRID(ST_MakePoint(lon, lat), 4326)) GROUP BY n"""


def theirs(connection: psycopg.Connection[Any], lons: Floats, lats: Floats) -> tuple[list[str | None], list[str | None]]:
    """The same questions to PostGIS with its index, on one connection over a Unix socket, statements prepared: (one by one, in arrays)."""
    connection.execute("CREATE EXTENSION postgis")
    connection.execute("CREATE TABLE regions (code text, area geometry(Polygon, 4326))")
    began = time.perf_counter()
    with connection.cursor().copy("COPY regions FROM STDIN") as into:
        for code, polygon in zip(codes(), polygons(), strict=True):
            into.write_row((code, f"SRID=4326;{polygon.wkt}"))
    connection.execute("CREATE INDEX ON regions USING gist (area)")
    connection.execute("ANALYZE regions")
    record("postgis_index_built", time.perf_counter() - began, "s", SIDE * SIDE)
    many: list[str | None] = [None] * POINTS
    began = time.perf_counter()
    for start in range(0, POINTS, BATCH):
        part = slice(start, start + BATCH)
        for n, code in connection.execute(_MANY, [lons[part].tolist(), lats[part].tolist()]):
            many[start + n - 1] = code
    speed("postgis_lookup_in_arrays", POINTS, began)
    single: list[str | None] = []
    began = time.perf_counter()
    for lon, lat in zip(lons[:SINGLES], lats[:SINGLES], strict=True):
        row = connection.execute(_ONE, [float(lon), float(lat)], prepare=True).fetchone()
        single.append(row[0] if row else None)
    speed("postgis_lookup_one_by_one", SINGLES, began)
    return single, many


def differing(mine: Sequence[str | None], other: Sequence[str | None]) -> int:
    return sum(one != two for one, two in zip(mine, other, strict=True))


def main() -> None:
    lons, lats = points()
    found = ours(lons, lats)
    if not installed("postgresql", "postgresql-postgis"):
        return
    with postgis() as url, psycopg.connect(url, autocommit=True) as connection:
        single, many = theirs(connection, lons, lats)
    wrong = differing(found, many) + differing(found[:SINGLES], single)
    record("region_answers_unlike_postgis", wrong, "points", POINTS + SINGLES)
    if wrong:
        raise SystemExit(f"{wrong} answers differ from PostGIS")


if __name__ == "__main__":
    main()
