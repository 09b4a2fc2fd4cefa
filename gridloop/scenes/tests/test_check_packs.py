from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from gridloop.doors.cli.packs import check_packs, play_stories
from gridloop.kernel.errors import Invalid
from gridloop.kernel.hashing import canonical, sha256_hex
from gridloop.kernel.texts import all_texts
from gridloop.scenes import catalogue, schema
from gridloop.scenes.loading import FACTS, PACKS, ROOT, digest_of, load, load_all
from gridloop.scenes.rules import tier
from gridloop.scenes.stories.reading import kinds_of, stories_of
from gridloop.scenes.strict_yaml import read
from gridloop.scenes.tests.packkit import KNOWN, change, copy_of
from gridloop.sdk.pack import IndicatorsFile

BREAKS = [
    ("pack.yaml", "id: illegal_parking", "id: parking", "scenes.folder_name"),
    ("pack.yaml", '"09009"', '"99999"', "scenes.no_type"),
    ("pack.yaml", '"09009"', "09009", "scenes.trap"),
    ("pack.yaml", "warn_then_enforce", "warn_and_hope", "scenes.no_process"),
    ("pack.yaml", "wait: 5m", "wait: soon", "flow.param_kind"),
    ("pack.yaml", "wait: 5m", "speed: 5m", "flow.param_unknown"),
    ("pack.yaml", "courtesy: move_please, ", "", "flow.param_missing"),
    ("pack.yaml", "courtesy: move_please", "courtesy: go_away", "scenes.no_template"),
    ("pack.yaml", "{key: data.plate}", "{key: nobody.plate}", "scenes.cel"),
    ("pack.yaml", "{key: data.plate}", "{radius_m: 50}", "scenes.same_thing"),
    ("pack.yaml", "{key: data.plate}", "{}", "scenes.same_thing"),
    ("pack.yaml", "needs: []", "tier: gold", "scenes.unknown_key"),
    ("pack.yaml", "version: 1.0.0", "version: one", "scenes.bad_value"),
    ("signals.yaml", "kind: vehicle_stopped", "kind: vehicle_flying", "scenes.no_kind"),
    ("signals.yaml", "value == 0.0", "__import__('os').system('x')", "scenes.cel"),
    ("signals.yaml", "message: gone", "message: vanished", "scenes.no_message"),
    ("signals.yaml", 'title: "机动车违停"', 'title: "机动车 {plate}"', "scenes.placeholder"),
    ("signals.yaml", ', title: "机动车违停"', "", "scenes.title_needed"),
    ("signals.yaml", "plate: data.plate", "plate: data.", "scenes.cel"),
    ("limits.yaml", "accept:", "verify:", "scenes.no_stage"),
    ("limits.yaml", "accept:", "wait:", "scenes.stage_limit"),
    ("limits.yaml", "{limit: 30m}", "{limit: 30 minutes}", "scenes.bad_value"),
    ("limits.yaml", "{limit: 30m}", "{limit: 30m, yellow: 60}", "scenes.card_order"),
    ("notices.yaml", "{wait}", "{colour}", "scenes.placeholder"),
    ("notices.yaml", "{wait}", "{wait.__class__}", "scenes.placeholder"),
    ("notices.yaml", "fact: dispatched", "fact: danced", "scenes.no_fact"),
    ("notices.yaml", "template: late", "template: later", "scenes.no_template"),
    ("notices.yaml", "channel: sms", "channel: pigeon", "scenes.bad_value"),
    ("notices.yaml", "channel: sms", "channel: control", "scenes.command"),
    ("notices.yaml", "channel: sms", "channel: sms\n    command: hold", "scenes.command"),
    ("notices.yaml", "template: new_task}", "template: new_task, when: 'face > 1'}", "scenes.cel"),
    ("notices.yaml", "template: new_task}", "template: new_task, pause: 1wh}", "scenes.pause"),
    ("indicators.yaml", "reworks > 0", "mood > 0", "scenes.cel"),
    ("indicators.yaml", "reworks > 0", "reworks + 1 > 1", "scenes.share"),
    ("indicators.yaml", "closed_by == 'left'", "closed_by == 'vanished'", "scenes.share"),
    ("indicators.yaml", "reworks > 0", "severity > 4", "scenes.share_never_closed"),
    ("indicators.yaml", "of: status == 'closed'", "of: status == 'handling'", "scenes.share_never_closed"),
    ("indicators.yaml", "part: reworks > 0", "period: reported\n    part: reworks < 0", "scenes.share_never_reported"),
    ("indicators.yaml", "part: reworks > 0", "period: due\n    part: reworks > 0", "scenes.bad_value"),
    ("indicators.yaml", "name: second_handling", "name: left_by_itself", "scenes.share_twice"),
]


