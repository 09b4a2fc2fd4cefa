"""What desks decide teaches the proposals: two consumers of the trace, and the training from all cases. Jobs of the worker.

``cases.outcomes`` keeps books in rows, exactly once. ``cases.learn`` writes the learners' files, which no transaction covers: it may
teach a case twice after a crash. A training sets it to where the training began to read: nothing decided meanwhile is lost, nothing
before is taught twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from django.db.models import QuerySet

from gridloop.cases.models import Case
from gridloop.cases.selectors import case_rows, sealed_values
from gridloop.cases.types import case_types
from gridloop.dispatch import actions as dispatch
from gridloop.dispatch.messages import HEADS, Decided, Outcome, TrainingReport
from gridloop.dispatch.store import current as current_version
from gridloop.journal.actions import FULL, consume, scoped, set_cursor
from gridloop.journal.messages import FactRow
from gridloop.journal.selectors import end_of_trace
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.actions import learn_addresses
from gridloop.registry.messages import AddressTold

ACCEPTED = ("case_accepted",)
LEARN, OUTCOMES = "cases.learn", "cases.outcomes"
TRAIN_EVERY = timedelta(days=1)
MOST_EXAMPLES = 200_000  # of the newest: routing drifts, and a training stays a matter of a minute
NOT_HANDLED = ("voided", "rejected")
CHUNK = 2_000
SEVERITIES = (1, 2, 3, 4)
_taught: dict[str, tuple[str, tuple[int, int]]] = {}  # what this process has taught last: version of the learners, place in the trace
TESTED = 0.2  # share of the examples, the newest, that measure a training


def run_learn() -> bool:
    """Job: teach the learners the next decisions."""
    return consume(LEARN, _learn, actions=ACCEPTED) == FULL


def run_outcomes() -> bool:
    """Job: keep books on proposals, on which cases said the same, and on where addresses are."""
    return consume(OUTCOMES, _note, actions=ACCEPTED) == FULL


def _known() -> dict[str, list[str]]:
    """Every type and level there is. Units are known once somebody has sent them something: there are hundreds."""
    return {"type": list(case_types()), "severity": [str(level) for level in SEVERITIES]}


def _learn(facts: list[FactRow]) -> None:
    """Once each in this process, even when what follows fails and the consumer reads them again: else the same few would be taught for
    as long as a disk is full.
    """
    version, place = _taught.get(LEARN, ("", (0, 0)))
    fresh = [fact for fact in facts if version != current_version() or (fact.tx, fact.id) > place]
    try:
        dispatch.learn(list(_decided(fresh)), _known())
    finally:
        _taught[LEARN] = (current_version(), (facts[-1].tx, facts[-1].id))


def _note(facts: list[FactRow]) -> None:
    dispatch.count([outcome for fact in facts for outcome in outcomes_of(fact)])
    dispatch.remember(_decided(facts))
    learn_addresses(_addresses(facts))


def outcomes_of(fact: FactRow) -> Iterator[Outcome]:
    """What became of a proposal. A type the source gave, and one the desk offered itself after a return, were nobody's proposal."""
    proposed = fact.data.get("proposed")
    if not proposed:
        return
    corrected = set(fact.data.get("corrected", ()))
    for head in HEADS:
        how, label = proposed["how"].get(head), proposed.get(head)
        if how in ("given", "desk", None) or label is None or (head == "unit" and "type" in corrected):
            continue  # another type has another unit: that says nothing of the one proposed
        yield Outcome(head, str(label), how, head not in corrected)


def _addresses(facts: list[FactRow]) -> Iterator[AddressTold]:
    """Where the addresses of these cases are, if that was given and not found from an address itself."""
    for row in case_rows(SYSTEM, {str(f.case_code) for f in facts}).values():
        if row.address and row.place_m is None and row.lon is not None and row.lat is not None:
            yield AddressTold(f"case:{row.code}", row.region, row.address, row.lon, row.lat)


def _decided(facts: list[FactRow]) -> Iterator[Decided]:
    """The cases of these facts as their desks decided them, with their words."""
    rows = case_rows(SYSTEM, {str(f.case_code) for f in facts})
    texts = sealed_values(SYSTEM, [row.text_sealed for row in rows.values()])
    for fact in facts:
        if (row := rows.get(str(fact.case_code))) is None:
            continue
        text = texts.get(str(row.text_sealed)) or ""
        unit = row.lead_unit_id or fact.data.get("unit")
        yield Decided(row.code, str(text), row.source, row.region, fact.data["type"], int(fact.data["severity"]), unit)


def train_when_due() -> bool:
    """Job: a training a day."""
    if (claimed := dispatch.claim_training(TRAIN_EVERY)) is not None:
        train(claimed=claimed)
    return False


def train(progress: Callable[[int, int], None] | None = None, claimed: int | None = None) -> TrainingReport:
    """New learners from the newest decided cases, oldest first; ``progress(done, all)`` after each chunk."""
    with scoped(SYSTEM):
        began_at = end_of_trace()
        ids = list(_decided_cases().order_by("-reported_at", "-id").values_list("id", flat=True)[:MOST_EXAMPLES])[::-1]
        units = _decided_cases().order_by("lead_unit_id").values_list("lead_unit_id", flat=True).distinct()
        known = {**_known(), "unit": [str(unit) for unit in units]}
    course = dispatch.Course(known, test_from=int(len(ids) * (1 - TESTED)), claimed=claimed)
    try:
        for start in range(0, len(ids), CHUNK):
            for decided in _examples(ids[start : start + CHUNK]):
                course.teach(decided)
            if progress:
                progress(min(start + CHUNK, len(ids)), len(ids))
        report = course.end()
    except BaseException:
        course.abandon()
        raise
    set_cursor(LEARN, began_at)
    return report


def _decided_cases() -> QuerySet[Case]:
    return Case.objects.filter(desk_waits=False, lead_unit_id__isnull=False).exclude(status__in=NOT_HANDLED)


def _examples(ids: list[int]) -> list[Decided]:
    with scoped(SYSTEM):
        rows = Case.objects.filter(id__in=ids).only("code", "text_sealed", "source", "region", "type", "severity", "lead_unit_id")
        found = {row.pk: row for row in rows}
        texts = sealed_values(SYSTEM, [row.text_sealed for row in found.values()])
    kept = [found[i] for i in ids if i in found]
    return [Decided(r.code, str(texts.get(str(r.text_sealed)) or ""), r.source, r.region, r.type, r.severity, r.lead_unit_id) for r in kept]
