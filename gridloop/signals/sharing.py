"""The lanes one worker holds: any number of workers on the same database share them evenly, and take over from one that is gone.

A lane moves by its leases alone. How many workers share is known by their hands (``models.Hand``): who holds more lanes than its part
stores and gives back the rest, who holds fewer takes what is free.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from gridloop.detection.rules import Detector
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals import alarms, detecting, forgetting, positions, state
from gridloop.signals.aside import Suspects, left
from gridloop.signals.detecting import AtWork
from gridloop.signals.keys import everybody
from gridloop.signals.lanes import DEVICES, TOGETHER, WHOLE, Lane, parted, shared
from gridloop.signals.stream import Look

log = logging.getLogger(__name__)
BALANCE_SECONDS = 3.0
PASS_SECONDS = 10.0


class Crew:
    """A worker's lanes. ``held`` are at work here."""

    def __init__(self, owner: str, wanted: Callable[[], Sequence[Detector]]) -> None:
        self._owner, self._wanted = owner, wanted
        self.held: dict[Lane, AtWork] = {}
        self._lanes: Mapping[Lane, tuple[Detector, ...]] = {}
        self._asked = set[str]()  # detectors that are wanted, also those set aside
        self._suspects = defaultdict[Lane, Suspects](Suspects)
        self._gone = set[str]()  # detectors with alarms that nobody wants
        self._known: set[Lane] | None = None  # lanes there were at the last look at what nobody detects on
        self._balanced = self._passed = -math.inf

    def turn(self) -> bool:
        """Every lane's turn; True when more may be waiting. A lane that fails is dropped, and the others have had theirs."""
        look, wanted = Look.take(), tuple(self._wanted())
        self._asked = {one.id for one in wanted}
        self._lanes = shared(left(wanted, look.aside), sorted(look.ends))
        self._pass_by(look)
        if time.monotonic() - self._balanced > BALANCE_SECONDS:
            try:
                self._balance(look)
            except positions.Fenced as fenced:
                log.warning("%s", fenced)
        more, faults = False, list[Exception]()
        for lane, work in list(self.held.items()):
            try:
                more = work.turn(look) or more
            except positions.Fenced as fenced:
                log.warning("%s", fenced)
            except Exception as fault:
                faults.append(fault)
            if work.leases is None:
                del self.held[lane]
                self._balanced = -math.inf
        if faults:
            raise faults[0]
        return more or self._balanced < 0

    def end(self) -> None:
        """Store everything and give it back."""
        for lane in list(self.held):
            self._give_back(lane)
        positions.withdraw(self._owner)

    def _give_back(self, lane: Lane) -> None:
        try:
            self.held.pop(lane).end()
        except positions.Fenced as fenced:
            log.warning("%s", fenced)

    # --- who has what ------------------------------------------------------------------------------------------------------

    def _balance(self, look: Look) -> None:
        part = math.ceil(len(self._lanes) / positions.hand(self._owner, detecting.LEASE_SECONDS))
        for lane in sorted(self.held, key=lambda lane: lane != WHOLE)[part:]:
            if lane in self._lanes:
                self._give_back(lane)
        self._balanced = time.monotonic()
        self._look_around([work for work in self.held.values() if work.roster_due(look.now)])
        self._begin([work for lane in self._free()[: max(0, part - len(self.held))] if (work := self._claimed(lane, look))])

    def _free(self) -> list[Lane]:
        """Lanes nobody holds, that of all partitions first; the others in any order, so that two who begin together seldom meet."""
        with scoped(SYSTEM):
            taken = {consumer: positions.taken(consumer, self._owner) for consumer in (TOGETHER, DEVICES)}
        free = [
            lane
            for lane in self._lanes
            if lane not in self.held and not (taken[lane.consumer] if lane == WHOLE else lane.partition in taken[lane.consumer])
        ]
        random.shuffle(free)
        return sorted(free, key=lambda lane: lane != WHOLE)

    def _claimed(self, lane: Lane, look: Look) -> AtWork | None:
        wanted, tells = lambda: self._lanes.get(lane, ()), lambda: self._tells(lane)
        work = AtWork(self._owner, wanted, lane, self._keep, tells, self._suspects[lane])
        if not work.claim(look):
            return None
        self.held[lane] = work
        return work

    def _tells(self, lane: Lane) -> bool:
        """Irregular readings: those of a device by its partition's lane, so that each is counted once; by that of all when it is alone."""
        return lane != WHOLE or self._lanes.keys() <= {WHOLE}

    def _begin(self, fresh: Sequence[AtWork]) -> None:
        try:
            self._look_around(fresh)
            for work in fresh:
                if work.leases is not None:
                    with work.blaming():
                        work.begin()
        except BaseException:
            for work in fresh:  # whose lane it was knows not what to do with it; it is free when its time is over
                self.held.pop(work.lane, None)
            raise

    def _look_around(self, works: Sequence[AtWork]) -> None:
        """Registered devices are read once for all of them."""
        if not works:
            return
        began = time.monotonic()
        for rows in everybody():
            parts = parted(rows)
            for work in works:
                with work.blaming():
                    work.learn(rows if work.lane.partition is None else parts.get(work.lane.partition, ()))
                work.renew(also=bool(work.keys.fresh))
            self._keep()
        for work in works:
            with work.blaming():
                work.looked_around(began)

    def _keep(self) -> None:
        """While one lane takes long the others stay ours."""
        for work in self.held.values():
            if work.leases is not None:
                try:
                    work.renew()
                except positions.Fenced as fenced:
                    log.warning("%s", fenced)
                    work.forget()

    # --- what nobody detects on --------------------------------------------------------------------------------------------

    def _pass_by(self, look: Look) -> None:
        """Positions of a consumer without a lane go along, so that the log can be trimmed. Alarms of detectors that are no more are over.

        All of this of what was gone at the last look, too: another worker may have heard of a new detector sooner, and packs that are
        gone for a moment take nothing with them of what was learned.
        """
        if time.monotonic() - self._passed < PASS_SECONDS:
            return
        self._passed = time.monotonic()
        tags = {TOGETHER: [WHOLE.tag], DEVICES: [Lane(partition).tag for partition in look.ends]}
        known = {*self._lanes, *self.held}
        lately = {WHOLE, *map(Lane, look.ends)} if self._known is None else known | self._known  # the first look alone tells nothing
        self._known = known
        for consumer in tags.keys() - {lane.consumer for lane in lately}:
            state.go_by(consumer, self._owner, detecting.LEASE_SECONDS, look.ends, tags[consumer])
        if look.erased:
            forgetting.leave_none(self._owner, lately, look.ends)
        self._gone = state.end_gone(self._asked, self._gone)
        if not self.held:
            alarms.send_due()