@pytest.mark.parametrize(("file", "old", "new", "key"), BREAKS, ids=[f"{k}-{n}" for n, (_, _, _, k) in enumerate(BREAKS)])
def test_each_fault_names_file_and_line(file: str, old: str, new: str, key: str, tmp_path: Path) -> None:
    loaded = change(copy_of("illegal_parking", tmp_path), file, old, new)
    assert loaded.pack is None
    wrong = next(w for w in loaded.wrongs if w.key == key)
    assert wrong.file == f"illegal_parking/{file}"
    line = (tmp_path / "illegal_parking" / file).read_text(encoding="utf-8").splitlines()[wrong.line - 1]
    assert line.strip()
    assert "{" not in wrong.said("zh").split(": ", 1)[1] or "{" in new
    assert key in all_texts()


def test_missing_and_unknown_files(tmp_path: Path) -> None:
    pack = copy_of("illegal_parking", tmp_path)
    (pack / "limits.yaml").unlink()
    (pack / "run.py").write_text("import os")
    assert [w.key for w in load(pack, KNOWN).wrongs] == ["scenes.no_file", "scenes.unknown_file"]


def test_what_a_person_saves_another_way_is_told_and_not_a_crash(tmp_path: Path) -> None:
    pack = copy_of("illegal_parking", tmp_path)
    first = sorted((pack / "stories").iterdir())[0]
    (pack / "notices.yaml").write_bytes((pack / "notices.yaml").read_text(encoding="utf-8").encode("gb18030"))
    first.write_bytes(first.read_text(encoding="utf-8").encode("gb18030"))
    for left in (".DS_Store", "Thumbs.db", "pack.yaml~", "~$limits.yaml", "stories/.DS_Store"):
        (pack / left).write_text("", encoding="utf-8")
    loaded = load(pack, KNOWN)
    assert [(w.file, w.key) for w in loaded.wrongs] == [("illegal_parking/notices.yaml", "scenes.not_utf8")], (
        "and no template that is missing"
    )
    assert [w.key for w in stories_of(loaded)[1]] == ["scenes.not_utf8"]


def test_a_file_by_a_name_that_is_not_quite_right_is_not_left_out_in_silence(tmp_path: Path) -> None:
    pack = copy_of("illegal_parking", tmp_path)
    (pack / "pack.yaml").rename(pack / "pack.yml")
    first = sorted((pack / "stories").iterdir())[0]
    first.rename(first.with_suffix(".yml"))
    (one,) = load_all(tmp_path, KNOWN)
    assert sorted((w.file.rpartition("/")[2], w.key) for w in one.wrongs) == [
        (first.with_suffix(".yml").name, "scenes.not_yaml"),
        ("pack.yaml", "scenes.no_file"),
        ("pack.yml", "scenes.not_yaml"),
    ]
    assert "pack.yml" in CliRunner().invoke(check_packs, [str(pack), "--lang", "zh"]).output


def test_a_pack_that_somebody_is_writing_keeps_no_other_from_being_played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    half = change(copy_of("device_care", tmp_path), "pack.yaml", "severity: 4", "severity: 40")
    others = [one for one in load_all() if one.name != half.name]
    monkeypatch.setattr("gridloop.doors.cli.packs.load_all", lambda: [*others, half])
    answer = CliRunner().invoke(play_stories, ["illegal_parking", "--story", "01", "--lang", "zh"])
    assert answer.exit_code == 0, answer.output
    assert "device_care/pack.yaml:" in answer.output
    assert CliRunner().invoke(play_stories, ["device_care"]).exit_code == 1


