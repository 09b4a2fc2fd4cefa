"""What cases have shown goes back to detector and device: a consumer of the trace, and a job that sees where a sensor looked again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any, cast

import numpy as np
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Exists, OuterRef
from django.utils.module_loading import import_string

from gridloop.cases.pushing import scenes
from gridloop.cases.rules import END_STATUSES
from gridloop.cases.selectors import sealed_values
from gridloop.detection.columns import Readings, by_device
from gridloop.detection.language import kind_number
from gridloop.detection.rules import Detector
from gridloop.detection.totals import Totals
from gridloop.journal.actions import FULL, consume
from gridloop.journal.frame import scoped
from gridloop.journal.messages import FactRow
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.selectors import devices_by_code
from gridloop.sdk.signals import Signal
from gridloop.signals.judging import (
    FALSE,
    FALSE_ALARM,
    FOUND_UNTRUE,
    LEFT,
    LOOKED_AT,
    TRUE,
    UNCLEAR,
    Counts,
    Limited,
    better_limit,
    is_repeated,
    of_form,
    threshold_of,
)
from gridloop.signals.messages import ALARM, Matcher
from gridloop.signals.models import Alarm, Proposal, Witness
from gridloop.signals.readings import rows_of
from gridloop.signals.rules import OWN_SOURCE
from gridloop.signals.stream import milliseconds

CONSUMER = "signals.outcomes"
FORMS = ("submitted", "support_submitted")
DECIDING = ("verified", "found_untrue", "intake_rejected", "closed", "voided", "merged", "outcome_stated", *FORMS)
MOST_LOOKED_AT = 12  # alarms of each outcome whose readings are looked up
STILL = timedelta(minutes=30)  # after closing: what is put right takes its time to show
STATE_BEFORE = timedelta(days=2)  # so far back the state before lies, of a meter that is read once a day
QUIET = timedelta(days=14)  # a proposal somebody has turned down does not come back at once
Kind, Status = Proposal.Kind, Proposal.Status


@cache
def matcher() -> Matcher:
    """The scene book the project wires."""
    return cast(Matcher, import_string(settings.GRIDLOOP_SCENE_BOOK))


def note_witness(signal: Signal, case: str, region: str, version_id: int) -> None:
    """In the transaction of the signal's effect: it has opened this case or joined it. Of several alarms the last one is looked at."""
    if not signal.device or (signal.source == OWN_SOURCE) != (signal.kind == ALARM):
        return
    data = signal.data if signal.kind == ALARM else {}
    detector = data.get("detector") or f"{scenes().by_version(version_id)[0].name}:{signal.kind}"
    Witness.objects.bulk_create(
        [
            Witness(
                case_code=case,
                detector=detector[:100],
                version=data.get("version", 0),
                device=signal.device,
                key=data.get("key", signal.device),
                region=region,
                alarm=data.get("alarm"),
                at=signal.at,
            )
        ],
        update_conflicts=True,
        unique_fields=["case_code", "detector", "key"],
        update_fields=["version", "device", "alarm", "settled"],
    )


# --- what the trace says -------------------------------------------------------------------------------------------------------------


def run_outcomes() -> bool:
    """Job: outcomes of cases are noted with their detectors and devices, once each."""
    return consume(CONSUMER, _note, actions=DECIDING) == FULL


def _note(facts: list[FactRow]) -> None:
    codes = {str(fact.case_code) for fact in facts}
    known = set(Witness.objects.filter(case_code__in=codes).values_list("case_code", flat=True))
    forms = sealed_values(SYSTEM, [fact.data["form"]["sealed"] for fact in facts if fact.case_code in known and _form(fact)])
    touched: set[tuple[str, str]] = set()
    for fact in facts:
        if fact.case_code not in known:
            continue
        rows = Witness.objects.filter(case_code=fact.case_code)
        if fact.action == "merged":
            known |= _move(rows, str(fact.data["into"]))
        elif (said := _said(fact, forms)) is not None:
            outcome, reason, stated = said
            if not stated:
                rows = rows.filter(stated=False)
            if fact.action == "closed" and fact.data.get("reason") == LEFT:
                rows = rows.filter(outcome="")  # it may have been looked at before
            rows.update(outcome=outcome, reason=reason, stated=stated, decided_at=fact.at)
            if outcome == FALSE:
                touched |= set(Witness.objects.filter(case_code=fact.case_code).values_list("detector", "device"))
    for detector, device in sorted(touched):
        propose(detector, device)


def _form(fact: FactRow) -> str | None:
    form = fact.data.get("form") if fact.action in FORMS else None
    return form.get("sealed") if isinstance(form, dict) else None


