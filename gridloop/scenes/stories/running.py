"""Runs the stories of packs in memory and says how each went."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from gridloop.scenes.loading import Loaded
from gridloop.scenes.stories.acting import MemoryStage
from gridloop.scenes.stories.player import Played, play
from gridloop.scenes.stories.reading import stories_of
from gridloop.scenes.stories.story import Story


@dataclass(frozen=True, slots=True)
class Result:
    """One story of one pack: passed when nothing failed."""

    pack: str
    file: str
    story: Story
    played: Played

    @property
    def passed(self) -> bool:
        return not self.played.failures


def play_in_memory(packs: list[Loaded], only: Iterable[str] = (), start: datetime | None = None, story: str = "") -> list[Result]:
    """Every readable story of the named packs (none named = all), each on a fresh world with all packs installed.

    ``story``: only those whose file's name begins so.
    """
    wanted = set(only)
    results = []
    for loaded in packs:
        if wanted and loaded.name not in wanted:
            continue
        for file, one in stories_of(loaded)[0].items():
            if not file.startswith(story):
                continue
            stage = MemoryStage(packs, start or one.starts_at, on_record=one.on_record)
            results.append(Result(loaded.name, file, one, play(one, stage)))
    return results
