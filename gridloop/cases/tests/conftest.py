import pytest

from gridloop.cases.tests.kit import Cast, build


@pytest.fixture
def cast(db: None) -> Cast:
    """The fixed cast of every test in this room, on real PostgreSQL as the app role."""
    return build()
