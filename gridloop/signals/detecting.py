"""Detectors at work: the log's stream goes through the engine, alarms become rows, and what the engine knows is stored with the position.

Everything the engine is told is a function of the log: readings in the order of ``stream``, late or not by when they were received, and
time itself moves with the batches. So whoever begins again from the stored state finds the very alarms that were found before.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

import numpy as np

from gridloop.detection.engine import Engine, Faulty
from gridloop.detection.messages import Alarm
from gridloop.detection.rules import DEVICE, Detector, described
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import Unavailable
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.briefs import DeviceKeys
from gridloop.signals import alarms, forgetting, positions, state, warming
from gridloop.signals.aside import Suspects, forget_others, left
from gridloop.signals.holding import waits_for_silence
from gridloop.signals.irregular import Noting
from gridloop.signals.keys import Keys, everybody
from gridloop.signals.lanes import TOGETHER, WHOLE, Lane
from gridloop.signals.models import HeldDetector
from gridloop.signals.outcomes import matcher
from gridloop.signals.storing import Storing
from gridloop.signals.stream import BACK_MS, Columns, Look, Mark, Stream, Taken, horizon_of, joined, marks_before
from gridloop.signals.taking import LATENESS, Taking, compiled
from gridloop.signals.warming import Warming

log = logging.getLogger(__name__)
CONSUMER = TOGETHER
MOST_ROWS = 50_000  # signals in one turn
WARM_SECONDS = 0.5  # of a turn, for those who learn from history
LEASE_SECONDS, RENEW_SECONDS, SAVE_SECONDS, ROSTER_SECONDS = 30, 10.0, 30.0, 300.0
SAVE_SHARE = 20  # storing takes at most one part in so many of the time
LOOK_MS = 60_000  # of the log's time between two looks at what a silence holds back


class AtWork(Storing):
    """A lane's detectors with the worker that holds it. What is in memory may be ahead of what is stored: after any fault it is dropped

    and loaded again. ``beside``: called while something takes long; without it the lane is all there is, and what is not wanted here
    is wanted nowhere. ``counts``: whether irregular readings are told by this lane; see ``irregular``. ``suspects``: of the lane, by those
    who had it here before.
    """

    def __init__(
        self,
        owner: str,
        wanted: Callable[[], Sequence[Detector]],
        lane: Lane = WHOLE,
        beside: Callable[[], None] | None = None,
        counts: Callable[[], bool] = lambda: True,
        suspects: Suspects | None = None,
    ) -> None:
        self._suspects = suspects or Suspects()
        self._owner, self._wanted, self.lane, self._beside, self._counts = owner, wanted, lane, beside, counts
        self._asked: set[str] = set()  # detectors that are wanted, also those set aside
        self.forget()

    def forget(self) -> None:
        self.leases: dict[int, positions.Lease] | None = None
        self.detectors: tuple[Detector, ...] = ()
        self.engine = Engine([], LATENESS)
        self.stream = Stream({})
        self.keys = Keys()
        self.taking = Taking()
        self.noting = Noting(self._counts())
        self.frontier = 0  # everything received up to it was handed on, ms
        self.held: set[str] = set()
        self._warming: Warming | None = None
        self._next: tuple[Detector, ...] = ()  # that are to be at work
        self._first = False
        self.moved = 0  # before it devices may have lain in other partitions, ms
        self._anew: tuple[int, str] | None = None  # when what was stored could not be read, ms, and why
        self._quiet: set[str] = set()  # detectors that may be raised by silence
        self._by: set[str] = set()  # groupings they go by
        self._looked, self._unsent = 0, True
        self._saved = self._renewed = self._roster = time.monotonic()
        self._roster_at, self._newcomers = clock.now(), False
        self._known_by: set[str] | None = None  # groupings with which everybody was last looked at
        self._save_cost = self._roster_cost = 0.0
        self._save_due, self._moved_on = False, True

    # --- turns -------------------------------------------------------------------------------------------------------------

    def turn(self, look: Look | None = None) -> bool:
        """Take what the log has; True when more may be waiting. Nothing of a turn that fails stays."""
        look, wanted = look or Look.take(), self._wanted()
        self._asked = {one.id for one in wanted}
        with self.blaming():
            return self._turn(look, left(wanted, look.aside))

    @contextmanager
    def blaming(self) -> Iterator[None]:
        """Around what the engine is asked to do: nothing of it stays after a fault, and a detector whose fault it is again is set aside."""
        try:
            yield
        except Faulty as fault:
            until, position = self.frontier, {p: lease.seq for p, lease in (self.leases or {}).items()}
            self.forget()
            self._suspects.note(fault, self.lane, until, position)
            raise
        except BaseException:
            self.forget()
            raise

    def _turn(self, look: Look, wanted: tuple[Detector, ...]) -> bool:
        if not wanted and self.leases is None:
            return self._beside is None and self._pass_by(look)
        if self.leases is None:
            if not self.claim(look):
                return False
            self._look_around()
            self.begin()
        if look.erased:
            self._forget_erased(look)
        if wanted != self.detectors and (wanted := self._as_before(wanted)) != self.detectors:
            self._change(wanted)
        else:
            self._warming = None
        if self._warming and not self.detectors:
            self._send_due()
            return True  # nobody is at work: the log waits until they know what came before
        more = self._step(look)
        self._suspects.passed(self.detectors, self.frontier)
        return more or self._warming is not None

    def _pass_by(self, look: Look) -> bool:
        more = state.pass_by(self.lane.consumer, self._owner, LEASE_SECONDS, self._partitions(look), (self.lane.tag,), self._asked)
        if look.erased:
            forgetting.leave_none(self._owner, (), look.ends)
        return more

    def _as_before(self, wanted: tuple[Detector, ...]) -> tuple[Detector, ...]:
        """Detectors read anew that say what they said before are the same: two schedules are never equal as objects."""
        said = [described(one) for one in wanted]
        if said == [described(one) for one in self.detectors]:
            self.detectors = wanted  # the very objects: next time a look at them is enough
        elif self._warming and said == [described(one) for one in self._warming.wanted]:
            self._warming.wanted = wanted
        return wanted

    def end(self) -> None:
        """Store everything and give the partitions back.

        When nothing was read since the last time, that is known already: who begins again lets time itself move on from there.
        """
        leases = self.leases or {}
        if leases and (self._save_due or self._moved_on or self.noting.on != self._counts()):
            place = self._write()
            with scoped(SYSTEM):
                self._store(place)
            state.tidy(self._hold, self.lane.tag)
            leases = self.leases or {}
        for lease in leases.values():
            positions.release(lease)
        self.forget()

    def _partitions(self, look: Look) -> set[int]:
        return set(look.ends) if self.lane.partition is None else {self.lane.partition}

    def _step(self, look: Look) -> bool:
        now = look.now
        horizon = horizon_of(now)
        if horizon < self.frontier - BACK_MS:
            self._begin_anew()
            return True
        grown = self._partitions(look) != set(self.stream.marks)
        try:
            batches, frontier = ([], 0) if grown else self._taken(look, horizon)
        except Unavailable:  # a log outside of the database: what is known is kept until it answers again
            self.keep_lease()
            return False
        if grown or not (self.detectors or self._warming):
            self.end()  # begin again, with the new partition or with nothing to do
            return True
        if self._beside is None and self.roster_due(now):  # of several lanes the crew sees to it, once for all
            self._look_around()
        found = self._through(joined([batch.found for batch in batches]), max(frontier, self.frontier))
        self._moved_on = self._moved_on or bool(batches) or bool(found)
        self._commit(found, now, caught_up=frontier >= horizon)
        return self._send_due() == alarms.AT_ONCE or (bool(batches) and frontier < horizon)

    def _send_due(self) -> int:
        sent = alarms.send_due() if self._unsent else 0
        self._unsent = sent in (alarms.BUSY, alarms.AT_ONCE)
        return sent

    def _taken(self, look: Look, horizon: int) -> tuple[list[Taken], int]:
        with scoped(SYSTEM):
            self.stream.read = look.read
            return self.stream.take(horizon, MOST_ROWS)

    def _forget_erased(self, look: Look) -> None:
        """Of those who were erased nothing stays in memory, in what waits, in what learns from history, nor in what is stored."""
        if not (rows := forgetting.due(self.lane)):
            return
        names = forgetting.forget(self, rows)
        self.stream = Stream(dict(self.stream.marks))  # what was read ahead may be from before the erasure
        look.read_anew()
        self._warming = None
        self._newcomers = True  # facts of their homes may be others now: the next look at everybody is due soon, once for all lanes
        place = self._write()
        with scoped(SYSTEM):
            self._store(place)
            forgetting.done(self, rows, names)
        state.tidy(self._hold, self.lane.tag)

    def _through(self, found: Columns, frontier: int) -> list[Alarm]:
        device = self.keys.devices(found.device)
        if (device < 0).any() and (rows := self.keys.unknown({found.device[n] for n in np.flatnonzero(device < 0).tolist()})):
            self.learn(rows)
            device = self.keys.devices(found.device)
        readings, received = self.taking.take(found, device)
        self.noting.look(found, device, self.keys.allowed)
        self.frontier = frontier
        warming.enrol(self.engine, self._by, self.keys, *self.taking.newly)
        told = self.engine.step(readings, received) if len(readings.time) else []
        return told + self.engine.tick(frontier)

    def _commit(self, told: Sequence[Alarm], now: datetime, *, caught_up: bool) -> None:
        """Alarms, and that what was written is known, from time to time, in one transaction that holds the leases."""
        clocked = time.monotonic()
        since = clocked - self._saved
        save = self._save_due or since > max(SAVE_SECONDS, SAVE_SHARE * self._save_cost)
        save = save or self.noting.on != self._counts()
        look = self.frontier - self._looked >= LOOK_MS
        if not (told or save or look or self.keys.deserted or clocked - self._renewed > RENEW_SECONDS):
            return
        place = self._write() if save else None
        with scoped(SYSTEM):
            positions.stop_short()
            silent = self._silent_villages() if told or look else np.zeros(0, np.bool_)
            if told:
                alarms.write(self._found(told), self._judge(silent, now), now)
            if look:
                self._look_again(silent, now, caught_up=caught_up)
            if self.keys.deserted:
                self._end_deserted(silent, now)
            if place is not None:
                self._store(place)
            else:
                self._hold()
        if place is not None:
            state.tidy(self._hold, self.lane.tag)
        self._renewed = time.monotonic()
        self._unsent = self._unsent or bool(told) or look

    # --- whose a device is -------------------------------------------------------------------------------------------------

    def learn(self, rows: Sequence[DeviceKeys]) -> None:
        """Devices that are new or belong elsewhere now. It is stored at once, so that who begins again knows it from here on, too."""
        rows = [row for row in rows if self.lane.own(row.code)] if self.lane.partition is not None else rows
        for by, changed in self.keys.learn(rows, self._groupings()).items():
            device, key = np.array(list(changed), np.int64), list(changed.values())
            if changed and self._warming:
                self._warming.group(by, device, key)
            if changed and by in self._by:
                self.engine.group(by, device, key)
                heard = self.taking.heard_of(device)  # their new home waits for them from now on
                warming.enrol(self.engine, {by}, self.keys, heard, np.full(len(heard), self.engine.watermark))
                self._save_due = True
        self._save_due = self._save_due or bool(self.keys.fresh)
        self._newcomers = self._newcomers or bool(self.keys.fresh)

    def roster_due(self, now: datetime) -> bool:
        """By real time; sooner, as far as it costs little, when devices have just been heard first or the deployment's clock went on."""
        since = time.monotonic() - self._roster
        moved = abs((now - self._roster_at).total_seconds()) > ROSTER_SECONDS
        return since > ROSTER_SECONDS or ((self._newcomers or moved) and since > SAVE_SHARE * self._roster_cost)

    def _look_around(self) -> None:
        """Everybody registered, and the facts detectors ask for."""
        began = time.monotonic()
        for rows in everybody():
            self.learn(rows)
            self.keep_lease(also=bool(self.keys.fresh))
        self.looked_around(began)

    def _know_all(self) -> None:
        """As ``_look_around``; who has done so a moment ago, for all that devices are grouped by now, asks for the facts alone."""
        known = self._known_by is not None and self._groupings() <= self._known_by
        if known and time.monotonic() - self._roster < ROSTER_SECONDS:
            self._ask_facts()
        else:
            self._look_around()

    def _groupings(self) -> set[str]:
        return {detector.by for detector in (*self.detectors, *self._next)} - {DEVICE}

    def looked_around(self, began: float) -> None:
        """Since ``began`` (``time.monotonic``) every registered device was ``learn``ed. Who was a stranger may have been among them."""
        self.keys.strangers.clear()
        self._known_by = self._groupings()
        self._ask_facts()
        self._roster, self._roster_at, self._newcomers = time.monotonic(), clock.now(), False
        self._roster_cost = self._roster - began

    def _ask_facts(self) -> None:
        for by in self._by:
            for name, column in self.keys.facts(by, self.detectors, alarms.moment(self.frontier)).items():
                if not np.array_equal(self.engine.known_facts(by).get(name, np.zeros(0)), column, equal_nan=True):
                    self.engine.facts(by, name, column)
                    self._save_due = True

    # --- beginning and changing --------------------------------------------------------------------------------------

    def _engine(self, detectors: Sequence[Detector]) -> None:
        self.engine = Engine(detectors, LATENESS, compiled=compiled(), meters=matcher().meters())
        self._about(detectors)

    def _about(self, detectors: Sequence[Detector]) -> None:
        self.detectors = tuple(detectors)
        self._quiet = {detector.id for detector in detectors if waits_for_silence(detector)}
        self._by = {detector.by for detector in detectors}

    def claim(self, look: Look) -> bool:
        """Take the lane and what was stored of it. Then come the registered devices (``learn``, ``looked_around``) and ``begin``."""
        self.leases = positions.claim_all(self.lane.consumer, self._owner, LEASE_SECONDS, self._partitions(look))
        if self.leases is None:
            return False
        self._renewed = time.monotonic()
        self._next = left(self._wanted(), look.aside)
        self._engine(self._next)
        with scoped(SYSTEM):
            self.keys = Keys.load(self.lane.tag)
            self.held = set(HeldDetector.objects.values_list("detector", flat=True))
            fresh = self._restored()
        self._first = fresh is None
        if fresh is None:
            self._engine(())
            self._start_now()
        elif fresh:
            self.engine.leave_out(fresh)
            self._about([detector for detector in self._next if detector.id not in fresh])
        return True

    def begin(self) -> None:
        """With those detectors of which something was stored; the others learn from history beside them."""
        if self._first:
            warming.begin_with_what_waits(self)
        self._settle_in(())

    def _start_now(self) -> None:
        """The first start: from a moment ago on. What came before is gone through for what detectors know, not for alarms."""
        horizon = horizon_of(clock.now())
        with scoped(SYSTEM):
            marks = marks_before(horizon)
        self.stream = Stream({p: marks.get(p, Mark(0, 0)) for p in self.leases or {}})
        self.frontier = self.moved = horizon
        self.engine.tick(horizon)

    def _begin_anew(self) -> None:
        """The deployment's clock was set back: what was known belongs to a time that has not come. The next turn learns from history."""
        log.warning("the clock was set back behind what the detectors have seen: they begin anew")
        with scoped(SYSTEM):
            state.drop((self.lane.tag,))
            self._hold()
        for lease in (self.leases or {}).values():
            positions.release(lease)
        self.forget()

    def _change(self, wanted: tuple[Detector, ...]) -> None:
        """Other detectors, or other definitions: those that are at work go on until the others have learned from history."""
        if self._warming is None or self._warming.wanted != wanted:
            self._next, self._warming = wanted, None
            if fresh := [detector for detector in wanted if not self.engine.knows(detector)]:
                self._know_all()
                self._warming = Warming(self, wanted, fresh)
        if self._warming is None or self._warming.go_on(WARM_SECONDS):
            self._take_up(wanted)

    def _take_up(self, wanted: tuple[Detector, ...]) -> None:
        with tempfile.TemporaryFile() as known:
            self.engine.write_snapshot(known)
            self._engine(wanted)
            known.seek(0)
            fresh = self.engine.restore(known)
        self.keys.tell(self.engine, self._by)
        if self._warming:
            self.engine.adopt(self._warming.engine)
        self._warming = None
        self._know_all()
        self._settle_in(fresh)

    def _settle_in(self, fresh: Sequence[str]) -> None:
        self.keep_lease()
        for by in {DEVICE, *self._by}:
            self.engine.reserve(by, len(self.keys.numbers.get(by, ())))
        silent = self._silent_villages()
        place = self._write()
        with scoped(SYSTEM):
            positions.stop_short()
            if self._beside is None:
                gone = alarms.remembered() - self._asked
                alarms.end_detectors(gone, self.engine.watermark, clock.now())
            self._reconcile(set(fresh), silent, clock.now())
            forget_others(self.detectors)
            self._store(place)
        state.tidy(self._hold, self.lane.tag)

    def keep_lease(self, *, also: bool = False) -> None:
        """For what takes long, see ``renew``."""
        self.renew(also=also)
        if self._beside:
            self._beside()

    def renew(self, *, also: bool = False) -> None:
        """The lease, when it is time. ``also``: numbers given so far are stored; they are no worse for being given too early."""
        if also or time.monotonic() - self._renewed > RENEW_SECONDS:
            with scoped(SYSTEM):
                self.keys.store()
                self._hold()
            self._renewed = time.monotonic()

    def _hold(self) -> None:
        """Inside a transaction: the leases are still ours, and for longer."""
        self._move({})

    def _move(self, seqs: Mapping[int, int]) -> None:
        if not self.leases:
            raise positions.Fenced(f"{self.lane.consumer}{self.lane.tag}: nothing is held any more")
        self.leases = positions.hold_all(self.leases, seqs, LEASE_SECONDS)
