"""A small sample county for tests: all four towns, every duty and post, the 13 log-ins, about 6,000 people.

In a room's ``conftest.py`` or test file: ``from gridloop.simulation.county.testkit import small_county, small_county_once``; a test that takes
``small_county`` gets the generated :class:`County` and finds it loaded. It is loaded once a session, outside of the tests' transactions.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache

import pytest
from pytest_django import DjangoDbBlocker

from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.territory import unknown_regions
from gridloop.simulation.county.county import SEED, County, generate
from gridloop.simulation.county.frame import COUNTY_CODE
from gridloop.simulation.county.load import load_county
from gridloop.simulation.county.staffing import ZONE

SMALL = 0.05


@cache
def small(seed: int = SEED, today: date | None = None) -> County:
    """The small county's records, generated once a process."""
    return generate(seed, SMALL, today or clock.now().astimezone(ZONE).date())


def load_small_county() -> County:
    """Load it unless it is there; about two seconds the first time, a look-up afterwards."""
    county = small()
    if unknown_regions(SYSTEM, [COUNTY_CODE]):
        load_county(county)
    return county


@pytest.fixture(scope="session")
def small_county_once(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[County]:
    """The county committed before any test's transaction begins."""
    with django_db_blocker.unblock():
        county = load_small_county()
    yield county


@pytest.fixture
def small_county(small_county_once: County, db: None) -> County:
    """The county in the database, also after a test that commits has emptied the tables."""
    return load_small_county()
