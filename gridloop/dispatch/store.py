"""The learners' files: ``<data folder>/models/<version>/``, read by every process of the machine while the worker writes.

A table is a file mapped into memory: a proposal reads some hundred rows of it, and what the worker has learned is there at once for
everybody. A row read while it is written mixes two neighbouring states of one learner, which is no worse than either of them. Its whole
room is taken on the disk when it is made: a disk that fills up later must not kill who writes into the mapping (SIGBUS).

Proposals are a help, not a need: files that cannot be read count as nothing learned, and learning begins anew.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import logging
import math
import os
import shutil
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from hashlib import sha256
from pathlib import Path
from typing import Literal

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from gridloop.dispatch.learner import Learner
from gridloop.dispatch.messages import HEADS
from gridloop.dispatch.rules import MARKS

MIN_ROOM = 32
Known = Mapping[str, Sequence[str]]
log = logging.getLogger(__name__)


@dataclass
class Model:
    """The three learners of one version, and how many cases of each type they have seen decided.

    ``stamp``: change time of the labels' file as it was last read.
    """

    folder: Path
    heads: dict[str, Learner] = field(default_factory=dict)
    decided: Counter[str] = field(default_factory=Counter)
    stamp: int = 0

    @cached_property
    def labels(self) -> Path:
        return self.folder / "labels.json"

    @property
    def version(self) -> str:
        return self.folder.name


_lock = threading.Lock()
_open: dict[bool, Model] = {}


def root() -> Path:
    return Path(settings.DATA_DIR) / "models"


def current() -> str:
    """The version in use, '' before anything was learned."""
    try:
        return _beneath(settings.DATA_DIR, "current").read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


@cache
def _beneath(data_dir: Path, name: str) -> Path:
    """A proposal asks five times: what is looked at each time is the file, not how it is called."""
    return data_dir / "models" / name


def reader() -> Model | None:
    """The learners as they stand, for proposals; None before anything was learned."""
    return _opened(write=False)


def writer(known: Known) -> Model:
    """The learners for learning; an empty version is made when there is none."""
    model = _opened(write=True)
    if model is None:
        made = create(known)
        put_in_use(made)
        model = _opened(write=True)
        assert model is not None
    return model


def _opened(write: bool) -> Model | None:
    version = current()
    if not version:
        return None
    with _lock:
        model = _open.get(write)
        try:
            folder = _beneath(settings.DATA_DIR, version)
            if model is None or model.folder != folder:
                model = _open[write] = _load(folder, write)
            else:
                _refresh(model)  # the writer too: another worker may have learned since
        except (OSError, ValueError, KeyError) as why:
            log.warning("learners of version %s cannot be read: %r", version, why)
            _open.pop(write, None)
            return None
        return model


def _load(folder: Path, write: bool) -> Model:
    mode: Literal["r+", "r"] = "r+" if write else "r"
    heads = {
        head: Learner(np.load(folder / f"{head}.table.npy", mmap_mode=mode), np.load(folder / f"{head}.strength.npy", mmap_mode=mode))
        for head in HEADS
    }
    model = Model(folder, heads)
    _refresh(model)
    return model


def _refresh(model: Model) -> None:
    """Read labels and counts again when the worker has written them since."""
    stamp = model.labels.stat().st_mtime_ns
    if stamp == model.stamp:
        return
    content = json.loads(model.labels.read_text(encoding="utf-8"))
    for head, learner in model.heads.items():
        learner.labels, learner.counts = content["heads"][head]
    model.decided = Counter(content["decided"])
    model.stamp = stamp


def create(known: Known) -> Model:
    """A version that has learned nothing, not in use yet.

    ``known``: labels by head. A label known from the start, though never seen, keeps its share of the probability: otherwise the first
    one learned would be certain whatever is said. There is room for a third more than are known.
    """
    root().mkdir(parents=True, exist_ok=True)
    folder = _next_folder()
    heads = {}
    for head in HEADS:
        labels = list(known.get(head, ()))
        room = max(MIN_ROOM, math.ceil(len(labels) * 4 / 3 / MIN_ROOM) * MIN_ROOM)
        heads[head] = Learner(
            _made(folder / f"{head}.table.npy", (MARKS, room)), _made(folder / f"{head}.strength.npy", (MARKS,)), labels, [0] * len(labels)
        )
    model = Model(folder, heads)
    keep_labels(model)
    return model


def _next_folder() -> Path:
    while True:  # somebody else may take the same number
        number = 1 + max((int(p.name) for p in root().iterdir() if p.name.isdigit()), default=0)
        with contextlib.suppress(FileExistsError):
            folder = root() / f"{number:06d}"
            folder.mkdir()
            return folder


def _made(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros written out, not a sparse file; OSError when the disk has no room."""
    np.save(path, np.zeros(shape, np.float32))
    made: NDArray[np.float32] = np.load(path, mmap_mode="r+")
    return made


def keep_labels(model: Model) -> None:
    """Write labels and counts whole, after the rows they belong to."""
    heads = {head: (learner.labels, learner.counts) for head, learner in model.heads.items()}
    content = {"heads": heads, "decided": model.decided}
    _replace(model.labels, json.dumps(content, ensure_ascii=False))


def put_in_use(model: Model) -> None:
    """From now on everybody reads this version; older ones go, but the one before it, which others may still hold open."""
    _replace(root() / "current", model.version)
    for old in sorted(p for p in root().iterdir() if p.name.isdigit())[:-2]:
        if old.name < model.version:
            shutil.rmtree(old, ignore_errors=True)


def _replace(path: Path, content: str) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(content, encoding="utf-8")
    temporary.replace(path)


def forget() -> None:
    """Drop what this process holds open."""
    with _lock:
        _open.clear()


def digest(about: str) -> str:
    """Key under which equal matters meet; with the deployment's secret, so that nobody can try words on a copy of the table."""
    return hmac.new(settings.SECRET_KEY.encode(), about.encode(), sha256).hexdigest()[:32]
