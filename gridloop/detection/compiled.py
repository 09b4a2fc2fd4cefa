"""The same operators as loops over rows, compiled: for installations that have numba (``requirements/numba.txt``).

Rows are those of a pick, by key and then time. Each loop goes through them once, keeps the same state as the operator's own arrays and
writes the changes into ``out`` (key, time, on), whose length it returns. Sums and products go in the same order as in NumPy, so that
both raise the same alarms to the last bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from gridloop.detection.columns import LONG_AGO, NEVER

# kept beside the code where that may be written; else compiled at every start
_KEPT = os.access(Path(__file__).parent, os.W_OK)
_inside: Callable[[Callable[..., Any]], Any] = intrinsic
_compile: Callable[[Callable[..., Any]], Any] = njit(cache=_KEPT, nogil=True, error_model="numpy")


_AHEAD = 12  # rows: about as many as are gone through while the memory answers


@_inside
def _fetch(_typing: Any, column: Any, place: Any) -> Any:
    """Asks the memory for one place of an array (laid out in one piece), without waiting for it: rows are of keys far apart, and the

    processor does not look past a loop's guesses to see which come next. Two thirds of the time of ``count`` were such waits.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        at = builder.bitcast(builder.gep(array.data, [arguments[1]]), byte)
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], ir.FunctionType(ir.VoidType(), [byte, number, number, number]))
        builder.call(prefetch, [at, number(1), number(3), number(1)])  # to be written, to be kept near, data
        return context.get_dummy_value()

    return types.void(column, types.intp), generate


# What follows says the same thing several times: a call inside a loop costs more than all the rest of it, because every array that is
# handed on is counted.


@_compile
def late(time: Any, latest: int, lateness: int, closed: int, out: Any) -> int:
    """Marks what is too far behind the latest time up to it; returns that of all."""
    for r in range(len(time)):
        latest = max(latest, time[r])
        out[r] = time[r] < latest - lateness or time[r] < closed
    return latest


@_compile
def pack(key: Any, time: Any, before: int, begin: int, clock: int, place: int, out: Any) -> int:
    n = 0
    for r in range(len(time)):
        if time[r] < before:
            out[n] = ((key[r] << clock | time[r] - begin) << place) | r
            n += 1
    return n


@_compile
def unpack(packed: Any, begin: int, clock: int, place: int, order: Any, key: Any, time: Any) -> None:
    for r in range(len(packed)):
        order[r] = packed[r] & ((1 << place) - 1)
        both = packed[r] >> place
        key[r] = both >> clock
        time[r] = (both & ((1 << clock) - 1)) + begin


@_compile
def repeats(key: Any, time: Any) -> bool:
    """Whether two neighbours have the same of both."""
    n = 0
    for r in range(1, len(key)):
        n += key[r] == key[r - 1] and time[r] == time[r - 1]
    return n > 0


@_compile
def rows_of(marked: Any, out: Any) -> int:
    n = 0
    for r in range(len(marked)):
        out[n] = r
        n += marked[r]
    return n


@_compile
def blocks_due(low: Any, until: int) -> int:
    n = 0
    for block in range(len(low)):
        n += low[block] < until
    return n


@_compile
def come(low: Any, due: Any, until: int, then: int, keys: Any, moments: Any) -> int:
    """What waits and is due before a moment: how many, their keys and moments. ``then`` is put in the place of each."""
    n, size = 0, len(due)
    for block in range(len(low)):
        if low[block] >= until:
            continue
        soonest = NEVER
        for k in range(block << 8, min(size, (block + 1) << 8)):
            at = due[k]
            if at == LONG_AGO:
                continue
            if at < until:
                keys[n], moments[n] = k, at
                n += 1
                due[k] = then
            elif at < soonest:
                soonest = at
        low[block] = soonest
    return n


@_compile
def hold(key: Any, time: Any, on: Any, longer: int, due: Any, low: Any, out: Any) -> int:
    """From changes of the inner condition to those of the held one."""
    to, at, off = out
    n = 0
    for r in range(len(key)):
        k, t, before = key[r], time[r], due[key[r]]
        if on[r]:
            due[k] = t + longer
            low[k >> 8] = min(low[k >> 8], t + longer)
            continue
        if before < t:  # held, or would have come due by now
            if before > LONG_AGO:
                to[n], at[n], off[n] = k, before, True
                n += 1
            to[n], at[n], off[n] = k, t, False
            n += 1
        due[k] = NEVER
    return n


