"""One clock per deployment. It lives in ``clock.json`` of the data directory, so that every process and every replay agrees.

``now = clock_start + (real - real_start) * rate``. Without the file the clock is the real one.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

FILE_NAME = "clock.json"
CHECK_EVERY = 0.05  # seconds between looks at the file's stamp

_lock = threading.Lock()
_fixed: datetime | None = None
_checked_at = 0.0
_stamp: tuple[int, int] | None = None
_setting: tuple[float, float, float] | None = None  # real_start, clock_start, rate (Unix seconds)


def _path() -> Path | None:
    folder = os.environ.get("GRIDLOOP_DATA_DIR")
    return Path(folder) / FILE_NAME if folder else None


def _load() -> tuple[float, float, float] | None:
    """What the file says. Who comes while another thread reads it waits for what it finds: a process that has just started must not take

    the real clock for its own.
    """
    global _checked_at, _stamp, _setting
    if time.monotonic() - _checked_at < CHECK_EVERY:
        return _setting
    with _lock:
        monotonic = time.monotonic()
        if monotonic - _checked_at < CHECK_EVERY:
            return _setting
        path = _path()
        try:
            stat = path.stat() if path else None
        except FileNotFoundError:
            stat = None
        if path is None or stat is None:
            _stamp, _setting = None, None
        elif _stamp != (stat.st_mtime_ns, stat.st_ino):
            raw = json.loads(path.read_text(encoding="utf-8"))
            _setting = (float(raw["real_start"]), float(raw["clock_start"]), float(raw["rate"]))
            _stamp = (stat.st_mtime_ns, stat.st_ino)
        _checked_at = monotonic
    return _setting


def now() -> datetime:
    """The deployment's time, aware, UTC."""
    if _fixed is not None:
        return _fixed
    setting = _load()
    if setting is None:
        return datetime.now(UTC)
    real_start, clock_start, rate = setting
    return datetime.fromtimestamp(clock_start + (time.time() - real_start) * rate, UTC)


def at_real(timestamp: float) -> datetime:
    """The deployment's time at a real moment (Unix seconds): the same answer each time it is asked, until the clock is moved."""
    if _fixed is not None:
        return _fixed
    setting = _load()
    if setting is None:
        return datetime.fromtimestamp(timestamp, UTC)
    real_start, clock_start, rate = setting
    return datetime.fromtimestamp(clock_start + (timestamp - real_start) * rate, UTC)


def rate() -> float:
    """Deployment seconds per real second."""
    setting = _load()
    return setting[2] if setting else 1.0


def set_clock(start: datetime, speed: float = 1.0, folder: Path | None = None) -> None:
    """Move the deployment clock for every process that shares the data directory."""
    global _checked_at
    path = folder / FILE_NAME if folder else _path()
    if path is None:
        raise ValueError("GRIDLOOP_DATA_DIR is not set: there is no deployment whose clock could be moved")
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(json.dumps({"real_start": time.time(), "clock_start": start.timestamp(), "rate": speed}), encoding="utf-8")
    temporary.replace(path)
    _checked_at = 0.0


@contextmanager
def fixed(at: datetime) -> Iterator[None]:
    """Hold the clock of this process still, for tests and stories."""
    global _fixed
    before, _fixed = _fixed, at
    try:
        yield
    finally:
        _fixed = before
