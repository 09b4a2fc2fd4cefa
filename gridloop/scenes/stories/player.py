"""Plays a story on a stage: in memory or on a running deployment. The stage acts and shows; this module only compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from gridloop.kernel.errors import Fault
from gridloop.kernel.texts import say
from gridloop.scenes.stories.story import ACT_WORDS, CARDS, FACTS, STATUSES, TASKS, Should, Step, Story, offset


@dataclass(frozen=True, slots=True)
class View:
    """One case of the story as it stands; times are minutes since the story's start. ``None`` = this stage can not tell."""

    status: str
    tasks: tuple[str, ...]
    card: str | None
    facts: tuple[tuple[str, float], ...]
    notices: tuple[str, ...] | None
    sources: int
    due: float | None
    reworks: int
    returns: int | None
    stars: float | None
    severity: int = 4
    posts: tuple[tuple[str, str], ...] = ()  # task → level of the unit it stands with
    delivered: tuple[str, ...] | None = None


class Stage(Protocol):
    """Where a story plays. Faults of the rules are raised as ``kernel.errors.Fault``."""

    def advance(self, to: timedelta) -> None:
        """Move the clock to so long after the start; what falls due on the way happens."""

    def act(self, step: Step) -> None:
        """Do the one act of the step."""

    def views(self) -> list[View]:
        """Every case of the story, in order of opening."""


@dataclass(slots=True)
class Played:
    """What came of one story: the faults found (empty = passed) and the cases' facts for comparison."""

    title: str
    failures: list[str] = field(default_factory=list)
    facts: list[tuple[tuple[str, float], ...]] = field(default_factory=list)


def play(story: Story, stage: Stage) -> Played:
    """Every step in order; a wrong expectation is noted and the story goes on, a refused act ends it."""
    played = Played(story.title)
    now = timedelta()
    for number, whole in enumerate(story.steps, 1):
        start = now if whole.at is None else offset(whole.at)
        for after, step in whole.each():
            now = start + after
            stage.advance(now)
            refusal = _act(step, stage)
            if refusal is not None:
                played.failures.append(f"{number}: {refusal}")
                break
            if step.should is not None:
                played.failures += [f"{number}: {wrong}" for wrong in compare(step.should, stage.views(), step.case)]
        if refusal is not None:
            break
    played.facts = [view.facts for view in stage.views()]
    return played


def _act(step: Step, stage: Stage) -> str | None:
    if not step.acts:
        return None
    word = ACT_WORDS[step.acts[0]]
    try:
        stage.act(step)
    except Fault as fault:
        return None if step.refused else say("scenes.story_refused", act=word, detail=say(fault.key, **fault.params))
    return say("scenes.story_not_refused", act=word) if step.refused else None


def compare(should: Should, views: Sequence[View], number: int) -> list[str]:
    """What differs from what the story says."""
    wrongs: list[str] = []
    if should.cases is not None and len(views) != should.cases:
        wrongs.append(_differs("案件数", should.cases, len(views)))
    if number > len(views):
        only_count = should.model_dump(exclude_none=True).keys() <= {"cases"}
        return wrongs if only_count else [*wrongs, _differs("案件数", f"≥ {number}", len(views))]
    view = views[number - 1]
    for name, wanted, found in _pairs(should, view):
        if wanted is not None and wanted != found:
            wrongs.append(_differs(name, wanted, found))
    if should.facts is not None and not _in_order([FACTS[word] for word in should.facts], [action for action, _ in view.facts]):
        wrongs.append(_differs("动作", " → ".join(should.facts), " → ".join(action for action, _ in view.facts)))
    if should.notices is not None and view.notices is not None and not _in_order(should.notices, view.notices):
        wrongs.append(_differs("通知", ", ".join(should.notices), ", ".join(view.notices)))
    if should.delivered is not None and view.delivered is not None and not set(should.delivered) <= set(view.delivered):
        wrongs.append(_differs("送达", ", ".join(should.delivered), ", ".join(view.delivered) or "–"))
    if should.due is not None and (view.due is None or abs(view.due - offset(should.due).total_seconds() / 60) > 1):
        wrongs.append(_differs("时限", should.due, view.due))
    return wrongs


def _pairs(should: Should, view: View) -> list[tuple[str, Any, Any]]:
    words = {code: word for word, code in STATUSES.items()}
    cards = {code: word for word, code in CARDS.items()}
    titles = {code: word for word, code in TASKS.items()}
    tasks = tuple(sorted(titles.get(task, task) for task in view.tasks))
    posts = {titles.get(task, task): level for task, level in view.posts}
    return [
        ("状态", should.status, words.get(view.status, view.status)),
        ("任务", None if should.tasks is None else tuple(sorted(should.tasks)), tasks),
        ("牌", should.card, cards[view.card]),
        ("岗位", None if should.posts is None else _listed(should.posts), _listed(posts)),
        ("等级", should.severity, view.severity),
        ("来源数", should.sources, view.sources),
        ("返工次数", should.reworks, view.reworks),
        ("退回次数", None if view.returns is None else should.returns, view.returns),
        ("星", should.stars, view.stars),
    ]


def _listed(posts: Mapping[Any, Any]) -> tuple[str, ...]:
    return tuple(sorted(f"{task}：{level}" for task, level in posts.items()))


def _in_order(wanted: Sequence[str], found: Sequence[str]) -> bool:
    rest = iter(found)
    return all(word in rest for word in wanted)


def _differs(name: str, wanted: Any, found: Any) -> str:
    def shown(value: Any) -> str:
        return "、".join(map(str, value)) or "无" if isinstance(value, tuple) else str(value)

    return say("scenes.story_expected", name=name, wanted=shown(wanted), found=shown(found))
