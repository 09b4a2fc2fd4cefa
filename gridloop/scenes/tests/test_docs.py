"""The reference of packs names every word a pack, a process or a story may use."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gridloop.flow.engine import load_process
from gridloop.scenes.loading import PROCESSES, ROOT, load
from gridloop.scenes.stories.reading import stories_of
from gridloop.scenes.stories.story import ACT_WORDS, KINDS, PLACES, Should
from gridloop.scenes.tests.packkit import KNOWN, copy_of
from gridloop.sdk.pack import AUDIENCES, CHANNELS, FILES, NOTICE_NAMES, SIGNAL_NAMES

PAGE = (ROOT / "docs" / "reference" / "packs.md").read_text(encoding="utf-8")
WORDS = {
    *ACT_WORDS.values(),
    *KINDS,
    *PLACES,
    *(str(field.alias) for field in Should.model_fields.values()),
    *AUDIENCES,
    *CHANNELS,
    *NOTICE_NAMES,
    *SIGNAL_NAMES,
    *(f"{name}.yaml" for name in FILES),
}


@pytest.mark.parametrize("word", sorted(WORDS))
def test_word_is_documented(word: str) -> None:
    assert word in PAGE


def test_every_process_is_documented_with_its_parameters() -> None:
    for path in PROCESSES.glob("*.bpmn"):
        process = load_process(path.read_bytes(), path.name)
        row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{process.name}`"))
        assert all(f"`{name}`" in row for name in (*process.params, *process.messages))


def test_the_example_story_plays(tmp_path: Path) -> None:
    story = next(block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "场景:" in block)
    pack = copy_of("illegal_parking", tmp_path)
    (pack / "stories" / "x.yaml").write_text(story, encoding="utf-8")
    stories, wrongs = stories_of(load(pack, KNOWN))
    assert (wrongs, "x.yaml" in stories) == ([], True)