@_compile
def threshold(rows: Any, key: Any, time: Any, order: Any, value: Any, limit: float, clear: float, up: bool, on: Any, out: Any) -> int:
    to, at, off = out
    n, last, now, size = 0, -1, False, len(rows)
    for r in range(size):
        if r + _AHEAD < size:
            soon = key[rows[r + _AHEAD]]
            _fetch(on, soon)
        i = rows[r]
        k, v = key[i], value[order[i]]
        if k != last:
            last, now = k, on[k]
        if (v >= limit) if up else (v <= limit):
            now = True
        elif (v < clear) if up else (v > clear):
            now = False
        if now != on[k]:
            j = rows[r + 1] if r + 1 < size else i
            if j != i and key[j] == k and time[j] == time[i]:
                continue  # more of this moment
            on[k] = now
            to[n], at[n], off[n] = k, time[i], now
            n += 1
    return n


@_compile
def absence(rows: Any, key: Any, time: Any, longer: int, on: Any, flip: Any, low: Any, out: Any) -> int:
    to, at, off = out
    n, size = 0, len(rows)
    for r in range(size):
        if r + _AHEAD < size:
            soon = key[rows[r + _AHEAD]]
            _fetch(flip, soon)
            _fetch(on, soon)
        i = rows[r]
        k, t = key[i], time[i]
        due = flip[k]
        if due < t:
            on[k] = True
            to[n], at[n], off[n] = k, due, True
            n += 1
        if on[k]:
            on[k] = False
            to[n], at[n], off[n] = k, t, False
            n += 1
        if due == NEVER:
            low[k >> 8] = min(low[k >> 8], t + longer)
        flip[k] = t + longer
    return n


@_compile
def count(
    rows: Any, key: Any, time: Any, within: int, tumbling: bool, offset: int, ring: Any, on: Any, flip: Any, low: Any, out: Any
) -> int:
    to, at, off = out
    n, size, back = 0, len(rows), len(ring)
    keys, times = len(on), ring.ravel()
    for r in range(size):
        if r + _AHEAD < size:
            soon = key[rows[r + _AHEAD]]
            _fetch(flip, soon)
            _fetch(on, soon)
            for place in range(back):
                _fetch(times, place * keys + soon)
        i = rows[r]
        k, t = key[i], time[i]
        nth = t
        if back:
            nth = ring[back - 1, k]
            for place in range(back - 1, 0, -1):
                ring[place, k] = ring[place - 1, k]
            ring[0, k] = t
        j = rows[r + 1] if r + 1 < size else i
        if j != i and key[j] == k and time[j] == t:
            continue
        due = flip[k]
        if due < t:
            on[k] = False
            to[n], at[n], off[n] = k, due, False
            n += 1
        ends = nth + within
        holds = ends > t
        if tumbling:
            ends = (t - offset) // within * within + offset + within
            holds = nth >= ends - within
        if holds != on[k]:
            on[k] = holds
            to[n], at[n], off[n] = k, t, holds
            n += 1
        due = ends if holds else NEVER
        flip[k] = due
        if holds:
            low[k >> 8] = min(low[k >> 8], due)
    return n


@_compile
def dwell(
    rows: Any,
    key: Any,
    time: Any,
    order: Any,
    token: Any,
    longer: int,
    gap: int,
    zones: Any,
    anywhere: bool,
    zone: Any,
    last: Any,
    on: Any,
    flip: Any,
    low: Any,
    out: Any,
) -> int:
    to, at, off = out
    n, size = 0, len(rows)
    for r in range(size):
        if r + _AHEAD < size:
            soon = key[rows[r + _AHEAD]]
            _fetch(zone, soon)
            _fetch(on, soon)
            _fetch(flip, soon)
            if gap >= 0:
                _fetch(last, soon)
        i = rows[r]
        k, t, here = key[i], time[i], token[order[i]]
        j = rows[r + 1] if r + 1 < size else i
        if j != i and key[j] == k and time[j] == t:
            continue
        known = anywhere
        for one in zones:
            known |= one == here
        if not known:
            here = 0
        due = flip[k]
        if due < t:
            on[k], due = True, NEVER
            to[n], at[n], off[n] = k, flip[k], True
            n += 1
        new = here != zone[k]
        if gap >= 0:
            new = new or t - last[k] > gap
            last[k] = t
        zone[k] = here
        began = t if new else (LONG_AGO if on[k] else due - longer)
        ends = began + longer if here != 0 else NEVER
        holds = ends <= t
        if holds != on[k]:
            on[k] = holds
            to[n], at[n], off[n] = k, t, holds
            n += 1
        ends = NEVER if holds else ends
        if ends < due:
            low[k >> 8] = min(low[k >> 8], ends)
        flip[k] = ends
    return n


