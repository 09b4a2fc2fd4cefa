"""The land before people: coast, hills, the river with its tributaries and reservoir, the roads, and where settlements lie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely

from gridloop.simulation.county import words
from gridloop.simulation.county.frame import Bools, Floats, Noise, normals, spline, stream

HALF_WIDTH, HALF_HEIGHT = 12_600.0, 11_200.0

Spot = tuple[float, float]
MAIN_RIVER: Final[tuple[Spot, ...]] = (
    (-12_900, 5_100), (-10_600, 4_300), (-8_300, 3_500), (-5_900, 1_200), (-3_500, 900), (-1_300, -700), (900, -350),
    (3_000, -1_500), (5_600, -1_100), (8_000, -2_300), (12_800, -2_900),
)  # fmt: skip
# stops of the through roads; a whole number stands for the core of that town
ROADS: Final[tuple[tuple[str, str, tuple[Spot | int, ...]], ...]] = (
    (
        "云海国道",
        "national",
        (
            (1_900, 12_600),
            (2_700, 8_700),
            (3_300, 5_000),
            (2_900, 1_900),
            (3_100, -1_300),
            (2_300, -4_400),
            (3_500, -8_200),
            (3_000, -12_600),
        ),
    ),
    ("澜青线", "county", (0, (1_500, 2_000), (3_900, 3_500), 1)),
    ("澜望线", "county", (0, (1_100, -1_900), (3_300, -4_100), 2)),
    ("澜松线", "county", (0, (-1_900, -1_700), (-4_500, -2_200), 3, (-9_200, -4_400), (-13_500, -5_300))),
    ("滨海线", "county", ((6_400, 12_000), (6_900, 8_900), 1, (7_600, 2_200), (7_100, -2_000), 2, (6_300, -9_000), (6_800, -12_500))),
    ("镜湖线", "county", ((-1_900, -1_700), (-3_000, 1_800), (-5_500, 2_700), (-7_300, 2_700), (-9_400, 2_200), (-10_900, 900))),
    ("北溪线", "county", (0, (-1_600, 3_000), (-2_900, 5_500), (-2_700, 8_300), (-3_300, 12_000))),
    ("南岙线", "county", ((2_300, -4_400), (-600, -5_400), (-3_300, -6_300), 3)),
)


@dataclass(frozen=True)
class Stream:
    """A river or tributary: its centre line and half width at every point, metres."""

    name: str
    line: Floats
    half_width: Floats

    def area(self) -> shapely.Polygon:
        left = self.line + normals(self.line) * self.half_width[:, None]
        right = self.line - normals(self.line) * self.half_width[:, None]
        return shapely.buffer(shapely.Polygon(np.concatenate([left, right[::-1]])), 0)


@dataclass(frozen=True)
class Road:
    """One road; ``kind`` is national, county, street, lane or village."""

    name: str
    kind: str
    line: Floats


@dataclass(frozen=True)
class Core:
    """A built-up centre with a lattice of blocks: half axes and block size in metres, turned by ``turn`` radians."""

    town: int
    centre: Floats
    half: tuple[float, float]
    turn: float
    block: float

    def local(self, xy: Floats) -> Floats:
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        turned: Floats = (xy - self.centre) @ np.array([[cos, -sin], [sin, cos]])
        return turned

    def inside(self, xy: Floats, grow: float = 1.0) -> Bools:
        local = self.local(xy)
        inside: Bools = np.hypot(local[..., 0] / self.half[0], local[..., 1] / self.half[1]) < grow
        return inside


@dataclass(frozen=True)
class Terrain:
    streams: tuple[Stream, ...]
    reservoir: shapely.Polygon
    roads: tuple[Road, ...]  # national and county roads
    cores: tuple[Core, ...]  # one per town, the county seat first
    villages: Floats  # centres of the villages outside the cores
    height: Noise
    edge: Noise
    coast: Noise
    bays: Noise
    warp: tuple[Noise, Noise]

    def coast_x(self, xy: Floats) -> Floats:
        """Where the shore lies east of a point."""
        y = np.stack([np.zeros(xy.shape[:-1]), xy[..., 1]], axis=-1)
        return 9_600.0 + 1_900.0 * self.coast(y) + 520.0 * self.bays(y) - 500.0 * np.cos(xy[..., 1] / 2_600.0)

    def at_sea(self, xy: Floats) -> Bools:
        out: Bools = xy[..., 0] > self.coast_x(xy)
        return out

    def inside(self, xy: Floats) -> Bools:
        """Whether a point belongs to the county."""
        angle = np.stack([np.cos(np.arctan2(xy[..., 1], xy[..., 0])), np.sin(np.arctan2(xy[..., 1], xy[..., 0]))], axis=-1) * 6_000.0
        reach = 1.0 + 0.30 * self.edge(angle) + 0.11 * self.bays(xy) - 0.06
        round_ = (np.abs(xy[..., 0]) / HALF_WIDTH) ** 2.6 + (np.abs(xy[..., 1]) / HALF_HEIGHT) ** 2.6
        inside: Bools = (round_ < reach) & ~self.at_sea(xy)
        return inside

    def hilly(self, xy: Floats) -> Floats:
        """Height in about [0, 1]: hills in the west and along the northern border, plain and shore in the east."""
        west = (1_500.0 - xy[..., 0]) / 13_000.0
        north = np.maximum(0.0, np.abs(xy[..., 1]) - 7_000.0) / 9_000.0
        return np.clip(0.25 + west + north + 0.36 * self.height(xy), 0.0, 1.0)

    def bend(self, xy: Floats) -> Floats:
        """The gentle warp that keeps streets from being ruler-straight."""
        return xy + np.stack([self.warp[0](xy), self.warp[1](xy)], axis=-1) * 70.0


def _streams(rng: np.random.Generator) -> tuple[Stream, ...]:
    jog = Noise(rng, 2_300.0)
    main = spline(np.array(MAIN_RIVER), 60.0)
    main = main + normals(main) * (jog(main) * 380.0)[:, None]
    north_mouth = main[np.argmin(np.hypot(*(main - [-3_100, 800]).T))]
    south_mouth = main[np.argmin(np.hypot(*(main - [4_600, -1_200]).T))]
    north = spline(np.array([[-4_900, 10_900], [-4_100, 8_300], [-4_900, 5_900], [-3_400, 3_700], north_mouth]), 60.0)
    south = spline(np.array([[-6_100, -10_200], [-4_300, -7_700], [-1_300, -6_700], [900, -4_500], [3_700, -3_700], south_mouth]), 60.0)
    out = []
    for name, line, start, end in (
        (words.RIVERS[0], main, 16.0, 95.0),
        (words.RIVERS[1], north, 7.0, 18.0),
        (words.RIVERS[2], south, 6.0, 20.0),
    ):
        fade = np.linspace(0, 1, len(line))
        if line is not main:  # a tributary must still end in the river
            line = line + normals(line) * (jog(line) * 330.0 * np.sin(fade * math.pi))[:, None]
        out.append(Stream(name, line, start + (end - start) * fade**1.3))
    return tuple(out)


def _reservoir(rng: np.random.Generator) -> shapely.Polygon:
    turn = np.linspace(0, 2 * math.pi, 120, endpoint=False)
    ripple = Noise(rng, 900.0)(np.stack([np.cos(turn), np.sin(turn)], axis=1) * 800.0)
    radius = 620.0 * (1.0 + 0.42 * ripple)
    spot = np.stack([-8_700 + 1.55 * radius * np.cos(turn - 0.3), 3_720 + radius * np.sin(turn)], axis=1)
    return shapely.buffer(shapely.Polygon(spot), 0)


def _roads(cores: tuple[Core, ...], rng: np.random.Generator) -> tuple[Road, ...]:
    jog = Noise(rng, 2_900.0)
    roads = []
    for name, kind, plan in ROADS:
        line = spline(np.array([cores[stop].centre if isinstance(stop, int) else stop for stop in plan]), 60.0)
        sway = np.sin(np.linspace(0, 1, len(line)) * math.pi) ** 0.5
        line = line + normals(line) * (jog(line) * 330.0 * sway)[:, None]
        roads += [Road(name, kind, part) for part in _outside_cores(line, cores)]
    return tuple(roads)


def _outside_cores(line: Floats, cores: tuple[Core, ...]) -> list[Floats]:
    """The stretches of a road between the built-up centres, where streets take over."""
    free = np.ones(len(line), dtype=bool)
    for core in cores:
        free &= ~core.inside(line, 0.97)
    turns = np.flatnonzero(np.diff(free.astype(np.int8))) + 1
    parts = np.split(np.arange(len(line)), turns)
    return [line[part] for part in parts if free[part[0]] and len(part) > 3]


def _villages(terrain: Terrain, count: int, rng: np.random.Generator) -> Floats:
    """Village centres: apart from each other, rather low than high, near a road or stream, off the cores and the water."""
    lines = shapely.multilinestrings(
        [shapely.LineString(r.line) for r in terrain.roads] + [shapely.LineString(s.line) for s in terrain.streams]
    )
    shapely.prepare(lines)
    cloud = rng.uniform([-HALF_WIDTH, -HALF_HEIGHT], [HALF_WIDTH, HALF_HEIGHT], (24_000, 2))
    ring = np.array([[math.cos(a), math.sin(a)] for a in np.linspace(0, 2 * math.pi, 8, endpoint=False)]) * 650.0
    fits = terrain.inside(cloud) & terrain.inside(cloud[:, None, :] + ring).all(axis=1)
    for core in terrain.cores:
        fits &= ~core.inside(cloud, 1.0 + 750.0 / min(core.half))
    cloud = cloud[fits]
    points = shapely.points(cloud)
    cloud = cloud[shapely.distance(points, terrain.reservoir) > 500.0]
    near = shapely.distance(shapely.points(cloud), lines)
    cloud = cloud[(near > 170.0) & (rng.random(len(cloud)) < np.exp(-near / 900.0) * (1.15 - 0.8 * terrain.hilly(cloud)))]
    chosen = [cloud[0]]
    gap = np.hypot(*(cloud - cloud[0]).T)
    for _ in range(count - 1):  # the farthest of a random handful: spread, yet not a lattice
        handful = rng.integers(0, len(cloud), 60)
        pick = handful[np.argmax(gap[handful])]
        chosen.append(cloud[pick])
        gap = np.minimum(gap, np.hypot(*(cloud - cloud[pick]).T))
    return np.array(chosen)


def make_terrain(seed: int, rural_villages: int) -> Terrain:
    """Pure: the same seed gives the same land, whatever the scale of its population."""
    rng = stream(seed, "terrain")
    cores = (
        Core(0, np.array([-200.0, 450.0]), (2_050.0, 1_480.0), -0.16, 118.0),
        Core(1, np.array([6_700.0, 5_300.0]), (950.0, 700.0), 0.5, 112.0),
        Core(2, np.array([6_200.0, -6_100.0]), (850.0, 720.0), -0.35, 112.0),
        Core(3, np.array([-6_700.0, -3_300.0]), (520.0, 380.0), 0.3, 105.0),
    )
    streams, reservoir, roads = _streams(rng), _reservoir(rng), _roads(cores, rng)
    height, edge, coast, bays = (Noise(rng, size) for size in (5_200.0, 5_500.0, 7_000.0, 1_900.0))
    warp = (Noise(rng, 2_400.0), Noise(rng, 2_400.0))
    terrain = Terrain(streams, reservoir, roads, cores, np.zeros((0, 2)), height, edge, coast, bays, warp)
    villages = _villages(terrain, rural_villages, stream(seed, "villages"))
    return Terrain(streams, reservoir, roads, cores, villages, height, edge, coast, bays, warp)
