"""The cast of the access room, for tests over HTTP."""

from gridloop.access.tests.conftest import cast

__all__ = ["cast"]