@_compile
def add(rows: Any, key: Any, order: Any, value: Any, summed: bool, hour: int, amount: Any, first: Any) -> None:
    size = len(rows)
    for r in range(size):
        if r + _AHEAD < size:
            soon = key[rows[r + _AHEAD]]
            _fetch(amount, soon)
            _fetch(first, soon)
        k = key[rows[r]]
        if summed:
            amount[k] += np.int64(np.rint(value[order[rows[r]]] * 1000))
        else:
            amount[k] += 1
        if first[k] < 0 or first[k] > hour:
            first[k] = hour


@_compile
def close_routine(
    hour: int,
    begin: int,
    table: Any,
    of: int,
    direction: int,
    times: float,
    least: float,
    learn: int,
    slowest: int,
    calms: int,
    amount: Any,
    first: Any,
    mean: Any,
    calm: Any,
    on: Any,
    keys: Any,
) -> int:
    """``of``: 0 count, 1 seen, 2 sum; ``direction``: 1 up, 2 down, 3 both. Returns how many keys changed; they stand in ``keys``."""
    n, most = 0, len(table) - 1
    for k in range(len(on)):
        have, amount[k] = amount[k], 0
        now, began = False, first[k]
        if 0 <= began < hour:
            seen = table[min(max(began - begin, 0), most)]
            has = have / 1000.0 if of == 2 else float(min(have, 1)) if of == 1 else float(have)
            usual, still = np.float64(mean[k]), np.float64(calm[k])
            off = has - usual
            limit = still * times + least
            near = off
            if seen >= learn:
                now = bool((direction & 1 != 0 and off >= limit) or (direction & 2 != 0 and off <= -limit))
                size = abs(off)
                if np.isnan(still):
                    calm[k] = size
                else:
                    near = min(max(off, -limit), limit)
                    calm[k] = still + (min(size, limit) - still) / calms
            mean[k] = has if seen == 0 else usual + near / min(seen + 1, slowest)
        if now != on[k]:
            on[k] = now
            keys[n] = k
            n += 1
    return n


@_compile
def close_settled(
    of: int,
    direction: int,
    times: float,
    least: float,
    slowest: int,
    calms: int,
    amount: Any,
    mean: Any,
    calm: Any,
    on: Any,
    now: Any,
    keys: Any,
) -> int:
    """The same for keys that have all seen the hour often enough, without a turn in the loop, so that several keys go at once."""
    up, down = direction & 1 != 0, direction & 2 != 0
    for k in range(len(on)):
        have = amount[k]
        amount[k] = 0
        has = float(have)
        if of == 1:
            has = 1.0 if have > 0 else 0.0
        elif of == 2:
            has = has / 1000.0
        usual, still = np.float64(mean[k]), np.float64(calm[k])
        off = has - usual
        limit = still * times + least
        new = still != still  # NaN
        size = abs(off)
        capped = size if new or size < limit else limit
        now[k] = (up & (off >= limit)) | (down & (off <= -limit))
        mean[k] = usual + (capped if off >= 0 else -capped) / slowest
        calm[k] = capped if new else still + (capped - still) / calms
    n = 0
    for k in range(len(on)):
        if now[k] != on[k]:
            on[k] = now[k]
            keys[n] = k
            n += 1
    return n


@_compile
def close_silence(
    hour: int,
    begin: int,
    tables: Any,
    kind: int,
    of_day: int,
    limits: Any,
    learn: int,
    slowest: int,
    pooled: int,
    bit: int,
    amount: Any,
    first: Any,
    mean: Any,
    silent: Any,
    on: Any,
    keys: Any,
) -> int:
    n, most, over = 0, tables.shape[1] - 1, len(silent)
    for k in range(len(on)):
        heard, amount[k] = np.int64(amount[k] > 0), 0
        now, began = False, first[k]
        silent[hour % over, k] = 0
        if heard > 0:
            for back in range(over):
                silent[back, k] = 0
        if 0 <= began < hour:
            at = min(max(began - begin, 0), most)
            seen, all_seen, weight, total = tables[kind, at], 0, 0.0, 0.0
            for other in range(len(tables)):
                all_seen += tables[other, at]
                sightings = min(tables[other, at], slowest)
                weight += sightings
                total += sightings * np.float64(mean[other * 24 + of_day, k])
            own, usual = min(seen, slowest), np.float64(mean[kind * 24 + of_day, k])
            if all_seen >= learn and heard == 0:
                share = (own * usual + pooled * (total / (weight + 1))) / (own + pooled)
                silent[hour % over, k] = np.uint8(np.rint(np.log2(1 - share) * -bit))
            bits = 0
            for back in range(over):
                bits += silent[back, k]
            now = heard == 0 and (on[k] or bits >= limits[k])
            if not now:
                mean[kind * 24 + of_day, k] = usual + (heard - usual) / min(seen + 1, slowest) if seen > 0 else np.float64(heard)
        if now != on[k]:
            on[k] = now
            keys[n] = k
            n += 1
    return n
