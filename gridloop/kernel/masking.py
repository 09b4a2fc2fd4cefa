"""Secrets never stand in logs: what looks like one is covered before a line is written, whoever writes it."""

from __future__ import annotations

import logging
import re
from collections.abc import MutableMapping
from typing import Any

COVER = "***"
_NAMES = "|".join(
    (
        *("authorization", "cookie", "set-cookie", "password\\w*", "oldpassword", "secret\\w*", "client_secret", "token", "api[_-]?key"),
        *("csrfmiddlewaretoken", "csrftoken", "x-csrftoken", "sessionid"),
    )
)
_PATTERNS = (
    re.compile(r"\bgl_[A-Za-z0-9_-]{20,}"),  # API tokens, wherever they stand
    re.compile(r"(?i)(?<=bearer )[A-Za-z0-9._~+/=-]+"),
    re.compile(r"(?i)(?<=basic )[A-Za-z0-9+/=]{8,}"),
    re.compile(r"(?i)(?<=[?&;])((?:key|pass|token|code|state)=)[^&\s\"'#]+"),  # links of reporters' pages, evidence, the city's log-in
    re.compile(r"(?<=://)([^/\s:@]+:)[^/\s@]+(?=@)"),  # user:password@host
    re.compile(rf"(?i)(\"?'?\b(?:{_NAMES})\b\"?'?\s*[:=]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&}})\]]+)"),
)
_SECRET_KEYS = re.compile(rf"(?i)^(?:{_NAMES}|key|pass)$")


def masked(text: str) -> str:
    """The text with every secret covered."""
    for pattern in _PATTERNS:
        text = pattern.sub(lambda m: (m.group(1) if m.re.groups else "") + COVER, text)
    return text


class MaskingFormatter(logging.Formatter):
    """Covers the finished line, exceptions and their tracebacks included."""

    def format(self, record: logging.LogRecord) -> str:
        return masked(super().format(record))


def mask_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor."""
    for name, value in event.items():
        if _SECRET_KEYS.match(name):
            event[name] = COVER
        elif isinstance(value, str):
            event[name] = masked(value)
    return event


def guard_logs() -> None:
    """Every handler of this process and structlog write covered lines from now on."""
    import structlog

    for handler in logging.getLogger().handlers:
        old = handler.formatter
        handler.setFormatter(MaskingFormatter(old._fmt if old else None))
    known = structlog.get_config()["processors"]
    if mask_event not in known:
        structlog.configure(processors=[*known[:-1], _mask_exception, mask_event, known[-1]])


def _mask_exception(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A traceback as text, so that it is covered like everything else."""
    import structlog

    return structlog.processors.format_exc_info(_, __, event) if event.get("exc_info") else event
