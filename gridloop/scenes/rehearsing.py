"""Rehearsals at work: a job of the worker, a second at a time, that goes on after a restart from what was last put aside."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.db.models import F, Q
from django.db.models.functions import Now

from gridloop.cases.directory import DIRECTORY
from gridloop.cases.figures import taken_by
from gridloop.detection.rules import described
from gridloop.flow.selectors import process_by_digest
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.selectors import calendar_for
from gridloop.scenes import selectors
from gridloop.scenes.comparing import NEW, OLD, Load, days_between, report, split
from gridloop.scenes.editing import check, detectors_of
from gridloop.scenes.loading import Known
from gridloop.scenes.models import Rehearsal
from gridloop.scenes.rules import is_on
from gridloop.scenes.selectors import kinds
from gridloop.sdk.pack import Pack
from gridloop.signals.alarms import moment, most_an_hour
from gridloop.signals.handlers import owner_name
from gridloop.signals.rehearsing import Raised, Rehearsing
from gridloop.signals.stream import milliseconds

log = logging.getLogger(__name__)
TURN_SECONDS, SAVE_SECONDS, LEASE_SECONDS = 1.0, 15.0, 120.0
ATTEMPTS = 5  # a run that ends its worker is not begun for ever
MINUTES_A_CASE, HOURS_OPEN, MEASURED_LEAST = 30.0, 24.0, 5  # what a case takes while too few were closed to know
MEASURED_OVER = timedelta(days=180)
Status = Rehearsal.Status


def state_file(rehearsal_id: int) -> Path:
    """Where a run is put aside."""
    return Path(settings.DATA_DIR) / "rehearsals" / f"{rehearsal_id}.state"


class Running:
    """A rehearsal in this process's hands."""

    def __init__(self, row: Rehearsal, pack: Pack, process: str, wished: Pack, present: bool, on: dict[str, bool]) -> None:
        self.row, self.pack, self.process = row, pack, process  # by its digest
        self._on, self._present = on, present
        calendar = calendar_for(SYSTEM, "")
        old = detectors_of(pack, kinds(), calendar) if present else {}
        new = detectors_of(wished, kinds(), calendar)
        same = {name for name in old.keys() & new.keys() if described(old[name]) == described(new[name])}
        wanted = [new[name] for name in new if name in same]
        wanted += [replace(one, id=f"{OLD}:{one.id}") for name, one in old.items() if name not in same]
        wanted += [replace(one, id=f"{NEW}:{one.id}") for name, one in new.items() if name not in same]
        self.work = Rehearsing(wanted, milliseconds(row.since), milliseconds(row.until))
        self.work.load(self.file)
        self._saved = time.monotonic()

    @property
    def file(self) -> Path:
        return state_file(self.row.pk)

    def turn(self, seconds: float) -> bool:
        """Works on for about so long; False when it has come to its end."""
        began = time.monotonic()
        while not self.work.over:
            self.work.step()
            if time.monotonic() - began >= seconds:
                break
        if self.work.over:
            return False
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()
        return True

    def save(self) -> None:
        self.work.save(self.file)
        self._saved = time.monotonic()

    def report(self) -> dict[str, Any]:
        calendar = calendar_for(SYSTEM, "")
        case_type = self.pack.pack.case_type
        now = clock.now()

        def holder(duty: str) -> Callable[[str], int | None]:
            @cache
            def unit_of(region: str) -> int | None:
                found = DIRECTORY.competent(duty, case_type, region, now)
                return found.unit_id if found else None

            return unit_of

        posts = [(one, holder(one.duty)) for one in process_by_digest(self.process).asked(self.pack.pack.params)]
        sides = split(one for one in self.work.found() if self._told_at(one))
        until = moment(self.work.cut) if self.work.cut is not None else self.row.until
        days = days_between(self.row.since, until, calendar.local)
        found = report(sides, days, lambda at: calendar.local(moment(at)).date(), posts, load_of(case_type))
        found["cut"] = until.isoformat() if self.work.cut is not None else None
        found["present"] = self._present
        found["would_be_held"] = found["most_in_an_hour"] > most_an_hour()
        return found

    def _told_at(self, one: Raised) -> bool:
        """Where the pack is switched off nobody is told; of one that is off everywhere it is asked what if it were on."""
        return not any(self._on.values()) or is_on(self._on, one.region)


def load_of(case_type: str) -> Load:
    count, work, whole = taken_by(SYSTEM, case_type, clock.now() - MEASURED_OVER)
    if count < MEASURED_LEAST or work is None or whole is None:
        return Load(MINUTES_A_CASE, HOURS_OPEN, 0)
    return Load(work / 60, whole / 3600, count)


_OWNER = owner_name()
_running: Running | None = None


