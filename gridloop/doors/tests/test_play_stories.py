"""Stories that cannot be read are told, not left out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from gridloop.doors.cli import packs
from gridloop.scenes.loading import PACKS, Loaded, load_all


@pytest.fixture
def spoilt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The packs of the program; a story of one goes back in time."""
    folder = tmp_path / "packs"
    shutil.copytree(PACKS, folder)
    story = folder / "thermal_fire" / "stories" / "90_spoilt.yaml"
    first = sorted(story.parent.glob("*.yaml"))[0].read_text(encoding="utf-8")
    story.write_text(first + "  - 时间: +0m\n    应当: {案件数: 1}\n", encoding="utf-8")

    def all_of(_: Path = PACKS) -> list[Loaded]:
        return load_all(folder)

    monkeypatch.setattr(packs, "load_all", all_of)
    return story


def test_a_story_that_cannot_be_read_ends_it_and_says_where(spoilt: Path) -> None:
    lines = len(spoilt.read_text(encoding="utf-8").splitlines())
    found = CliRunner().invoke(packs.play_stories, ["thermal_fire"])
    assert found.exit_code == 1
    assert f"thermal_fire/stories/90_spoilt.yaml:{lines - 1}: 时间 +0m" in found.output


def test_stories_of_other_packs_are_played(spoilt: Path) -> None:
    found = CliRunner().invoke(packs.play_stories, ["silent_home", "--story", "09"])
    assert (found.exit_code, found.output.splitlines()[-1]) == (0, "1 / 1")


def test_a_pack_from_elsewhere_is_played_by_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "silent_home"
    shutil.copytree(PACKS / "silent_home", folder)
    (story,) = (folder / "stories").glob("09_*.yaml")
    story.write_text(story.read_text(encoding="utf-8").replace("场景: ", "场景: 别处的", 1), encoding="utf-8")
    for word in (folder, folder / "stories", tmp_path):
        found = CliRunner().invoke(packs.play_stories, [str(word), "--story", "09"])
        assert (found.exit_code, found.output.splitlines()[-1]) == (0, "1 / 1"), found.output
        assert "别处的" in found.output, "the folder's story, not the program's"


def test_a_folder_without_packs_and_a_name_of_none_say_so(tmp_path: Path) -> None:
    for word, said in ((str(tmp_path), "no scene pack found in"), ("flying_cars", "no scene pack flying_cars, and no folder; there are")):
        found = CliRunner().invoke(packs.play_stories, [word])
        assert (found.exit_code, said in found.output) == (1, True), found.output


def test_a_story_that_cannot_be_read_is_told_in_the_language_asked_for(spoilt: Path) -> None:
    both, zh, en = (
        CliRunner().invoke(packs.play_stories, ["thermal_fire", *lang]).output for lang in ([], ["--lang", "zh"], ["--lang", "en"])
    )
    assert zh.removeprefix("Error: ").strip() in both
    assert en.removeprefix("Error: ").strip() in both
    assert zh != en
