"""Places: which region a point lies in, distances, WKB and the Chinese map offset. Coordinates are degrees, lon before lat, WGS-84."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import split

EARTH_RADIUS_M = 6_371_008.8
METRES_PER_DEGREE = math.pi * EARTH_RADIUS_M / 180
Floats = npt.NDArray[np.float64]


def distance_m(lon1: npt.ArrayLike, lat1: npt.ArrayLike, lon2: npt.ArrayLike, lat2: npt.ArrayLike) -> Floats:
    """Great-circle metres (haversine); arrays are broadcast."""
    x1, y1, x2, y2 = (np.radians(np.asarray(v, dtype=np.float64)) for v in (lon1, lat1, lon2, lat2))
    a = np.sin((y2 - y1) / 2) ** 2 + np.cos(y1) * np.cos(y2) * np.sin((x2 - x1) / 2) ** 2
    result: Floats = 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(a, 0, 1)))
    return result


def reach(radius_m: float, lat: float) -> tuple[float, float]:
    """Degrees of longitude and latitude that hold the radius around a point at this latitude (at most 1,000 times as wide near a pole)."""
    high = radius_m / METRES_PER_DEGREE
    return high / max(math.cos(math.radians(min(abs(lat) + high, 89.9))), 1e-3), high


@dataclass(frozen=True, slots=True)
class Nearest:
    """The closest region to a point; 0 m when the point lies in it."""

    code: str
    distance_m: float


class RegionIndex:
    """Point → region over polygons of one level. A point on a shared border belongs to the smallest code; holes belong to nobody."""

    def __init__(self, codes: Sequence[str], polygons: Sequence[BaseGeometry]) -> None:
        if len(codes) != len(polygons):
            raise ValueError(f"{len(codes)} codes but {len(polygons)} polygons")
        order = sorted(range(len(codes)), key=lambda i: codes[i])
        self.codes: npt.NDArray[np.object_] = np.array([codes[i] for i in order], dtype=object)
        self._polygons: npt.NDArray[np.object_] = np.array([polygons[i] for i in order], dtype=object)
        shapely.prepare(self._polygons)
        self._tree = shapely.STRtree(self._polygons)

    def __len__(self) -> int:
        return len(self.codes)

    def lookup(self, lons: npt.ArrayLike, lats: npt.ArrayLike) -> npt.NDArray[np.object_]:
        """The code for every point, None where no region covers it (or a coordinate is not a number)."""
        xs = np.atleast_1d(np.asarray(lons, dtype=np.float64))
        ys = np.atleast_1d(np.asarray(lats, dtype=np.float64))
        result: npt.NDArray[np.object_] = np.full(xs.shape, None, dtype=object)
        good = np.flatnonzero(np.isfinite(xs) & np.isfinite(ys))
        if not len(self) or not len(good):
            return result
        point, polygon = self._tree.query(shapely.points(xs[good], ys[good]))
        hit = shapely.intersects_xy(self._polygons[polygon], xs[good][point], ys[good][point])
        best = np.full(len(good), len(self), dtype=np.int64)
        np.minimum.at(best, point[hit], polygon[hit])  # codes are sorted: the smallest index is the smallest code
        found = best < len(self)
        result[good[found]] = self.codes[best[found]]
        return result

    def at(self, lon: float, lat: float) -> str | None:
        """The code for one point, or None."""
        if not (len(self) and math.isfinite(lon) and math.isfinite(lat)):
            return None
        for i in sorted(self._tree.query(shapely.Point(lon, lat)).tolist()):
            if shapely.intersects_xy(self._polygons[i], lon, lat):
                return str(self.codes[i])
        return None

    def nearest(self, lon: float, lat: float) -> Nearest | None:
        """The closest region (smallest code when equal); None only when the index is empty.

        Metres are measured in a plane that touches the earth at the point: exact to 1 in 1,000 within 50 km.
        """
        if not (len(self) and math.isfinite(lon) and math.isfinite(lat)):
            return None
        guess = self._metres(np.array([self._tree.nearest(shapely.Point(lon, lat))]), lon, lat)[0]
        dx, dy = reach(guess * 1.001 + 0.01, lat)
        near = np.sort(self._tree.query(shapely.box(lon - dx, lat - dy, lon + dx, lat + dy)))
        metres = self._metres(near, lon, lat)
        best = int(np.argmin(metres))
        return Nearest(str(self.codes[near[best]]), float(metres[best]))

    def _metres(self, indexes: npt.NDArray[Any], lon: float, lat: float) -> Floats:
        scale = np.array([METRES_PER_DEGREE * math.cos(math.radians(lat)), METRES_PER_DEGREE])
        flat = shapely.transform(self._polygons[indexes], lambda xy: (xy - np.array([lon, lat])) * scale)
        result: Floats = np.atleast_1d(shapely.distance(flat, shapely.Point(0, 0)))
        return result


# --- WKB and GeoJSON -------------------------------------------------------------------------------------------------


def to_wkb(geometry: BaseGeometry) -> bytes:
    return bytes(shapely.to_wkb(geometry, output_dimension=2))


def from_wkb(data: bytes | memoryview) -> BaseGeometry:
    return shapely.from_wkb(bytes(data))


def geojson_to_area(geometry: dict[str, Any]) -> BaseGeometry:
    """A valid Polygon or MultiPolygon from a GeoJSON geometry; ValueError says what is wrong."""
    try:
        area = shapely.force_2d(shape(geometry))
    except (KeyError, TypeError, AttributeError, IndexError, shapely.errors.ShapelyError) as error:
        raise ValueError(f"not a GeoJSON geometry: {error}") from error
    if not area.is_valid:
        area = shapely.make_valid(area)
        if area.geom_type == "GeometryCollection":  # repair may leave lines: only the areas are territory
            area = shapely.union_all([part for part in shapely.get_parts(area) if part.geom_type.endswith("Polygon")])
    if area.is_empty or not area.geom_type.endswith("Polygon"):
        raise ValueError(f"an area is needed, this is a {area.geom_type}")
    west, south, east, north = area.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:
        raise ValueError("coordinates are not degrees of longitude and latitude")
    return area


def wkb_to_geojson(data: bytes | memoryview) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(json.dumps(mapping(from_wkb(data))))
    return result


def inner_point(area: BaseGeometry) -> tuple[float, float]:
    """A point inside the area for a label: the centroid where it lies inside, else any inner point."""
    centre = area.centroid
    point = centre if area.covers(centre) else area.representative_point()
    return float(point.x), float(point.y)


def cut(area: BaseGeometry, line: Sequence[tuple[float, float]]) -> list[BaseGeometry]:
    """The pieces of an area on the two sides of a line (lon, lat) that crosses it once, the north-western first; else one or more than two.

    The line is drawn on beyond its ends, so that it may begin and end a little inside.
    """
    points = [np.array(point, dtype=float) for point in line]
    west, south, east, north = area.bounds
    far = float(np.hypot(east - west, north - south)) or 1.0
    ends = [_beyond(points[1], points[0], far), _beyond(points[-2], points[-1], far)]
    pieces = list(shapely.get_parts(split(area, shapely.LineString([ends[0], *points[1:-1], ends[1]]))))
    return sorted(pieces, key=lambda piece: piece.centroid.x - piece.centroid.y)


def _beyond(inner: npt.NDArray[np.float64], end: npt.NDArray[np.float64], by: float) -> npt.NDArray[np.float64]:
    """The point ``by`` degrees further on the way from ``inner`` to ``end``."""
    way = end - inner
    length = float(np.hypot(*way))
    return end + way / length * by if length else end


# --- GCJ-02 (the offset of maps published in mainland China) ------------------------------------------------------------

_GCJ_A = 6_378_245.0
_GCJ_EE = 0.00669342162296594323


def in_china_box(lon: float, lat: float) -> bool:
    """The box in which the offset is applied by everybody who publishes it."""
    return 72.004 <= lon <= 137.8347 and 0.8293 <= lat <= 55.8271


def _offset(lon: float, lat: float) -> tuple[float, float]:
    x, y = lon - 105.0, lat - 35.0
    root = math.sqrt(abs(x))
    waves = (20 * math.sin(6 * x * math.pi) + 20 * math.sin(2 * x * math.pi)) * 2 / 3
    d_lat = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + waves
    d_lat += (20 * math.sin(y * math.pi) + 40 * math.sin(y / 3 * math.pi)) * 2 / 3
    d_lat += (160 * math.sin(y / 12 * math.pi) + 320 * math.sin(y * math.pi / 30)) * 2 / 3
    d_lon = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + waves
    d_lon += (20 * math.sin(x * math.pi) + 40 * math.sin(x / 3 * math.pi)) * 2 / 3
    d_lon += (150 * math.sin(x / 12 * math.pi) + 300 * math.sin(x / 30 * math.pi)) * 2 / 3
    radians = math.radians(lat)
    magic = 1 - _GCJ_EE * math.sin(radians) ** 2
    d_lat = d_lat * 180 / ((_GCJ_A * (1 - _GCJ_EE)) / (magic * math.sqrt(magic)) * math.pi)
    d_lon = d_lon * 180 / (_GCJ_A / math.sqrt(magic) * math.cos(radians) * math.pi)
    return d_lon, d_lat


def wgs84_to_gcj02(lon: float, lat: float) -> tuple[float, float]:
    if not in_china_box(lon, lat):
        return lon, lat
    d_lon, d_lat = _offset(lon, lat)
    return lon + d_lon, lat + d_lat


def gcj02_to_wgs84(lon: float, lat: float) -> tuple[float, float]:
    """The exact inverse to about 1e-9 degrees (0.1 mm), by fixed-point steps."""
    if not in_china_box(lon, lat):
        return lon, lat
    x, y = lon, lat
    for _ in range(10):
        d_lon, d_lat = _offset(x, y)
        x, y = lon - d_lon, lat - d_lat
    return x, y
