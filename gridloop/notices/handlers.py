"""A durable consumer of the trace: facts of cases become deliveries, facts of erasure make channels forget."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property, partial
from typing import cast
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils.module_loading import import_string

from gridloop.cases.models import Case
from gridloop.cases.selectors import Reporter, case_rows, reporters_of
from gridloop.cases.types import type_name
from gridloop.journal.actions import FULL, consume, seal_all
from gridloop.journal.messages import FactRow
from gridloop.journal.rows import insert
from gridloop.journal.selectors import waits
from gridloop.kernel import clock
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.hints import hint_worker
from gridloop.kernel.ids import uuid7
from gridloop.kernel.texts import all_texts
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices import personal
from gridloop.notices.actions import Result, forget_sealed, settle
from gridloop.notices.audiences import plate_of, recipients
from gridloop.notices.messages import PackBook, Recipient
from gridloop.notices.models import Delivery
from gridloop.notices.rules import HOUSE, Quiet, asks_for, fill, first_at, local_time, pause_seconds, wait_words
from gridloop.orgs import selectors as orgs
from gridloop.orgs.briefs import OnDuty
from gridloop.registry.selectors import address_at
from gridloop.sdk.channels import DEVICE_KINDS
from gridloop.sdk.pack import Pack, Template

log = logging.getLogger(__name__)
CONSUMER = "notices"
OWN_FACTS = frozenset({"notice_sent", "notice_failed"})


@cache
def packs() -> PackBook:
    """The scene book the project wires."""
    return cast(PackBook, import_string(settings.GRIDLOOP_SCENE_BOOK))


@cache
def quiet() -> Quiet:
    """``GRIDLOOP_QUIET_HOURS`` (22:00-07:00): people at home get no text message or call."""
    return Quiet.parse(os.environ.get("GRIDLOOP_QUIET_HOURS", "22:00-07:00"))


def run() -> bool:
    """Job: the next facts. True when more are waiting.

    Facts are not handed out while a transaction that began before them is still open; then the next look is soon, not at the next poll.
    """
    full = consume(CONSUMER, handle) == FULL
    if not full and waits(SYSTEM, CONSUMER):
        hint_worker("notices.facts")
    return full


def _due_now(kinds: Iterable[str]) -> None:
    """What was just made is sent at once, not at the next poll."""
    for job in sorted({"notices.command" if kind in DEVICE_KINDS else "notices.deliver" for kind in kinds}):
        hint_worker(job)


class Batch:
    """Facts read together: what they ask of other rooms is asked once."""

    def __init__(self, facts: Sequence[FactRow]) -> None:
        told = [f for f in facts if f.case_code and f.action not in OWN_FACTS]
        self.cases = case_rows(SYSTEM, {str(f.case_code) for f in told}) if told else {}
        self._duties: dict[int, OnDuty] = {}
        self.calendar = cache(lambda region: orgs.calendar_for(SYSTEM, region))
        self.unit = cache(lambda unit: orgs.unit_names(SYSTEM, [unit]).get(unit, ""))
        self.new: list[tuple[Delivery, dict[str, str] | None, str]] = []  # with what is told, and of whom
        self._words: dict[str, dict[str, str]] = {}
        self.personal = personal.wanted(facts)
        self._facts = [f.id for f in told] + [t.fact.id for t in self.personal]

    @cached_property
    def made(self) -> set[tuple[int, str, str, str]]:
        """What these facts have called for already: a second reading is rare (after a restore), not impossible."""
        rows = Delivery.objects.filter(fact_id__in=self._facts).values_list("fact_id", "template", "channel", "recipient")
        return set(rows)

    @cached_property
    def reporters(self) -> dict[str, list[Reporter]]:
        """Who reported these cases, by code."""
        return reporters_of(SYSTEM, self.cases)

    def keep(self) -> None:
        """Write all that was made, in as few statements as there are tables."""
        told = [(row, value, who) for row, value, who in self.new if value is not None]
        entries = seal_all([(value, who, row.case_code or None) for row, value, who in told], purpose="notice")
        for (row, _value, _who), entry in zip(told, entries, strict=True):
            row.sealed = UUID(entry["sealed"])
        insert([row for row, _value, _who in self.new])
        if self.new:
            transaction.on_commit(partial(_due_now, {row.channel for row, _value, _who in self.new}))
        settle([(row, Result(error="notices.nobody", permanent=True)) for row, value, _who in self.new if value is None])

    def told_within(self, case: str, template: str, seconds: float) -> bool:
        """Whether the template went out for the case in the last seconds, or is going out with these facts."""
        if any((row.case_code, row.template) == (case, template) for row, _value, _who in self.new):
            return True
        since = clock.now() - timedelta(seconds=seconds)
        return Delivery.objects.filter(case_code=case, template=template, created_at__gt=since).exists()

    def duty(self, unit: int) -> OnDuty:
        """Who answers for a unit now."""
        if unit not in self._duties:
            self._duties[unit] = orgs.on_duty(SYSTEM, unit)
        return self._duties[unit]

    def words(self, case: Case, pack: Pack) -> dict[str, str]:
        """What a template may name of a case."""
        if case.code not in self._words:
            unit = self.unit(case.lead_unit_id) if case.lead_unit_id else ""
            self._words[case.code] = _values(case, pack, "zh", self.calendar(case.region), unit)
        return self._words[case.code]


def handle(facts: list[FactRow]) -> None:
    """In the consumer's transaction. A fact that cannot be worked on is told and passed: it never blocks those beside it."""
    try:
        with transaction.atomic():
            batch = Batch(facts)
            for fact in facts:
                _handle(fact, batch)
            batch.new += personal.deliveries(batch.personal, batch.made if batch.personal else set())
            batch.keep()
    except (OperationalError, InterfaceError):
        raise  # not the facts' fault: the whole batch is repeated
    except Exception:
        if len(facts) > 1:  # one of them: each alone
            for fact in facts:
                handle([fact])
            return
        # told with its traceback; the fact itself stays, so the notice can be found missing
        log.exception("fact %s (%s) called for a notice that could not be made", facts[0].id, facts[0].action)


