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
from django.db import connection

from gridloop.detection.columns import Bools
from gridloop.detection.engine import Engine
from gridloop.detection.messages import Alarm
from gridloop.detection.rules import DEVICE, Detector
from gridloop.detection.snapshots import Stored, write
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import Unavailable
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.briefs import DeviceKeys
from gridloop.signals import alarms, positions, state, warming
from gridloop.signals.alarms import SILENCE, Found, Ruling
from gridloop.signals.holding import Fair, fact_names, unheard, waits_for_silence
from gridloop.signals.keys import VILLAGE_DIGITS, Keys, everybody
from gridloop.signals.lanes import WHOLE, Lane
from gridloop.signals.log import partitions_setting
from gridloop.signals.models import Alarm as AlarmRow
from gridloop.signals.models import HeldDetector
from gridloop.signals.stream import BACK_MS, Columns, Look, Mark, Stream, Taken, horizon_of, joined, marks_before
from gridloop.signals.taking import LATENESS, Passed, Taking

log = logging.getLogger(__name__)
MOST_ROWS = 50_000  # signals in one turn
LEASE_SECONDS, RENEW_SECONDS, SAVE_SECONDS, ROSTER_SECONDS = 30, 5.0, 30.0, 300.0
SAVE_SHARE = 20  # storing takes at most one part in so many of the time
LOOK_MS = 60_000  # of the log's time between two looks at what a silence holds back


