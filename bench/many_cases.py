"""Lists, search, maps and counts with a long history loaded by ``gridloop import``, and how fast the product with it starts again."""

from __future__ import annotations

import argparse
import math
import random
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from kit.record import percentile, record
from kit.running import Callers, product

from tests.house.product import command

START = 0x4E00  # Chinese characters from here on
COMMON, RARE = "占道经营", "稀世珍词"  # one case in ten; ten cases in all
PART = 100_000  # rows of the table made at a time
OPEN = 20_000  # of the newest, every other one is open: what is in hand does not grow with the history
READS: dict[str, tuple[str, dict[str, object]]] = {
    "list_newest": ("/api/v1/cases", {"limit": 50}),
    "list_todo_urgent": ("/api/v1/cases", {"box": "todo", "order": "urgent", "limit": 50}),
    "list_todo_counted": ("/api/v1/cases", {"box": "todo", "count": "true", "limit": 50}),
    "list_done": ("/api/v1/cases", {"box": "done", "limit": 50}),
    "list_counted": ("/api/v1/cases", {"count": "true", "limit": 50}),
    "list_by_region_and_status": ("/api/v1/cases", {"region": "{town}", "status": "closed", "limit": 50}),
    "search_two_characters": ("/api/v1/cases", {"q": COMMON[:2], "limit": 50}),
    "search_four_characters": ("/api/v1/cases", {"q": COMMON, "limit": 50}),
    "search_rare": ("/api/v1/cases", {"q": RARE, "limit": 50}),
    "search_mixed": ("/api/v1/cases", {"q": "12号", "limit": 50}),
    "search_code_end": ("/api/v1/cases", {"q": "{end}", "limit": 50}),
    "search_counted": ("/api/v1/cases", {"q": COMMON, "count": "true", "limit": 50}),
    "counts": ("/api/v1/cases/counts", {}),
    "map_county": ("/api/v1/cases/map", {"bbox": "121,29,123,31", "zoom": 10}),
    "map_open": ("/api/v1/cases/map", {"bbox": "121,29,123,31", "zoom": 10, "box": "open"}),
    "map_streets": ("/api/v1/cases/map", {"bbox": "{near}", "zoom": 16}),
}


def _words() -> tuple[list[str], list[str]]:
    """20,000 words of two to four characters, and 800 roads; always the same."""
    letters = [chr(START + random.randrange(6000)) for _ in range(2500)]
    words = ["".join(random.choice(letters) for _ in range(random.choice((2, 2, 2, 3, 4)))) for _ in range(20_000)]
    return words, ["".join(random.choice(letters) for _ in range(2)) + random.choice("路街巷道") for _ in range(800)]


HEADER = ("案件编号", "类型", "区划代码", "上报时间", "状态", "办结时间", "地址", "内容", "主办单位", "来源", "经度", "纬度")


