"""The frame of every verb and every read: one transaction that carries its viewer into row security.

Row security reads transaction-local settings, so each transaction, reads included, sets them first and a nested frame
puts the outer viewer back when it ends.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Concatenate, ParamSpec, TypeVar

from django.db import connection, transaction

from gridloop.kernel.errors import Forbidden
from gridloop.kernel.viewer import Viewer

P = ParamSpec("P")
R = TypeVar("R")

Settings = tuple[str, str, str, str, str, str]
_NOBODY: Settings = ("", "", "", "", "", "")
_SET = ", ".join(f"set_config('gridloop.{name}', %s, true)" for name in ("system", "user", "staff", "regions", "units", "places"))


@dataclass(frozen=True, slots=True)
class _Frame:
    """An open frame: who looks, and what row security was last told inside its transaction."""

    viewer: Viewer
    elevated: bool
    told: Settings


_open: ContextVar[_Frame | None] = ContextVar("gridloop_frame", default=None)


def _settings(viewer: Viewer, elevated: bool) -> Settings:
    return (
        "on" if elevated else "",
        str(viewer.user_id or ""),
        str(viewer.staff_id or ""),
        ",".join(f"{region}%" for region in viewer.regions),
        ",".join(str(unit) for unit in sorted(viewer.unit_ids)),
        ",".join(f"{region}%" for region in viewer.places),
    )


def _tell(settings: Settings) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_SET}", settings)


@contextmanager
def _frame(viewer: Viewer, elevated: bool) -> Iterator[None]:
    """A frame in a frame shares its transaction: when it fails, all of it fails. Whoever wants to go on sets a savepoint of its own."""
    elevated = elevated or viewer.system  # the system sees everything anyway: no second frame for its effects
    nested = connection.in_atomic_block
    outer = _open.get() if nested else None
    if outer is not None and (outer.viewer, outer.elevated) == (viewer, elevated):
        yield
        return
    wanted = _settings(viewer, elevated)
    told = outer.told if outer is not None else _NOBODY
    change = outer is None or not (wanted == told or (wanted[0] and told[0]))  # the system sees all, whoever else looks with it
    with transaction.atomic(savepoint=outer is None):
        if change:
            _tell(wanted)
        token = _open.set(_Frame(viewer, elevated, wanted if change else told))
        try:
            yield
        finally:
            _open.reset(token)
        if change and nested:  # after a failure the transaction, or a savepoint around us, puts the settings back by itself
            _tell(told)


@contextmanager
def scoped(viewer: Viewer) -> Iterator[None]:
    """A transaction in which row security shows what the viewer may see."""
    with _frame(viewer, False):
        yield


@contextmanager
def elevated() -> Iterator[None]:
    """Inside a verb, after the rights were checked: write the effects as the system (rows the actor may not see afterwards)."""
    frame = _open.get()
    if frame is None:
        raise RuntimeError("elevated() outside of a verb: there is no viewer whose rights were checked")
    with _frame(frame.viewer, True):
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
    frame = _open.get()
    return frame.viewer if frame is not None else None
