"""Runs detectors over readings: puts them in order, asks every condition, raises alarms. The same log gives the same alarms, however it is

cut into batches, shuffled within the lateness, sent twice, or interrupted by a restart from a snapshot.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gridloop.detection import counting, joining, routine, rules, watching
from gridloop.detection.columns import Ints, Readings, Sorted
from gridloop.detection.messages import Alarm
from gridloop.detection.parts import Arrays, Asking, Part
from gridloop.detection.raising import Raising
from gridloop.detection.reorder import Passed, Reorder
from gridloop.detection.rules import DEVICE, Condition, Detector, Total
from gridloop.detection.runs import View
from gridloop.detection.snapshots import Sink, Stored, packed, write
from gridloop.detection.totals import Totals
from gridloop.kernel.errors import Invalid
from gridloop.kernel.hashing import canonical, sha256_hex

_LEAVES: dict[type[Condition], Any] = {
    rules.Threshold: watching.Threshold,
    rules.Rate: watching.Rate,
    rules.Absence: watching.Absence,
    rules.Dwell: watching.Dwell,
    rules.Sequence: watching.Sequence,
    rules.Unanswered: watching.Unanswered,
    rules.Count: counting.Count,
    rules.Distinct: counting.Distinct,
    rules.Days: counting.Days,
    rules.Routine: routine.Routine,
    rules.Silence: routine.Silence,
}
_DELAYS: dict[type[Condition], Any] = {
    rules.Hold: joining.Hold,
    rules.During: joining.During,
    rules.Where: joining.Where,
    rules.Unless: joining.Unless,
}
_JOINS = {rules.All: "all", rules.Any_: "any"}
NUMPY, NUMBA = "numpy", "numba"


Around = Callable[[Condition, Part], Part]
T = TypeVar("T")
_NO_FAULT_OF_ITS = (MemoryError, OSError, ImportError)  # the machine's: any detector would have met with it


class Faulty(Exception):
    """Detectors that cannot go on, and what each met with. What all of the engine know is of no use afterwards."""

    def __init__(self, faults: Sequence[tuple[Detector, Exception]]) -> None:
        super().__init__("; ".join(f"{detector.id}: {type(fault).__name__}: {fault}" for detector, fault in faults))
        self.faults = faults


def built(condition: Condition, around: Around = lambda _, part: part) -> Part:
    """The machinery of a condition; ``around`` may put something around each part. ValueError for one that cannot be meant."""
    kind = type(condition)
    if kind in _LEAVES:
        return around(condition, _LEAVES[kind](condition))
    if isinstance(condition, rules.Not):
        return around(condition, joining.Combine("none", (built(condition.of, around),)))
    if isinstance(condition, rules.All | rules.Any_):
        return around(condition, joining.Combine(_JOINS[kind], tuple(built(inner, around) for inner in condition.of)))
    inner = built(condition.of, around)  # type: ignore[attr-defined]
    if inner.initial and not isinstance(condition, rules.Hold):
        raise ValueError(f"{kind.__name__} of what holds from the first can never begin; put it around the whole")
    return around(condition, _DELAYS[kind](condition, inner))


class _Running:
    """One detector at work."""

    def __init__(self, detector: Detector, around: Around) -> None:
        rules.check(detector)
        self.detector = detector
        self.parts = [built(detector.when, around), *(built(step.when, around) for step in detector.steps)]
        if self.parts[0].initial:
            raise ValueError(f"{detector.id}: the condition holds before anything was read, so that it never begins")
        self.raising = Raising(detector, [part.initial for part in self.parts[1:]])
        self.name = _name(detector)

    def tree(self) -> list[tuple[str, Part]]:
        return [(path, part) for number, top in enumerate(self.parts) for path, part in top.tree(str(number))]

    def step(self, view: View, until: int) -> list[Alarm]:
        when, *steps = (part.step(view, until) for part in self.parts)
        return self.raising.alarms(when, steps, until)

    def dump(self) -> Arrays:
        state = {f"{path}/{name}": array for path, part in self.tree() for name, array in part.dump().items()}
        return {**state, **{f"raising/{name}": array for name, array in self.raising.dump().items()}}

    def load(self, arrays: Arrays) -> None:
        for path, part in self.tree():
            part.load(_under(arrays, f"{path}/"))
        self.raising.load(_under(arrays, "raising/"))


def compiled_asked(asked: str) -> bool:
    """Whether the word (``GRIDLOOP_DETECTION``; none: NumPy's) asks for the compiled loops. Invalid for one that is no such word, and

    where numba is not installed.
    """
    asked = asked or NUMPY
    if asked not in (NUMPY, NUMBA):
        raise Invalid("detection.no_such_loops", value=asked[:40], allowed=f"{NUMPY}, {NUMBA}")
    if asked == NUMBA and find_spec("numba") is None:
        raise Invalid("detection.no_numba")
    return asked == NUMBA


class Engine:
    """``lateness``, ``grid``, ``ahead``: see :class:`reorder.Reorder`. ``around``: see :func:`built`. ``compiled``: by the loops of

    :mod:`compiled` where an operator has one; the alarms are the same. ImportError where numba is not installed. ``meters``: those whose
    faults are told though no detector asks for their use.
    """

    def __init__(
        self,
        detectors: Sequence[Detector],
        lateness: int = 60_000,
        grid: int = 1_000,
        ahead: int = 60_000,
        around: Around = lambda _, part: part,
        *,
        compiled: bool = False,
        meters: Iterable[Total] = (),
    ) -> None:
        names = [detector.id for detector in detectors]
        if len(set(names)) < len(names):
            raise ValueError("two detectors have the same id")
        self._reorder = Reorder(lateness, grid, ahead)
        self._kernels: Any = None  # the module of compiled loops, where they are used
        self._running = [_Running(detector, around) for detector in detectors]
        if compiled:
            self._kernels = self._reorder.kernels = import_module("gridloop.detection.compiled")
            for part in (part for running in self._running for _, part in running.tree()):
                part.kernels = self._kernels
        self._sizes = dict.fromkeys([DEVICE, *(detector.by for detector in detectors)], 0)
        self._totals = Totals([*meters, *(total for detector in detectors for total in detector.totals)])
        self._told = self._reorder.watermark
        self._groups: dict[str, Ints] = {}  # by grouping: device → key, -1 for none
        self._facts: dict[str, dict[str, NDArray[np.float64]]] = {}

    @property
    def watermark(self) -> int:
        """Alarms before it have all been told."""
        return self._reorder.watermark

    @property
    def passed(self) -> Passed:
        return self._reorder.passed

    @property
    def late_by(self) -> Mapping[int, int]:
        """Device → its readings that came too late or from the future."""
        return self._reorder.late_by

    @property
    def fell_back(self) -> Mapping[int, int]:
        """Device → states of its meter that were lower than the one before, though it had not run over its end; since the engine began."""
        return self._totals.back

    @property
    def too_much(self) -> Mapping[int, int]:
        """Device → states of its meter that were higher than any connection can make them in that time; since the engine began."""
        return self._totals.over

    @property
    def lateness(self) -> int:
        return self._reorder.lateness

    def active(self) -> list[Alarm]:
        """Alarms that last, as they were raised, with the severity they have now."""
        return [alarm for running in self._running for alarm in running.raising.active()]

    def known_facts(self, by: str) -> Mapping[str, NDArray[np.float64]]:
        return self._facts.get(by, {})

    @property
    def quieted(self) -> dict[str, int]:
        return {running.detector.id: running.raising.quieted for running in self._running}

    def state_bytes(self) -> dict[str, int]:
        """Bytes of state by detector, of all keys together; by '' those of the states of meters, which all detectors share."""
        own = {running.detector.id: sum(part.nbytes() for _, part in running.tree()) for running in self._running}
        return own | ({"": meters} if (meters := self._totals.nbytes()) else {})

    def group(self, by: str, devices: ArrayLike, keys: ArrayLike) -> None:
        """Says whose devices are: key of the grouping for each, -1 for none. Holds for what is handed on from now."""
        device, key = np.asarray(devices, np.int64), np.asarray(keys, np.int64)
        if by == DEVICE or by not in self._sizes:
            raise ValueError(f"no detector goes by the grouping {by!r}")
        old = self._groups.get(by, np.zeros(0, np.int64))
        new = np.full(max(len(old), int(device.max(initial=-1)) + 1), -1)
        new[: len(old)] = old
        new[device] = key
        self._groups[by] = new
        self._grow(by, int(key.max(initial=-1)) + 1)

    def facts(self, by: str, name: str, values: ArrayLike) -> None:
        """A fact of every key of a grouping, NaN where it is not known: numbers, 1 and 0 for yes and no, or times. Holds from now on."""
        self._facts.setdefault(by, {})[name] = np.asarray(values, np.float64)

        def changed(running: _Running) -> None:
            for part in self._asking(by, running):
                part.changed(self.watermark)

        self._each(changed)

    def enroll(self, by: str, keys: ArrayLike, at: ArrayLike) -> None:
        """Keys from which readings are expected from ``at`` on, one moment or each its own: the silence of one that never sends is

        noticed too.
        """
        known = np.asarray(keys, np.int64)
        self._grow(by, int(known.max(initial=-1)) + 1)
        since = np.maximum(np.broadcast_to(np.asarray(at, np.int64), known.shape), self.watermark)

        def enroll(running: _Running) -> None:
            if running.detector.by == by:
                for _, part in running.tree():
                    part.enroll(known, since)

        self._each(enroll)

    def forget(self, devices: ArrayLike, keys: Mapping[str, ArrayLike], tokens: ArrayLike = ()) -> None:
        """As if nothing had ever been read of some devices, of some keys by grouping, or with some tokens in it; no alarm's end is told.

        What keys that stay have of them, such as the count of a whole building, is not taken apart.
        """
        gone, named = np.asarray(devices, np.int64), np.asarray(tokens, np.int64)
        self._reorder.forget(gone, named)
        self._totals.forget(gone)

        def forget(running: _Running) -> None:
            by = running.detector.by
            of = gone if by == DEVICE else np.asarray(keys.get(by, ()), np.int64)
            of = of[of < self._sizes[by]]
            for _, part in running.tree():
                part.forget(of)
                part.forget_tokens(named)
            running.raising.forget(of.tolist())

        self._each(forget)

    def _each(self, act: Callable[[_Running], T]) -> list[T]:
        """Of every detector; ``Faulty`` with all that cannot."""
        out, faults = [], list[tuple[Detector, Exception]]()
        for running in self._running:
            try:
                out.append(act(running))
            except _NO_FAULT_OF_ITS:
                raise
            except Exception as fault:
                faults.append((running.detector, fault))
        if faults:
            raise Faulty(faults) from faults[0][1]
        return out

    def step(self, readings: Readings, received: Ints | None = None) -> list[Alarm]:
        """Takes a batch of the log and tells the alarms that are certain now, in the order of time, detector and key."""
        self._reorder.push(readings, received)
        return self._run(*self._reorder.release())

    def tick(self, now: int) -> list[Alarm]:
        """A moment the log says has come. When everything falls silent, only this moves time on."""
        self._reorder.tick(now)
        return self._run(*self._reorder.release())

    def finish(self, to: int | None = None) -> list[Alarm]:
        """All that is left up to ``to`` or the latest time seen; what comes for before then is late."""
        return self._run(*self._reorder.finish(to))

    def _run(self, rows: Sorted, until: int) -> list[Alarm]:
        if until == self._told:  # nothing has become certain
            return []
        self._told = until
        rows = self._totals.turned(rows)
        self._grow(DEVICE, int(rows.device.max(initial=-1)) + 1)
        views = {by: self._view(by, rows) for by in self._sizes}
        told = self._each(lambda running: running.step(views[running.detector.by], until))
        found = [(alarm.at, number, alarm.key, alarm) for number, alarms in enumerate(told) for alarm in alarms]
        return [alarm for *_, alarm in sorted(found, key=lambda f: f[:3])]

    def _view(self, by: str, rows: Sorted) -> View:
        if by == DEVICE:
            return View(rows, None, self._kernels)
        group = self._groups.get(by, np.zeros(0, np.int64))
        key = np.full(len(rows.device), -1)
        known = rows.device < len(group)
        key[known] = group[rows.device[known]]
        return View(rows, key, self._kernels)

    def reserve(self, by: str, size: int) -> None:
        """Room for so many keys of a grouping, and no more: it then need not grow while they come one after the other."""
        if by in self._sizes and size > self._sizes[by]:
            self._resize(by, size)

    def _grow(self, by: str, size: int) -> None:
        if size <= self._sizes[by]:
            return
        self._resize(by, max(size, self._sizes[by] * 5 // 4))

    def _resize(self, by: str, size: int) -> None:
        self._sizes[by] = size
        for running in self._running:
            if running.detector.by == by:
                for _, part in running.tree():
                    part.grow(size)

    def _asking(self, by: str, running: _Running) -> Iterator[Asking]:
        """A detector's parts that ask for facts, if it goes by a grouping, with them at hand."""
        for _, part in running.tree():
            if running.detector.by == by and isinstance(part, Asking):
                part.facts = self._facts[by]
                yield part

    def leave_out(self, detectors: Collection[str]) -> None:
        """These are no longer at work."""
        self._running = [running for running in self._running if running.detector.id not in detectors]

    def knows(self, detector: Detector) -> bool:
        """Whether this very detector is at work."""
        return _name(detector) in {running.name for running in self._running}

    def adopt(self, warm: Engine) -> list[str]:
        """Takes over what an engine knows that went through the history up to this watermark (``finish`` one before it), for detectors both

        have: their ids. The other is of no use afterwards. ValueError when it stands elsewhere.
        """
        if warm.watermark != self.watermark:
            raise ValueError(f"it went up to {warm.watermark}; {self.watermark} is needed")
        for by in self._sizes.keys() & warm._sizes.keys():
            size = max(self._sizes[by], warm._sizes[by])
            self._resize(by, size)
            warm._resize(by, size)
        self._totals.adopt(warm._totals)
        known = {running.name: running for running in warm._running}
        mine = [running for running in self._running if running.name in known]
        for running in mine:
            running.load(known[running.name].dump())
        return [running.detector.id for running in mine]

    def snapshot(self) -> bytes:
        """Everything that is needed to go on from here."""
        return packed(self._dump())

    def write_snapshot(self, file: Sink) -> None:
        """The same, array by array: what is known of a million devices is not held in memory twice."""
        write(self._dump(), file)

    def _dump(self) -> Arrays:
        arrays: Arrays = {f"reorder/{name}": array for name, array in self._reorder.dump().items()}
        arrays.update({f"totals/{name}": array for name, array in self._totals.dump().items()})
        arrays["spaces"] = np.array(list(self._sizes), np.str_)
        arrays["sizes"] = np.array(list(self._sizes.values()), np.int64)
        arrays["detectors"] = np.array([running.name for running in self._running], np.str_)
        for number, running in enumerate(self._running):
            arrays.update({f"detector/{number}/{name}": array for name, array in running.dump().items()})
        arrays.update({f"group/{by}": column for by, column in self._groups.items()})
        arrays.update({f"fact/{by}/{name}": column for by, columns in self._facts.items() for name, column in columns.items()})
        return arrays

    def restore(self, data: bytes | BinaryIO) -> list[str]:
        """Goes on from a snapshot. Detectors that are not in it just as they are now begin anew: their ids. ValueError for a bad one."""
        arrays = Stored(io.BytesIO(data) if isinstance(data, bytes) else data)
        self._reorder.load(_under(arrays, "reorder/"))
        self._totals.load(_under(arrays, "totals/"))
        self._told = self._reorder.watermark
        sizes = dict(zip(arrays["spaces"].tolist(), arrays["sizes"].tolist(), strict=True))
        self._groups.update(_under(arrays, "group/"))
        for name, column in _under(arrays, "fact/").items():
            by, fact = name.split("/", 1)
            self._facts.setdefault(by, {})[fact] = column
        stored = {name: number for number, name in enumerate(arrays["detectors"].tolist())}
        fresh = []
        for running in self._running:
            number = stored.get(running.name)
            if number is None:
                fresh.append(running.detector.id)
            else:
                running.load(_under(arrays, f"detector/{number}/"))
        for by in self._sizes:
            self._resize(by, max(self._sizes[by], sizes.get(by, 0)))
        for by in self._facts:
            for running in self._running:
                list(self._asking(by, running))
        return fresh


def _name(detector: Detector) -> str:
    return sha256_hex(canonical(rules.described(detector)))


def _under(arrays: Mapping[str, NDArray[Any]], start: str) -> Arrays:
    return {name[len(start) :]: arrays[name] for name in arrays if name.startswith(start)}
