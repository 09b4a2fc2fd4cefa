"""Lists, maps and counts with 100,000 historic cases, and how fast the product with them starts again."""

from __future__ import annotations

import argparse
import time

import psycopg
from kit.record import percentile, record
from kit.running import Callers, product

SEED = """
INSERT INTO cases_case ({columns})
SELECT {values} FROM cases_case c, generate_series(1, %(count)s) AS n,
    LATERAL (SELECT code AS region, lon, lat FROM grids WHERE number = 1 + n %% (SELECT count(*) FROM grids)) AS g
WHERE c.code = %(code)s
"""
GRIDS = """
CREATE TEMP TABLE grids AS SELECT row_number() OVER (ORDER BY code) AS number, code, lon, lat
FROM orgs_region WHERE length(code) = 18 AND valid_to IS NULL AND lon IS NOT NULL
"""
CHANGED = {
    "code": "'990101251' || lpad(n::text, 10, '0')",
    "region": "g.region",
    "lon": "g.lon + (n %% 97) * 0.00002",
    "lat": "g.lat + (n %% 89) * 0.00002",
    "title": "c.title || n",
    "severity": "1 + n %% 4",
    "status": "CASE WHEN n %% 20 = 0 THEN 'reported' WHEN n %% 20 = 1 THEN 'accepted' WHEN n %% 50 = 3 THEN 'voided' ELSE 'closed' END",
    "desk_waits": "n %% 20 = 0",
    "reported_at": "now() - make_interval(mins => n * 5)",
    "closed_at": "CASE WHEN n %% 20 > 1 THEN now() - make_interval(mins => n * 5 - 300) END",
    "stage_due_at": "now() + make_interval(mins => n %% 3000 - 500)",
    "same_thing": "''",
}
READS = {
    "list_newest": ("/api/v1/cases", {"limit": 50}),
    "list_todo_counted": ("/api/v1/cases", {"box": "todo", "count": "true", "limit": 50}),
    "list_deep_search": ("/api/v1/cases", {"q": "99999", "limit": 50}),
    "list_by_region_and_status": ("/api/v1/cases", {"region": "990101100", "status": "closed", "limit": 50}),
    "counts": ("/api/v1/cases/counts", {}),
    "counts_of_today": ("/api/v1/cases/counts", {"since": "2026-11-20T00:00:00Z"}),
    "map_county": ("/api/v1/cases/map", {"bbox": "121,29,123,31", "zoom": 10}),
    "map_streets": ("/api/v1/cases/map", {"bbox": "{near}", "zoom": 16}),
}


def fill(callers: Callers, count: int) -> None:
    """Copies of one real case over all micro-grids and two years."""
    code, _key = callers.report()
    began = time.perf_counter()
    with psycopg.connect(callers.product.run()["urls"]["owner"]) as connection:
        found = connection.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'cases_case' AND column_name <> 'id'"
        )
        columns = [name for (name,) in found.fetchall()]
        values = ", ".join(CHANGED.get(name, f"c.{name}") for name in columns)
        connection.execute(GRIDS)
        connection.execute(SEED.format(columns=", ".join(columns), values=values), {"count": count, "code": code})
    with psycopg.connect(callers.product.run()["urls"]["owner"], autocommit=True) as connection:
        connection.execute("ANALYZE cases_case")
    record("historic_cases_loaded", count / (time.perf_counter() - began), "cases/s", count)


def reads(callers: Callers, count: int, rounds: int) -> None:
    place = callers.place()
    near = f"{place['lon'] - 0.01},{place['lat'] - 0.01},{place['lon'] + 0.01},{place['lat'] + 0.01}"
    for user in ("operator", "handler"):
        callers.get("/api/v1/cases", user)  # token and connection are there before the clock runs
        for name, (path, query) in READS.items():
            asked = {k: near if v == "{near}" else v for k, v in query.items()}
            times = []
            for _ in range(rounds):
                began = time.perf_counter()
                callers.get(path, user, **asked)
                times.append((time.perf_counter() - began) * 1000)
            record(f"{name}_{user}_p50", percentile(times, 0.5), "ms", count)
            record(f"{name}_{user}_p95", percentile(times, 0.95), "ms", count)


def second_start(callers: Callers) -> None:
    from tests.house.product import Product

    callers.product.stop()
    again = Product(callers.folder, GRIDLOOP_SAMPLE_SCALE="0.5")
    callers.product = again
    record("second_start", again.wait_ready(120), "s")


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--cases", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=40)
    options.add_argument("--scale", type=float, default=0.5)
    chosen, _ = options.parse_known_args()
    with product(chosen.scale) as callers:
        fill(callers, chosen.cases)
        reads(callers, chosen.cases, chosen.rounds)
        second_start(callers)
        callers.product.stop()


if __name__ == "__main__":
    main()
