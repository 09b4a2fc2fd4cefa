"""Rows of alarms: what is raised is written once whatever is replayed, told to the scenes as signals of the platform's own, or held back.

All but ``send_due`` run inside the transaction of whoever moves the detectors on.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from django.db import connection

from gridloop.detection import messages as engine
from gridloop.journal.actions import append
from gridloop.journal.frame import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.signals.actions import emit
from gridloop.signals.messages import ToldAlarm, alarm_signal
from gridloop.signals.models import Alarm, AsideDetector, HeldDetector
from gridloop.signals.stream import milliseconds

LATE = timedelta(minutes=10)  # told so long after its moment, an alarm says that it is late
OLD = timedelta(hours=1)  # found so long after its moment, it waits until we have caught up: it may be over
PATIENCE = timedelta(minutes=15)  # … but no longer than this
AT_ONCE = 2000  # changes told in one turn
BUSY = -1
SILENCE, FLOOD = "silence", "flood"


class Found(NamedTuple):
    """A change as the engine tells it, with the names of its key."""

    alarm: engine.Alarm
    goes_by: str
    key: str
    device: str
    region: str

    @property
    def id(self) -> UUID:
        one = self.alarm
        return UUID(hex=engine.alarm_id(one.detector, one.version, self.key, one.start))

    @property
    def at(self) -> datetime:
        return moment(self.alarm.at)


class Ruling(NamedTuple):
    """What becomes of an alarm just raised."""

    told: str
    reason: str = ""


Judge = Callable[[Found], Ruling]
Own = Callable[[str], bool]  # whether a device is one of the lane's


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def most_an_hour() -> int:
    """``GRIDLOOP_ALARMS_AN_HOUR`` (10000): a detector that would tell more is held back and shown to a person."""
    return int(os.environ.get("GRIDLOOP_ALARMS_AN_HOUR", "10000"))


def write(found: Sequence[Found], judge: Judge, now: datetime) -> None:
    """Changes in the order in which they were found. What was written before is left as it is."""
    raised = {one.id: one for one in found if one.alarm.what == engine.RAISED}
    _insert([raised[i] for i in raised.keys() - _known(raised)], judge, now)
    _change(found)


def _known(ids: Collection[UUID]) -> set[UUID]:
    with connection.cursor() as cursor:  # an array: each id as a parameter of its own would be too many for the database
        cursor.execute("SELECT id FROM signals_alarm WHERE id = ANY(%s)", [list(ids)])
        return {row[0] for row in cursor.fetchall()}


def _insert(raised: list[Found], judge: Judge, now: datetime) -> None:
    """Those of a detector that would be told beyond what people can take are held, the detector with them."""
    raised.sort(key=lambda one: (one.alarm.at, one.alarm.detector, one.alarm.key))
    rulings = [judge(one) for one in raised]
    held = _held_now(
        Counter(one.alarm.detector for one, ruling in zip(raised, rulings, strict=True) if ruling.told == Alarm.Told.TOLD), now
    )
    rows, kept, most = [], Counter[str](), most_an_hour()
    for one, ruling in zip(raised, rulings, strict=True):
        name = one.alarm.detector
        if name in held:
            kept[name] += 1
            if kept[name] > most:
                continue  # counted with the detector: rows of what nobody could look at help nobody
            ruling = Ruling(Alarm.Told.HELD, FLOOD)
        rows.append(_row(one, ruling, now))
    Alarm.objects.bulk_create(rows, batch_size=2000, ignore_conflicts=True)


def _row(one: Found, ruling: Ruling, now: datetime) -> Alarm:
    told = ruling.told == Alarm.Told.TOLD
    return Alarm(
        id=one.id,
        detector=one.alarm.detector,
        version=one.alarm.version,
        goes_by=one.goes_by,
        key=one.key,
        device=one.device,
        region=one.region,
        severity=one.alarm.severity,
        start=moment(one.alarm.start),
        noticed=now,
        told=ruling.told,
        reason=ruling.reason,
        told_at=now if told else None,
        late=now - one.at > LATE,
    )


def _held_now(wish: Counter[str], now: datetime) -> set[str]:
    """Detectors of the wish that are held back already, or are from now on; what they wish to tell is added to their count."""
    if not wish:
        return set()
    held = {row.detector: row for row in HeldDetector.objects.select_for_update().filter(detector__in=wish).order_by("detector")}
    for name, row in held.items():
        row.alarms += wish[name]
        row.save(update_fields=["alarms"])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT detector, count(*) FROM signals_alarm WHERE detector = ANY(%s) AND told_at > %s GROUP BY detector",
            [sorted(wish.keys() - held.keys()), now - timedelta(hours=1)],
        )
        counts = Counter(dict(cursor.fetchall()))
    most = most_an_hour()
    over = {name: wish[name] + counts[name] for name in sorted(wish.keys() - held.keys()) if wish[name] + counts[name] > most}
    for name, alarms in over.items():
        if _held(name, alarms, now):
            append("org", "detector_held", {"detector": name, "alarms": alarms}, SYSTEM)
    return held.keys() | over.keys()


def _held(name: str, alarms: int, now: datetime) -> bool:
    """False when another lane was sooner."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO signals_helddetector (detector, since, alarms) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING", [name, now, alarms]
        )
        return bool(cursor.rowcount)


