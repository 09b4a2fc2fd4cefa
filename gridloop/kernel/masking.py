"""Secrets never stand in logs: what looks like one is covered before a line is written, whoever writes it."""

from __future__ import annotations

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


def mask_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor; what stands inside lists and dictionaries is covered, too."""
    for name, value in event.items():
        event[name] = COVER if _SECRET_KEYS.match(name) else _covered(value)
    return event


def _covered(value: Any) -> Any:
    if isinstance(value, str):
        return masked(value)
    if isinstance(value, dict):
        return {key: COVER if _SECRET_KEYS.match(str(key)) else _covered(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_covered(one) for one in value]
    return value if value is None or isinstance(value, int | float) else masked(str(value))  # a request tells its address
