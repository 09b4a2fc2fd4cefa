"""Places from addresses: how near, and how honest about it, on a real hotline's requests without their coordinates.

The first 25,000 requests of ``tainan_1999`` (address, geocoded place) are learned as the registry would learn them; the words of the
others are then asked for their place. Points that five roads or more share are where that geocoder put what it did not know: they are
no truth, and are left out of both.
"""

from __future__ import annotations

import csv
import gzip
import sys
import time
from collections import defaultdict

import numpy as np
from kit.record import ROOT, record

from gridloop.kernel.geo import distance_m
from gridloop.kernel.hanzi import clean
from gridloop.registry.addresses import USELESS_M, Located, Road, locate, parse

FILE = ROOT.parent / "shared" / "data" / "tainan_1999" / "requests_2015_2018.csv.gz"
LEARNED, SHARED_BY = 25_000, 5
NEAR_M = 200.0
_NOWHERE = Road(np.empty((0, 5)))


def requests() -> list[dict[str, str]]:
    with gzip.open(FILE, "rt", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: (row["created"], row["id"]))
    roads: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        if found := parse(clean(row["address"])):
            roads[row["lon"], row["lat"]].add(found.road)
    return [row for row in rows if len(roads[row["lon"], row["lat"]]) < SHARED_BY]


def learned(rows: list[dict[str, str]]) -> dict[tuple[str, str], Road]:
    points: dict[tuple[str, str], list[tuple[float, ...]]] = defaultdict(list)
    for row in rows:
        found = parse(clean(row["address"]))
        if found and not found.crossing:
            point = (found.lane, found.alley, found.number, float(row["lon"]), float(row["lat"]))
            points[clean(row["district"]), found.road].append(point)
    return {key: Road(np.array(of_road, dtype=float)) for key, of_road in points.items()}


def main() -> None:
    if not FILE.is_file():
        sys.stderr.write(f"{FILE} is not there: nothing is measured\n")
        return
    rows = requests()
    known = learned(rows[:LEARNED])
    errors: dict[str, list[tuple[float, float]]] = defaultdict(list)
    asked, took = rows[LEARNED:], 0.0
    for row in asked:
        began = time.perf_counter()
        found = place(row, known)
        took += time.perf_counter() - began
        if found is not None and found.metres <= USELESS_M:
            off = float(distance_m(found.lon, found.lat, float(row["lon"]), float(row["lat"])))
            errors[found.how].append((off, found.metres))
    every = np.array([pair for pairs in errors.values() for pair in pairs])
    record("address_found", len(every) / len(asked), "share", len(asked))
    record("address_error_median", float(np.median(every[:, 0])), "m", len(every))
    record("address_within_200_m", float(np.mean(every[:, 0] <= NEAR_M)), "share", len(every))
    record("address_within_200_m_of_all", float(np.sum(every[:, 0] <= NEAR_M) / len(asked)), "share", len(asked))
    record("address_within_what_was_said", float(np.mean(every[:, 0] <= every[:, 1])), "share", len(every))
    sure = every[every[:, 1] <= NEAR_M]
    record("address_says_within_200_m", len(sure) / len(asked), "share", len(asked))
    record("address_says_within_200_m_and_is", float(np.mean(sure[:, 0] <= NEAR_M)), "share", len(sure))
    for how, pairs in sorted(errors.items()):
        record(f"address_error_median_{how}", float(np.median([off for off, _ in pairs])), "m", len(pairs))
    record("address_time", took / len(asked) * 1e3, "ms", len(asked))


def place(row: dict[str, str], known: dict[tuple[str, str], Road]) -> Located | None:
    said = parse(clean(row["description"]))
    if said is None:
        return None
    district = clean(row["district"])
    crossing = known.get((district, said.crossing)) if said.crossing else None
    return locate(said, known.get((district, said.road), _NOWHERE), crossing)


if __name__ == "__main__":
    main()
