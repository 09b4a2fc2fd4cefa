"""What detectors have learned of somebody who was erased goes: asked for with the erasure, done by whoever is at work.

History and log need no list of who was erased: what was erased there is no reading any more (``rules.was_erased``), so that nobody who
begins anew learns from it. What is in memory or stored does not know whose a number is; the rows say it, until every lane that knows
something has stored its state without it. What lanes know that nobody runs any more goes altogether.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import numpy as np
from django.db import connection

from gridloop.detection.columns import Ints
from gridloop.detection.rules import DEVICE
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals import positions, state
from gridloop.signals.lanes import DEVICES, TOGETHER, WHOLE, Lane
from gridloop.signals.models import Alarm, Forgotten, Irregular

if TYPE_CHECKING:
    from gridloop.signals.detecting import AtWork


def due(lane: Lane) -> list[Forgotten]:
    """What a lane has not forgotten yet."""
    with scoped(SYSTEM):
        return list(Forgotten.objects.exclude(lanes__contains=[lane.tag]).order_by("id"))


def forget(work: AtWork, rows: Collection[Forgotten]) -> dict[str, list[str]]:
    """In memory. The names that were forgotten, by grouping; whoever asked stores what is left, then calls ``done``."""
    codes = sorted({row.device for row in rows if row.device})
    gone = work.keys.devices(codes)
    gone = gone[gone >= 0]
    keys = {by: _alone(homes, gone) for by, homes in work.keys.homes.items()}
    tokens = np.array([row.token for row in rows if row.token is not None], np.int64)
    work.taking.forget(gone)
    work.noting.forget(gone)
    work.engine.forget(gone, keys, tokens)
    mine = [code for code in codes if work.lane.own(code)]
    return {DEVICE: mine, **{by: [work.keys.name(by, key) for key in found.tolist()] for by, found in keys.items()}}


def _alone(homes: Mapping[int, int], gone: Ints) -> Ints:
    """Keys all of whose devices are gone: what several homes have together is nobody's routine."""
    left = set(gone.tolist())
    others = {key for device, key in homes.items() if device not in left}
    return np.array(sorted({homes[device] for device in left if homes.get(device, -1) >= 0} - others), np.int64)


def done(work: AtWork, rows: Collection[Forgotten], names: Mapping[str, Collection[str]]) -> None:
    """Within the transaction that takes a lane's state without them into use. Its alarms found since the erasure go, too."""
    detectors = {detector.id for detector in work.detectors}
    for by, found in names.items():
        Alarm.objects.filter(detector__in=detectors, goes_by=by, key__in=list(found)).delete()
    if work.noting.on:
        Irregular.objects.filter(device__in=names[DEVICE]).delete()
    with connection.cursor() as cursor:
        numbers = [row.pk for row in rows]
        cursor.execute("SELECT id FROM signals_forgotten WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [numbers])
        cursor.execute("UPDATE signals_forgotten SET lanes = array_append(lanes, %s) WHERE id = ANY(%s)", [work.lane.tag, numbers])
    _drop_done()


def leave_none(owner: str, lanes: Collection[Lane], partitions: Collection[int]) -> None:
    """While something is to be forgotten: what other lanes than these know goes, unless somebody holds them. ``partitions``: of the log."""
    with scoped(SYSTEM):
        idle = _knowing() - {*lanes}
        began = {*positions.reached(TOGETHER), *partitions}
    for lane in sorted(idle, key=lambda lane: lane.tag):
        of = began if lane.partition is None else {lane.partition}
        state.give_up(lane.consumer, owner, positions.LEASE_SECONDS, of, lane.tag)
    with scoped(SYSTEM):
        _drop_done()


def _drop_done() -> None:
    """Rows that no lane with anything in store or memory has still to look at. Who begins later reads a log without what was erased."""
    with connection.cursor() as cursor:
        tags = [lane.tag for lane in _knowing()]
        cursor.execute("DELETE FROM signals_forgotten WHERE lanes @> %s::varchar[]", [tags])


def _knowing() -> set[Lane]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT consumer, partition FROM signals_position WHERE consumer = ANY(%s) AND owner <> ''", [[TOGETHER, DEVICES]])
        held = {WHOLE if consumer == TOGETHER else Lane(partition) for consumer, partition in cursor.fetchall()}
    return held | {Lane.tagged(tag) for tag in state.tags()}
