"""What each cell of land is used for, and how many households would like to live there."""

from __future__ import annotations

from typing import Final

import numpy as np
import shapely

from gridloop.simulation.county.frame import Floats, Ints
from gridloop.simulation.county.terrain import Terrain

FARM, FOREST, HAMLET, BLOCK, PARK, INDUSTRY, PUBLIC, WATER = range(8)
CORE_WISH: Final = (1.5, 0.75, 0.75, 0.4)  # by town: the county seat lives densest
_PARK_SHARE, _PUBLIC_SHARE = 0.05, 0.05


def land_use(xy: Floats, core: Ints, terrain: Terrain, rng: np.random.Generator) -> Ints:
    """The use of each cell: hills are forest, lattice cells are street blocks, cells near village centres are hamlets."""
    use = np.where(terrain.hilly(xy) > 0.46, FOREST, FARM)
    village = shapely.distance(shapely.points(xy), shapely.multipoints(terrain.villages))
    use = np.where(village < 330.0, HAMLET, use)
    luck = rng.random(len(xy))
    for place in terrain.cores:
        own = core == place.town
        works = own & (place.local(xy)[:, 0] > 0.62 * place.half[0]) & (place.town != 3)
        use[own] = BLOCK
        use[own & (luck < _PARK_SHARE)] = PARK
        use[own & (luck > 1 - _PUBLIC_SHARE)] = PUBLIC
        use[works & (luck >= _PARK_SHARE)] = INDUSTRY
    use[shapely.contains_xy(shapely.buffer(terrain.reservoir, 40.0), xy)] = WATER
    return use


def wish_to_live(xy: Floats, core: Ints, use: Ints, area: Floats, terrain: Terrain, rng: np.random.Generator) -> Floats:
    """Relative number of households: dense in the seat, less in the towns, hamlets around village centres, nearly none elsewhere."""
    village = shapely.distance(shapely.points(xy), shapely.multipoints(terrain.villages))
    dense = np.where(use == HAMLET, 0.45 * np.exp(-((village / 230.0) ** 2)), 0.003)
    for place in terrain.cores:
        local = place.local(xy)
        edge = np.hypot(local[:, 0] / place.half[0], local[:, 1] / place.half[1])
        dense = np.where(core == place.town, CORE_WISH[place.town] * (1.15 - 0.7 * edge), dense)
    dense = np.where(np.isin(use, (PARK, INDUSTRY, PUBLIC)), 0.01, dense)
    dense = np.where(use == WATER, 0.0, dense)
    wish: Floats = dense * np.nan_to_num(area) / 12_000.0 * rng.uniform(0.7, 1.3, len(xy))
    return wish
