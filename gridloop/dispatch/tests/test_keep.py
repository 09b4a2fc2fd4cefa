"""The learners' files: shared between who learns and who proposes, and no harm when they are broken."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gridloop.dispatch import store
from gridloop.dispatch.messages import HEADS
from gridloop.dispatch.rules import gather, word_marks

MARKS = gather(word_marks("路灯不亮", "app", "990101"))


def teach(label: str, times: int = 1) -> None:
    model = store.writer({})
    for _ in range(times):
        model.heads["type"].learn(*MARKS, label)
    store.keep_labels(model)


def guessed() -> str:
    model = store.reader()
    assert model is not None
    return model.heads["type"].guess(*MARKS).labels[0][0]


def test_a_reader_sees_what_was_learned_since(learners: Path) -> None:
    assert store.reader() is None
    teach("01037")
    assert guessed() == "01037"
    teach("01002", 20)
    assert guessed() == "01002"
    reader = store.reader()
    assert reader is not None
    assert reader.heads["type"].counts == [1, 20]


def test_two_workers_by_turns_lose_nothing(learners: Path) -> None:
    teach("01037")
    with store._lock:
        other = store._load(learners / store.current(), write=True)
    other.heads["type"].learn(*MARKS, "01002")
    store.keep_labels(other)
    teach("09009")
    assert other.heads["type"].labels == ["01037", "01002"]
    assert store.writer({}).heads["type"].labels == ["01037", "01002", "09009"]


def test_a_new_version_takes_over_and_the_one_before_it_stays(learners: Path) -> None:
    teach("01037")
    for _ in range(3):
        store.put_in_use(store.create({}))
    assert sorted(p.name for p in learners.iterdir() if p.is_dir()) == ["000003", "000004"]
    assert store.current() == "000004"
    reader = store.reader()
    assert reader is not None
    assert reader.heads["type"].labels == []


def test_a_version_not_in_use_yet_survives_the_tidying(learners: Path) -> None:
    teach("01037")
    coming = store.create({})
    store.put_in_use(store.create({}))
    assert coming.folder.is_dir()


def test_room_grows_with_the_labels(learners: Path) -> None:
    model = store.create({"unit": [str(n) for n in range(300)]})
    assert model.heads["unit"].table.shape[1] == 416
    assert model.heads["type"].table.shape[1] == store.MIN_ROOM
    for head in HEADS:
        path = model.folder / f"{head}.table.npy"
        assert path.stat().st_blocks * 512 >= path.stat().st_size, "no sparse file: a full disk would kill who writes"


@pytest.mark.parametrize("harm", ["gone", "cut", "nonsense"])
def test_broken_files_are_as_if_nothing_was_learned(learners: Path, harm: str) -> None:
    teach("01037")
    store.forget()
    folder = learners / store.current()
    if harm == "gone":
        shutil.rmtree(folder)
    elif harm == "cut":
        with (folder / "type.table.npy").open("r+b") as file:
            file.truncate(1000)
    else:
        (folder / "labels.json").write_text("{not json", encoding="utf-8")
    assert store.reader() is None
    teach("01002")
    assert guessed() == "01002"


def test_a_digest_needs_the_deployments_secret(learners: Path, settings: Any) -> None:
    before = store.digest("路灯不亮")
    settings.SECRET_KEY = "another"
    assert store.digest("路灯不亮") != before
    assert np.unique([store.digest("a"), store.digest("b")]).size == 2