def _said(fact: FactRow, forms: dict[str, Any]) -> tuple[str, str, bool] | None:
    """Outcome, reason, and whether somebody stated it."""
    if fact.action == "outcome_stated":
        return fact.data["outcome"], fact.data.get("reason", ""), True
    if fact.action in FORMS:
        form = forms.get(str(_form(fact)))
        found = of_form(form) if isinstance(form, dict) else None
        return (*found, True) if found else None
    false = fact.action == "found_untrue" or fact.data.get("reason") == FALSE_ALARM
    true = fact.action == "verified" or (fact.action == "closed" and fact.data.get("reason") != LEFT)
    return (FALSE, FOUND_UNTRUE, False) if false else (TRUE if true else UNCLEAR, "", False)


def _move(rows: Any, into: str) -> set[str]:
    """The case went on in another one: so do its alarms."""
    there = Witness.objects.filter(case_code=into, detector=OuterRef("detector"), key=OuterRef("key"))
    rows.filter(Exists(there)).delete()
    rows.update(case_code=into, outcome="", reason="", decided_at=None, settled=False)
    return {into}


# --- what follows for a device -------------------------------------------------------------------------------------------------------


def counts_of(rows: Iterable[tuple[str, int]]) -> Counts:
    """From (outcome, how many)."""
    found: dict[str, int] = defaultdict(int)
    for outcome, number in rows:
        found[outcome] += number
    return Counts(found[TRUE], found[FALSE], found[UNCLEAR], found[""])


def propose(detector: str, device: str) -> None:
    """In the caller's transaction: a device that was wrong again and again gets a threshold or a look proposed, once."""
    now = clock.now()
    rows = list(Witness.objects.filter(detector=detector, device=device, decided_at__gt=now - LOOKED_AT).order_by("-at"))
    counts = counts_of((row.outcome, 1) for row in rows)
    kinds = [Kind.THRESHOLD, Kind.MAINTENANCE]
    before = Proposal.objects.filter(detector=detector, device=device, kind__in=kinds)
    if not is_repeated(counts) or before.filter(status=Status.OPEN).exists() or before.filter(decided_at__gt=now - QUIET).exists():
        return
    data: dict[str, Any] = {
        "true": counts.true,
        "false": counts.false,
        "reasons": sorted({row.reason for row in rows if row.outcome == FALSE}),
    }
    kind = Kind.MAINTENANCE
    if found := _threshold(detector, rows):
        kind = Kind.THRESHOLD
        data |= found
    _add(Proposal(kind=kind, detector=detector, device=device, region=rows[0].region, data=data, made_at=now))


def _threshold(name: str, rows: list[Witness]) -> dict[str, Any] | None:
    detector = next((one for one in matcher().detectors() if one.id == name), None)
    now = threshold_of(detector) if detector else None
    if detector is None or now is None:
        return None
    reached = {outcome: list(_reached(detector, [row for row in rows if row.outcome == outcome])) for outcome in (TRUE, FALSE)}
    better = better_limit(now, reached[TRUE], reached[FALSE])
    if better is None:
        return None
    return {"limit": now.limit, "wish": better.limit, "keeps": better.keeps, "drops": better.drops, "of": len(reached[FALSE])}


def _reached(detector: Detector, rows: list[Witness]) -> Iterator[float]:
    """How far each alarm went: the most, or least, that was read while it lasted."""
    now = threshold_of(detector)
    ends = dict(Alarm.objects.filter(id__in=[row.alarm for row in rows if row.alarm]).values_list("id", "ended"))
    for row in rows[:MOST_LOOKED_AT]:
        until = (ends.get(row.alarm) if row.alarm else None) or row.at + timedelta(hours=1)
        if now is not None and (value := extreme(detector, now, row.device, row.at, until)) is not None:
            yield value


def unit_of(name: str, lang: str) -> str:
    """The unit of a detector's threshold; empty without one, or where its kinds have several."""
    detector = next((one for one in matcher().detectors() if one.id == name), None)
    now = threshold_of(detector) if detector else None
    kinds = now.pick.kinds if now else ()
    units = {unit for kind, (_, unit) in matcher().kinds_called(lang).items() if kind_number(kind) in kinds}
    return units.pop() if len(units) == 1 else ""


def extreme(detector: Detector, limited: Limited, device: str, since: datetime, until: datetime) -> float | None:
    found = values_of(detector, limited, device, since, min(until, since + timedelta(days=1)))
    return (max if limited.up else min)(found, default=None)


def values_of(detector: Detector, limited: Limited, device: str, since: datetime, until: datetime) -> list[float]:
    """What the detector's threshold goes by, in the order of time; of a meter's states what was used between two."""
    rows = list(rows_of(device, since - STATE_BEFORE if detector.totals else since, until))
    at, kind = [milliseconds(row.at) for row in rows], [kind_number(row.kind) for row in rows]
    value = [np.nan if row.value is None else row.value for row in rows]
    said = Readings.of(at, [0] * len(rows), kind, value, id=range(len(rows)))
    read = Totals(detector.totals).turned(by_device(said)[0])
    which = (read.time >= milliseconds(since)) & ~np.isnan(read.value)
    if limited.pick.kinds:
        which &= np.isin(read.kind, limited.pick.kinds)
    return list(map(float, read.value[which]))


