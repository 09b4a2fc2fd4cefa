"""Learning, by the system alone: what desks decided goes into the learners; a training makes new ones from all of it."""

from __future__ import annotations

import shutil
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta

from django.db import connection
from django.db.models import F

from gridloop.dispatch import store
from gridloop.dispatch.learner import Learner
from gridloop.dispatch.messages import HEADS, Decided, HeadReport, Outcome, TrainingReport
from gridloop.dispatch.models import Likeness, Tally, Training
from gridloop.dispatch.rules import Marks, Weights, calibration_error, gather, grave_marks, matter, place_marks, word_marks
from gridloop.journal.actions import scoped
from gridloop.kernel import clock
from gridloop.kernel.hanzi import clean
from gridloop.kernel.viewer import SYSTEM

KEPT_ALIKE = 5
CLAIM_HOLDS = timedelta(hours=1)  # who claimed a training and died is waited for no longer

Lesson = tuple[str, Marks, Weights, str]  # head, marks, weights, label


def lessons(decided: Decided) -> Iterator[Lesson]:
    """What one decided case teaches each learner; without words nothing is learned of the type."""
    cleaned = clean(decided.text)
    if cleaned:
        yield ("type", *gather(word_marks(cleaned, decided.source, decided.region)), decided.type)
    if decided.unit is not None:
        yield ("unit", *gather(place_marks(decided.type, decided.region, cleaned)), str(decided.unit))
    yield ("severity", *gather(grave_marks(decided.type, decided.source, cleaned)), str(decided.severity))


def learn(cases: Iterable[Decided], known: store.Known) -> None:
    """Teach the learners in use; ``known``: the labels there are by head.

    At least once: a crash before the consumer's commit teaches a case twice, which a training mends.
    """
    model = store.writer(known)
    for decided in cases:
        model.decided[decided.type] += 1
        for head, marks, weights, label in lessons(decided):
            model.heads[head].learn(marks, weights, label)
    store.keep_labels(model)


def count(outcomes: Sequence[Outcome]) -> None:
    """Add to the tallies, in the caller's transaction."""
    with scoped(SYSTEM):
        proposed = Counter((o.head, o.label, o.how) for o in outcomes)
        right = Counter((o.head, o.label, o.how) for o in outcomes if o.right)
        Tally.objects.bulk_create([Tally(head=h, label=n, how=w) for h, n, w in sorted(proposed)], ignore_conflicts=True)
        for (head, label, how), number in sorted(proposed.items()):
            Tally.objects.filter(head=head, label=label, how=how).update(
                proposed=F("proposed") + number, right=F("right") + right[head, label, how]
            )


def remember(cases: Iterable[Decided]) -> None:
    """Keep which cases said the same, in the caller's transaction. A case told twice stands there once."""
    told = [(store.digest(about), decided) for decided in cases if (about := matter(clean(decided.text)))]
    with scoped(SYSTEM):
        rows = {(row.digest, row.type): row for row in Likeness.objects.filter(digest__in={digest for digest, _ in told})}
        changed: dict[tuple[str, str], Likeness] = {}
        for digest, decided in told:
            key = (digest, decided.type)
            row = rows.setdefault(key, Likeness(digest=digest, type=decided.type, cases=[]))
            if decided.case not in row.cases:
                row.cases, row.at = [*row.cases, decided.case][-KEPT_ALIKE:], clock.now()
                changed[key] = row
        Likeness.objects.bulk_create([row for row in changed.values() if row.pk is None])
        Likeness.objects.bulk_update([row for row in changed.values() if row.pk is not None], ["cases", "at"])


def claim_training(every: timedelta) -> int | None:
    """The id of a training that is due, now ours; None when the last is younger than ``every`` or another worker is at one."""
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('gridloop.training'))")
        last = Training.objects.order_by("-id").first()
        if last is not None and last.started_at > clock.now() - (every if last.finished_at else CLAIM_HOLDS):
            return None
        return Training.objects.create(started_at=clock.now()).pk


class Course:
    """A training under way: new learners beside those in use. ``test_from``: from this example on each is guessed before it is learned.

    ``known``: the labels there are by head. ``claimed``: the id of a claimed training; without one it is somebody's wish and stands in a
    row of its own.
    """

    def __init__(self, known: store.Known, test_from: int, claimed: int | None = None) -> None:
        self.started_at, self._began, self._claimed = clock.now(), time.monotonic(), claimed
        self.model = store.create(known)
        self._test_from, self._seen = test_from, 0
        self._marked: dict[str, list[tuple[str, str, float, bool]]] = {head: [] for head in HEADS}
        self._alike: dict[tuple[str, str], deque[str]] = {}

    def teach(self, decided: Decided) -> None:
        """The next example, in the order of time."""
        for head, marks, weights, label in lessons(decided):
            learner = self.model.heads[head]
            if self._seen >= self._test_from:
                self._test(head, learner, marks, weights, label)
            learner.learn(marks, weights, label)
        if about := matter(clean(decided.text)):
            self._alike.setdefault((store.digest(about), decided.type), deque(maxlen=KEPT_ALIKE)).append(decided.case)
        self.model.decided[decided.type] += 1
        self._seen += 1

    def _test(self, head: str, learner: Learner, marks: Marks, weights: Weights, label: str) -> None:
        best = learner.guess(marks, weights).labels
        if best:
            self._marked[head].append((best[0][0], label, best[0][1], label in [name for name, _ in best]))

    def end(self) -> TrainingReport:
        """Put the new learners in use and write down how good they were."""
        heads = {head: self._report(head) for head in HEADS}
        report = TrainingReport(self.started_at, round(time.monotonic() - self._began, 2), heads)
        with scoped(SYSTEM):
            Likeness.objects.filter(at__lt=self.started_at).delete()
            rows = [Likeness(digest=d, type=t, cases=list(cases), at=self.started_at) for (d, t), cases in self._alike.items()]
            Likeness.objects.bulk_create(rows, batch_size=2000, ignore_conflicts=True)  # what was remembered meanwhile is newer
            row = Training.objects.get(pk=self._claimed) if self._claimed else Training(started_at=self.started_at)
            row.finished_at, row.seconds, row.version = clock.now(), report.seconds, self.model.version
            row.report = {head: asdict(found) for head, found in heads.items()}
            row.save()
        store.keep_labels(self.model)
        store.put_in_use(self.model)
        return report

    def abandon(self) -> None:
        """It came to no end: nothing of it is kept."""
        shutil.rmtree(self.model.folder, ignore_errors=True)

    def _report(self, head: str) -> HeadReport:
        learner, marked = self.model.heads[head], self._marked[head]
        proposed = Counter(guess for guess, *_ in marked)
        right = Counter(guess for guess, label, *_ in marked if guess == label)
        return HeadReport(
            examples=sum(learner.counts),
            labels=sum(1 for number in learner.counts if number),
            tested=len(marked),
            right=sum(right.values()),
            in_three=sum(three for *_, three in marked),
            calibration_error=round(calibration_error([(chance, guess == label) for guess, label, chance, _ in marked]), 4),
            by_label={label: (number, right[label]) for label, number in sorted(proposed.items())},
        )
