import pytest

from gridloop.cases.tests.kit import Cast, build


@pytest.fixture
def cast(db: None) -> Cast:
    """The tiny county of the cases room."""
    return build()