def test_a_copy_that_does_what_the_old_pack_does_is_told(tmp_path: Path) -> None:
    """Its stories count two cases, and nothing said why."""
    copy = copy_of("illegal_parking", tmp_path).rename(tmp_path / "street_stall")
    change(copy, "pack.yaml", "id: illegal_parking", "id: street_stall")
    answer = CliRunner().invoke(check_packs, [str(copy), "--lang", "zh"])
    assert answer.exit_code == 0
    assert "信号 vehicle_stopped 在场景 illegal_parking 也会立案" in answer.output
    assert "群众上报归 illegal_parking" in answer.output
    assert "注意" not in CliRunner().invoke(check_packs, [str(PACKS / "illegal_parking")]).output


TYPE = """      - code: "09009"
        zh: "机动车乱停放"
"""


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (TYPE, TYPE.replace("09009", "09006"), "出现两次"),
        (TYPE, TYPE.replace("09009", "08999"), "前两位须是 09"),
        (TYPE, TYPE.replace('"09009"', "09009"), "请加引号"),
        (TYPE, TYPE.replace("zh:", "zh："), "全角的“：”"),
        (TYPE, TYPE.replace("zh:", "name:"), "缺少"),
        (TYPE, TYPE.replace('        zh: "机', '\tzh: "机'), "制表符"),
        ("resolve: 2h}", "resolve: 2小时}", "数字加单位"),
        ("lead: TRAFFIC_POLICE", "lead: 交警", "departments"),
    ],
)
def test_the_catalogue_of_types_is_checked_with_file_and_line(old: str, new: str, said: str, tmp_path: Path) -> None:
    text = catalogue.CATALOGUE.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "case_types.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    wrong = catalogue.faults(path)[0]
    assert said in wrong.said("zh")
    assert wrong.file == "packs/case_types.yaml"
    assert abs(wrong.line - text[: text.index(old)].count("\n") - 1) <= 2
    with pytest.raises(Invalid):
        catalogue.need_right(path)


def test_the_catalogue_of_types_is_right() -> None:
    assert [str(wrong) for wrong in catalogue.faults()] == []


def test_two_packs_for_any_type(tmp_path: Path) -> None:
    copy_of("general", tmp_path)
    change(copy_of("device_care", tmp_path), "pack.yaml", "severity: 4", "severity: 4\nany_type: true")
    assert [w.key for one in load_all(tmp_path, KNOWN) for w in one.wrongs] == ["scenes.two_any"]


def test_own_packs_are_right_and_small() -> None:
    packs = load_all()
    assert {one.name for one in packs} >= {"damaged_facility", "illegal_parking", "device_care", "general"}
    for one in packs:
        assert [str(w) for w in (*one.wrongs, *stories_of(one)[1])] == []
        lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in one.folder.glob("*.yaml"))
        assert lines <= 80, one.name


def test_tiers_are_computed() -> None:
    tiers = {one.name: tier(one.pack.pack.needs, kinds_of(one)) for one in load_all() if one.pack}
    assert (tiers["illegal_parking"], tiers["damaged_facility"]) == ("silver", "silver")
    assert tier([], []) == "draft"
    assert tier([], ["true"]) == "bronze"
    every = ["true", "false", "duplicate", "late", "overdue"]
    assert tier([], every, passed_live=True, measured=True) == "gold"
    assert tier(["camera"], every, passed_live=True, measured=True) == "silver"


def test_digest_changes_with_the_content(tmp_path: Path) -> None:
    pack = copy_of("illegal_parking", tmp_path)
    before = load(pack, KNOWN).digest
    assert load(pack, KNOWN).digest == before
    assert change(pack, "pack.yaml", "wait: 5m", "wait: 6m").digest != before


def test_known_facts_are_those_that_stand_in_the_trace_of_cases() -> None:
    rooms = (ROOT / "gridloop" / "cases", ROOT / "gridloop" / "signals")
    code = "".join(path.read_text(encoding="utf-8") for room in rooms for path in room.glob("*.py"))
    noted = set(re.findall(r'note\(\s*"([a-z_]+)"', code)) | set(re.findall(r'append\(f"case:[^"]*",\s*"([a-z_]+)"', code))
    noted |= set(re.findall(r'FactIn\(\s*"([a-z_]+)"', code))
    noted |= set(re.findall(r'\("[a-z]+", "[a-z]+"\): "([a-z_]+)"', code))
    assert noted - set(FACTS) == set()
    assert set(FACTS) - noted == set()


