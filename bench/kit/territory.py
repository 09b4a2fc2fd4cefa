"""Places and people of a running product, read from its own database."""

from __future__ import annotations

import math
import random

import psycopg

from gridloop.cases.types import case_types
from kit.lives import Place
from kit.running import Callers

PHOTO_NEEDED = ("01", "02", "03", "04")  # their scene wants a photo of the result
OWN_SCENE = {"28002", "29004", "09009"}
_CELL = 0.0007  # degrees, about 70 m: a place within 50 m is the same
TURNS = 40  # over all points, each time with another type: never two reports of one thing


def places(callers: Callers) -> list[Place]:
    """Points of the county's micro-grids with a case type that the general scene takes, in no order.

    No two of one type lie near each other: a place that is reported again soon after it was closed is held for a review.
    """
    kinds = [code for code in case_types() if not code.startswith(PHOTO_NEEDED) and code not in OWN_SCENE]
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
