"""Reads and checks the stories of a pack."""

from __future__ import annotations

from datetime import timedelta

from gridloop.scenes.loading import Loaded
from gridloop.scenes.rules import SILVER_KINDS, tier
from gridloop.scenes.stories.story import ACT_WORDS, FACTS, KINDS, Step, Story, offset
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


def missing_sorts(loaded: Loaded) -> list[Wrong]:
    """What detectors find is proved by stories of every sort: a pack that has them and any story of a true case needs all five."""
    told = set(kinds_of(loaded))
    if loaded.pack is None or loaded.pack.detect is None or not loaded.pack.detect.detectors or tier((), told) == "draft":
        return []
    missing = " ".join(word for word, kind in KINDS.items() if kind in SILVER_KINDS and kind not in told)
    lines = (loaded.folder / "detect.yaml").read_text(encoding="utf-8").splitlines()
    line = next((number for number, text in enumerate(lines, 1) if text.startswith("detectors:")), 1)
    return [Wrong(f"{loaded.name}/detect.yaml", line, "scenes.sorts_missing", (("missing", missing),))] if missing else []


def _check(story: Story, document: Document) -> None:
    try:
        aware = story.starts_at.tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        document.fault(("开始",), "scenes.bad_value", name="开始", value=story.start, detail="2026-09-01T09:00:00+08:00")
    _check_record(story, document)
    last = timedelta()
    for number, step in enumerate(story.steps):
        path = ("步骤", number)
        if len(step.acts) > 1 or (not step.acts and step.should is None):
            document.fault(path, "scenes.story_no_step", allowed=" ".join(ACT_WORDS.values()))
        _check_signal(step, document, path)
        if step.at is not None:
            if offset(step.at) < last:
                document.fault((*path, "时间"), "scenes.story_time", value=step.at)
            last = max(last, offset(step.at))
        last += max(after for after, _ in step.each())
        for word in (step.should.facts if step.should else None) or ():
            if word not in FACTS:
                document.fault((*path, "应当", "动作"), "scenes.story_word", value=word, name="动作", allowed=" ".join(FACTS))


def _check_signal(step: Step, document: Document, path: tuple[str | int, ...]) -> None:
    """Several values or times need to be told how far apart, and have no number in common."""
    told = step.signal
    if told is None:
        return
    several = isinstance(told.value, tuple) or told.times is not None
    both = isinstance(told.value, tuple) and told.times is not None
    if several != (told.every is not None) or both or (told.every and (told.number or told.happened)) or told.count == 0:
        document.fault((*path, "信号"), "scenes.story_repeat")


def _check_record(story: Story, document: Document) -> None:
    """Whose a device is must be on record itself."""
    record = story.on_record
    for code, device in record.devices.items():
        for word, name, known in (
            ("户", device.home, record.homes),
            ("楼栋", device.building, record.buildings),
            ("场所", device.spot, record.spots),
        ):
            if name is not None and name not in known:
                params = {"value": name, "name": word, "allowed": " ".join(known) or "-"}
                document.fault(("登记", "设备", code, word), "scenes.story_word", **params)
