"""What waited too long is refused, by how much it matters; nothing else is."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import orjson
import pytest

from gridloop.doors.figures import SHED
from gridloop.doors.http.shedding import ACTING, LONGEST, LOOKING, REPORTING, REPORTS, Environ, Start, shed_late, waited

CASES = "/api/v1/cases"


def answer(method: str, path: str, started: str | None, lang: str = "", silent: bool = False) -> tuple[str, dict[str, str], bytes]:
    def inner(environ: Environ, start: Start) -> Iterable[bytes]:
        start("200 OK", [])
        return [b"served"]

    said: list[Any] = []
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_ACCEPT_LANGUAGE": lang}
    if started is not None:
        environ["HTTP_X_REQUEST_START"] = started
    body = b"".join(shed_late(inner, lambda: silent)(environ, lambda status, headers: said.append((status, dict(headers)))))
    return said[0][0], said[0][1], body


def ago(seconds: float) -> str:
    return str(int((time.time() - seconds) * 1000))


@pytest.mark.parametrize(
    ("method", "path", "limit"), [("GET", CASES, LOOKING), ("POST", f"{CASES}/1/accept", ACTING), ("POST", REPORTS, REPORTING)]
)
def test_each_kind_has_its_own_patience(method: str, path: str, limit: float) -> None:
    assert answer(method, path, ago(limit - 0.5))[2] == b"served"
    before = SHED._value.get()
    status, headers, body = answer(method, path, ago(limit + 0.5))
    assert status.startswith("429")
    assert int(headers["Retry-After"]) > 0
    assert headers["Content-Type"] == "application/problem+json"
    assert orjson.loads(body)["status"] == 429
    assert SHED._value.get() == before + 1


def test_the_refusal_speaks_the_callers_language() -> None:
    zh, en = (orjson.loads(answer("GET", CASES, ago(9), lang)[2])["detail"] for lang in ("", "en-GB,en"))
    assert "没有做任何改动" in zh
    assert "nothing was changed" in en


def test_while_the_database_is_silent_the_application_says_so() -> None:
    assert answer("GET", CASES, ago(9), silent=True)[2] == b"served"


@pytest.mark.parametrize("word", [None, "", "soon", "-5", "9" * 16, "١٢٣"])
def test_what_says_nothing_useful_is_no_reason_to_refuse(word: str | None) -> None:
    assert answer("GET", CASES, word)[2] == b"served"


@pytest.mark.parametrize("seconds", [LONGEST + 5, -60])
def test_a_clock_that_was_set_is_no_reason_to_refuse(seconds: float) -> None:
    assert answer("GET", CASES, ago(seconds))[2] == b"served"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_whether_it_lives_is_always_told(path: str) -> None:
    assert answer("GET", path, ago(60))[2] == b"served"


def test_the_wait_is_read_in_milliseconds() -> None:
    assert waited({"HTTP_X_REQUEST_START": "1000000"}, 1001.5) == pytest.approx(1.5)
