"""What ``gridloop detect`` is asked wrongly, or cannot read, it refuses: what, where, and how to mend it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from gridloop.doors.cli.main import cli
from gridloop.doors.tests.gauges import HEADER, RULES, run, write

WRONG: list[tuple[list[str], str, str]] = [
    (["--column", "time"], "须写成 名称=值", "must be NAME=VALUE"),
    (["--column", "colour=x"], "可用 time", "there are time"),
    (["--column", "time=when"], "没有 time 要用的列 when；有：device, kind, at, value", "has no column when for time"),
    (["--kind", "a=flood"], "flood 不在目录", "flood is not in"),
    (["--fact", "lives_alone=maybe"], "maybe 不对", "cannot be maybe"),
    (["--fact", "happy=yes"], "没有事实 happy", "no fact happy"),
    (["--to", "tomorrow"], "tomorrow 不对", "tomorrow of --to is wrong"),
    (["--lateness", "4wh"], "应如 60s", "such as 60s"),
    (["--zone", "Mars/Base"], "没有时区 Mars/Base", "no time zone Mars/Base"),
    (["--only", "low"], "没有检测器 low，有：high, gone", "no detector low"),
]


@pytest.mark.parametrize(("options", "zh", "en"), WRONG, ids=[" ".join(options) for options, *_ in WRONG])
def test_what_is_asked_wrongly_is_told(options: list[str], zh: str, en: str, rules: Path, tmp_path: Path) -> None:
    path = write(tmp_path, "csv")
    for lang, wanted in (("zh", zh), ("en", en)):
        result = run(rules, path, *options, "--lang", lang)
        assert (result.exit_code, result.stdout) == (1, "")
        assert wanted in result.stderr


def test_who_names_no_language_is_refused_in_both(rules: Path, tmp_path: Path) -> None:
    refused = run("/nowhere.yaml", write(tmp_path, "csv"))
    assert refused.exit_code == 1
    assert "is neither a pack's folder nor" in refused.stderr
    assert "不是场景包文件夹" in refused.stderr
    assert "不是场景包文件夹" not in run("/nowhere.yaml", write(tmp_path, "csv"), "--lang", "en").stderr
    rules.write_text(RULES.replace("longer: 1h", "longer: 1 hour"), encoding="utf-8")
    (line,) = run(rules, write(tmp_path, "csv")).stderr.splitlines()
    assert line.count("detect.yaml:10: ") == 2


@pytest.mark.parametrize(
    ("asked", "en", "zh"),
    [
        (["{bad}", "{good}"], "neither UTF-8 nor GB18030", "编码不是"),
        (["{rules}", "{bad}"], "neither UTF-8 nor GB18030", "编码不是"),
        (["{rules}", "{good}", "--facts", "{bad}"], "neither UTF-8 nor GB18030", "编码不是"),
        (["{rules}", "{good}", "--devices", "{bad}"], "neither UTF-8 nor GB18030", "编码不是"),
        (["{rules}", "{good}", "--devices", "{late}"], "neither UTF-8 nor GB18030", "编码不是"),
        (["{rules}", "{good}", "--out", "/proc/alarms.csv"], "cannot be read or written (No such file", "不能读写 /proc/alarms.csv"),
        (["{rules}", "{good}", "--fact", "lives_alone=maybe"], "yes or no is needed", "应为是/否"),
        (["{rules}", "{good}", "--packs", "x"], "No such option", "没有选项"),
        (["{rules}"], "Missing argument", "缺少参数"),
    ],
)
def test_whatever_is_refused_is_refused_in_both(asked: list[str], en: str, zh: str, rules: Path, tmp_path: Path) -> None:
    bad, late = tmp_path / "bad.csv", tmp_path / "late.csv"
    bad.write_bytes(b"\xff\xfe\x00,\n\xff\xff")
    late.write_bytes(b"device,household\n" + b"a,b\n" * 50_000 + b"\xff\xff,b\n")
    files = {"rules": rules, "good": write(tmp_path, "csv"), "bad": bad, "late": late}
    done = CliRunner().invoke(cli, ["detect", *(one.format(**files) for one in asked)])
    assert (done.exit_code, isinstance(done.exception, SystemExit)) == (done.exit_code or 1, True)
    last = done.stderr.splitlines()[-1]
    assert (en in last, zh in last, re.search("[\u4e00-\u9fff]", last.partition(" / ")[0])) == (True, True, None), last


def test_files_and_rules_that_are_not_there(rules: Path, tmp_path: Path) -> None:
    assert "没有要读的文件" in run(rules, tmp_path / "none.csv").stderr
    assert "silent_home, smoke, thermal_fire" in run("fire", write(tmp_path, "csv")).stderr
    assert "请用 --column household=列名 或 --devices" in run("silent_home", write(tmp_path, "csv")).stderr
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    assert "cannot be read as parquet" in run(rules, tmp_path / "broken.parquet").stderr
    rules.write_text(RULES.replace("longer: 1h", "longer: 1 hour"), encoding="utf-8")
    assert "detect.yaml:10: " in run(rules, write(tmp_path, "csv")).stderr


@pytest.mark.parametrize("name", ["readings.csv", "readings.jsonl"])
def test_files_without_a_row_are_told_as_such(name: str, rules: Path, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(HEADER if name.endswith("csv") else "", encoding="utf-8")
    result = run(rules, path)
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"没有读到任何读数，因此没有研判：{path} 里没有数据行" in result.stderr
    assert "nothing was read, so that nothing was looked at" in run(rules, path, "--lang", "en").stderr


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        ('{"device": "w1", "at"\n', "第 1 行第 22 列起不是 JSON", "line 1 is no JSON from column 22 on"),
        ('\n[{"device": "w1"}]\n', '第 2 行是别的 JSON（[{"device": "w1"}]）', "line 2 is other JSON"),
        ("device,at\nw1,2026-05-01\n", "第 1 行第 1 列起不是 JSON（device,at）", "line 1 is no JSON from column 1 on (device,at)"),
    ],
)
def test_a_file_without_any_json_object_is_told_what_is_wrong_and_where(text: str, zh: str, en: str, rules: Path, tmp_path: Path) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text(text, encoding="utf-8")
    for lang, wanted, mend in (("zh", zh, "每行须是一个完整的对象"), ("en", en, "Each line must be a whole object")):
        result = run(rules, path, "--lang", lang)
        assert (result.exit_code, result.stdout, wanted in result.stderr, mend in result.stderr) == (1, "", True, True), result.stderr
