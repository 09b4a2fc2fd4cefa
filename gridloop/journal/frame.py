"""The frame of every verb and every read: one transaction that carries its viewer into row security.

Row security reads transaction-local settings. Each statement is sent with those of its frame: they are set before the first
statement that needs others than the transaction has, so that a change of viewer nobody asks anything under costs nothing.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.db import connection, transaction

from gridloop.kernel.errors import Forbidden
from gridloop.kernel.viewer import Viewer

P = ParamSpec("P")
R = TypeVar("R")

Settings = tuple[str, str, str, str, str, str]
_NOBODY: Settings = ("", "", "", "", "", "")
_NAMES = ("system", "user", "staff", "regions", "units", "places")
BY_KEY = "force_generic_plan"
_SET_PLANS = "SELECT set_config('plan_cache_mode', %s, true), "
_SET_ALL = _SET_PLANS + ", ".join(f"set_config('gridloop.{name}', %s, true)" for name in _NAMES)
_SET_SYSTEM = _SET_PLANS + "set_config('gridloop.system', %s, true)"


@dataclass(slots=True)
class _Told:
    """What row security was last told in the running transaction; None: nobody knows. And what the transaction has noted.

    ``plans``: a verb finds its rows by their keys, whatever the values are; planning each of its statements anew for them took a fifth
    of what it costs PostgreSQL. Lists are planned for what they ask.
    """

    plans: str = "auto"
    settings: Settings | None = _NOBODY
    noted: dict[str, Any] = field(default_factory=dict)

    def holds(self, wanted: Settings) -> bool:
        known = self.settings
        return known is not None and (wanted == known or bool(wanted[0] and known[0]))  # the system sees all, whoever else looks with it


@dataclass(frozen=True, slots=True)
class _Frame:
    """An open frame: who looks, what row security must know for them, and what it knows."""

    viewer: Viewer
    elevated: bool
    wanted: Settings
    told: _Told


_open: ContextVar[_Frame | None] = ContextVar("gridloop_frame", default=None)
_SAVEPOINTS = ("SAVEPOINT", "RELEASE", "ROLLBACK")  # nothing can be told in a transaction that has failed


@functools.lru_cache(maxsize=4096)
def _settings(viewer: Viewer, elevated: bool) -> Settings:
    return (
        "on" if elevated else "",
        str(viewer.user_id or ""),
        str(viewer.staff_id or ""),
        ",".join(f"{region}%" for region in viewer.regions),
        ",".join(str(unit) for unit in sorted(viewer.unit_ids)),
        ",".join(f"{region}%" for region in viewer.places),
    )


def settle() -> None:
    """Tell row security who looks now: only before a statement that does not go through Django's cursor (COPY, a bare connection)."""
    frame = _open.get()
    if frame is not None and not frame.told.holds(frame.wanted):
        _tell(frame.told, frame.wanted)


def _tell(told: _Told, settings: Settings) -> None:
    """Only whether the system looks, where that is all that differs: for the system it is all that matters."""
    known = told.settings
    with connection.cursor() as cursor:
        if known is not None and (settings[0] or settings[1:] == known[1:]):
            told.settings = (settings[0], *known[1:])
            cursor.execute(_SET_SYSTEM, (told.plans, settings[0]))
        else:
            told.settings = settings
            cursor.execute(_SET_ALL, (told.plans, *settings))


def _tell_first(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """Before a statement of a frame: row security learns who looks, unless it knows. Frames that ask nothing cost nothing."""
    frame = _open.get()
    if frame is not None:
        if isinstance(sql, str) and sql.startswith(_SAVEPOINTS):
            if sql.startswith("ROLLBACK"):  # takes with it what was told since
                frame.told.settings = None
        elif not frame.told.holds(frame.wanted):
            _tell(frame.told, frame.wanted)
    return execute(sql, params, many, context)


@contextmanager
def _frame(viewer: Viewer, elevated: bool, plans: str = "auto") -> Iterator[None]:
    """A frame in a frame shares its transaction: when it fails, all of it fails. Whoever wants to go on sets a savepoint of its own."""
    elevated = elevated or viewer.system  # the system sees everything anyway: no second frame for its effects
    nested = connection.in_atomic_block
    outer = _open.get() if nested else None
    if outer is not None:
        if (outer.viewer, outer.elevated) == (viewer, elevated):
            yield
            return
        with transaction.atomic(savepoint=False), _looking(_Frame(viewer, elevated, _settings(viewer, elevated), outer.told)):
            yield
        return
    told = _Told(plans)
    with transaction.atomic(), connection.execute_wrapper(_tell_first):
        frame = _Frame(viewer, elevated, _settings(viewer, elevated), told)
        with _looking(frame):
            yield
        if nested and not told.holds(_NOBODY):  # the transaction goes on without us; a failure has undone it with our savepoint
            told.plans = "auto"
            _tell(told, _NOBODY)


@contextmanager
def _looking(frame: _Frame) -> Iterator[None]:
    token = _open.set(frame)
    try:
        yield
    finally:
        _open.reset(token)


@contextmanager
def scoped(viewer: Viewer, by_key: bool = False) -> Iterator[None]:
    """A transaction in which row security shows what the viewer may see; ``by_key``: its rows are found as a verb finds them."""
    with _frame(viewer, False, BY_KEY if by_key else "auto"):
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
            with _frame(viewer, False, BY_KEY):
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


def noted() -> dict[str, Any]:
    """What this transaction has looked up and may use again: forgotten with the outermost frame. Outside of any frame nothing is kept."""
    frame = _open.get()
    return frame.told.noted if frame is not None else {}


def current_viewer() -> Viewer | None:
    """The viewer of the frame this code runs in."""
    frame = _open.get()
    return frame.viewer if frame is not None else None