def write_history(file: Path, count: int, places: list[tuple[str, float, float]], units: list[str]) -> None:
    """A table as another platform would hand it over: a thousand days, words by Zipf's law, units and places of the sample county."""
    random.seed(7)
    chance = np.random.default_rng(7)
    words, roads = (pa.array(some) for some in _words())
    codes, lons, lats = (pa.array(column) for column in zip(*places, strict=True))
    unit_codes = pa.array(units)
    end = datetime.now(UTC).replace(microsecond=0)
    with file.open("wb") as out:
        out.write((",".join(HEADER) + "\n").encode())
        for first in range(0, count, PART):
            n = np.arange(first, min(first + PART, count))

            def word() -> Any:
                return words.take(pa.array((np.exp(chance.random(len(n)) * math.log(len(words))) - 1).astype(np.int64)))  # noqa: B023

            said = [word(), "，", word(), word(), "，", word(), pa.array(np.where(chance.random(len(n)) < 0.1, COMMON, ""))]
            said.append(pa.array(np.where(n % (count // 10) == 7, RARE, "")))
            at = (end - timedelta(days=3)).timestamp() - 86_400_000 * ((count - n) / count)
            place = pa.array(chance.integers(0, len(places), len(n)))
            columns = [
                pc.binary_join_element_wise("H", pc.utf8_lpad(pa.array(n).cast(pa.string()), 10, "0"), ""),
                pa.array(np.where(chance.random(len(n)) < 0.5, "28002", "01037")),
                codes.take(place),
                _moments(at),
                pa.array(np.where(n % 33 == 0, "作废", "办结")),
                _moments(at + 172_800),
                pc.binary_join_element_wise(
                    roads.take(pa.array(chance.integers(0, len(roads), len(n)))),
                    pa.array(chance.integers(0, 300, len(n))).cast(pa.string()),
                    "号",
                    "",
                ),
                pc.binary_join_element_wise(*said, ""),
                unit_codes.take(pa.array((len(units) * chance.random(len(n)) ** 3).astype(np.int64))),
                pa.array(["热线"] * len(n)),
                *(pc.round(pc.add(all_of.take(place), pa.array(chance.random(len(n)) / 500)), 6) for all_of in (lons, lats)),
            ]
            table = pa.table(dict(zip(HEADER, columns, strict=True)))
            pa_csv.write_csv(table, out, pa_csv.WriteOptions(include_header=False, quoting_style="none"))


def _moments(seconds: Any) -> Any:
    return pc.strftime(pa.array(seconds.astype(np.int64)).cast(pa.timestamp("s", "UTC")), "%Y-%m-%dT%H:%M:%S+00:00")


def fill(callers: Callers, count: int) -> None:
    """The history by ``gridloop import``; then some of the newest are opened again, for the lists of what is in hand."""
    owner = callers.product.run()["urls"]["owner"]
    with psycopg.connect(owner) as connection:
        places = connection.execute(
            "SELECT code, lon, lat FROM orgs_region WHERE length(code) = 18 AND valid_to IS NULL AND lon IS NOT NULL"
        ).fetchall()
        units = [
            code for (code,) in connection.execute("SELECT code FROM orgs_unit WHERE department_id IS NOT NULL ORDER BY id").fetchall()
        ]
    file = callers.folder.parent / "history.csv"
    write_history(file, count, places, units)
    began = time.perf_counter()
    done = command("import", "cases", str(file), "--data-dir", str(callers.folder), seconds=36_000)
    assert f"{count:,} imported" in done.stdout, done.stdout + done.stderr
    record("history_imported_and_worded", count / (time.perf_counter() - began), "cases/s", count)
    if seconds := re.search(r"kept in ([\d.]+) s", done.stderr):
        record("history_imported", count / float(seconds.group(1)), "cases/s", count)
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute(
            "UPDATE cases_case SET status = 'dispatched', closed_at = NULL, desk_waits = id %% 4 = 0, stage = 'handle', "
            "stage_due_at = reported_at + interval '5 days' WHERE id IN (SELECT id FROM cases_case ORDER BY reported_at DESC LIMIT %s) "
            "AND id %% 2 = 0",
            [min(OPEN, count // 10)],
        )
        connection.execute("VACUUM ANALYZE cases_case, cases_words, journal_sealed")


def held(callers: Callers) -> int:
    with psycopg.connect(callers.product.run()["urls"]["owner"]) as connection:
        return int((connection.execute("SELECT count(*) FROM cases_case").fetchone() or (0,))[0])


def right(callers: Callers) -> str:
    """What is found is what a look at every text finds; returns a code to look for."""
    query = (
        "SELECT c.code FROM cases_case c WHERE c.title LIKE %(w)s OR c.address LIKE %(w)s OR EXISTS (SELECT 1 FROM journal_sealed s WHERE "
        "s.case_code = c.code AND s.purpose = 'case_text' AND s.value::text LIKE %(w)s) ORDER BY c.reported_at DESC, c.id DESC LIMIT 50"
    )
    with psycopg.connect(callers.product.run()["urls"]["owner"]) as connection:
        for words in (COMMON, RARE):
            wanted = [code for (code,) in connection.execute(query, {"w": f"%{words}%"}).fetchall()]
            found = [case["code"] for case in callers.get("/api/v1/cases", "operator", q=words, limit=50)["items"]]
            assert found == wanted, (words, found, wanted)
        assert len(wanted) == 10, wanted
        (code,) = connection.execute("SELECT code FROM cases_case ORDER BY id OFFSET %s LIMIT 1", [777]).fetchone() or ("",)
    found = [case["code"] for case in callers.get("/api/v1/cases", "operator", q=code[-7:], limit=50)["items"]]
    assert code in found, (code, found)
    return str(code)


def reads(callers: Callers, count: int, rounds: int) -> None:
    place = callers.place()
    code = right(callers)
    known = {
        "{near}": f"{place['lon'] - 0.01},{place['lat'] - 0.01},{place['lon'] + 0.01},{place['lat'] + 0.01}",
        "{town}": "990101100",
        "{end}": code[-7:],
    }
    for user in ("operator", "worker", "handler"):
        callers.get("/api/v1/cases", user)  # token and connection are there before the clock runs
        for name, (path, query) in READS.items():
            asked = {k: known.get(str(v), v) for k, v in query.items()}
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
    options.add_argument("--folder", type=Path, help="kept afterwards; what was filled there by a run before is read again")
    chosen, _ = options.parse_known_args()
    with product(chosen.scale, chosen.folder) as callers:
        if held(callers) < chosen.cases:
            fill(callers, chosen.cases)
        reads(callers, chosen.cases, chosen.rounds)
        second_start(callers)
        callers.product.stop()


if __name__ == "__main__":
    main()
