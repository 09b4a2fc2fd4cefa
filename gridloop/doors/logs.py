"""One way of logging for every process: for people by default, JSON lines with ``GRIDLOOP_LOG_FORMAT=json``.

A line carries what is known where it is written: process, request id, job, verb, task, the case's code, the account's number. Never a
name, a body or the values inside a database's complaint; what looks like a secret is covered, whoever wrote it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from collections.abc import MutableMapping
from typing import Any
from uuid import uuid4

import structlog
from structlog.contextvars import get_contextvars, merge_contextvars

from gridloop.kernel.masking import mask_event, masked

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SHOWN = ("job", "case", "request")  # of the context, in lines for people
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # what would begin a line of its own, or move a terminal's cursor
Event = MutableMapping[str, Any]


def as_json() -> bool:
    """``GRIDLOOP_LOG_FORMAT``: ``json`` or ``text``."""
    return os.environ.get("GRIDLOOP_LOG_FORMAT", "text") == "json"


def request_id(sent: str) -> str:
    """The caller's ``X-Request-ID`` when it is a short word, else a new one."""
    return sent if _REQUEST_ID.fullmatch(sent) else uuid4().hex


def _not_the_address(record: logging.LogRecord) -> bool:
    """Of a request that was refused Django tells the whole address, with what people typed into it; we tell who was refused what.

    A filter, because Django takes back the levels of its loggers when it begins.
    """
    return record.name != "django.request" or record.levelno >= logging.ERROR


def set_up(process: str) -> None:
    """Once per process, before its work: libraries speak up when something is wrong; only we tell what goes on."""
    handler = logging.StreamHandler(sys.stdout)
    handler.addFilter(_not_the_address)
    handler.setFormatter(_json_lines(process) if as_json() else _ForPeople("%(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("gridloop").setLevel(logging.INFO)
    # one line per request and per fact is for machines that collect lines
    for chatty in ("gridloop.access_log", "gridloop.trace"):
        logging.getLogger(chatty).setLevel(logging.INFO if as_json() else logging.WARNING)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.stdlib.render_to_log_kwargs,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _json_lines(process: str) -> logging.Formatter:
    def place(_: Any, __: str, event: Event) -> Event:
        event["process"], event["pid"] = process, os.getpid()
        return event

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            place,
            _frames_only,
            mask_event,
        ],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer(ensure_ascii=False)],
    )


def _frames_only(_: Any, __: str, event: Event) -> Event:
    """A fault's kind, its first line and its frames: a database's further lines quote the row's values."""
    info = event.pop("exc_info", None)
    fault = info[1] if isinstance(info, tuple) else info
    if isinstance(fault, BaseException):
        frames = [f"{f.filename}:{f.lineno} {f.name}" for f in traceback.extract_tb(fault.__traceback__)]
        event["exception"] = {"kind": type(fault).__name__, "told": _first_line(fault), "frames": frames[-12:]}
    return event


def _first_line(fault: BaseException) -> str:
    return (str(fault).splitlines() or [""])[0][:200]


class _ForPeople(logging.Formatter):
    """The line and, behind it, where in the work it was written; of a fault its first line and its frames, too.

    A message is one line: who sends a break inside an address does not write a second one.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = _BREAKS.sub(lambda found: repr(found[0])[1:-1], record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        fault, told = ei[1], list[str]()
        while fault is not None and len(told) < 5:
            frames = "".join(traceback.format_tb(fault.__traceback__))
            told.append(f"Traceback (most recent call last):\n{frames}{type(fault).__name__}: {_first_line(fault)}")
            fault = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)
        return "\n\nwhich came of this or while handling it:\n\n".join(reversed(told))

    def format(self, record: logging.LogRecord) -> str:
        context = {**get_contextvars(), **{k: v for k, v in vars(record).items() if k in _SHOWN}}
        words = " ".join(f"{name}={context[name]}" for name in _SHOWN if name in context)
        text = super().format(record)
        head, _, rest = text.partition("\n")
        return masked(f"{head}{f' [{words}]' if words else ''}{chr(10) + rest if rest else ''}")