def run_rehearsals() -> bool:
    """Job: a second's work on the rehearsal at hand, or the next one. True when there is more."""
    global _running
    if _running is None:
        row = _claim()
        if row is None:
            _sweep()
            return False
        with _told_when_it_fails(row):
            _running = _begin(row)
        return True
    running = _running
    try:
        with _told_when_it_fails(running.row):
            more = running.turn(TURN_SECONDS)
            if not _still_ours(running):
                _sweep()
                _running = None
            elif not more:
                _finish(running)
                _running = None
    except BaseException:
        _running = None  # whoever takes it up goes on from what was put aside
        raise
    return True


@contextlib.contextmanager
def _told_when_it_fails(row: Rehearsal) -> Iterator[None]:
    """A database that is away is no fault of the rehearsal."""
    try:
        yield
    except (OperationalError, InterfaceError):
        raise
    except Exception as fault:
        _fail(row, f"{type(fault).__name__}: {fault}")
        raise


def end_rehearsals() -> None:
    """The worker ends: the next one goes on at once."""
    global _running
    if _running is not None:
        _running.save()
        with scoped(SYSTEM):
            Rehearsal.objects.filter(pk=_running.row.pk, owner=_OWNER).update(lease_until=None, attempts=F("attempts") - 1)
        _running = None


run_rehearsals.end = end_rehearsals  # type: ignore[attr-defined]  # read by the worker's loop


def run_now(rehearsal_id: int, progress: Any = None) -> None:
    """For a command: this one from beginning to end, in this process. Another process's stays with it."""
    row = _claim(rehearsal_id)
    if row is None:
        return
    running = _begin(row)
    while running is not None and running.turn(0.5):
        if not _still_ours(running):
            _sweep()
            return
        if progress:
            progress(running.work.done, running.work.hours)
    if running is not None:
        _finish(running)


def _claim(rehearsal_id: int | None = None) -> Rehearsal | None:
    with scoped(SYSTEM):
        due = Rehearsal.objects.filter(status__in=[Status.WAITING, Status.RUNNING]).filter(
            Q(lease_until=None) | Q(lease_until__lt=Now()) | Q(owner=_OWNER)
        )
        if rehearsal_id is not None:
            due = due.filter(pk=rehearsal_id)
        row = due.select_for_update(skip_locked=True).order_by("id").first()
        if row is None:
            return None
        if row.attempts >= ATTEMPTS:
            _fail(row, "")
            return None
        row.status, row.owner, row.attempts = Status.RUNNING, _OWNER, row.attempts + 1
        row.save(update_fields=["status", "owner", "attempts"])
        _lease(row.pk)
        return row


def _lease(pk: int) -> bool:
    """False when it was cancelled or is somebody else's by now."""
    rows = Rehearsal.objects.filter(pk=pk, owner=_OWNER, status=Status.RUNNING)
    return rows.update(lease_until=Now() + timedelta(seconds=LEASE_SECONDS)) == 1


def _begin(row: Rehearsal) -> Running | None:
    pack, _, _, process = selectors.version(row.base_id)
    checked = check(pack, row.text, Known.of()) if row.text else None
    if checked is not None and checked.pack is None:
        _fail(row, str(checked.wrongs[0]))
        return None
    here = next((one for one in selectors.packs(SYSTEM) if one.name == row.pack), None)
    on = dict(here.regions) | {"": here.regions.get("", here.unswitched)} if here else {"": True}
    running = Running(row, pack, process, checked.pack if checked and checked.pack else pack, bool(here and here.on_somewhere), on)
    _still_ours(running)
    return running


def _still_ours(running: Running) -> bool:
    """Tells how far it is."""
    work, row = running.work, running.row
    with scoped(SYSTEM):
        Rehearsal.objects.filter(pk=row.pk, owner=_OWNER).update(hours=work.hours, hours_done=work.done, readings=work.readings)
        return _lease(row.pk)


def _finish(running: Running) -> None:
    found = running.report()
    with scoped(SYSTEM):
        Rehearsal.objects.filter(pk=running.row.pk, owner=_OWNER, status=Status.RUNNING).update(
            status=Status.DONE, report=found, finished_at=clock.now(), lease_until=None, hours_done=F("hours")
        )
    _sweep()


def _fail(row: Rehearsal, fault: str) -> None:
    with scoped(SYSTEM):
        Rehearsal.objects.filter(pk=row.pk).update(status=Status.FAILED, fault=fault[:500], finished_at=clock.now(), lease_until=None)
    state_file(row.pk).unlink(missing_ok=True)


def _sweep() -> None:
    """What was put aside of runs that are over, whoever ended them, goes: it names homes."""
    files = list(state_file(0).parent.glob("*.state"))
    if not files:
        return
    with scoped(SYSTEM):
        live = {str(pk) for pk in Rehearsal.objects.filter(status__in=[Status.WAITING, Status.RUNNING]).values_list("pk", flat=True)}
    for file in files:
        if file.stem not in live:
            file.unlink(missing_ok=True)
