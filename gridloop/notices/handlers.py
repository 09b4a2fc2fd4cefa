"""A durable consumer of the trace: facts of cases become deliveries, facts of erasure make channels forget."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from functools import cache
from typing import cast

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.utils.module_loading import import_string

from gridloop.cases.models import Case
from gridloop.cases.selectors import case_row
from gridloop.cases.types import type_name
from gridloop.journal.actions import consume, seal
from gridloop.journal.messages import FactRow
from gridloop.kernel import clock
from gridloop.kernel.errors import Fault
from gridloop.kernel.ids import uuid7
from gridloop.kernel.texts import all_texts
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices.actions import forget_sealed, settle
from gridloop.notices.audiences import plate_of, recipients
from gridloop.notices.messages import PackBook, Recipient
from gridloop.notices.models import Delivery
from gridloop.notices.rules import HOUSE, Quiet, fill, first_at, local_time, wait_words
from gridloop.orgs import selectors as orgs
from gridloop.registry.selectors import address_at
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
    """Job: the next facts. True when more may be waiting."""
    return consume(CONSUMER, handle) > 0


def handle(facts: list[FactRow]) -> None:
    """In the consumer's transaction. A fact that cannot be worked on is told and passed: it never blocks those behind it."""
    for fact in facts:
        try:
            with transaction.atomic():
                _handle(fact)
        except (OperationalError, InterfaceError):
            raise  # not the fact's fault: the whole batch is repeated
        except Exception:  # told with its traceback; the fact itself stays, so the notice can be found missing
            log.exception("fact %s (%s) called for a notice that could not be made", fact.id, fact.action)


def _handle(fact: FactRow) -> None:
    if fact.action == "personal_data_erased":
        forget_sealed(fact.data.get("sealed", []))
    elif fact.case_code and fact.action not in OWN_FACTS:
        _tell(fact, fact.case_code)


def _tell(fact: FactRow, code: str) -> None:
    try:
        case = case_row(SYSTEM, code)
    except Fault:
        return
    if case.scene_version_id is None:
        return
    pack = packs().pack(case.scene_version_id)
    for name, template, audience, urgent in _called_for(fact, pack):
        if template is not None:
            _make(fact, case, pack, name, template, audience or template.audience, urgent)


def _called_for(fact: FactRow, pack: Pack) -> Iterator[tuple[str, Template | None, str, bool]]:
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
        if rule.fact == fact.action:
            yield rule.template, templates.get(rule.template), "", False


def _make(fact: FactRow, case: Case, pack: Pack, name: str, template: Template, audience: str, urgent: bool) -> None:
    now = clock.now()
    found = recipients(audience, case, fact, pack) or [Recipient(f"none:{audience}", "")]
    calendar = orgs.calendar_for(SYSTEM, case.region)
    at = first_at(now, quiet(), calendar, audience=audience, channel=template.channel, urgent=urgent)
    values = _values(case, pack, "zh")
    for who in found:
        row = Delivery(
            id=uuid7(),
            fact_id=fact.id,
            case_code=case.code,
            template=name,
            audience=audience,
            recipient=who.key,
            channel=template.channel,
            status="waiting",
            next_at=at,
            created_at=now,
        )
        known = {"fact_id": row.fact_id, "template": name, "recipient": who.key, "channel": row.channel}
        if Delivery.objects.filter(**known).exists():
            continue  # the consumer's cursor makes this rare: a second reading of the same fact after a restore
        if who.to or (who.subject and template.channel == "app"):
            text = fill(template.zh, values | {"track_url": _track_url(case.code, who.track_key)})
            value = {"to": who.to, "name": who.name, "text": text}
            row.sealed = seal(value, subject=who.subject, purpose="notice", case=case.code)["sealed"]
            row.save(force_insert=True)
        else:
            row.save(force_insert=True)
            settle(row, error="notices.nobody")


def _track_url(code: str, key: str) -> str:
    base = f"{os.environ.get('GRIDLOOP_PUBLIC_URL', '').rstrip('/')}/track/{code}"
    return f"{base}?key={key}" if key else base


def _values(case: Case, pack: Pack, lang: str) -> dict[str, str]:
    """What a template may name."""
    calendar = orgs.calendar_for(SYSTEM, case.region)
    unit = orgs.unit_names(SYSTEM, [case.lead_unit_id]).get(case.lead_unit_id, "") if case.lead_unit_id else ""
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
