"""Stories whose signals go through detectors, played in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridloop.scenes.loading import load, load_all
from gridloop.scenes.stories.acting import MemoryStage
from gridloop.scenes.stories.player import Played, play
from gridloop.scenes.stories.reading import missing_sorts, stories_of
from gridloop.scenes.stories.story import Story
from gridloop.scenes.strict_yaml import read
from gridloop.scenes.tests.packkit import KNOWN, copy_of

INSTALLED = load_all()
RIVER = "登记: {设备: {R-1: {种类: water_level}, R-2: {种类: water_level, 地点: 乙}}}\n"
HOME = "登记: {户: {王家: {人数: 1}}, 设备: {D-1: {种类: door_open, 户: 王家}, M-1: {种类: motion, 户: 王家}}}\n"


def told(record: str, steps: str) -> Story:
    document = read(f"场景: 试验\n类别: 其他\n{record}步骤:\n{steps}", "s.yaml")
    story = document.parse(Story)
    assert story is not None, [str(w) for w in document.wrongs]
    return story


def run(record: str, steps: str) -> Played:
    story = told(record, steps)
    return play(story, MemoryStage(INSTALLED, story.starts_at, on_record=story.on_record))


def test_the_case_opens_when_the_alarm_is_told_not_before() -> None:
    high = "  - 信号: {种类: water_level, 设备: R-1, 值: [2.6, 2.7, 2.8], 每: +5m}\n    应当: {案件数: 0}\n"
    played = run(RIVER, high + "  - {时间: +11m, 应当: {案件数: 0}}\n  - {时间: +12m, 应当: {案件数: 1}}\n")
    assert played.failures == []
    assert [at for action, at in played.facts[0] if action == "reported"] == [11.1], "ten minutes, and 66 s until it is certain"


def test_alarms_and_limits_come_each_at_its_time_however_far_the_clock_is_moved() -> None:
    steps = "  - 信号: {种类: door_open, 设备: D-1}\n  - 信号: {种类: motion, 设备: M-1}\n"
    far = run(HOME, steps + "  - {时间: +26h, 应当: {案件数: 1}}\n")
    near = run(HOME, steps + "".join(f"  - {{时间: +{hour}h, 应当: {{案件数: {int(hour > 24)}}}}}\n" for hour in range(1, 27)))
    assert far.failures == near.failures == []
    assert far.facts == near.facts
    assert far.facts[0][0] == ("reported", 1441.1)


def test_only_devices_on_record_are_looked_at() -> None:
    steps = "  - 信号: {种类: water_level, 设备: X-9, 值: 3.9, 每: +1m, 次: 30}\n    应当: {案件数: 0}\n"
    assert run(RIVER, steps).failures == []


def test_a_late_reading_takes_no_part_and_one_sent_again_neither() -> None:
    late = "  - {时间: +20m, 信号: {种类: water_level, 设备: R-1, 值: 9.0, 发生: +1m}}\n  - {时间: +1h, 应当: {案件数: 0}}\n"
    assert run(RIVER, late).failures == []


def test_a_case_lies_where_the_device_of_its_alarm_stands() -> None:
    story = told(RIVER, "  - 信号: {种类: water_level, 设备: R-2, 值: 4.5, 每: +1m, 次: 3}\n  - {时间: +5m, 应当: {案件数: 1}}\n")
    stage = MemoryStage(INSTALLED, story.starts_at, on_record=story.on_record)
    assert play(story, stage).failures == []
    assert [(case.situation.case.lon, case.situation.case.lat) for case in stage.world.cases] == [(121.55, 29.33)]


@pytest.mark.parametrize(
    ("record", "steps", "says"),
    [
        (RIVER, "  - 信号: {种类: water_level, 设备: R-1, 值: [1, 2]}\n", "写 每 和 次"),
        (RIVER, "  - 信号: {种类: water_level, 设备: R-1, 值: 2, 每: +1m}\n", "写 每 和 次"),
        (RIVER, "  - 信号: {种类: water_level, 设备: R-1, 值: [1, 2], 每: +1m, 编号: a}\n", "写 每 和 次"),
        (RIVER, "  - 信号: {种类: water_level, 设备: R-1, 值: 2, 每: +9m, 次: 3}\n  - {时间: +10m, 核查: 通过}\n", "时间 +10m 不正确"),
        ("登记: {设备: {R-1: {种类: water_level, 户: 李家}}}\n", "  - {应当: {案件数: 0}}\n", "李家 不是 户 的可用词"),
    ],
)
def test_a_story_that_cannot_be_meant_is_told_with_its_line(record: str, steps: str, says: str, tmp_path: Path) -> None:
    pack = copy_of("illegal_parking", tmp_path)
    (pack / "stories" / "x.yaml").write_text(f"场景: 试验\n类别: 其他\n{record}步骤:\n{steps}", encoding="utf-8")
    (wrong,) = stories_of(load(pack, KNOWN))[1]
    assert says in wrong.said("zh")
    assert wrong.line >= 3


def test_a_pack_with_detectors_needs_stories_of_all_five_sorts(tmp_path: Path) -> None:
    pack = copy_of("water_level", tmp_path)
    for path in (pack / "stories").glob("*.yaml"):
        if "类别: 误报" in path.read_text(encoding="utf-8"):
            path.unlink()
    (wrong,) = missing_sorts(load(pack, KNOWN))
    assert str(wrong).startswith("water_level/detect.yaml:2: ")
    assert wrong.said("zh").endswith("还缺：误报")
    for path in (pack / "stories").glob("*.yaml"):
        path.unlink()
    assert missing_sorts(load(pack, KNOWN)) == [], "without stories it is a draft"