def _add(row: Proposal) -> bool:
    """False when somebody else was faster."""
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        return False
    return True


# --- the same sensor looks again -----------------------------------------------------------------------------------------------------

# a case that is over stays so: each of its witnesses is gone through once
_SETTLE = """
UPDATE signals_witness w SET settled = true FROM cases_case c
WHERE c.code = w.case_code AND c.status = ANY(%(over)s) AND NOT w.settled AND w.alarm IS NOT NULL AND w.id = ANY(ARRAY(
    SELECT o.id FROM signals_witness o JOIN cases_case d ON d.code = o.case_code AND d.status = ANY(%(over)s)
    WHERE NOT o.settled AND o.alarm IS NOT NULL LIMIT 5000))
"""
_BACK = """
SELECT w.case_code, w.detector, w.device, w.region, a.id, a.start, a.ended, a.key FROM signals_witness w
JOIN cases_case c ON c.code = w.case_code AND NOT c.status = ANY(%s)
JOIN signals_alarm a ON a.id = w.alarm AND a.ended IS NOT NULL
WHERE NOT w.settled AND w.alarm IS NOT NULL
AND NOT EXISTS (SELECT FROM signals_proposal p WHERE p.case_code = w.case_code AND p.kind = 'close'
    AND (p.alarm = a.id OR p.status = 'open' AND p.detector = w.detector AND p.device = w.device))
AND NOT EXISTS (SELECT FROM signals_alarm o WHERE o.detector = a.detector AND o.key = a.key AND o.ended IS NULL) LIMIT 200
"""
_STILL = """
SELECT w.case_code, w.detector, w.device, w.region, a.id, a.start, a.ended, a.key FROM signals_witness w
JOIN cases_case c ON c.code = w.case_code AND c.status = 'closed' AND c.closed_at < %s AND c.closed_at > %s
JOIN signals_alarm a ON a.id = w.alarm AND a.ended IS NULL AND a.told = 'told'
WHERE NOT EXISTS (SELECT FROM signals_proposal p WHERE p.case_code = w.case_code AND p.kind = 'reopen'
    AND (p.alarm = a.id OR p.status = 'open' AND p.detector = w.detector AND p.device = w.device)) LIMIT 200
"""
_OVER = """
UPDATE signals_proposal p SET status = 'passed', decided_at = %s WHERE p.status = 'open' AND (
p.kind = 'close' AND (EXISTS (SELECT FROM cases_case c WHERE c.code = p.case_code AND c.status = ANY(%s))
    OR EXISTS (SELECT FROM signals_alarm a JOIN signals_alarm o ON o.detector = a.detector AND o.key = a.key AND o.ended IS NULL
               WHERE a.id = p.alarm))
OR p.kind = 'reopen' AND NOT EXISTS (SELECT FROM signals_alarm a WHERE a.id = p.alarm AND a.ended IS NULL))
"""
_AGAIN = timedelta(days=7)  # a case closed longer ago is history


def look_again() -> bool:
    """Job: an alarm that is over while its case is open proposes to close it; one that lasts on after closing, to take it up again."""
    now = clock.now()
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute(_SETTLE, {"over": list(END_STATUSES)})
        settled = cursor.rowcount
        cursor.execute(_OVER, [now, list(END_STATUSES)])
        cursor.execute(_BACK, [list(END_STATUSES)])
        back = cursor.fetchall()
        cursor.execute(_STILL, [now - STILL, now - _AGAIN])
        still = cursor.fetchall()
        for kind, rows in ((Kind.CLOSE, back), (Kind.REOPEN, still)):
            for row in rows:
                _look(kind, row, now)
    return len(back) + len(still) >= 200 or settled >= 5000


def _look(kind: str, row: tuple[Any, ...], now: datetime) -> None:
    case, detector, device, region, alarm, start, ended, _ = row
    data = {"start": start.isoformat(), "ended": ended.isoformat() if ended else None} | _pair(detector, device, start, ended)
    made = Proposal(kind=kind, detector=detector, device=device, region=region, case_code=case, alarm=alarm, data=data, made_at=now)
    if _add(made) and kind == Kind.CLOSE:
        Witness.objects.filter(case_code=case, alarm=alarm).update(settled=True)


def _pair(detector: str, device: str, start: datetime, ended: datetime | None) -> dict[str, Any]:
    """Before and after, where the detector goes by a value: how far it went, and what the device said last. A household's stay hidden."""
    found = next((one for one in matcher().detectors() if one.id == detector), None)
    limited = threshold_of(found) if found else None
    last = devices_by_code(SYSTEM, [device]).get(device)
    if found is None or limited is None or last is None or last.household:
        return {}
    now = clock.now()
    before, after = extreme(found, limited, device, start, ended or now), last.last_value
    if found.totals:
        after = next(iter(values_of(found, limited, device, ended or start, now)[-1:]), None)
    return {"before": before, "after": after, "limit": limited.limit}
