"""One push on a case's rows: lock, run the machine, write what it changed; and the scene a case runs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar, cast

from django.conf import settings
from django.utils.module_loading import import_string
from structlog.contextvars import bound_contextvars

from gridloop.cases import store
from gridloop.cases.directory import DIRECTORY
from gridloop.cases.machine import Machine
from gridloop.cases.messages import SceneBook
from gridloop.cases.models import Case, Source
from gridloop.cases.rules import Scene
from gridloop.journal.rows import Rows, update
from gridloop.kernel import clock
from gridloop.kernel.errors import Invalid
from gridloop.kernel.viewer import Viewer

T = TypeVar("T")
_SOURCES = Rows(Source, "WHERE case_id = %s ORDER BY first_at, id")


@cache
def scenes() -> SceneBook:
    """The scene book the project wires by the setting ``GRIDLOOP_SCENE_BOOK``."""
    return cast(SceneBook, import_string(settings.GRIDLOOP_SCENE_BOOK))


def scene_of(case: Case) -> tuple[Scene, str]:
    """The scene in the version the case was opened with, or went over to."""
    if case.scene_version_id is None:
        raise Invalid("cases.no_scene")
    return scenes().by_version(case.scene_version_id)


def push(viewer: Viewer, code: str, run: Callable[[Machine], T], row: Case | None = None) -> T:
    """Lock the case for the viewer (unless its locked row is given), run one push of the machine, write what it changed."""
    return push_loaded(viewer, store.load(code, row), run)


def push_loaded(viewer: Viewer, loaded: store.Loaded, run: Callable[[Machine], T], besides: Sequence[str] = ()) -> T:
    """The same with a case that is locked and read already; afterwards ``loaded`` holds it as it is now.

    ``besides``: names of columns the caller has set on the row, written with what the machine changes.
    """
    with bound_contextvars(case=loaded.row.code):
        return _push(viewer, loaded, run, besides)


def _push(viewer: Viewer, loaded: store.Loaded, run: Callable[[Machine], T], besides: Sequence[str]) -> T:
    scene, _digest = scene_of(loaded.row)
    machine = Machine(loaded.situation, scene, DIRECTORY, clock.now(), viewer, scenes().for_type)
    answer = run(machine)
    store.save(loaded, machine, viewer, besides)
    return answer


def all_sources(row: Case) -> list[Source]:
    """The sources of a case, the first one first."""
    return _SOURCES(row.pk)


def recount(row: Case) -> None:
    """Bring the list's summary of sources up to date."""
    row.sources = store.summary_of(all_sources(row))
    row.updated_at = clock.now()
    update(row, ["sources", "updated_at"])
