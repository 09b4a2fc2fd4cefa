"""Places and people of a running product, read from its own database."""

from __future__ import annotations

import math
import random

import psycopg

from gridloop.cases.types import case_types
from gridloop.scenes.loading import load_all
from gridloop.scenes.rules import Candidate, choose
from kit.lives import Place
from kit.running import Callers

_CELL = 0.0007  # degrees, about 70 m: a place within 50 m is the same
TURNS = 40  # over all points, each time with another type: never two reports of one thing


def places(callers: Callers) -> list[Place]:
    """Points of the county's micro-grids with a case type that the general scene takes, in no order.

    No two of one type lie near each other: a place that is reported again soon after it was closed is held for a review.
    """
    kinds = _general()
    with psycopg.connect(callers.product.run()["urls"]["owner"]) as owner:
        owner.execute("SELECT set_config('gridloop.system', 'on', true)")
        points = owner.execute(
            "SELECT lon, lat FROM orgs_region WHERE length(code) = 18 AND valid_to IS NULL AND lon IS NOT NULL ORDER BY code"
        ).fetchall()
    found = [
        {"lon": round(lon, 6), "lat": round(lat, 6), "kind": kinds[(n + turn * 7) % len(kinds)]}
        for turn in range(min(TURNS, len(kinds)))
        for n, (lon, lat) in enumerate(points)
    ]
    random.Random(7).shuffle(found)
    taken: set[tuple[object, int, int]] = set()
    return [place for place in found if _alone(place, taken)]


def _general() -> list[str]:
    """Case types that no pack but the one for any type takes: the others' ways are longer or want a photo of the result."""
    packs = [Candidate(n, one.name, one.pack) for n, one in enumerate(load_all()) if one.pack is not None]
    taken = {code: choose(packs, code, {}) for code in case_types()}
    return [code for code, one in taken.items() if one is not None and one.pack.pack.any_type and code != one.pack.pack.case_type]


def _alone(place: Place, taken: set[tuple[object, int, int]]) -> bool:
    """Whether nothing of its type lies in its cell or beside it; then it is taken."""
    x, y = (math.floor(float(place[name]) / _CELL) for name in ("lon", "lat"))
    if any((place["kind"], x + i, y + j) in taken for i in (-1, 0, 1) for j in (-1, 0, 1)):
        return False
    taken.add((place["kind"], x, y))
    return True


def unit_of(callers: Callers, user: str) -> int:
    """The unit of an account."""
    return int(callers.get("/api/v1/me", user)["unit"]["id"])