# The latest alarm of the key that has begun before: its number is not asked for, because a detector's next version goes on with the
# alarms of the one before it.
_CHANGES = """
INSERT INTO signals_alarmchange (alarm_id, what, severity, at, sent)
SELECT a.id, n.what, n.severity, n.at, CASE WHEN a.told = 'told' THEN false END
FROM unnest(%s::text[], %s::text[], %s::text[], %s::int[], %s::timestamptz[]) WITH ORDINALITY AS n(detector, key, what, severity, at, nth)
CROSS JOIN LATERAL (
    SELECT id, told FROM signals_alarm WHERE detector = n.detector AND key = n.key AND ended IS NULL
    AND (start < n.at OR start = n.at AND n.what = 'raised') ORDER BY start DESC LIMIT 1) a
ORDER BY n.nth ON CONFLICT DO NOTHING RETURNING alarm_id, what, severity, at
"""
_ENDED = """
UPDATE signals_alarm a SET ended = n.at, told = CASE WHEN a.told IN ('waiting', 'held') THEN 'passed' ELSE a.told END
FROM unnest(%s::uuid[], %s::timestamptz[]) AS n(id, at) WHERE a.id = n.id
"""
_STEPPED = "UPDATE signals_alarm a SET severity = n.severity FROM unnest(%s::uuid[], %s::int[]) AS n(id, severity) WHERE a.id = n.id"


def _change(found: Sequence[Found]) -> None:
    if not found:
        return
    changes = [(one.alarm.detector, one.key, one.alarm.what, one.alarm.severity, one.at) for one in found]
    with connection.cursor() as cursor:
        cursor.execute(_CHANGES, [list(column) for column in zip(*changes, strict=True)])
        fresh = cursor.fetchall()
        stepped = {alarm: severity for alarm, what, severity, _ in fresh if what == engine.STEPPED}
        ended = {alarm: at for alarm, what, _, at in fresh if what == engine.CLEARED}
        if stepped:
            cursor.execute(_STEPPED, [list(stepped), list(stepped.values())])
        if ended:
            cursor.execute(_ENDED, [list(ended), list(ended.values())])


def waiting(detectors: Collection[str], own: Own, now: datetime, *, caught_up: bool) -> list[Alarm]:
    """Alarms that were old when they were found, still last, and are to be told now, late."""
    rows = Alarm.objects.filter(told=Alarm.Told.WAITING, ended=None, detector__in=list(detectors))
    return [row for row in (rows if caught_up else rows.filter(noticed__lt=now - PATIENCE)) if own(row.device)]


def held_back(reason: str) -> list[Alarm]:
    """Those that still last."""
    return list(Alarm.objects.filter(told=Alarm.Told.HELD, reason=reason, ended=None).order_by("start", "detector", "key"))


def happened(detectors: Collection[str], now: datetime) -> list[Alarm]:
    """Of those kept because there were too many the ones that are over, but not old. For detectors that tell what happened: its being over

    says nothing.
    """
    if not detectors:
        return []
    rows = Alarm.objects.filter(detector__in=list(detectors), told=Alarm.Told.PASSED, reason=FLOOD, start__gt=now - OLD)
    return list(rows.order_by("start", "detector", "key"))


