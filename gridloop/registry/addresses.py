"""Chinese addresses: what a text says of a place, and where that is by the addresses known. Pure.

A house number tells where on its road a house stands; so does the number of a lane (巷, 弄), which is counted like the houses. Where the
very number is unknown, its neighbours on the road say where it must be, the more surely the nearer they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from gridloop.kernel.geo import distance_m

_DIGITS: Final = "零〇一二三四五六七八九"
_NUMBER: Final = f"[{_DIGITS}十百0-9]+"
_HAN: Final = "[\u4e00-\u9fff]"
# what stands before the road: province to village, each only before more of the address; 市 of 新市区 ends nothing
_ADMIN = re.compile(rf"(?:{_HAN}{{1,6}}?(?:省|市(?!区)|县|区|镇|乡|街道|社区|村(?!{_NUMBER}号))(?={_HAN}))+")
_NEIGHBOURHOOD = re.compile(rf"{_HAN}{{1,4}}?里(?={_HAN}*(?:路|街|大道))")
_AREA = re.compile(rf"{_HAN}{{1,6}}?(?:省|市(?!区)|县|区|镇|乡|街道|社区|村)")
_ROAD = re.compile(
    rf"(?P<road>{_HAN}{{1,7}}?(?:大道|大街|路(?![灯面边树旁况])|街(?!道)|胡同)(?:{_NUMBER}段)?|{_HAN}{{1,5}}(?:里|村|屯|社区|小区)(?={_NUMBER}(?:-{_NUMBER})?号))"
    rf"(?:(?P<lane>{_NUMBER})(?:巷|弄))?(?:(?P<alley>{_NUMBER})弄)?(?:(?P<number>{_NUMBER})(?:[-之]{_NUMBER})?号)?"
)
_SECTION = re.compile(rf"({_NUMBER})段$")
_JOINING: Final = "与和及跟近往到至在、/"
_NO_ROADS: Final = frozenset(("交叉路", "十字路", "丁字路", "马路", "道路", "公路", "铁路", "小路", "大路", "水路", "一路", "半路"))

EXACT_M: Final = 30.0  # expected error of a number that is known
NEIGHBOURS: Final = 5
OUTLIER_M: Final = 400.0  # from the middle of a number's neighbours: a point put down wrongly
USELESS_M: Final = 1000.0  # beyond it a place found helps nobody

Columns = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Address:
    """A place as a text says it. ``area``: the smallest district, town or village named; 0 and '' where nothing is said."""

    road: str
    lane: int = 0
    alley: int = 0
    number: int = 0
    area: str = ""
    crossing: str = ""

    @property
    def along(self) -> int:
        """Where on the road: the lane's number, else the house's."""
        return self.lane or self.number


@dataclass(frozen=True, slots=True)
class Located:
    """Degrees, the expected error in metres (four of five are nearer), and how: exact, lane, number, crossing, road."""

    lon: float
    lat: float
    metres: float
    how: str


@dataclass(frozen=True, slots=True)
class Road:
    """Addresses of one road: a row each of lane, alley, number, longitude, latitude."""

    rows: Columns

    def __bool__(self) -> bool:
        return len(self.rows) > 0


def parse(text: str) -> Address | None:
    """The first address of a text in simplified Chinese; None when it names no road."""
    area, rest = _area_of(text)
    found = [m for m in _ROAD.finditer(rest) if _road_name(m["road"])]
    if not found:
        return None
    first = found[0]
    road = _road_name(first["road"])
    lane, alley, number = (_integer(first[part]) for part in ("lane", "alley", "number"))
    other = next((name for m in found[1:] if (name := _road_name(m["road"])) != road), "")
    if other and any(mark in rest[first.end() : found[1].start() + 1] for mark in "，。；;"):
        other = ""  # another sentence is another place
    return Address(road, lane, alley, number, area, other if not (lane or number) else "")


def _area_of(text: str) -> tuple[str, str]:
    head = _ADMIN.search(text)
    if head is None or head.start() > 12:
        return "", _NEIGHBOURHOOD.sub("", text, count=1)
    return _AREA.findall(head[0])[-1], _NEIGHBOURHOOD.sub("", text[head.end() :], count=1)


def _road_name(raw: str) -> str:
    name = stripped if len(stripped := raw.lstrip(_JOINING)) >= 3 else raw  # 与兴华路, but 和平街
    if name in _NO_ROADS or len(name) < 2:
        return ""
    section = _SECTION.search(name)
    return f"{name[: section.start()]}{_integer(section[1])}段" if section else name


def _integer(words: str | None) -> int:
    """``12``, ``十二``, ``一百二十三``, ``一二三`` as a number; 0 for nothing."""
    total = here = 0
    for sign in words or "":
        if sign == "百":
            total, here = total + (here or 1) * 100, 0
        elif sign == "十":
            total, here = total + (here or 1) * 10, 0
        else:
            here = here * 10 + (int(sign) if sign.isdigit() else max(0, _DIGITS.index(sign) - 1))
    return min(total + here, 99_999)


def locate(address: Address, known: Road, crossing: Road | None = None) -> Located | None:
    """Where it is by the known addresses of its road (and of the road it crosses); None when nothing is known."""
    if not known:
        return None
    rows = known.rows
    if crossing:
        return _meeting(rows, crossing.rows)
    if address.along:
        same = (rows[:, 0] == address.lane) & (rows[:, 1] == address.alley) & (rows[:, 2] == address.number)
        if same.any():
            return _around(rows[same], "exact", EXACT_M)
        if address.lane and (rows[:, 0] == address.lane).any():
            return _in_lane(address, rows[rows[:, 0] == address.lane])
        if (found := _along(address.along, rows)) is not None:
            return found
    return _around(rows, "road", EXACT_M, 95)


def _metres(rows: Columns, lon: float, lat: float) -> Columns:
    found: Columns = np.asarray(distance_m(rows[:, 3], rows[:, 4], lon, lat), dtype=np.float64)
    return found


def _around(rows: Columns, how: str, least: float, share: float = 80) -> Located:
    """The middle of some points, with the distance a share (percent) of them keeps to it."""
    lon, lat = (float(v) for v in np.median(rows[:, 3:], axis=0))
    return Located(lon, lat, round(max(least, float(np.percentile(_metres(rows, lon, lat), share))), 1), how)


def _in_lane(address: Address, rows: Columns) -> Located:
    """The nearest numbers of the same lane, those of the same alley first."""
    apart = np.abs(rows[:, 2] - address.number) + (rows[:, 1] != address.alley) * 1000.0
    found = _around(rows[np.argsort(apart, kind="stable")[:3]], "lane", EXACT_M)
    return Located(found.lon, found.lat, round(found.metres + 90.0, 1), "lane")


def _along(wanted: int, rows: Columns) -> Located | None:
    """Between the neighbours along the road, each the heavier the nearer its number is; outliers do not count."""
    numbers = np.where(rows[:, 0] > 0, rows[:, 0], rows[:, 2])
    on_road = numbers > 0
    if not on_road.any():
        return None
    rows, apart = rows[on_road], np.abs(numbers[on_road] - wanted)
    near = np.argsort(apart, kind="stable")[:NEIGHBOURS]
    rows, apart = rows[near], apart[near]
    lon, lat = np.median(rows[:, 3:], axis=0)
    fits = _metres(rows, float(lon), float(lat)) <= OUTLIER_M
    if fits.any():
        rows, apart = rows[fits], apart[fits]
    weights = 1.0 / (apart + 4.0)
    lon, lat = (float(v) for v in (rows[:, 3:] * weights[:, None]).sum(axis=0) / weights.sum())
    spread = float(np.average(_metres(rows, lon, lat), weights=weights)) if len(rows) > 1 else 200.0
    return Located(lon, lat, round(80.0 + spread + 2.5 * float(apart.min()), 1), "number")


def _meeting(one: Columns, other: Columns) -> Located:
    """Where two roads come nearest to each other, as far as addresses on both are known."""
    apart = np.asarray(distance_m(one[:, None, 3], one[:, None, 4], other[None, :, 3], other[None, :, 4]))
    i, j = np.unravel_index(int(apart.argmin()), apart.shape)
    lon, lat = (float(v) for v in (one[i, 3:] + other[j, 3:]) / 2)
    return Located(lon, lat, round(200.0 + float(apart[i, j]), 1), "crossing")
