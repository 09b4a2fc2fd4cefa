"""A line says where it was written; a fault in it quotes no row."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog
from django.http import HttpResponse
from django.utils.log import configure_logging, log_response
from structlog.contextvars import bound_contextvars, clear_contextvars

from gridloop.doors import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    clear_contextvars()  # another test's job may stand there
    root, ours, lines = logging.getLogger(), logging.getLogger("gridloop"), structlog.get_config()
    before, level = (root.handlers[:], root.level), ours.level
    yield
    root.handlers[:], root.level = before
    ours.setLevel(level)
    structlog.configure(**lines)


NUMBER = "13900001111"


def _fail() -> None:
    raise ValueError(f"duplicate key\nDETAIL:  Key (phone)=({NUMBER}) already exists.")


def test_json_lines_carry_the_work_and_hide_values(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GRIDLOOP_LOG_FORMAT", "json")
    logs.set_up("worker")
    with bound_contextvars(job="cases.fire_due", case="YL1"):
        try:
            _fail()
        except ValueError:
            logging.getLogger("gridloop.worker").exception("job failed")
    out = capsys.readouterr().out
    line = json.loads(out)
    assert (line["process"], line["job"], line["case"], line["level"], line["event"]) == (
        "worker",
        "cases.fire_due",
        "YL1",
        "error",
        "job failed",
    )
    assert line["exception"]["kind"] == "ValueError"
    assert line["exception"]["told"] == "duplicate key"
    assert "_fail" in line["exception"]["frames"][-1]
    assert NUMBER not in out


def test_lines_for_people_end_with_the_work(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("GRIDLOOP_LOG_FORMAT", raising=False)
    logs.set_up("web")
    with bound_contextvars(request="r1"):
        logging.getLogger("gridloop.web").warning("slow", extra={"case": "YL2"})
        logging.getLogger("gridloop.access_log").info("request")
    assert capsys.readouterr().out == "WARNING gridloop.web: slow [case=YL2 request=r1]\n"


def test_faults_in_lines_for_people_quote_no_row_either(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("GRIDLOOP_LOG_FORMAT", raising=False)
    logs.set_up("web")
    try:
        try:
            _fail()
        except ValueError as cause:
            raise RuntimeError(f"not kept\nKey (phone)=({NUMBER})") from cause
    except RuntimeError:
        logging.getLogger("gridloop.web").exception("request failed")
    out = capsys.readouterr().out
    assert "ValueError: duplicate key\n" in out
    assert out.endswith("RuntimeError: not kept\n")
    assert "in _fail" in out
    assert NUMBER not in out


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_address_that_was_refused_is_not_told_with_what_was_typed(
    form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRIDLOOP_LOG_FORMAT", form)
    logs.set_up("web")
    configure_logging("logging.config.dictConfig", {})  # as Django does when it begins, after us
    log_response("Not Found: %s", f"/nothing/{NUMBER}", response=HttpResponse(status=404))
    logging.getLogger("django.request").error("this is told")
    out = capsys.readouterr().out
    assert "this is told" in out
    assert NUMBER not in out


@pytest.mark.parametrize("form", ["text", "json"])
def test_nobody_writes_a_line_of_their_own(form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GRIDLOOP_LOG_FORMAT", form)
    logs.set_up("web")
    logging.getLogger("gridloop.web").warning("unfit value at %s", "/api/v1/cases/x\nERROR gridloop.web: all is lost\r\x1b[2J路灯")
    line = capsys.readouterr().out
    assert line.count("\n") == 1
    assert not set("\r\x1b") & set(line)
    assert "路灯" in line


@pytest.mark.parametrize(("sent", "kept"), [("abc-1.2_x", True), ("", False), ("a b", False), ("x" * 65, False), ("a\n", False)])
def test_a_callers_request_id_is_a_short_word(sent: str, kept: bool) -> None:
    assert (logs.request_id(sent) == sent) is kept


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_stands_in_a_line_or_a_traceback(form: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("GRIDLOOP_LOG_FORMAT", form)
    before = logging.getLogger().handlers[:]
    try:
        logs.set_up("web")
        try:
            raise ValueError("/track/1?key=s3cretvalue_0123456789")
        except ValueError:
            logging.getLogger("gridloop.test").exception("failed for gl_s3cretvalue_0123456789-abcdefgh")
    finally:
        logging.getLogger().handlers[:] = before
    line = capsys.readouterr().out
    assert "s3cretvalue" not in line
    assert "ValueError" in line
    assert "***" in line
    assert form == "text" or json.loads(line.strip())["level"] == "error"
