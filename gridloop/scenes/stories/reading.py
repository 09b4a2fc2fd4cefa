"""Reads and checks the stories of a pack."""

from __future__ import annotations

from datetime import timedelta

from gridloop.scenes.loading import Loaded
from gridloop.scenes.stories.story import ACT_WORDS, FACTS, KINDS, Story, offset
from gridloop.scenes.strict_yaml import Document, Wrong, read


def stories_of(loaded: Loaded) -> tuple[dict[str, Story], list[Wrong]]:
    """The stories by file name, and what is wrong with the others."""
    stories: dict[str, Story] = {}
    wrongs: list[Wrong] = []
    for name, text in loaded.stories.items():
        document = read(text, f"{loaded.name}/stories/{name}")
        story = document.parse(Story)
        if story is not None:
            _check(story, document)
        if document.wrongs:
            wrongs += document.wrongs
        elif story is not None:
            stories[name] = story
    return stories, wrongs


def kinds_of(loaded: Loaded) -> list[str]:
    """Kinds (true, false, duplicate, late, overdue, other) of the readable stories."""
    stories, _ = stories_of(loaded)
    return [KINDS[story.kind] for story in stories.values()]


def _check(story: Story, document: Document) -> None:
    try:
        aware = story.starts_at.tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        document.fault(("开始",), "scenes.bad_value", name="开始", value=story.start, detail="2026-09-01T09:00:00+08:00")
    last = timedelta()
    for number, step in enumerate(story.steps):
        path = ("步骤", number)
        if len(step.acts) > 1 or (not step.acts and step.should is None):
            document.fault(path, "scenes.story_no_step", allowed=" ".join(ACT_WORDS.values()))
        if step.at is not None:
            if offset(step.at) < last:
                document.fault((*path, "时间"), "scenes.story_time", value=step.at)
            last = max(last, offset(step.at))
        for word in (step.should.facts if step.should else None) or ():
            if word not in FACTS:
                document.fault((*path, "应当", "动作"), "scenes.story_word", value=word, name="动作", allowed=" ".join(FACTS))
