"""From the bytes of a request to raw items; what cannot be read is told item by item as far as items can be told apart."""

from __future__ import annotations

import json
import zlib
from typing import Any

import orjson

from gridloop.kernel.errors import Fault, TooMuch
from gridloop.signals.rules import ItemFault

MOST_BYTES = 16 * 2**20
MOST_ITEMS = 10_000
BOM = b"\xef\xbb\xbf"


class Unsupported(Fault):
    """A coding we do not read (415)."""

    status = 415


def unpack(body: bytes, coding: str) -> bytes:
    """The body without its content coding, never more than ``MOST_BYTES``."""
    if coding in ("", "identity"):
        return body
    if coding != "gzip":
        raise Unsupported("signals.bad_coding", coding=coding[:40])
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(body, MOST_BYTES + 1)
    except zlib.error:
        raise Fault("signals.bad_gzip") from None
    if len(plain) > MOST_BYTES:
        raise TooMuch("signals.too_large", most=MOST_BYTES // 2**20)
    if not unpacker.eof:
        raise Fault("signals.bad_gzip")
    return plain


def items(body: bytes, ndjson: bool) -> list[object]:
    """Raw items in order; an unreadable line of NDJSON stands as its ``ItemFault``."""
    body = body.removeprefix(BOM)
    if not body or body.isspace():
        raise Fault("signals.empty")
    if ndjson:
        found = _lines(body)
    else:
        try:
            whole = loads(body)
        except ValueError as fault:
            found = _lines(body) if _looks_like_lines(body) else _malformed(fault)
        else:
            found = whole if isinstance(whole, list) else [whole]
    if not found:
        raise Fault("signals.empty")
    if len(found) > MOST_ITEMS:
        raise TooMuch("signals.too_many", most=MOST_ITEMS)
    return found


def _malformed(fault: ValueError) -> list[object]:
    if isinstance(fault, json.JSONDecodeError):
        raise Fault("signals.malformed", line=fault.lineno, column=fault.colno) from fault
    raise Fault("signals.too_deep") from fault


def _looks_like_lines(body: bytes) -> bool:
    """NDJSON sent as plain JSON: the first line alone is an object."""
    first, _, rest = body.strip().partition(b"\n")
    if not rest:
        return False
    try:
        return isinstance(loads(first), dict)
    except ValueError:
        return False


def _lines(body: bytes) -> list[object]:
    found: list[object] = []
    for line in body.split(b"\n"):
        if not line.strip():
            continue
        if len(found) >= MOST_ITEMS:
            raise TooMuch("signals.too_many", most=MOST_ITEMS)
        try:
            found.append(loads(line))
        except ValueError as fault:
            column = fault.colno if isinstance(fault, json.JSONDecodeError) else 0
            found.append(ItemFault("", "signals.line_malformed", column=column) if column else ItemFault("", "signals.too_deep"))
    return found


def loads(text: bytes) -> Any:
    """Strict JSON; bytes that are not UTF-8 become lone surrogates, so that only the item that holds them is refused."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        try:
            return json.loads(text.decode("utf-8", "surrogateescape"))
        except RecursionError:
            raise ValueError("nested too deep") from None
