"""What a lane knows, stored and recalled: between ``detecting.AtWork`` and the rows of ``state``."""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import zstandard

from gridloop.detection.rules import Detector
from gridloop.detection.snapshots import Stored, write
from gridloop.kernel import clock
from gridloop.signals import alarms, positions, state
from gridloop.signals.holding import Fair
from gridloop.signals.irregular import Noting
from gridloop.signals.keys import Keys
from gridloop.signals.lanes import WHOLE
from gridloop.signals.log import partitions_setting
from gridloop.signals.stream import Mark, Stream, milliseconds
from gridloop.signals.taking import Passed, Taking
from gridloop.signals.telling import Telling

log = logging.getLogger(__name__)
_UNREADABLE = (ValueError, LookupError, TypeError, OverflowError, zstandard.ZstdError)


class Storing(Telling, ABC):
    """The part of ``detecting.AtWork`` that stores what it knows, and begins again from it."""

    leases: dict[int, positions.Lease] | None
    stream: Stream
    noting: Noting
    moved: int
    _anew: tuple[int, str] | None
    _counts: Callable[[], bool]
    _saved: float
    _renewed: float
    _save_cost: float
    _save_due: bool
    _moved_on: bool  # something was read or told since it was stored

    @abstractmethod
    def _engine(self, detectors: Sequence[Detector]) -> None: ...

    @abstractmethod
    def _hold(self) -> None: ...

    @abstractmethod
    def _move(self, seqs: Mapping[int, int]) -> None: ...

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
            "of": partitions_setting(),
            "moved": self.moved,
            "irregular": self.noting.gather(self.taking, self.engine, self.keys, self._counts()),
            "counts": self.noting.on,
        }
        pieces: dict[str, state.Write] = {
            "engine": self.engine.write_snapshot,
            "heard": lambda file: write({"heard": heard, "since": since, "fair": fair.counts}, file),
            "meta": lambda file: file.write(orjson.dumps(meta)),
        }
        place = state.write(pieces, self._hold, self.lane.tag)
        self._save_cost = time.monotonic() - began
        return place

    def _store(self, place: int) -> None:
        """Inside the caller's transaction: numbers given, the position, and that what was written is known up to it."""
        self.keys.store()
        state.use(place, self.lane.tag)
        self.noting.write(alarms.moment(self.frontier))
        seqs = {p: mark.seq for p, mark in self.stream.marks.items()}
        self._move(seqs)
        self._saved = self._renewed = time.monotonic()
        self._save_due = self._moved_on = False

    def _restored(self) -> list[str] | None:
        """As ``_restore``; what cannot be read, or is of another program's format, is dropped: history tells it again."""
        try:
            return self._restore()
        except _UNREADABLE as fault:
            log.exception("what the detectors knew cannot be read: they begin anew from history")
            state.drop((self.lane.tag,))
            self._engine(self.detectors)
            self.taking = Taking()
            self._anew = milliseconds(clock.now()), f"{type(fault).__name__}: {fault}"[:200]
            return None

    def _restore(self) -> list[str] | None:
        """What was stored, inside the caller's transaction; detectors that are not in it, or None when nothing was."""
        told, arrays, engine = (state.load(name, self.lane.tag) for name in ("meta", "heard", "engine"))
        if told is None or (None in (arrays, engine) and self.lane == WHOLE):
            return None
        with told:
            meta = orjson.loads(told.read())
        if arrays is None or engine is None or (self.lane != WHOLE and meta["of"] != partitions_setting()):
            return self._go_on_from(meta)
        with arrays, engine:
            self._recall(meta, Stored(arrays))
            fresh = self.engine.restore(engine)
            self.noting.begin(self.taking, self.engine, meta.get("irregular", self.taking.passed.totals()))
            self.noting.on = meta.get("counts", self.noting.on)
            return fresh

    def _go_on_from(self, meta: dict[str, Any]) -> list[str]:
        """Where the lane stood, but with nothing else: its devices may have lain in other lanes, all is learned from history."""
        self._stand(meta)
        self.moved = self.frontier
        if "of" in meta:  # its own, not those of one lane for all
            self.noting.begin(self.taking, self.engine, meta.get("irregular", {}))
        self.keys = Keys.anew(self.lane.tag)
        self.engine.tick(self.frontier)
        return [detector.id for detector in self.detectors]

    def _stand(self, meta: dict[str, Any]) -> None:
        at = dict(meta["marks"])
        self.stream = Stream({p: Mark(lease.seq, at.get(p, 0)) for p, lease in (self.leases or {}).items()})
        self.frontier = meta["frontier"]

    def _recall(self, meta: dict[str, Any], arrays: Stored) -> None:
        self._stand(meta)
        self._anew, self.moved = meta.get("anew"), meta.get("moved", self.frontier)
        unknown, *counts = meta["passed"]
        late, ahead, flood = (Counter(dict(one)) for one in counts)
        passed = Passed(late, ahead, flood, unknown)
        heard = arrays["heard"]
        since = arrays["since"] if "since" in arrays else heard.copy()
        self.taking = Taking(Fair(minute=meta["fair"], counts=arrays["fair"]), passed, heard, since)
