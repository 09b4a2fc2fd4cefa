from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from gridloop.scenes.loading import Loaded, load, load_all
from gridloop.scenes.stories.acting import MemoryStage
from gridloop.scenes.stories.http import Door
from gridloop.scenes.stories.live import DELIVERED, LiveStage
from gridloop.scenes.stories.player import Played, play
from gridloop.scenes.stories.reading import stories_of
from gridloop.scenes.stories.story import Story
from gridloop.scenes.strict_yaml import read
from gridloop.scenes.tests.packkit import KNOWN, copy_of

INSTALLED = load_all()
ALL = [(one, name, story) for one in INSTALLED for name, story in stories_of(one)[0].items()]


@pytest.mark.parametrize(("pack", "file", "story"), ALL, ids=[f"{one.name}-{name}" for one, name, _ in ALL])
def test_story_passes(pack: Loaded, file: str, story: Story) -> None:
    assert play(story, MemoryStage(INSTALLED, story.starts_at, on_record=story.on_record)).failures == []


@pytest.mark.parametrize("pack", [one for one in INSTALLED if one.pack and one.pack.detect], ids=lambda one: str(one.name))
def test_a_scene_of_sensors_says_where_its_tasks_stand_and_that_its_notices_arrive(pack: Loaded) -> None:
    """By a true story: of all it calls for, only what has no address in a sample county (the owner of a made-up plate) may be left out."""
    said = [step.should for story in stories_of(pack)[0].values() if story.kind == "真实" for step in story.steps if step.should]
    assert any(one.posts for one in said)
    called = {name for one in said for name in one.notices or ()} - {"move_car", "move_please"}
    assert called <= {name for one in said for name in one.delivered or ()}
    assert called


def told(text: str) -> Story:
    document = read("场景: 试验\n类别: 其他\n步骤:\n" + text, "s.yaml")
    story = document.parse(Story)
    assert story is not None, [str(w) for w in document.wrongs]
    return story


def run(text: str) -> Played:
    story = told(text)
    return play(story, MemoryStage(INSTALLED, story.starts_at, on_record=story.on_record))


STOP = "  - 信号: {种类: vehicle_stopped, 值: 200, 数据: {plate: 样A1}}\n"


@pytest.mark.parametrize(
    ("should", "said"),
    [
        ("{状态: 已结案}", "应当 状态 是 已结案，实际是 已上报"),
        ("{案件数: 2}", "应当 案件数 是 2，实际是 1"),
        ("{任务: [主办处置]}", "应当 任务 是 主办处置，实际是 无"),
        ("{牌: 红牌}", "应当 牌 是 红牌，实际是 无"),
        ("{动作: [结案]}", "应当 动作 是 结案"),
        ("{通知: [new_task]}", "应当 通知 是 new_task，实际是 move_please"),
        ("{来源数: 3}", "应当 来源数 是 3，实际是 1"),
        ("{星: 5}", "应当 星 是 5"),
        ("{时限: +5m}", "应当 时限 是 +5m"),
    ],
)
def test_wrong_expectation_is_found(should: str, said: str) -> None:
    failures = run(f"{STOP}    应当: {should}\n").failures
    assert len(failures) == 1
    assert failures[0].startswith(f"1: {said}")


def test_refused_act_ends_the_story() -> None:
    assert run(f"{STOP}  - 签收: 主办\n").failures == ["2: “签收”被拒绝：没有可由“handle”办理的任务 签收"]
    assert run(f"{STOP}  - 签收: 主办\n    应被拒绝: true\n").failures == []
    assert run(f"{STOP}    应被拒绝: true\n").failures == ["1: “信号”应当被拒绝，却成功了"]


def test_refused_act_leaves_nothing_behind() -> None:
    played = run(f"{STOP}  - {{时间: +6m, 签收: 主办}}\n  - {{提交: {{说明: 无照片}}, 应被拒绝: true}}\n  - 应当: {{状态: 已签收}}\n")
    assert played.failures == []
    assert "submitted" not in [action for action, _ in played.facts[0]]


def test_limits_fire_at_their_own_time_whatever_the_steps() -> None:
    """Law: the trace does not depend on how often the clock is looked at."""
    once = run(f"{STOP}  - {{时间: +60m, 应当: {{牌: 红牌}}}}\n").facts
    often = run(STOP + "".join(f"  - {{时间: +{m}m, 应当: {{案件数: 1}}}}\n" for m in range(1, 61))).facts
    assert once == often
    story = told(STOP)
    stage = MemoryStage(INSTALLED, story.starts_at, on_record=story.on_record)
    play(story, stage)
    stage.advance(timedelta(minutes=60))
    assert [view.facts for view in stage.views()] == once


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("  - {时间: +5m}\n", "scenes.story_no_step"),
        ("  - {签收: 主办, 退回: 不对}\n", "scenes.story_no_step"),
        ("  - {时间: 5m, 签收: 主办}\n", "scenes.bad_value"),
        ("  - {时间: +5m, 签收: 主办}\n  - {时间: +4m, 签收: 主办}\n", "scenes.story_time"),
        ("  - {签收: 邻居}\n", "scenes.bad_value"),
        ("  - {跳舞: 主办}\n", "scenes.unknown_key"),
        ("  - {应当: {动作: [跳舞]}}\n", "scenes.story_word"),
        ("  - {评价: 6}\n", "scenes.bad_value"),
    ],
)
def test_wrong_story_is_named(text: str, key: str, tmp_path: Path) -> None:
    pack = copy_of("illegal_parking", tmp_path)
    (pack / "stories" / "x.yaml").write_text(f"场景: 试验\n类别: 其他\n步骤:\n{text}", encoding="utf-8")
    wrongs = stories_of(load(pack, KNOWN))[1]
    assert [w.key for w in wrongs] == [key]
    assert wrongs[0].file == "illegal_parking/stories/x.yaml"
    assert wrongs[0].line >= 4


class Answering:
    """A deployment whose cases have had this notice."""

    def get(self, who: str, path: str, **query: Any) -> Any:
        return {"items": [{"template": "new_task", "status": "sent"}]}


def test_a_live_story_waits_only_for_the_notices_it_asks_after() -> None:
    """Nobody supports the case of a story: what calls for the supporting never comes."""
    stage = LiveStage.__new__(LiveStage)
    stage.door, stage.asked = cast(Door, Answering()), {"new_task"}
    began = time.monotonic()
    assert stage._delivered("a case", ("new_task", "help_wanted")) == ("new_task",)
    assert time.monotonic() - began < DELIVERED / 2
