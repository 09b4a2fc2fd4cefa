"""A small sample county for tests: all four towns, every duty and post, the 13 log-ins, about 6,000 people.

``conftest.py`` names it as a plugin. A test that takes ``small_county`` gets the generated :class:`County` and finds it in the database.
It is loaded once a file, outside of the tests' transactions, and again only after a test that commits has emptied the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

import pytest
from pytest_django import DjangoDbBlocker

if TYPE_CHECKING:
    from gridloop.simulation.county.county import County

SMALL = 0.05


@cache
def small() -> County:
    """The small county's records, generated once a process; the roster lies around the clock's day."""
    from gridloop.kernel import clock  # here, not above: this module is a pytest plugin, read before Django is ready
    from gridloop.simulation.county.county import SEED, generate
    from gridloop.simulation.county.staffing import ZONE

    return generate(SEED, SMALL, clock.now().astimezone(ZONE).date())


def load_small_county() -> County:
    """Load it unless it is there; about two seconds the first time, a look-up afterwards."""
    from gridloop.kernel.viewer import SYSTEM
    from gridloop.orgs.territory import unknown_regions
    from gridloop.simulation.county.frame import COUNTY_CODE
    from gridloop.simulation.county.load import load_county

    county = small()
    if unknown_regions(SYSTEM, [COUNTY_CODE]):
        load_county(county)
    return county


@pytest.fixture(scope="module")
def small_county_once(django_db_blocker: DjangoDbBlocker, empty_tables: Callable[[], None]) -> Iterator[County]:
    """The county committed for the tests of one file; the tables are empty again for the next file."""
    from gridloop.access.selectors import forget_viewers

    with django_db_blocker.unblock():
        county = load_small_county()
    yield county
    with django_db_blocker.unblock():
        empty_tables()
        forget_viewers()


@pytest.fixture
def small_county(small_county_once: County, db: None) -> County:
    """The county in the database, also after a test that commits has emptied the tables."""
    return load_small_county()
