"""Overload: a request that has waited too long for a free hand is refused at once, so that the queue stays short.

The edge notes when a request came in (``X-Request-Start``, milliseconds, overwriting what a caller sends). Looking round waits less
long than acting, and a report from outside waits longest: when hands are short, what is already someone's duty or distress goes first.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from gridloop.doors.figures import SHED
from gridloop.kernel.texts import say

LOOKING, ACTING, REPORTING = 1.5, 3.0, 5.0  # seconds
LONGEST = 120.0  # a wait beyond it is a clock that was set, not a queue
RETRY_AFTER: Final = 3
REPORTS = "/api/v1/reports"
_ALWAYS = ("/healthz", "/readyz", "/metrics")  # overload is when the figures are wanted

Environ = dict[str, Any]
Start = Callable[[str, list[tuple[str, str]]], Any]
Application = Callable[[Environ, Start], Iterable[bytes]]


def patience(method: str, path: str) -> float:
    """How many seconds a request may have waited before it is better refused than served."""
    if path in _ALWAYS:
        return LONGEST
    if path == REPORTS:
        return REPORTING
    return LOOKING if method in ("GET", "HEAD", "OPTIONS") else ACTING


def waited(environ: Environ, now: float) -> float:
    """Seconds since the edge took the request in; 0 when it does not say."""
    word = str(environ.get("HTTP_X_REQUEST_START", ""))
    if not (word.isascii() and word.isdigit()) or len(word) > 15:
        return 0.0
    seconds = now - int(word) / 1000
    return seconds if 0.0 < seconds < LONGEST else 0.0


def shed_late(application: Application, silent: Callable[[], bool] = lambda: False) -> Application:
    """The application behind a door that refuses what waited too long with 429 and ``Retry-After``.

    While the database is ``silent``, what waited is let through to hear just that, in the same words as those who come later.
    """

    def door(environ: Environ, start: Start) -> Iterable[bytes]:
        if waited(environ, time.time()) <= patience(environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")) or silent():
            return application(environ, start)
        SHED.inc()  # Django, which counts requests, never sees it
        lang = "en" if environ.get("HTTP_ACCEPT_LANGUAGE", "").startswith("en") else "zh"
        body = {"type": "urn:gridloop:doors.overloaded", "title": say("doors.status_429", lang), "status": 429, "errors": []}
        body["detail"] = say("doors.overloaded", lang, seconds=RETRY_AFTER)
        start("429 Too Many Requests", [("Content-Type", "application/problem+json"), ("Retry-After", str(RETRY_AFTER))])
        return [orjson.dumps(body)]

    return door