def test_published_schema_is_current_and_accepts_the_packs() -> None:
    assert schema.PUBLISHED.read_text(encoding="utf-8") == schema.text(), "run: gridloop check-packs --write-schema"
    published = json.loads(schema.text())
    Draft202012Validator.check_schema(published)
    for path in [*PACKS.glob("*/*.yaml"), *PACKS.glob("*/stories/*.yaml")]:
        name = "stories/*.yaml" if path.parent.name == "stories" else path.name
        one = {"$schema": published["$schema"], "$defs": published["$defs"], **published["files"][name]}
        Draft202012Validator(one).validate(read(path.read_text(encoding="utf-8"), path.name).data)


def test_command(tmp_path: Path) -> None:
    assert CliRunner().invoke(check_packs, []).exit_code == 0
    pack = copy_of("illegal_parking", tmp_path)
    change(pack, "limits.yaml", "{limit: 30m}", "{limit: never}")
    answer = CliRunner().invoke(check_packs, [str(pack), "--lang", "en"])
    assert answer.exit_code == 1
    assert "illegal_parking/limits.yaml:4: stages.handle.limit has the wrong value never" in answer.output
    both = CliRunner().invoke(check_packs, [str(pack)]).output
    assert "stages.handle.limit has the wrong value never" in both, "nobody said which language: in both"
    assert "stages.handle.limit 的值 never 不正确" in both
    assert CliRunner().invoke(check_packs, [str(tmp_path / "illegal_parking" / "stories")]).exit_code == 1


def test_faults_of_conditions_are_said_in_both_languages(tmp_path: Path) -> None:
    pack = copy_of("illegal_parking", tmp_path)
    change(pack, "signals.yaml", "value == 0.0", "value = 0.0")
    change(pack, "signals.yaml", "plate: data.plate", "plate: nobody.plate")
    zh, en = (CliRunner().invoke(check_packs, [str(pack), "--lang", lang]).output for lang in ("zh", "en"))
    assert "第 7 个字符：相等请写 ==" in zh
    assert "没有名为 nobody 的数据；可用：" in zh
    assert "character 7: equality is written ==" in en
    assert "there is no data called nobody; there are: " in en


def test_the_command_tells_detectors_as_sentences() -> None:
    zh, en = (CliRunner().invoke(check_packs, ["--lang", lang]).output for lang in ("zh", "en"))
    assert "    fast_rise: 若同一设备水位上升达到每 1 小时 0.5 m，并持续 10 分钟，则报警，等级为重点。" in zh
    assert "    fast_rise: If for a device water level rises by 0.5 m or more in 1 hour, and this lasts 10 minutes, an alarm" in en


def test_play_command() -> None:
    answer = CliRunner().invoke(play_stories, ["illegal_parking"])
    assert answer.exit_code == 0, answer.output
    assert "8 / 8" in answer.output
    unknown = CliRunner().invoke(play_stories, ["flying_cars"])
    assert unknown.exit_code == 1
    assert "illegal_parking, near_water" in unknown.output
    none = CliRunner().invoke(play_stories, ["illegal_parking", "--story", "99"])
    assert none.exit_code == 1
    assert "--story" in none.output
    assert "没有符合的故事" in none.output


def test_shares_without_a_period_are_the_version_they_were() -> None:
    """What was installed before a share could have one is not installed anew; another period is another version."""
    pack = load(PACKS / "damaged_facility", KNOWN).pack
    assert pack is not None

    def digest(**said: str) -> str:
        shares = tuple(one.model_copy(update=said) for one in pack.indicators.indicators)
        return digest_of(pack.model_copy(update={"indicators": IndicatorsFile(indicators=shares)}), "x")

    assert digest() == digest_of(pack, "x") == digest(period="closed") != digest(period="reported")
    part = pack.model_dump(mode="json", exclude={"detect"})
    part["indicators"]["indicators"] = [{k: v for k, v in one.items() if k != "period"} for one in part["indicators"]["indicators"]]
    del part["pack"]["legal_basis"]
    for rule in part["signals"]["rules"]:
        del rule["alarm"]
    for template in part["notices"]["templates"].values():
        del template["command"]
    for one in part["notices"]["on_fact"]:
        del one["when"], one["pause"]
    assert digest() == sha256_hex(canonical({"pack": part, "process": "x"}))
