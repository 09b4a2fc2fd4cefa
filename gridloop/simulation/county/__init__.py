"""The sample county 云澜县 (Yunlan): an invented but plausible county, made whole from one seed, with codes nobody is assigned.

``generate(seed, scale)`` is pure; ``load`` puts it into the database; ``basemap`` draws it as vector tiles; ``testkit`` gives
a small one to tests.
"""

from gridloop.simulation.county.county import SEED, County, Land, generate, size_for

__all__ = ["SEED", "County", "Land", "generate", "size_for"]