def _handle(fact: FactRow, batch: Batch) -> None:
    if fact.action == "personal_data_erased":
        forget_sealed(fact.data.get("sealed", []))
    elif fact.case_code and fact.action not in OWN_FACTS and (case := batch.cases.get(fact.case_code)) is not None:
        _tell(fact, case, batch)


def _tell(fact: FactRow, case: Case, batch: Batch) -> None:
    if case.scene_version_id is None:
        return
    pack = packs().pack(case.scene_version_id)
    for name, template, audience, urgent in _called_for(fact, pack, partial(batch.told_within, case.code)):
        if template is not None:
            _make(Wanted(fact, case, pack, name, template, audience or template.audience, urgent), batch)


def _called_for(fact: FactRow, pack: Pack, told_within: Callable[[str, float], bool]) -> Iterator[tuple[str, Template | None, str, bool]]:
    """Name, template, audience ('' = the template's) and whether a process itself asked for it."""
    templates = pack.notices.templates
    if fact.action == "notice_requested":
        name = str(fact.data.get("template", ""))
        yield name, templates.get(name), str(fact.data.get("audience", "")), True
        return
    if fact.action in HOUSE:
        words = all_texts()[f"notices.house_{fact.action}"]
        yield fact.action, Template(channel="app", audience=HOUSE[fact.action], zh=words["zh"], en=words["en"]), "", False
    for rule in pack.notices.on_fact:
        if rule.fact == fact.action and asks_for(rule, fact.data) and not (rule.pause and told_within(rule.template, pause_seconds(rule))):
            yield rule.template, templates.get(rule.template), "", False


@dataclass(frozen=True, slots=True)
class Wanted:
    """A notice that a fact calls for."""

    fact: FactRow
    case: Case
    pack: Pack
    name: str
    template: Template
    audience: str
    urgent: bool


def _make(wanted: Wanted, batch: Batch) -> None:
    fact, case, template = wanted.fact, wanted.case, wanted.template
    found = recipients(wanted.audience, case, fact, wanted.pack, batch)
    if not found and (wanted.audience == "reporter" or (wanted.audience == "supporting" and not case.supporting_ids)):
        return  # a reporter who leaves no number follows on the page of the report, no unit supports: nobody failed to be reached
    for who in found or [Recipient(f"none:{wanted.audience}", "")]:
        if (fact.id, wanted.name, template.channel, who.key) in batch.made:
            continue
        batch.made.add((fact.id, wanted.name, template.channel, who.key))
        reached = who.to or (who.subject and template.channel == "app")
        value = {"to": who.to, "name": who.name, "text": _text(wanted, who, batch)} if reached else None
        batch.new.append((_delivery(wanted, who, batch), value, who.subject))


def _delivery(wanted: Wanted, who: Recipient, batch: Batch) -> Delivery:
    now = clock.now()
    calendar = batch.calendar(wanted.case.region)
    kind = wanted.template.channel
    return Delivery(
        id=uuid7(),
        fact_id=wanted.fact.id,
        case_code=wanted.case.code,
        template=wanted.name,
        audience=wanted.audience,
        recipient=who.key,
        channel=kind,
        status="waiting",
        next_at=first_at(now, quiet(), calendar, audience=wanted.audience, channel=kind, urgent=wanted.urgent),
        created_at=now,
    )


def _text(wanted: Wanted, who: Recipient, batch: Batch) -> str:
    words = batch.words(wanted.case, wanted.pack) | {"track_url": _track_url(wanted.case.code, who.track_key)}
    return wanted.template.command or fill(wanted.template.zh, words)


def _track_url(code: str, key: str) -> str:
    base = f"{os.environ.get('GRIDLOOP_PUBLIC_URL', '').rstrip('/')}/track/{code}"
    return f"{base}?key={key}" if key else base


def _values(case: Case, pack: Pack, lang: str, calendar: WorkingCalendar, unit: str) -> dict[str, str]:
    """What a template may name."""
    wait = pack.pack.params.get("wait")
    return {
        "code": case.code,
        "title": case.title,
        "type": type_name(case.type, lang),
        "place": _place(case),
        "unit": unit,
        "stage": case.stage,
        "due_at": local_time(case.stage_due_at or case.due_at, calendar),
        "track_url": "",
        "plate": plate_of(case, pack),
        "wait": wait_words(str(wait), lang) if wait else "",
        "platform": _platform(),
    }


def _place(case: Case) -> str:
    if case.address:
        return case.address
    near = address_at(SYSTEM, case.lon, case.lat) if case.lon is not None and case.lat is not None else ""
    return near or orgs.region_names(SYSTEM, [case.region]).get(case.region, case.region)


def _platform() -> str:
    """``GRIDLOOP_PLATFORM``: how the house signs its messages."""
    return os.environ.get("GRIDLOOP_PLATFORM", "网格闭环")
