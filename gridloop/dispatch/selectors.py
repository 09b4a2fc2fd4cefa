"""What was learned, asked: proposals and how they fared. What is learned belongs to no territory; nobody's words can be read from it."""

from __future__ import annotations

from gridloop.dispatch import store
from gridloop.dispatch.messages import Precision, Suggestion
from gridloop.dispatch.models import Likeness, Tally, Training
from gridloop.dispatch.rules import gather, grave_marks, matter, place_marks, telling, word_marks
from gridloop.journal.selectors import reading
from gridloop.kernel.hanzi import clean
from gridloop.kernel.viewer import Viewer


def suggest_type(text: str, source: str, region: str) -> Suggestion | None:
    """The likeliest case type for what was said; None without words or before anything was learned."""
    cleaned = clean(text)
    return _suggest("type", word_marks(cleaned, source, region), cleaned) if cleaned else None


def suggest_unit(case_type: str, text: str, region: str) -> Suggestion | None:
    """The likeliest lead unit (its id as text) for a type at a place."""
    cleaned = clean(text)
    return _suggest("unit", place_marks(case_type, region, cleaned), cleaned)


def suggest_severity(case_type: str, text: str, source: str) -> Suggestion | None:
    """The likeliest severity ('1'–'4') for a type from a source."""
    cleaned = clean(text)
    return _suggest("severity", grave_marks(case_type, source, cleaned), cleaned)


def _suggest(head: str, marks: list[int], cleaned: str) -> Suggestion | None:
    model = store.reader()
    if model is None:
        return None
    learner = model.heads[head]
    guess = learner.guess(*gather(marks))
    if not guess.labels:
        return None
    (label, chance), *others = guess.labels
    return Suggestion(label, round(chance, 3), learner.examples(label), tuple(telling(cleaned, guess.for_first)), tuple(others))


def examples_of(case_type: str) -> int:
    """How many decided cases of a type were learned, those without words too."""
    model = store.reader()
    return model.decided[case_type] if model else 0


@reading
def alike(viewer: Viewer, text: str, case_type: str) -> list[str]:
    """Codes of the last few cases of this type whose reports said the same, latest first; not all may be the viewer's to see."""
    about = matter(clean(text))
    if not about:
        return []
    found = Likeness.objects.filter(digest=store.digest(about), type=case_type).values_list("cases", flat=True).first()
    return list(reversed(found or []))


@reading
def precision(viewer: Viewer, head: str, label: str, how: str) -> Precision:
    """How proposals of this label, made in this way, fared."""
    found = Tally.objects.filter(head=head, label=label, how=how).values_list("proposed", "right").first()
    return Precision(*found) if found else Precision(0, 0)


@reading
def precisions(viewer: Viewer, head: str) -> dict[tuple[str, str], Precision]:
    """(label, how) → how proposals of a head fared."""
    return {(t.label, t.how): Precision(t.proposed, t.right) for t in Tally.objects.filter(head=head)}


@reading
def last_training(viewer: Viewer) -> Training | None:
    """The newest that came to its end."""
    return Training.objects.filter(finished_at__isnull=False).order_by("-id").first()
