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
