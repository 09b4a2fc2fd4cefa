"""``gridloop detect --explain``: why there was an alarm, and why there was none."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from gridloop.detection.language import detectors
from gridloop.detection.rules import parts_of
from gridloop.detection.sentences import Teller, zone_names
from gridloop.detection.vocabulary import MODIFIERS, OPERATORS
from gridloop.doors.cli.detect_output import kinds_asked_for
from gridloop.doors.tests.gauges import ROWS, csv_text, homes, run
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.texts import say
from gridloop.scenes.loading import ROOT, signal_kinds
from gridloop.scenes.strict_yaml import read


def test_why_and_why_not(tmp_path: Path) -> None:
    asked = ["silent_home", homes(tmp_path), "--only", "no_movement", "--column", "household=home", "--each", "home", "--explain"]
    told = run(*asked, "h1", "--fact", "lives_alone=yes", "--lang", "en").stdout
    assert "2026-05-02 08:00:00 raised (urgent)" in told
    assert "there is no door opening or motion for 24 hours — times held: 1, lately: 2026-05-02 08:00:00 to 2026-05-03 09:00:00" in told
    assert "will hold from 2026-05-04 09:00:00 if nothing more is read" in told
    assert "last readings: door opened 2026-05-01 08:00:00, motion 2026-05-03 09:00:00" in told
    told = run(*asked, "h1").stdout
    assert "没有报警" in told
    assert "○ 不成立：…（仅限独居的）；从未成立" in told
    assert "独居 = 未知" in told
    told = run(*asked, "h9", "--lang", "en").stdout
    assert told == "nothing was read of h9; household: h1, h2\n"


def test_a_key_nothing_was_read_of_is_told_in_chinese(tmp_path: Path) -> None:
    asked = ["silent_home", homes(tmp_path), "--only", "no_movement", "--column", "household=home", "--each", "home", "--explain"]
    assert run(*asked, "h9").stdout == "没有读到 h9；读到的户有：h1, h2\n"


def test_kinds_called_by_their_titles_are_recognised(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(csv_text([("d1", "水位", "2026-05-01T00:00:00", "3"), ("d1", "odd", "2026-05-01T00:00:00", "3")]), encoding="utf-8")
    told = run("water_level", path).stderr
    assert "也许是：--kind 水位=water_level\n" in told


def test_a_folder_for_the_alarms_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(csv_text([("d1", "water_level", "2026-05-01T00:00:00", "3")]), encoding="utf-8")
    refused = run("water_level", path, "--lang", "en", "--out", tmp_path / "none" / "alarms.csv")
    assert (refused.exit_code, refused.stderr) == (1, f"Error: the folder {tmp_path / 'none'} of --out does not exist; make it first\n")


def test_what_came_too_late_is_part_of_the_reason(rules: Path, tmp_path: Path) -> None:
    """The alarm of silence stands although there is a reading within the hour: it came when that had been told."""
    path = tmp_path / "late.csv"
    path.write_text(csv_text([*ROWS, ("w1", "water_level", "2026-05-01T08:50:00", "1")]), encoding="utf-8")
    for lang, said in (("zh", "其中 1 条读数来得太晚"), ("en", "1 readings of it came too late")):
        told = {key: run(rules, path, "--only", "gone", "--explain", key, "--lang", lang).stdout for key in ("w1", "w2")}
        assert "2026-05-01 09:20:00" in told["w1"]
        assert (said in told["w1"], said in told["w2"]) == (True, False)


PAGE = (ROOT / "docs" / "reference" / "detect.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```\n\n>", PAGE, re.DOTALL)
EVENTFUL = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday


def weeks_of(kinds: Sequence[str], folder: Path) -> Path:
    """Eleven weeks of a place and its devices, two of each kind: a usual day, quiet and busy days, high and low values, zones, names."""
    chance = Random(8)
    rows = []
    for day in range(77):
        for hour in () if day in (30, 31, 32, 70, 71) else (7, 8, 12, 18, 19, 23):
            for number in range(chance.choice((1, 1, 2, 6))):
                for which, kind in enumerate([*kinds, *kinds]):
                    at = EVENTFUL + timedelta(days=day, hours=hour, minutes=7 * number, seconds=which)
                    value = chance.choice((0, 0, 1, 1, 2.9, 3.5, 60)) if "_use" not in kind else 30 if day < 60 else 0.1
                    rows.append((f"d{which}", kind, at.isoformat(), value, chance.choice(("消防通道", "甲", "乙")), "K1"))
    rows.append(("d9", kinds[0], (EVENTFUL + timedelta(days=40)).isoformat(), 0, "甲", "K2"))
    path = folder / "weeks.csv"
    path.write_text("device,kind,at,value,token,whose\n" + "".join(",".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")
    return path


def test_every_operator_is_explained_by_the_page_s_examples() -> None:
    used = {key for text in EXAMPLES for key in re.findall(r"[a-z_]+(?=:)", text)}
    assert {*OPERATORS, *MODIFIERS} - used <= {"any"}


@pytest.mark.parametrize("text", EXAMPLES, ids=[text.split("\n")[1].strip(" :") for text in EXAMPLES])
def test_each_operator_says_why_and_why_not(text: str, tmp_path: Path) -> None:
    """Every change of an alarm, every condition with whether it holds, in both languages; of a key with one reading why there is none."""
    rules = tmp_path / "detect.yaml"
    rules.write_text(text, encoding="utf-8")
    found = detectors(read(text, "detect.yaml").data, signal_kinds(), 1)
    names = {kind.number: name for name, kind in signal_kinds().items()}
    kinds = sorted({names[kind] for one in found for kind in kinds_asked_for(one)}) or ["motion"]
    asked: list[Any] = [rules, weeks_of(kinds, tmp_path), "--to", "2026-05-25", "--lateness", "1h"]
    asked += [word for by in {one.by for one in found} - {"device"} for word in ("--column", f"{by}=whose")]
    asked += [word for fact in ("lives_alone", "elder", "key_place") if f"{fact}: true" in text for word in ("--fact", f"{fact}=yes")]
    plain = run(*asked)
    for one in found:
        key = "d0" if one.by == "device" else "K1"
        mine = [json.loads(line) for line in plain.stdout.splitlines() if json.loads(line)["detector"] == one.id]
        changes = sorted((row["what"], to_local(row["at"])) for row in mine if row["key"] == key)
        for lang in ("zh", "en"):
            lines = run(*asked, "--only", one.id, "--explain", key, "--lang", lang).stdout.splitlines()
            said = {what: say(f"doors.detect_why_{what}", lang, at="@", severity="#") for what in ("raised", "stepped", "cleared")}
            told = [
                (what, match[1])
                for line in lines
                for what, form in said.items()
                if (match := re.fullmatch(re.escape(form).replace("@", "([0-9: -]+)").replace(re.escape("#"), ".+"), line.strip()))
            ]
            assert sorted(told) == changes
            assert changes, "the weeks were to make it hold"
            marks = [say(f"doors.detect_why_{state}", lang) for state in ("on", "off")]
            parts = [part for top in (one.when, *(step.when for step in one.steps)) for part in parts_of(top)]
            assert sum(line.strip().startswith(tuple(marks)) for line in lines) == len(parts)
            teller = Teller(signal_kinds(), lang, WorkingCalendar(), zone_names([text]))
            assert lines[1] == teller.sentence(one) or "zones" in text
            assert not any(re.search(r"[{}]|None|nan", line) for line in lines)
            other = run(*asked, "--only", one.id, "--explain", "d9" if one.by == "device" else "K2", "--lang", lang).stdout
            assert say("doors.detect_why_none", lang) in other or "absence" in text or "unanswered" in text or "silence" in text


def to_local(at: str) -> str:
    return (datetime.fromisoformat(at) + timedelta(hours=8)).strftime("%Y-%m-%d %H:%M:%S")
