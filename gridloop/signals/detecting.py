"""Detectors at work: the log's stream goes through the engine, alarms become rows, and what the engine knows is stored with the position.

Everything the engine is told is a function of the log: readings in the order of ``stream``, late or not by when they were received, and
time itself moves with the batches. So whoever begins again from the stored state finds the very alarms that were found before.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import orjson
import zstandard

from gridloop.detection.columns import Bools
from gridloop.detection.engine import Engine, compiled_asked
from gridloop.detection.messages import RAISED, Alarm
from gridloop.detection.rules import DEVICE, Detector, described
from gridloop.detection.snapshots import Stored, write
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.briefs import DeviceKeys
from gridloop.signals import alarms, forgetting, positions, state, warming
from gridloop.signals.alarms import SILENCE, Found, Ruling
from gridloop.signals.holding import Fair, fact_names, unheard, waits_for_silence
from gridloop.signals.irregular import Noting
from gridloop.signals.keys import VILLAGE_DIGITS, Keys
from gridloop.signals.models import Alarm as Row
from gridloop.signals.models import HeldDetector
from gridloop.signals.stream import BACK_MS, Columns, Mark, Stream, horizon_of, joined, marks_before, milliseconds, partitions
from gridloop.signals.taking import LATENESS, Passed, Taking
from gridloop.signals.warming import Warming

log = logging.getLogger(__name__)
CONSUMER = "detectors"
MOST_ROWS = 50_000  # signals in one turn
WARM_SECONDS = 0.5  # of a turn, for those who learn from history
LEASE_SECONDS, RENEW_SECONDS, SAVE_SECONDS, ROSTER_SECONDS = 30, 5.0, 30.0, 300.0
SAVE_SHARE = 20  # storing takes at most one part in so many of the time
_UNREADABLE = (ValueError, LookupError, TypeError, OverflowError, zstandard.ZstdError)
LOOK_MS = 60_000  # of the log's time between two looks at what a silence holds back


class AtWork:
    """One worker's detectors. What is in memory may be ahead of what is stored: after any fault it is dropped and loaded again."""

    def __init__(self, owner: str, wanted: Callable[[], Sequence[Detector]]) -> None:
        self._owner, self._wanted = owner, wanted
        self._forget()

    def _forget(self) -> None:
        self.leases: dict[int, positions.Lease] | None = None
        self.detectors: tuple[Detector, ...] = ()
        self.engine = Engine([], LATENESS)
        self.stream = Stream({})
        self.keys = Keys()
        self.taking = Taking()
        self.noting = Noting()
        self.frontier = 0  # everything received up to it was handed on, ms
        self.held: set[str] = set()
        self._warming: Warming | None = None
        self._next: tuple[Detector, ...] = ()  # that are to be at work
        self._anew: tuple[int, str] | None = None  # when what was stored could not be read, ms, and why
        self._quiet: set[str] = set()  # detectors that may be raised by silence
        self._facts: dict[str, set[str]] = {}
        self._looked, self._unsent = 0, True
        self._saved = self._renewed = self._roster = time.monotonic()
        self._roster_at, self._newcomers = clock.now(), False
        self._save_cost = self._roster_cost = 0.0
        self._save_due = False

    # --- turns -------------------------------------------------------------------------------------------------------------

    def turn(self) -> bool:
        """Take what the log has; True when more may be waiting. Nothing of a turn that fails stays."""
        wanted = tuple(self._wanted())
        try:
            if not wanted and self.leases is None:
                return state.pass_by(CONSUMER, self._owner, LEASE_SECONDS)
            if self.leases is None and not self._begin(wanted):
                return False
            if wanted != self.detectors and (wanted := self._as_before(wanted)) != self.detectors:
                self._change(wanted)
            else:
                self._warming = None
            return self._step() or self._warming is not None or wanted != self.detectors
        except BaseException:
            self._forget()
            raise

    def _as_before(self, wanted: tuple[Detector, ...]) -> tuple[Detector, ...]:
        """Detectors read anew that say what they said before are the same: two schedules are never equal as objects."""
        said = [described(one) for one in wanted]
        if said == [described(one) for one in self.detectors]:
            self.detectors = wanted  # the very objects: next time a look at them is enough
        elif self._warming and said == [described(one) for one in self._warming.wanted]:
            self._warming.wanted = wanted
        return wanted

    def end(self) -> None:
        """Store everything and give the partitions back."""
        leases = self.leases or {}
        if leases:
            place = self._write()
            with scoped(SYSTEM):
                self._store(place)
            state.tidy(self._hold)
            leases = self.leases or {}
        for lease in leases.values():
            positions.release(lease)
        self._forget()

    def _step(self) -> bool:
        now = clock.now()
        horizon = horizon_of(now)
        if horizon < self.frontier - BACK_MS:
            self._begin_anew()
            return True
        self._forget_erased()
        with scoped(SYSTEM):
            grown = partitions() != set(self.stream.marks)
            batches, frontier = ([], 0) if grown else self.stream.take(horizon, MOST_ROWS)
        if grown or not (self.detectors or self._warming):
            self.end()  # begin again, with the new partition or with nothing to do
            return True
        if self._roster_due(now):
            self._look_around()
        found = self._through(joined([batch.found for batch in batches]), max(frontier, self.frontier))
        self._commit(found, now, caught_up=frontier >= horizon)
        self._unsent = self._unsent and alarms.send_due()
        return self._unsent or (bool(batches) and frontier < horizon)

    def _forget_erased(self) -> None:
        """Of those who were erased nothing stays in memory, in what waits, in what learns from history, nor in what is stored."""
        if not (rows := forgetting.due()):
            return
        names = forgetting.forget(self, rows)
        self.stream = Stream(dict(self.stream.marks))  # what was read ahead may be from before the erasure
        self._warming = None
        self._look_around()
        place = self._write()
        with scoped(SYSTEM):
            self._store(place)
            forgetting.done(rows, names)
        state.tidy(self._hold)

    def _through(self, found: Columns, frontier: int) -> list[Alarm]:
        device = self.keys.devices(found.device)
        if (device < 0).any() and (rows := self.keys.unknown({found.device[n] for n in np.flatnonzero(device < 0).tolist()})):
            self._learn(rows)
            device = self.keys.devices(found.device)
        readings, received = self.taking.take(found, device)
        self.noting.look(found, device, self.keys.allowed)
        self.frontier = frontier
        warming.enrol(self.engine, self._facts.keys(), self.keys, *self.taking.newly)
        told = self.engine.step(readings, received) if len(readings.time) else []
        return told + self.engine.tick(frontier)

    def _commit(self, told: Sequence[Alarm], now: datetime, *, caught_up: bool) -> None:
        """Alarms, and that what was written is known, from time to time, in one transaction that holds the leases."""
        clocked = time.monotonic()
        since = clocked - self._saved
        save = self._save_due or since > max(SAVE_SECONDS, SAVE_SHARE * self._save_cost)
        look = self.frontier - self._looked >= LOOK_MS
        if not (told or save or look or self.keys.deserted or clocked - self._renewed > RENEW_SECONDS):
            return
        place = self._write() if save else None
        with scoped(SYSTEM):
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
            state.tidy(self._hold)
        self._renewed = time.monotonic()
        self._unsent = self._unsent or bool(told) or look

    def _end_deserted(self, silent: Bools, now: datetime) -> None:
        alarms.end_deserted(
            [detector.id for detector in self.detectors], self.keys.has_device, self.engine.watermark, self._judge(silent, now), now
        )
        self.keys.deserted, self._unsent = False, True

    # --- what becomes of alarms --------------------------------------------------------------------------------------------

    def _found(self, told: Sequence[Alarm]) -> list[Found]:
        """With names. What has no device any more can be over, but nothing is raised of it: nobody would know where to go."""
        by = {detector.id: detector.by for detector in self.detectors}
        out = []
        for one in told:
            goes_by = by[one.detector]
            device = self.keys.device_of(goes_by, one.key)
            where = ("", "") if device is None else (self.keys.name(DEVICE, device), self.keys.regions[device])
            if device is not None or one.what != RAISED:
                out.append(Found(one, goes_by, self.keys.name(goes_by, one.key), *where))
        return out

    def _judge(self, silent: Bools, now: datetime) -> alarms.Judge:
        def judge(one: Found) -> Ruling:
            if one.alarm.detector in self._quiet and self._is_silent(silent, one.region):
                return Ruling(Row.Told.HELD, SILENCE)
            return Ruling(Row.Told.WAITING) if now - one.at > alarms.OLD else Ruling(Row.Told.TOLD)

        return judge

    def _silent_villages(self) -> Bools:
        heard = self.taking.heard
        size = min(len(heard), len(self.keys.allowed))
        return unheard(heard[:size], np.array(self.keys.allowed[:size], np.int64), self.keys.villages()[:size], self.frontier)

    def _is_silent(self, silent: Bools, region: str) -> bool:
        number = self.keys.village_numbers.get(region[:VILLAGE_DIGITS], -1)
        return 0 <= number < len(silent) and bool(silent[number])

    def _look_again(self, silent: Bools, now: datetime, *, caught_up: bool) -> None:
        """Alarms kept so far: of a village that is heard again, of detectors a person has let go on, old ones once we have caught up."""
        self._looked = self.frontier
        back = [row for row in alarms.held_back(SILENCE) if not self._is_silent(silent, row.region)]
        alarms.tell(back, now)
        alarms.tell_waiting(now, caught_up=caught_up)
        held = set(HeldDetector.objects.values_list("detector", flat=True))
        at_work = {detector.id for detector in self.detectors}
        if free := ((self.held | alarms.flooded()) - held) & at_work:  # let go on since the last look, or while nobody was at work
            alarms.tell([row for row in alarms.held_back(alarms.FLOOD) if row.detector in free], now)
            self._reconcile(free, silent, now)
        self.held = held | (self.held - at_work)

    def _reconcile(self, detectors: set[str], silent: Bools, now: datetime) -> None:
        active = self._found([alarm for alarm in self.engine.active() if alarm.detector in detectors])
        alarms.reconcile(detectors, active, self.engine.watermark, self._judge(silent, now), now)
        self._unsent = True

    # --- whose a device is -------------------------------------------------------------------------------------------------

    def _learn(self, rows: Sequence[DeviceKeys]) -> None:
        """Devices that are new or belong elsewhere now. It is stored at once, so that who begins again knows it from here on, too."""
        groupings = {detector.by for detector in (*self.detectors, *self._next)} - {DEVICE}
        for by, changed in self.keys.learn(rows, groupings).items():
            device, key = np.array(list(changed), np.int64), list(changed.values())
            if changed and self._warming:
                self._warming.group(by, device, key)
            if changed and by in self._facts:
                self.engine.group(by, device, key)
                heard = self.taking.heard_of(device)  # their new home waits for them from now on
                warming.enrol(self.engine, {by}, self.keys, heard, np.full(len(heard), self.engine.watermark))
                self._save_due = True
        self._save_due = self._save_due or bool(self.keys.fresh)
        self._newcomers = self._newcomers or bool(self.keys.fresh)

    def _roster_due(self, now: datetime) -> bool:
        """By real time; sooner, as far as it costs little, when devices have just been heard first or the deployment's clock went on."""
        since = time.monotonic() - self._roster
        moved = abs((now - self._roster_at).total_seconds()) > ROSTER_SECONDS
        return since > ROSTER_SECONDS or ((self._newcomers or moved) and since > SAVE_SHARE * self._roster_cost)

    def _look_around(self) -> None:
        """Everybody registered, and the facts detectors ask for."""
        began = time.monotonic()
        for rows in self.keys.everybody():
            self._learn(rows)
            self.keep_lease(also=bool(self.keys.fresh))
        for by, names in self._facts.items():
            for name, column in self.keys.facts(by, names, alarms.moment(self.frontier)).items():
                if not np.array_equal(self.engine.known_facts(by).get(name, np.zeros(0)), column, equal_nan=True):
                    self.engine.facts(by, name, column)
                    self._save_due = True
        self._roster, self._roster_at, self._newcomers = time.monotonic(), clock.now(), False
        self._roster_cost = self._roster - began

    # --- beginning, changing, storing --------------------------------------------------------------------------------------

    def _engine(self, detectors: Sequence[Detector]) -> None:
        self.engine = Engine(detectors, LATENESS, compiled=compiled_asked())
        self._about(detectors)

    def _about(self, detectors: Sequence[Detector]) -> None:
        self.detectors = tuple(detectors)
        self._quiet = {detector.id for detector in detectors if waits_for_silence(detector)}
        self._facts = {by: set() for by in {detector.by for detector in detectors}}
        for detector in detectors:
            self._facts[detector.by] |= fact_names(detector)

    def _begin(self, wanted: tuple[Detector, ...]) -> bool:
        """With those detectors of which something was stored; the others learn from history beside them."""
        self.leases = positions.claim_all(CONSUMER, self._owner, LEASE_SECONDS)
        if self.leases is None:
            return False
        self._engine(wanted)
        self._next = wanted
        with scoped(SYSTEM):
            self.keys = Keys.load()
            self.held = set(HeldDetector.objects.values_list("detector", flat=True))
            fresh = self._restored()
        if fresh is None:
            self._engine(())
            self._start_now()
        elif fresh:
            self.engine.leave_out(fresh)
            self._about([detector for detector in wanted if detector.id not in fresh])
        self._look_around()
        if fresh is None:
            warming.begin_with_what_waits(self)
        self._settle_in(())
        return True

    def _start_now(self) -> None:
        """The first start: from a moment ago on. What came before is gone through for what detectors know, not for alarms."""
        horizon = horizon_of(clock.now())
        with scoped(SYSTEM):
            marks = marks_before(horizon)
        self.stream = Stream({p: marks.get(p, Mark(0, 0)) for p in self.leases or {}})
        self.frontier = horizon
        self.engine.tick(horizon)

    def _begin_anew(self) -> None:
        """The deployment's clock was set back: what was known belongs to a time that has not come. The next turn learns from history."""
        log.warning("the clock was set back behind what the detectors have seen: they begin anew")
        with scoped(SYSTEM):
            state.drop()
            positions.hold_all(self.leases or {}, {}, LEASE_SECONDS)
        for lease in (self.leases or {}).values():
            positions.release(lease)
        self._forget()

    def _change(self, wanted: tuple[Detector, ...]) -> None:
        """Other detectors, or other definitions: those that are at work go on until the others have learned from history."""
        if self._warming is None or self._warming.wanted != wanted:
            self._next, self._warming = wanted, None
            if fresh := [detector for detector in wanted if not self.engine.knows(detector)]:
                self._look_around()
                self._warming = Warming(self, wanted, fresh)
        if self._warming is None or self._warming.go_on(WARM_SECONDS):
            self._take_up(wanted)

    def _take_up(self, wanted: tuple[Detector, ...]) -> None:
        with tempfile.TemporaryFile() as known:
            self.engine.write_snapshot(known)
            self._engine(wanted)
            known.seek(0)
            fresh = self.engine.restore(known)
        self.keys.tell(self.engine, self._facts)
        if self._warming:
            self.engine.adopt(self._warming.engine)
        self._warming = None
        self._look_around()
        self._settle_in(fresh)

    def _settle_in(self, fresh: Sequence[str]) -> None:
        self.keep_lease()
        for by in {DEVICE, *self._facts}:
            self.engine.reserve(by, len(self.keys.numbers.get(by, ())))
        silent = self._silent_villages()
        place = self._write()
        with scoped(SYSTEM):
            alarms.end_detectors(alarms.remembered() - {detector.id for detector in self._next}, self.engine.watermark, clock.now())
            self._reconcile(set(fresh), silent, clock.now())
            self._store(place)
        state.tidy(self._hold)

    def keep_lease(self, *, also: bool = False) -> None:
        """For what takes long. ``also``: numbers given so far are stored; they are no worse for being given too early."""
        if also or time.monotonic() - self._renewed > RENEW_SECONDS:
            with scoped(SYSTEM):
                self.keys.store()
                self.leases = positions.hold_all(self.leases or {}, {}, LEASE_SECONDS)
            self._renewed = time.monotonic()

    def _hold(self) -> None:
        """Inside a transaction: the leases are still ours, and for longer."""
        self.leases = positions.hold_all(self.leases or {}, {}, LEASE_SECONDS)

    def _write(self) -> int:
        """What the engine knows, beside what is in use, in short transactions; the place it stands in."""
        began = time.monotonic()
        passed, fair, heard, since = self.taking.passed, self.taking.fair, self.taking.heard, self.taking.since
        meta = {
            "marks": [[p, mark.at] for p, mark in self.stream.marks.items()],
            "frontier": self.frontier,
            "passed": [passed.unknown, *(list(one.items()) for one in (passed.late, passed.ahead, passed.flood))],
            "fair": fair.minute,
            "anew": self._anew,
            "irregular": self.noting.gather(self.taking, self.engine, self.keys),
        }
        pieces: dict[str, state.Write] = {
            "engine": self.engine.write_snapshot,
            "heard": lambda file: write({"heard": heard, "since": since, "fair": fair.counts}, file),
            "meta": lambda file: file.write(orjson.dumps(meta)),
        }
        place = state.write(pieces, self._hold)
        self._save_cost = time.monotonic() - began
        return place

    def _store(self, place: int) -> None:
        """Inside the caller's transaction: numbers given, the position, and that what was written is known up to it."""
        self.keys.store()
        state.use(place)
        self.noting.write(alarms.moment(self.frontier))
        seqs = {p: mark.seq for p, mark in self.stream.marks.items()}
        self.leases = positions.hold_all(self.leases or {}, seqs, LEASE_SECONDS)
        self._saved = self._renewed = time.monotonic()
        self._save_due = False

    def _restored(self) -> list[str] | None:
        """As ``_restore``; what cannot be read, or is of another program's format, is dropped: history tells it again."""
        try:
            return self._restore()
        except _UNREADABLE as fault:
            log.exception("what the detectors knew cannot be read: they begin anew from history")
            state.drop()
            self._engine(self.detectors)
            self.taking = Taking()
            self._anew = milliseconds(clock.now()), f"{type(fault).__name__}: {fault}"[:200]
            return None

    def _restore(self) -> list[str] | None:
        """What was stored, inside the caller's transaction; detectors that are not in it, or None when nothing was."""
        pieces = {name: state.load(name) for name in ("meta", "heard", "engine")}
        told, arrays, engine = pieces["meta"], pieces["heard"], pieces["engine"]
        if told is None or arrays is None or engine is None:
            return None
        with told, arrays, engine:
            meta = orjson.loads(told.read())
            self._recall(meta, Stored(arrays))
            fresh = self.engine.restore(engine)
            self.noting.begin(self.taking, self.engine, meta.get("irregular", self.taking.passed.totals()))
            return fresh

    def _recall(self, meta: dict[str, Any], arrays: Stored) -> None:
        at = dict(meta["marks"])
        self.stream = Stream({p: Mark(lease.seq, at.get(p, 0)) for p, lease in (self.leases or {}).items()})
        self.frontier = meta["frontier"]
        self._anew = meta.get("anew")
        unknown, *counts = meta["passed"]
        late, ahead, flood = (Counter(dict(one)) for one in counts)
        passed = Passed(late, ahead, flood, unknown)
        heard = arrays["heard"]
        since = arrays["since"] if "since" in arrays else heard.copy()
        self.taking = Taking(Fair(minute=meta["fair"], counts=arrays["fair"]), passed, heard, since)