def flooded() -> set[str]:
    """Detectors of which alarms that still last were kept because there were too many."""
    return set(Alarm.objects.filter(told=Alarm.Told.HELD, reason=FLOOD, ended=None).values_list("detector", flat=True).distinct())


def tell(rows: Sequence[Alarm], now: datetime) -> None:
    """Alarms that were kept so far, as far as people can take them."""
    held = _held_now(Counter(row.detector for row in rows), now)
    going = [row.id for row in rows if row.detector not in held]
    kept = [row.id for row in rows if row.detector in held]
    with connection.cursor() as cursor:
        if kept:
            cursor.execute("UPDATE signals_alarm SET told = 'held', reason = %s WHERE id = ANY(%s) AND ended IS NULL", [FLOOD, kept])
        if going:
            cursor.execute("UPDATE signals_alarm SET told = 'told', told_at = %s, late = true WHERE id = ANY(%s)", [now, going])
            cursor.execute("UPDATE signals_alarmchange SET sent = false WHERE alarm_id = ANY(%s) AND sent IS NULL", [going])


def reconcile(detectors: Collection[str], own: Own, active: Sequence[Found], at: int, judge: Judge, now: datetime) -> None:
    """The open alarms of detectors that have begun anew become those they know now: the same key's goes on, others begin or are over.

    Only those of a lane's ``own`` devices.
    """
    found = Alarm.objects.filter(detector__in=list(detectors), ended=None)
    open_ = {(row.detector, row.key): row for row in found if own(row.device)}
    going = {(one.alarm.detector, one.key) for one in active}
    begun = [one for one in active if (one.alarm.detector, one.key) not in open_]
    over = [_over(row, at) for name, row in open_.items() if name not in going]
    write([*begun, *over], judge, now)


def remembered() -> set[str]:
    """Detectors that have open alarms, are held back or set aside."""
    open_ = Alarm.objects.filter(ended=None).values_list("detector", flat=True).distinct()
    stopped = (table.objects.values_list("detector", flat=True) for table in (HeldDetector, AsideDetector))
    return {*open_, *chain.from_iterable(stopped)}


def end_detectors(detectors: Collection[str], at: int, now: datetime) -> None:
    """Of detectors that are no more nothing lasts."""
    HeldDetector.objects.filter(detector__in=list(detectors)).delete()
    AsideDetector.objects.filter(detector__in=list(detectors)).delete()
    reconcile(detectors, lambda _: True, [], at, lambda _: Ruling(Alarm.Told.PASSED), now)


def end_deserted(
    detectors: Collection[str], own: Own, has_device: Callable[[str, str], bool], at: int, judge: Judge, now: datetime
) -> None:
    """Open alarms of homes and places to which no device belongs any more are over: nothing could be read that ends them."""
    rows = Alarm.objects.filter(detector__in=list(detectors), ended=None)
    write([_over(row, at) for row in rows if own(row.device) and not has_device(row.goes_by, row.key)], judge, now)


def _over(row: Alarm, at: int) -> Found:
    """An alarm of a time that has not come yet, because the clock was set back, is over as soon as it began."""
    end = max(at, milliseconds(row.start) + 1)
    alarm = engine.Alarm(end, row.detector, row.version, 0, 0, row.severity, engine.CLEARED)
    return Found(alarm, row.goes_by, row.key, row.device, row.region)


_DUE = """
SELECT c.id, c.what, c.severity, c.at, a.id, a.detector, a.version, a.goes_by, a.key, a.device, a.start, a.late
FROM signals_alarmchange c JOIN signals_alarm a ON a.id = c.alarm_id WHERE c.sent = false ORDER BY c.id LIMIT %s
"""


def send_due() -> int:
    """Tell the scenes what is due, as signals in the log; how many, ``BUSY`` while another worker does so.

    Their ids are functions of the alarm: a repeat has no second effect.
    """
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SET LOCAL idle_in_transaction_session_timeout = '20s'")
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext('gridloop.alarms'))")
        if not cursor.fetchone()[0]:
            return BUSY
        cursor.execute(_DUE, [AT_ONCE])
        due = cursor.fetchall()
        if due:
            emit([alarm_signal(ToldAlarm(alarm.hex, what, severity, at, *rest)) for _, what, severity, at, alarm, *rest in due])
            cursor.execute("UPDATE signals_alarmchange SET sent = true WHERE id = ANY(%s)", [[row[0] for row in due]])
    return len(due)
