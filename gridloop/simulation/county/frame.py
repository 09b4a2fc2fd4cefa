"""Where the sample county lies, and the random streams it is made from.

Everything is built in metres (x east, y north of the centre) and written out in WGS84 degrees rounded to 1e-7 (about 1 cm),
an affine step, so borders that share points in metres share them in degrees.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Geoms = NDArray[np.object_]

CENTRE_LON, CENTRE_LAT = 121.60, 29.20
METRES_LON = 111_320.0 * math.cos(math.radians(CENTRE_LAT))
METRES_LAT = 110_850.0

COUNTY_CODE, COUNTY_ZH, COUNTY_EN = "990101", "云澜县", "Yunlan County"
CITY_CODE, CITY_ZH, CITY_EN = "9901", "云海市", "Yunhai City"


def stream(seed: int, name: str) -> np.random.Generator:
    """An independent random stream for one part, so that a change in one part leaves the others as they were."""
    return np.random.default_rng(np.random.SeedSequence([seed, *name.encode()]))


def to_degrees(xy: Floats) -> Floats:
    """Metres to lon/lat, the last axis holds the pair."""
    out = np.empty_like(xy, dtype=np.float64)
    out[..., 0] = np.round(CENTRE_LON + xy[..., 0] / METRES_LON, 7)
    out[..., 1] = np.round(CENTRE_LAT + xy[..., 1] / METRES_LAT, 7)
    return out


def geometry_to_degrees(geometry: Any) -> Any:
    """A shapely geometry (or an array of them) in metres to lon/lat."""
    return shapely.transform(geometry, to_degrees)


class Noise:
    """Smooth noise in about [-1, 1]: a sum of random waves; ``size`` is the wavelength in metres."""

    def __init__(self, rng: np.random.Generator, size: float, waves: int = 7) -> None:
        turn = rng.uniform(0, 2 * math.pi, waves)
        length = 2 * math.pi / (size * rng.uniform(0.6, 1.7, waves))
        self._k = np.stack([np.cos(turn) * length, np.sin(turn) * length])
        self._phase = rng.uniform(0, 2 * math.pi, waves)
        self._scale = 1.6 / waves

    def __call__(self, xy: Floats) -> Floats:
        waves: Floats = np.sin(xy @ self._k + self._phase)
        total: Floats = waves.sum(axis=-1) * self._scale
        return total


def spline(points: Floats, step: float) -> Floats:
    """A smooth line through the points (Catmull-Rom), sampled every ``step`` metres."""
    ends = np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    t = np.linspace(0, 1, 40, endpoint=False)[:, None]
    pieces = []
    for a, b, c, d in zip(ends[:-3], ends[1:-2], ends[2:-1], ends[3:], strict=True):
        pieces.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3))
    return resample(np.concatenate([*pieces, points[-1:]]), step)


def resample(line: Floats, step: float) -> Floats:
    """The same line with points about ``step`` metres apart; both ends are kept."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    count = max(2, round(along[-1] / step) + 1)
    at = np.linspace(0, along[-1], count)
    return np.stack([np.interp(at, along, line[:, 0]), np.interp(at, along, line[:, 1])], axis=1)


def normals(line: Floats) -> Floats:
    """Unit vectors to the left of the line at its points."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.hypot(tangent[:, 0], tangent[:, 1])[:, None]
    return np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)


def share_out(total: int, weights: Floats | Ints, least: int = 0, most: Ints | None = None) -> Ints:
    """Whole numbers in proportion to the weights that add up to ``total`` (largest remainders), within ``least`` and ``most``."""
    count = len(weights)
    top = np.full(count, total, dtype=np.int64) if most is None else most.astype(np.int64)
    given = np.minimum(np.full(count, least, dtype=np.int64), top)
    left = total - int(given.sum())
    if left < 0 or int(top.sum()) < total:
        raise ValueError(f"cannot share {total} among {count} with least {least}")
    wish = np.maximum(np.asarray(weights, dtype=np.float64), 1e-9)
    while left > 0:
        open_ = given < top
        part = np.where(open_, wish, 0.0)
        exact = left * part / part.sum()
        whole = np.minimum(np.floor(exact).astype(np.int64), top - given)
        if whole.sum() == 0:
            order = np.argsort(-(exact - np.floor(exact)) * open_ - open_ * 1e-6, kind="stable")[:left]
            order = order[open_[order]]
            whole[order] = 1
        given += whole
        left = total - int(given.sum())
    return given
