"""The journal's tail: reads new facts for every live screen of this process and turns them into small messages."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import close_old_connections

from gridloop.cases.selectors import case_rows
from gridloop.doors import figures
from gridloop.journal.messages import FactRow
from gridloop.journal.selectors import end_of_trace, facts_after, scoped
from gridloop.kernel import clock, tracing
from gridloop.kernel.viewer import SYSTEM, Viewer

log = logging.getLogger(__name__)
POLL_SECONDS = 0.3  # a lost hint costs so much
GATHER_SECONDS = 0.1  # after news: what is committed in the meantime is read together
RING = 20_000  # messages kept for screens that come back
CATCH_UP = 5_000  # facts at most read again for a screen that was away longer; beyond, it reads afresh

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Message:
    """One change of one case, with what is needed to decide who may see it."""

    place: Place
    case: str
    region: str
    unit_ids: frozenset[int]
    staff_ids: frozenset[int]
    reporter_id: int | None
    frame: bytes

    def seen_by(self, viewer: Viewer) -> bool:
        """The same rule as row security: territory, unit, person, reporter."""
        return (
            any(self.region.startswith(region) for region in viewer.regions)
            or not viewer.unit_ids.isdisjoint(self.unit_ids)
            or (viewer.staff_id is not None and viewer.staff_id in self.staff_ids)
            or (viewer.user_id is not None and viewer.user_id == self.reporter_id)
        )


def event_id(place: Place) -> str:
    return f"{place[0]}.{place[1]}"


def read_event_id(text: str) -> Place | None:
    """The place a screen has seen last, or None for nonsense."""
    tx, _, fact_id = text.partition(".")
    return (int(tx), int(fact_id)) if tx.isdigit() and fact_id.isdigit() and len(text) < 40 else None


def messages_of(facts: Iterable[FactRow]) -> list[Message]:
    """Messages for facts of cases; the state of each case is read once."""
    of_cases = [f for f in facts if f.case_code]
    cases = case_rows(SYSTEM, {f.case_code for f in of_cases if f.case_code}) if of_cases else {}
    found = []
    for fact in of_cases:
        case = cases.get(fact.case_code or "")
        if case is None:
            continue
        frame = _frame(fact, case)
        place = (fact.tx, fact.id)
        units, staff = frozenset(case.unit_ids), frozenset(case.staff_ids)
        found.append(Message(place, case.code, case.region, units, staff, case.reporter_id, frame))
    return found


def _frame(fact: FactRow, case: Any) -> bytes:
    place = event_id((fact.tx, fact.id)).encode()
    body = {
        "code": case.code,
        "action": fact.action,
        "status": case.status,
        "severity": case.severity,
        "region": case.region,
        "at": fact.at,
        "title": case.title,
    }
    place_in_trace = _traced(fact)
    if place_in_trace:
        body["traceparent"] = place_in_trace
    frame = b"id: " + place + b"\nevent: case\ndata: " + orjson.dumps(body) + b"\n\n"
    if "task" in fact.data:
        task = {"id": fact.data["task"], "case": case.code, "status": fact.action}
        frame += b"id: " + place + b"\nevent: task\ndata: " + orjson.dumps(task) + b"\n\n"
    return frame


def _traced(fact: FactRow) -> str:
    """The frame's own place in the fact's trace, so that a screen can go on from it; '' when traces are not collected."""
    if not fact.trace or not tracing.on():
        return ""
    with tracing.span(f"push {fact.action}", fact.trace, "producer"):
        return tracing.here()


class Tail:
    """Follows the trace in a thread of its own and hands every batch of messages to ``publish``."""

    def __init__(self, publish: Callable[[list[Message]], None]) -> None:
        self.publish = publish
        self.ring: deque[Message] = deque(maxlen=RING)
        self.start: Place = (0, 0)  # everything after it, up to now, is in the ring
        self.place: Place = (0, 0)
        self._looked = time.monotonic()
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tail", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._stop.set()
        self._wake.set()

    def hint(self) -> None:
        """Something was committed: look now."""
        self._wake.set()

    def blind_for(self) -> float:
        """Seconds since the trace was last looked at with success."""
        return time.monotonic() - self._looked

    def wait_ready(self, seconds: float) -> bool:
        return self._ready.wait(seconds)

    def _run(self) -> None:
        while not self._stop.is_set():
            before = self.place
            try:
                more = self._look()
                self._looked = time.monotonic()
            except Exception:
                log.exception("the tail could not read the trace; trying again")
                close_old_connections()
                self._stop.wait(1.0)
                continue
            if more:
                continue
            if self.place != before:
                self._stop.wait(GATHER_SECONDS)
            self._wake.wait(POLL_SECONDS)
            self._wake.clear()

    def _look(self) -> bool:
        with scoped(SYSTEM, by_key=True):
            if not self._ready.is_set():
                self.start = self.place = end_of_trace()
                self._ready.set()
                return False
            facts = facts_after(*self.place, 500)
            messages = messages_of(facts)
        if not facts:
            return False
        self.place = (facts[-1].tx, facts[-1].id)
        now = clock.now()
        for fact in facts:
            figures.PUSH_LAG.observe(max(0.0, (now - fact.at).total_seconds()))
        if messages:
            if len(self.ring) + len(messages) > RING:
                self.start = self.ring[min(len(messages), len(self.ring)) - 1].place
            self.ring.extend(messages)
            self.publish(messages)
        return len(facts) == 500

    def since(self, place: Place) -> list[Message] | None:
        """Messages after a place a screen has seen, from memory or the trace; None when it was away too long."""
        if place >= self.start:
            return [m for m in list(self.ring) if m.place > place]
        with scoped(SYSTEM):
            facts = facts_after(*place, CATCH_UP)
            return messages_of(facts) if len(facts) < CATCH_UP else None