class AtWork:
    """A lane's detectors with the worker that holds it. What is in memory may be ahead of what is stored: after any fault it is dropped

    and loaded again. ``beside``: called while something takes long.
    """

    def __init__(
        self, owner: str, wanted: Callable[[], Sequence[Detector]], lane: Lane = WHOLE, beside: Callable[[], None] = lambda: None
    ) -> None:
        self._owner, self._wanted, self.lane, self._beside = owner, wanted, lane, beside
        self.forget()

    def forget(self) -> None:
        self.leases: dict[int, positions.Lease] | None = None
        self.detectors: tuple[Detector, ...] = ()
        self.engine = Engine([], LATENESS)
        self.stream = Stream({})
        self.keys = Keys()
        self.taking = Taking()
        self.frontier = 0  # everything received up to it was handed on, ms
        self.held: set[str] = set()
        self._fresh: list[str] = []  # detectors that have to learn from history yet
        self._first = False
        self.moved = True  # devices may have lain in other partitions before
        self._quiet: set[str] = set()  # detectors that may be raised by silence
        self._facts: dict[str, set[str]] = {}
        self._looked = 0
        self._saved = self._renewed = self._roster = time.monotonic()
        self._save_cost = 0.0
        self._save_due = False
        self._unsent = True

    # --- turns -------------------------------------------------------------------------------------------------------------

    def turn(self, look: Look | None = None) -> bool:
        """Take what the log has; True when more may be waiting. Nothing of a turn that fails stays."""
        look = look or Look.take()
        wanted = tuple(self._wanted())
        try:
            if not wanted and self.leases is None:
                return state.pass_by(self.lane.consumer, self._owner, LEASE_SECONDS, self._partitions(look), (self.lane.tag,))
            if self.leases is None:
                if not self.claim(look):
                    return False
                self._look_around()
                self.begin()
            if wanted != self.detectors:
                self._change(wanted)
            return self._step(look)
        except BaseException:
            self.forget()
            raise

    def end(self) -> None:
        """Store everything and give the partitions back."""
        leases = self.leases or {}
        if leases:
            with scoped(SYSTEM):
                self._store()
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
        if grown or not self.detectors:
            self.end()  # begin again, with the new partition or with nothing to do
            return True
        if self.roster_due():
            self._look_around()
        found = self._through(joined([batch.found for batch in batches]), max(frontier, self.frontier))
        self._commit(found, now, caught_up=frontier >= horizon)
        sent = alarms.send_due() if self._unsent else 0
        self._unsent = sent in (alarms.BUSY, alarms.AT_ONCE)
        return sent == alarms.AT_ONCE or (bool(batches) and frontier < horizon)

    def _taken(self, look: Look, horizon: int) -> tuple[list[Taken], int]:
        with scoped(SYSTEM):
            self.stream.read = look.read
            return self.stream.take(horizon, MOST_ROWS)

    def _through(self, found: Columns, frontier: int) -> list[Alarm]:
        device = self.keys.devices(found.device)
        if (device < 0).any() and (rows := self.keys.unknown({found.device[n] for n in np.flatnonzero(device < 0).tolist()})):
            self.learn(rows)
            device = self.keys.devices(found.device)
        readings = self.taking.take(found, device)
        self.frontier = frontier
        told = self.engine.step(readings) if len(readings.time) else []
        return told + self.engine.tick(frontier)

    def _commit(self, told: Sequence[Alarm], now: datetime, *, caught_up: bool) -> None:
        """Alarms, and what is stored from time to time, in one transaction that holds the leases."""
        clocked = time.monotonic()
        since = clocked - self._saved
        save = self._save_due or since > max(SAVE_SECONDS, SAVE_SHARE * self._save_cost)
        look = self.frontier - self._looked >= LOOK_MS
        if not (told or save or look or clocked - self._renewed > RENEW_SECONDS):
            return
        with scoped(SYSTEM):
            _stop_short()
            silent = self._silent_villages() if told or look else np.zeros(0, np.bool_)
            if told:
                alarms.write(self._found(told), self._judge(silent, now), now)
            if look:
                self._look_again(silent, now, caught_up=caught_up)
            if save:
                self._store()
            else:
                self.leases = positions.hold_all(self.leases or {}, {}, LEASE_SECONDS)
        self._renewed = clocked
        self._unsent = self._unsent or bool(told) or look

    # --- what becomes of alarms --------------------------------------------------------------------------------------------

    def _found(self, told: Sequence[Alarm]) -> list[Found]:
        by = {detector.id: detector.by for detector in self.detectors}
        out = []
        for one in told:
            goes_by = by[one.detector]
            device = self.keys.device_of(goes_by, one.key)
            names = self.keys.name(goes_by, one.key), self.keys.name(DEVICE, device)
            out.append(Found(one, goes_by, *names, self.keys.regions[device]))
        return out

    def _judge(self, silent: Bools, now: datetime) -> alarms.Judge:
        def judge(one: Found) -> Ruling:
            if one.alarm.detector in self._quiet and self._is_silent(silent, one.region):
                return Ruling(AlarmRow.Told.HELD, SILENCE)
            return Ruling(AlarmRow.Told.WAITING) if now - one.at > alarms.OLD else Ruling(AlarmRow.Told.TOLD)

        return judge

    def _silent_villages(self) -> Bools:
        if not self._quiet:
            return np.zeros(0, np.bool_)
        heard = self.taking.heard
        size = min(len(heard), len(self.keys.allowed))
        return unheard(heard[:size], np.array(self.keys.allowed[:size], np.int64), self.keys.villages()[:size], self.frontier)

    def _is_silent(self, silent: Bools, region: str) -> bool:
        number = self.keys.village_numbers.get(region[:VILLAGE_DIGITS], -1)
        return 0 <= number < len(silent) and bool(silent[number])

    def _look_again(self, silent: Bools, now: datetime, *, caught_up: bool) -> None:
        """Alarms kept so far: of a village that is heard again, of detectors a person has let go on, old ones once we have caught up."""
        self._looked = self.frontier
        mine = {detector.id for detector in self.detectors}
        back = [row for row in alarms.held_back(SILENCE) if row.detector in mine and not self._is_silent(silent, row.region)]
        alarms.tell(back, now)
        alarms.tell(alarms.waiting(mine, self.lane.own, now, caught_up=caught_up), now)
        held = set(HeldDetector.objects.values_list("detector", flat=True))
        if free := (self.held - held) & mine:
            alarms.tell([row for row in alarms.held_back(alarms.FLOOD) if row.detector in free and self.lane.own(row.device)], now)
            self._reconcile(free, silent, now)
        self.held = held

    def _reconcile(self, detectors: set[str], silent: Bools, now: datetime) -> None:
        active = [alarm for alarm in self.engine.active() if alarm.detector in detectors]
        alarms.reconcile(detectors, self.lane.own, self._found(active), self.engine.watermark, self._judge(silent, now), now)
        self._unsent = True

    # --- whose a device is -------------------------------------------------------------------------------------------------

    def learn(self, rows: Sequence[DeviceKeys]) -> None:
        """Devices that are new or belong elsewhere now. It is stored at once, so that who begins again knows it from here on, too."""
        rows = [row for row in rows if self.lane.own(row.code)] if self.lane.partition is not None else rows
        groupings = {detector.by for detector in self.detectors} - {DEVICE}
        for by, changed in self.keys.learn(rows, groupings).items():
            if changed:
                self.engine.group(by, list(changed), list(changed.values()))
                self._save_due = True
        self._save_due = self._save_due or bool(self.keys.fresh)

    def _look_around(self) -> None:
        """Everybody registered, and the facts detectors ask for."""
        for rows in everybody():
            self.learn(rows)
            self.keep_lease(also=bool(self.keys.fresh))
        self.looked_around()

    def roster_due(self) -> bool:
        return time.monotonic() - self._roster > ROSTER_SECONDS

    def looked_around(self) -> None:
        """Every registered device was ``learn``ed. Who was a stranger may have been among them."""
        self.keys.strangers.clear()
        for by, names in self._facts.items():
            for name, column in self.keys.facts(by, names).items():
                if not np.array_equal(self.engine.known_facts(by).get(name, np.zeros(0)), column, equal_nan=True):
                    self.engine.facts(by, name, column)
                    self._save_due = True
        self._roster = time.monotonic()

    # --- beginning, changing, storing --------------------------------------------------------------------------------------

    def _engine(self, detectors: Sequence[Detector]) -> None:
        self.detectors = tuple(detectors)
        self.engine = Engine(detectors, LATENESS)
        self._quiet = {detector.id for detector in detectors if waits_for_silence(detector)}
        self._facts = {by: set() for by in {detector.by for detector in detectors}}
        for detector in detectors:
            self._facts[detector.by] |= fact_names(detector)

    def claim(self, look: Look) -> bool:
        """Take the lane and what was stored of it. Then come the registered devices (``learn``, ``looked_around``) and ``begin``."""
        self.leases = positions.claim_all(self.lane.consumer, self._owner, LEASE_SECONDS, self._partitions(look))
        if self.leases is None:
            return False
        self._renewed = time.monotonic()
        self._engine(tuple(self._wanted()))
        with scoped(SYSTEM):
            self.keys = Keys.load(self.lane.tag)
            self.held = set(HeldDetector.objects.values_list("detector", flat=True))
            fresh = self._restore()
        self._first = fresh is None
        if fresh is None:
            fresh = [detector.id for detector in self.detectors]
            self._start_now()
        self._fresh = fresh
        return True

    def begin(self) -> None:
        self._settle_in(self._fresh, first=self._first)

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
            state.drop(f"{name}{self.lane.tag}" for name in state.PIECES)
            positions.hold_all(self.leases or {}, {}, LEASE_SECONDS)
        for lease in (self.leases or {}).values():
            positions.release(lease)
        self.forget()

    def _change(self, wanted: tuple[Detector, ...]) -> None:
        """Other detectors, or other definitions: those that stayed the same go on, the others learn from history."""
        before = {detector.id for detector in self.detectors}
        with tempfile.TemporaryFile() as known:
            self.engine.write_snapshot(known)
            self._engine(wanted)
            known.seek(0)
            fresh = self.engine.restore(known)
        gone = before - {detector.id for detector in wanted}
        self._look_around()
        self._settle_in(fresh, first=False, gone=gone)

    def _settle_in(self, fresh: Sequence[str], *, first: bool, gone: Sequence[str] | set[str] = ()) -> None:
        self.keep_lease()
        if fresh:
            warming.warm(self, [detector for detector in self.detectors if detector.id in fresh], first=first)
        for by in {DEVICE, *self._facts}:
            self.engine.reserve(by, len(self.keys.numbers.get(by, ())))
        silent = self._silent_villages()
        with scoped(SYSTEM):
            HeldDetector.objects.filter(detector__in=gone).delete()
            self._reconcile({*fresh, *gone}, silent, clock.now())
            self._store()

    def keep_lease(self, *, also: bool = False) -> None:
        """For what takes long, see ``renew``."""
        self.renew(also=also)
        self._beside()

    def renew(self, *, also: bool = False) -> None:
        """The lease, when it is time. ``also``: numbers given so far are stored; they are no worse for being given too early."""
        if also or time.monotonic() - self._renewed > RENEW_SECONDS:
            with scoped(SYSTEM):
                self.keys.store()
                self.leases = positions.hold_all(self.leases or {}, {}, LEASE_SECONDS)
            self._renewed = time.monotonic()

    def _store(self) -> None:
        """Inside the caller's transaction: what the engine knows, numbers given, and the position."""
        began = time.monotonic()
        passed, fair, heard = self.taking.passed, self.taking.fair, self.taking.heard
        meta = {
            "marks": [[p, mark.at] for p, mark in self.stream.marks.items()],
            "frontier": self.frontier,
            "passed": [passed.unknown, *(list(one.items()) for one in (passed.late, passed.ahead, passed.flood))],
            "fair": fair.minute,
            "of": partitions_setting(),
        }
        self.keys.store()
        pieces: dict[str, state.Write] = {
            "engine": self.engine.write_snapshot,
            "heard": lambda file: write({"heard": heard, "fair": fair.counts}, file),
            "meta": lambda file: file.write(orjson.dumps(meta)),
        }
        state.store({f"{name}{self.lane.tag}": write for name, write in pieces.items()})
        seqs = {p: mark.seq for p, mark in self.stream.marks.items()}
        self.leases = positions.hold_all(self.leases or {}, seqs, LEASE_SECONDS)
        self._saved = self._renewed = time.monotonic()
        self._save_cost, self._save_due = self._saved - began, False

    def _restore(self) -> list[str] | None:
        """What was stored, inside the caller's transaction; detectors that are not in it, or None when nothing was."""
        pieces = {name: state.load(f"{name}{self.lane.tag}") for name in state.PIECES}
        told, arrays, engine = pieces["meta"], pieces["heard"], pieces["engine"]
        if told is None or arrays is None or engine is None:
            return None
        with told, arrays, engine:
            meta = orjson.loads(told.read())
            self._recall(meta, Stored(arrays))
            self.moved = self.lane.partition is not None and meta["of"] != partitions_setting()
            if self.moved:
                self.engine.tick(self.frontier)
                return [detector.id for detector in self.detectors]
            return self.engine.restore(engine)

    def _recall(self, meta: dict[str, Any], arrays: Stored) -> None:
        at = dict(meta["marks"])
        self.stream = Stream({p: Mark(lease.seq, at.get(p, 0)) for p, lease in (self.leases or {}).items()})
        self.frontier = meta["frontier"]
        unknown, *counts = meta["passed"]
        late, ahead, flood = (Counter(dict(one)) for one in counts)
        passed = Passed(late, ahead, flood, unknown)
        self.taking = Taking(Fair(minute=meta["fair"], counts=arrays["fair"]), passed, arrays["heard"])


def _stop_short() -> None:
    """A worker that stands still in the middle of a transaction must not keep its locks for longer than its lease."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '20s'")
