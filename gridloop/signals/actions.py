"""The writes of the signals room: signals the platform makes itself, forgetting, trimming, erasing."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import cache

from django.conf import settings
from django.db import connection

from gridloop.cases.actions import erase_reporters_named
from gridloop.journal.actions import append, drop, elevated, erase_naming, verb
from gridloop.journal.frame import scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Invalid, NotFound
from gridloop.kernel.hashing import token_of
from gridloop.kernel.retention import kept
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs import desk
from gridloop.registry.actions import erase_person as forget_person
from gridloop.registry.actions import marks_of, set_device_status
from gridloop.registry.briefs import DeviceView
from gridloop.registry.selectors import device_counts, heard_since, overdue_devices, silent_regions
from gridloop.sdk.signals import Signal, SignalLog
from gridloop.signals import history
from gridloop.signals.connection import KeptConnection
from gridloop.signals.log import appending
from gridloop.signals.messages import DEVICE_STATUS, Erasure
from gridloop.signals.models import Alarm, AsideDetector, Forgotten, HeldDetector, Irregular, Proposal, Seen, Trouble, Witness
from gridloop.signals.positions import done_by_all
from gridloop.signals.rules import OWN_SOURCE, SILENT_LEAST, Marks, Watch, erased, token_text
from gridloop.signals.source import source

MASS_SHARE = 0.5  # more than this share of all devices silent at once: our own door, not so many devices …
MASS_LEAST = 20
MASS_HOLDS = timedelta(days=1)  # … for a day, in which the doctor tells it; then, if others are heard, those are truly silent
ERASE_RULE = "subject_request"
SHORTEST_WORD = 2  # one character stands in half of all texts
AT_ONCE = 500  # silent devices told in one look at most
GROUP_LEAST = 10  # so many devices of one village silent within …
GROUP_WITHIN = timedelta(days=1)  # … are one matter, such as a gateway or a power cut
GROUP_DIGITS = 12  # of a region code: the village


@cache
def _log() -> SignalLog:
    return appending(KeptConnection(settings.INGEST_URL, "gridloop-own-signals"))


def emit(signals: Sequence[Signal]) -> None:
    """Put our own signals into the log at once, outside of any transaction: their ids are functions of the facts they tell,
    so a repeat after a crash has no second effect."""
    _log().append(signals)


def back_online(code: str, at: datetime) -> Signal:
    """A silent device is heard again, first at ``at``."""
    return Signal(f"{code}:online:{at.isoformat()}", OWN_SOURCE, code, DEVICE_STATUS, at, 1.0, data={"heard": at.isoformat()})


def gone_silent(code: str, last_seen: datetime, at: datetime, group: str = "") -> Signal:
    """A device has not been heard for too long; the id names the silence, not the moment it was found.

    ``group``: the village whose devices fall silent together, so that they become one matter.
    """
    since = last_seen.isoformat()
    data = {"last_seen": since} | ({"group": group} if group else {})
    return Signal(f"{code}:silent:{since}", OWN_SOURCE, code, DEVICE_STATUS, at, 0.0, data=data)


_watch: Watch | None = None


def mark_silent() -> bool:
    """Job: devices not heard for longer than ``silent_after``, while we were there to hear them, become silent and a signal tells it.

    When most devices fall silent together it is not they who fail: nothing is marked, ``selectors.state`` shows it. Only when
    others are heard all the while, a day's silence is believed. True when more may wait.
    """
    global _watch
    now = clock.now()
    _watch = Watch.again(_watch, now, clock.rate())
    if _nobody_is_heard(now):  # our own absence: once the door is open again, devices get their time again
        _watch = Watch(now, now)
    return _mark(_watch)


def _nobody_is_heard(now: datetime) -> bool:
    if heard_since(SYSTEM, now - SILENT_LEAST):
        return False
    online = device_counts(SYSTEM)["online"]
    return is_mass_silence(len(overdue_devices(SYSTEM, now, SILENT_LEAST, most_late(online))), online)


def _mark(watch: Watch) -> bool:
    now = watch.looked
    online = device_counts(SYSTEM)["online"]
    due = overdue_devices(SYSTEM, now, SILENT_LEAST, most_late(online))
    late = [d for d in due if d.last_seen and watch.silent(d.last_seen, d.interval_seconds)]
    if is_mass_silence(len(late), online):
        late = [d for d in late if d.last_seen and now - max(d.last_seen, watch.since) > MASS_HOLDS]
    told = late[:AT_ONCE]
    together = _groups(told, now)
    emit([gone_silent(d.code, d.last_seen, now, together.get(d.code, "")) for d in told if d.last_seen])
    for device in told:
        set_device_status(SYSTEM, device.code, "silent")
    return len(late) > len(told)


def _groups(late: Sequence[DeviceView], now: datetime) -> dict[str, str]:
    """Device → village, where so many fall silent that they are one matter; the first few have told it one by one."""
    counts = Counter(d.region_code[:GROUP_DIGITS] for d in late)
    for region, number in silent_regions(SYSTEM, now - GROUP_WITHIN).items():
        counts[region[:GROUP_DIGITS]] += number
    return {d.code: village for d in late if counts[village := d.region_code[:GROUP_DIGITS]] >= GROUP_LEAST}


def most_late(online: int) -> int:
    """So many late devices have to be looked at to know whether it is a mass: a fixed number would hide one in a large deployment."""
    return max(AT_ONCE, math.ceil(MASS_SHARE * online) + 1)


def is_mass_silence(late: int, online: int) -> bool:
    return late >= MASS_LEAST and late > MASS_SHARE * online


def forget_seen(limit: int = 500, dry: bool = False) -> int:
    """Retention: identities, one day longer than promised, because a day is cut somewhere."""
    with scoped(SYSTEM):
        return drop(Seen.objects.filter(day__lt=(clock.now() - kept("seen")).date()), limit, dry)


def forget_troubles(limit: int = 500, dry: bool = False) -> int:
    """Retention: signals that could not be taken."""
    with scoped(SYSTEM):
        return drop(Trouble.objects.filter(at__lt=clock.now() - kept("troubles")), limit, dry)


def forget_irregular(limit: int = 500, dry: bool = False) -> int:
    """Retention: how many readings of a device were not as they should be."""
    with scoped(SYSTEM):
        old = Irregular.objects.filter(hour__lt=clock.now() - kept("irregular"))
        return old.count() if dry else _drop_hours(limit)


def _drop_hours(limit: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM signals_irregular WHERE (hour, device, why) IN "
            "(SELECT hour, device, why FROM signals_irregular WHERE hour < %s ORDER BY hour LIMIT %s)",
            [clock.now() - kept("irregular"), limit],
        )
        return int(cursor.rowcount)


def log_hours() -> float:
    """``GRIDLOOP_LOG_HOURS`` (48): how long the log keeps what every consumer has behind it."""
    return float(os.environ.get("GRIDLOOP_LOG_HOURS", "48"))


def trim_log(limit: int = 2000) -> bool:
    """Job: drop batches that every consumer has behind it and that are old enough."""
    return source().trim(done_by_all(), clock.now() - timedelta(hours=log_hours()), limit)


def forget_alarms(limit: int = 500, dry: bool = False) -> int:
    """Retention: alarms that are over."""
    with scoped(SYSTEM):
        return drop(Alarm.objects.filter(noticed__lt=clock.now() - kept("alarms"), ended__isnull=False), limit, dry)


@verb("pack.switch")
def release_detector(viewer: Viewer, name: str) -> None:
    """A detector that was held back because of too many alarms may be told of again. What lasts of its alarms is told,

    and what happened within the last hour; see ``alarms``. One that was set aside tries again, once it has learned from history.
    """
    desk.need_own(viewer, "pack.switch", "")
    with elevated():
        held = HeldDetector.objects.select_for_update().filter(detector=name).first()
        aside = AsideDetector.objects.select_for_update().filter(detector=name).first()
        if held is None and aside is None:
            raise NotFound("signals.not_held", name=name)
        if held is not None:
            held.delete()
            append("org", "detector_released", {"detector": name, "alarms": held.alarms}, viewer)
        if aside is not None:
            aside.delete()
            append("org", "detector_tried_again", {"detector": name, "version": aside.version}, viewer)


def forget_outcomes(limit: int = 500, dry: bool = False) -> int:
    """Retention: what alarms turned out to be, and proposals that are decided."""
    before = clock.now() - kept("outcomes")
    with scoped(SYSTEM):
        gone = drop(Witness.objects.filter(at__lt=before), limit, dry)
        return gone + drop(Proposal.objects.filter(made_at__lt=before).exclude(status=Proposal.Status.OPEN), limit, dry)


@verb("people.erase")
def erase_subject(
    viewer: Viewer, *, rule: str, identities: Collection[tuple[str, str]] = (), devices: Collection[str] = (), words: Collection[str] = ()
) -> int:
    """Take a person out of log and history: signals named by ``(source, id)``, of these devices, or holding one of these words
    (a name, a number plate, a telephone number) in their data lose data and place, and the detectors forget what they learned of them.
    Returns how many signals were changed; the fact says how many alarms were ended by it.
    """
    marks = Marks(frozenset(identities), frozenset(devices), tuple(sorted(words)))
    named = {*marks.words}  # and what is called by a text that holds one of them

    def seen(signal: Signal) -> None:
        if marks.named_in(text := token_text(signal.data)):
            named.add(text)

    with elevated():
        count = _erase_log(marks, rule, seen) + history.erase(marks, rule, seen)
        lasting = _ask_to_forget(marks.devices, named)
        Witness.objects.filter(device__in=marks.devices).delete()
        Proposal.objects.filter(device__in=marks.devices).delete()
    append("org", "signals_erased", {"signals": count, "alarms": lasting, "rule": rule}, viewer)
    return count


def erase_person(viewer: Viewer, code: str, reason: str, words: Collection[str] = ()) -> Erasure:
    """Take a registered person out of everything: signals, sealed values, cases they reported with what they sent, and their row.

    ``words`` are further ones they are known by, such as the name as it stands in signals. Steps of their own, each of which may be
    done again, the row last: whoever is interrupted repeats the call. Needs ``people.erase``, as every step asks.
    """
    if not reason.strip():
        raise Invalid("signals.erase_reason", errors=(FieldFault("/reason", "signals.erase_reason"),))
    further = {word.strip() for word in words}
    for number, word in enumerate(words):
        if len(word.strip()) < SHORTEST_WORD:
            fault = FieldFault(f"/words/{number}", "signals.erase_word", {"least": SHORTEST_WORD})
            raise Invalid(fault.key, errors=(fault,), **fault.params)
    known = marks_of(viewer, code)
    named = known.words | further
    signals = erase_subject(viewer, rule=ERASE_RULE, devices=known.devices, words=named)
    subjects = erase_naming(viewer, named, ERASE_RULE)
    gone = erase_reporters_named(viewer, subjects, named)
    values = forget_person(viewer, code, ERASE_RULE, reason)
    return Erasure(signals, len(subjects) + gone.values + values, gone.cases, gone.files)


def _erase_log(marks: Marks, rule: str, seen: Callable[[Signal], None]) -> int:
    def change(batch: Sequence[Signal]) -> list[Signal] | None:
        for signal in filter(marks.hit, batch):
            seen(signal)
        return [erased(s, rule) if marks.hit(s) else s for s in batch] if any(map(marks.hit, batch)) else None

    return source().rewrite(change)


def _ask_to_forget(devices: Collection[str], words: Collection[str]) -> int:
    """The devices' alarms go, and what detectors learned of the rest is to be forgotten, see ``forgetting``. Returns how many alarms had

    still lasted.
    """
    now = clock.now()
    of_device = Alarm.objects.filter(device__in=devices)
    lasting = of_device.filter(ended=None).count()
    of_device.delete()
    Irregular.objects.filter(device__in=devices).delete()
    rows = [Forgotten(device=code, at=now) for code in sorted(devices)]
    Forgotten.objects.bulk_create([*rows, *(Forgotten(token=token_of(word), at=now) for word in sorted(words))])
    return lasting
