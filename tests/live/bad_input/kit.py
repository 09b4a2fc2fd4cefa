"""What every answer to bad input owes: a problem document in the asked language; and ways to send what no library would."""

from __future__ import annotations

import re
import socket
from typing import Any

import httpx
import psutil
import psycopg

from tests.live.conftest import Live
from tests.signals.conftest import logged

LANGUAGES = ("zh", "en")
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_TOLD = re.compile(r"“[^”]*”|\"[^\"]*\"")  # what the sender wrote is told back in the sender's letters


def in_language(sentence: str, lang: str) -> bool:
    chinese = bool(_CHINESE.search(_TOLD.sub("", sentence)))
    return bool(sentence) and chinese == (lang == "zh")


def check_problem(answer: httpx.Response, status: int, key: str, lang: str, pointer: str | None = None) -> dict[str, Any]:
    """The document, after everything it owes was found in it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["type"] == f"urn:gridloop:{key}", told
    assert told["status"] == status
    assert in_language(told["title"], lang), told
    assert in_language(told["detail"], lang), told
    assert all(in_language(e["message"], lang) for e in told["errors"]), told
    if pointer is not None:
        assert pointer in [e["pointer"] for e in told["errors"]], told
    return told


def kept(live: Live, source: str) -> set[str]:
    """Ids in the signal log under a source."""
    return {s.id for s in logged(live.product.run()["urls"]["owner"]) if s.source == source}


def rows(live: Live, statement: str, *values: object) -> list[tuple[Any, ...]]:
    """As the owner of the tables."""
    with psycopg.connect(live.product.run()["urls"]["owner"]) as owner:
        return owner.execute(statement, values).fetchall()  # type: ignore[arg-type]  # statements of the tests, none made of input


def memory(live: Live, *names: str) -> int:
    """Bytes that processes of the product hold, those they have forked with them."""
    pids = live.product.pids()
    family = [p for name in names for p in (psutil.Process(pids[name]), *psutil.Process(pids[name]).children(recursive=True))]
    return sum(p.memory_info().rss for p in family)


def spoken(port: int, text: bytes, seconds: float = 10) -> bytes:
    """What comes back on one connection until it is closed or nothing more comes."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as line:
        line.sendall(text)
        try:
            while part := line.recv(65536):
                answer += part
        except (TimeoutError, ConnectionError):
            pass
    return answer
