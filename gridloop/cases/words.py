"""The words of many cases at once: pairs of neighbouring characters, as ``gl_pairs`` makes them of one case (migration 0013).

A posting is a key and the cases that hold it. The key is the fortnight (12 bits) above the pair (two characters of 21 bits), or above
a tag: a number beyond every pair that says whose the case is. A case is written as the second of its fortnight (21 bits) above its id
(42 bits), so that the greatest is the newest. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Ints = NDArray[np.int64]

FORTNIGHT = 1_209_600  # seconds
TAGS = 0x110000 << 21  # no character goes so far
UNIT_TAGS = TAGS + 10**12  # territories are numbers of at most twelve digits
REGION_DIGITS = (9, 12)  # town and village: most who look see one of these
LONG_NUMBER = r"[0-9０-９][0-9０-９ 　－-]{5,}[0-9０-９XxＸｘ]"  # as gl_shown has it once letters and digits are folded
_ROW = 20  # bits of a row's number: a chunk has fewer than a million
_BIGINT = 20  # its oid
_COPY_HEAD = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_END = b"\xff\xff"


def _folding() -> NDArray[np.uint32]:
    """Each character as it is looked for: small letters and narrow forms."""
    table = np.arange(0x110000, dtype=np.uint32)
    for capital, small, count in ((0x41, 0x61, 26), (0xFF21, 0x61, 26), (0xFF41, 0x61, 26), (0xFF10, 0x30, 10)):
        table[capital : capital + count] = np.arange(small, small + count)
    return table


_FOLDED = _folding()


@dataclass(frozen=True, slots=True)
class Words:
    """``keys``: distinct, rising; ``places``: index of the key << 20 | row, distinct, rising; ``seconds``: of each row in its fortnight."""

    keys: Ints
    places: Ints
    seconds: Ints


def words_of(title: Any, address: Any, said: Any, region: Any, unit: Any, reported_at: Any) -> Words:
    """Of columns of equal length (pyarrow; texts without nulls, ``reported_at`` in microseconds)."""
    at = np.floor_divide(reported_at.cast(pa.int64()).to_numpy(zero_copy_only=False), 1_000_000)
    fortnight = np.floor_divide(at, FORTNIGHT)
    above = (fortnight & 4095) << 42
    pairs, rows = [], []
    for column in (title, address, pc.replace_substring_regex(said, LONG_NUMBER, "*")):
        pair, row = _pairs(column)
        pairs.append(pair)
        rows.append(row)
    for tag, row in _tags(region, unit):
        pairs.append(tag)
        rows.append(row)
    row = np.concatenate(rows)
    keys, key = _numbered(np.concatenate(pairs) + above[row])
    places = np.sort((key << _ROW) | row)
    if len(places):
        places = places[np.concatenate(([True], places[1:] != places[:-1]))]
    return Words(keys, places, at - fortnight * FORTNIGHT)


def _numbered(values: Ints) -> tuple[Ints, Ints]:
    """The distinct values, rising, and of each its place among them. By hash: few are distinct, and to sort all is five times as dear."""
    coded = pa.array(values).dictionary_encode()
    distinct = coded.dictionary.to_numpy()
    order = np.argsort(distinct)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return distinct[order], place[coded.indices.to_numpy()]


def _pairs(texts: Any) -> tuple[Ints, Ints]:
    """Every two neighbouring characters, and the row they stand in."""
    joined = "".join(texts.to_pylist())
    letters = _FOLDED[np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32)].astype(np.int64)
    rows = np.repeat(np.arange(len(texts), dtype=np.int64), pc.utf8_length(texts).to_numpy(zero_copy_only=False))
    same = rows[1:] == rows[:-1]
    return ((letters[:-1] << 21) | letters[1:])[same], rows[1:][same]


def _tags(region: Any, unit: Any) -> list[tuple[Ints, Ints]]:
    """Town, village and unit of each row."""
    coded = region.dictionary_encode()
    which = coded.indices.to_numpy(zero_copy_only=False)
    tags = []
    for digits in REGION_DIGITS:
        numbers = np.array([_number(code[:digits], digits) for code in coded.dictionary.to_pylist()], dtype=np.int64)
        rows = np.flatnonzero(numbers[which] >= 0) if len(numbers) else np.empty(0, dtype=np.int64)
        tags.append((TAGS + numbers[which[rows]], rows))
    rows = np.flatnonzero(pc.is_valid(unit).to_numpy(zero_copy_only=False))
    tags.append((UNIT_TAGS + pc.fill_null(unit, 0).to_numpy(zero_copy_only=False).astype(np.int64)[rows], rows))
    return tags


def _number(code: str, digits: int) -> int:
    return int(code) if len(code) == digits and code.isascii() and code.isdecimal() else -1


def postings(words: Words, ids: Ints, kept: NDArray[np.bool_]) -> bytes:
    """What ``COPY … (key, cases) FROM STDIN (FORMAT binary)`` is given; rows that are not ``kept`` are left out."""
    row = words.places & ((1 << _ROW) - 1)
    key = words.places >> _ROW
    if not kept.all():
        key, row = key[kept[row]], row[kept[row]]
    if not len(key):
        return _COPY_HEAD + _COPY_END
    first = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
    counts = np.diff(np.append(first, len(key)))
    head = np.zeros(len(first), dtype=_POSTING)
    head["fields"], head["key_size"], head["key"] = 2, 8, words.keys[key[first]]
    head["size"], head["dimensions"], head["kind"], head["count"], head["from"] = 20 + 12 * counts, 1, _BIGINT, counts, 1
    body = np.zeros(len(key), dtype=_ENTRY)
    body["size"], body["case"] = 8, (words.seconds[row] << 42) | ids[row]
    steps = np.empty(2 * len(first), dtype=np.int64)  # of two bytes, which both kinds have whole: a head, its bodies, a head …
    steps[0::2], steps[1::2] = _POSTING.itemsize // 2, _ENTRY.itemsize // 2 * counts
    is_head = np.repeat(np.tile([True, False], len(first)), steps)
    out = np.empty(len(is_head), dtype=np.uint16)
    out[is_head], out[~is_head] = head.view(np.uint16), body.view(np.uint16)
    return _COPY_HEAD + out.tobytes() + _COPY_END


_POSTING = np.dtype(
    [("fields", ">i2"), ("key_size", ">i4"), ("key", ">i8"), ("size", ">i4")]
    + [(name, ">i4") for name in ("dimensions", "nulls", "kind", "count", "from")]
)
_ENTRY = np.dtype([("size", ">i4"), ("case", ">i8")])
