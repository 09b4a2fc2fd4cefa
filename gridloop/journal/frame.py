"""The frame of every verb and every read: one transaction that carries its viewer into row security.

Row security reads transaction-local settings, so each transaction, reads included, sets them first and a nested frame
puts the outer viewer back when it ends.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Concatenate, ParamSpec, TypeVar

from django.db import connection, transaction

from gridloop.kernel.errors import Forbidden
from gridloop.kernel.viewer import Viewer

P = ParamSpec("P")
R = TypeVar("R")

_viewer: ContextVar[Viewer | None] = ContextVar("gridloop_viewer", default=None)
_elevated: ContextVar[bool] = ContextVar("gridloop_elevated", default=False)


def _set_row_security(viewer: Viewer | None, elevated: bool) -> None:
    values = ["", "", "", "", ""]
    if viewer is not None:
        values = [
            "on" if viewer.system or elevated else "",
            str(viewer.user_id or ""),
            str(viewer.staff_id or ""),
            ",".join(f"{region}%" for region in viewer.regions),
            ",".join(str(unit) for unit in sorted(viewer.unit_ids)),
        ]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('gridloop.system', %s, true), set_config('gridloop.user', %s, true), "
            "set_config('gridloop.staff', %s, true), set_config('gridloop.regions', %s, true), set_config('gridloop.units', %s, true)",
            values,
        )


@contextmanager
def _frame(viewer: Viewer, elevated: bool) -> Iterator[None]:
    elevated = elevated or viewer.system  # the system sees everything anyway: no second frame for its effects
    outer = (_viewer.get(), _elevated.get())
    nested = connection.in_atomic_block
    if nested and outer == (viewer, elevated):
        yield
        return
    with transaction.atomic():
        _set_row_security(viewer, elevated)
        tokens = (_viewer.set(viewer), _elevated.set(elevated))
        try:
            yield
        finally:
            _viewer.reset(tokens[0])
            _elevated.reset(tokens[1])
        if nested:  # a failed block is rolled back to its savepoint, which restores the settings by itself
            _set_row_security(*outer)


@contextmanager
def scoped(viewer: Viewer) -> Iterator[None]:
    """A transaction in which row security shows what the viewer may see."""
    with _frame(viewer, False):
        yield


@contextmanager
def elevated() -> Iterator[None]:
    """Inside a verb, after the rights were checked: write the effects as the system (rows the actor may not see afterwards)."""
    viewer = _viewer.get()
    if viewer is None:
        raise RuntimeError("elevated() outside of a verb: there is no viewer whose rights were checked")
    with _frame(viewer, True):
        yield


def verb(permission: str) -> Callable[[Callable[Concatenate[Viewer, P], R]], Callable[Concatenate[Viewer, P], R]]:
    """A write: the viewer's permission, one transaction, row security no wider than the grants that give the permission.

    The function appends its own fact.
    """

    def decorate(function: Callable[Concatenate[Viewer, P], R]) -> Callable[Concatenate[Viewer, P], R]:
        @functools.wraps(function)
        def run(viewer: Viewer, /, *args: P.args, **kwargs: P.kwargs) -> R:
            if not viewer.can(permission):
                raise Forbidden("journal.forbidden", permission=permission)
            viewer = viewer.within(permission)
            with scoped(viewer):
                return function(viewer, *args, **kwargs)

        run.permission = permission  # type: ignore[attr-defined]  # read by the reference generator
        return run

    return decorate


def reading(function: Callable[Concatenate[Viewer, P], R]) -> Callable[Concatenate[Viewer, P], R]:
    """A read: one transaction in which row security knows the viewer."""

    @functools.wraps(function)
    def run(viewer: Viewer, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with scoped(viewer):
            return function(viewer, *args, **kwargs)

    return run


def current_viewer() -> Viewer | None:
    """The viewer of the frame this code runs in."""
    return _viewer.get()
