"""Rows of historic cases read and checked in columns. What is not plainly right is left for the reader of single rows, who says why.

Both must agree on what is right: tests/imports/test_import_columns.py holds one against the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gridloop.cases.history import AT, ROWS
from gridloop.cases.rules import END_STATUSES
from gridloop.doors.cli.import_kinds import ZONE, BadCell, value_of
from gridloop.doors.cli.sheets import Block

CODE = re.compile(r"[0-9A-Za-z_-]{4,40}")
SOURCE = re.compile(r"[a-z_]{1,60}")
LONGEST = {"title": 200, "address": 300, "text": 5000, "source": 60}
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
_ZONED = _DAY + r"[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"
_NAIVE = _DAY + r"([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?)?$"
_EVEN = int(datetime(1992, 1, 1, tzinfo=ZONE).timestamp()) * 1_000_000  # since then China has one time all year
_AHEAD = 8 * 3_600_000_000
_FIGURE = r"^-?[0-9]{1,3}(\.[0-9]{1,12})?$"


@dataclass
class Known:
    """What cells of the run so far mean."""

    types: Mapping[str, Any]  # code → case type
    by_name: Mapping[str, str]  # name of a type → its code
    now: datetime
    regions: dict[str, bool] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)  # of regions
    units: dict[str, int | None] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)  # codes

    def type_of(self, cell: str) -> str:
        return cell if cell in self.types else self.by_name.get(cell.lower(), cell)


class Columns:
    """One block: its cells by field, defaults and words applied."""

    def __init__(self, block: Block, columns: Mapping[str, str], plan: Any, words: Mapping[str, Mapping[str, str]]) -> None:
        self.block, self.plan, self._words = block, plan, words
        self.count = block.cells.num_rows
        self.right = np.ones(self.count, dtype=bool)
        self._cells = {name: pc.utf8_trim_whitespace(block.cells[column]).combine_chunks() for name, column in columns.items()}
        for cells in self._cells.values():  # the quote that our own files put before a formula
            self._only(pc.invert(pc.starts_with(cells, "'")))

    def named(self, name: str) -> set[str]:
        """The different values of a field."""
        return set(self._texts(name).dictionary_encode().dictionary.to_pylist()) - {""}

    def rows(self, known: Known) -> tuple[pa.Table, list[Any]]:
        """Those that are right by ``history.ROWS``, and the lines of the others."""
        if self.plan.gcj02 and "lon" in self._cells:
            self.right[:] = False
        try:
            made = self._made(known)
        except pa.ArrowInvalid:  # a day that is none, such as 30 February
            self.right[:] = False
            made = {}
        others = self.block.lines(np.flatnonzero(~self.right))
        if not self.right.any():
            return ROWS.empty_table(), others
        table = pa.table({name: made[name] for name in ROWS.names}, schema=ROWS).filter(pa.array(self.right))
        known.seen.update(table["code"].to_pylist())
        return table, others

    def _texts(self, name: str) -> Any:
        default = self.plan.defaults.get(name, "")
        cells = self._cells.get(name)
        if cells is None:
            return pa.array([default] * self.count, pa.string())
        if words := self.plan.words.get(name) or self._words.get(name):
            coded = cells.dictionary_encode()
            meant = pa.array([words.get(cell, cell) or default for cell in coded.dictionary.to_pylist()], pa.string())
            return meant.take(coded.indices)
        return pc.if_else(pc.equal(cells, ""), default, cells) if default else cells

    def _only(self, mask: Any) -> None:
        self.right &= pc.fill_null(mask, False).to_numpy(zero_copy_only=False).astype(bool)

    def _coded(self, name: str, meaning: Callable[[str], Any], kind: pa.DataType) -> Any:
        """A field with few different values: what each means, None when it is not right."""
        coded = self._texts(name).dictionary_encode()
        meant = pa.array([meaning(cell) for cell in coded.dictionary.to_pylist()], kind)
        return meant.take(coded.indices)

    def _needed(self, name: str, meaning: Callable[[str], Any], kind: pa.DataType) -> Any:
        values = self._coded(name, meaning, kind)
        self._only(pc.is_valid(values))
        return values

    def _made(self, known: Known) -> dict[str, Any]:
        made: dict[str, Any] = {"code": self._codes(known)}
        made["type"] = self._needed("type", lambda cell: code if (code := known.type_of(cell)) in known.types else None, pa.string())
        made["region"] = self._needed("region_code", lambda cell: cell if known.regions.get(cell) else None, pa.string())
        made["status"] = self._needed("status", lambda cell: (cell or "closed") if cell in (*END_STATUSES, "") else None, pa.string())
        made["source"] = self._needed(
            "source", lambda cell: (cell or "hotline") if not cell or SOURCE.fullmatch(cell) else None, pa.string()
        )
        made["unit"] = self._coded("unit", known.units.get, pa.int64())
        self._only(pc.or_(pc.is_valid(made["unit"]), pc.equal(self._texts("unit"), "")))
        made["severity"] = self._severity(made["type"], known)
        made["reported_at"], made["closed_at"] = self._times(known)
        made["lon"], made["lat"] = self._figure("lon", 180), self._figure("lat", 90)
        for name in ("title", "address", "text"):
            made[name] = self._texts(name)
            self._only(pc.less_equal(pc.utf8_length(made[name]), LONGEST[name]))
        made["title"] = self._titles(made, known)
        return made

    def _codes(self, known: Known) -> Any:
        codes = self._texts("code")
        self._only(pc.match_substring_regex(codes, rf"\A{CODE.pattern}\z"))
        each = codes.to_pylist()
        if len(set(each)) < len(each):
            counted = codes.value_counts()
            twice = counted.field("values").filter(pc.greater(counted.field("counts"), 1))
            self._only(pc.invert(pc.is_in(codes, twice)))
        if not known.seen.isdisjoint(each):
            self._only(pa.array([code not in known.seen for code in each]))
        return codes

    def _severity(self, types: Any, known: Known) -> Any:
        def meaning(cell: str) -> int | None:
            try:
                return value if (value := value_of("severity", int, cell)) is not None and 1 <= value <= 4 else None
            except BadCell:
                return None

        given = self._coded("severity", meaning, pa.int64())
        self._only(pc.or_(pc.is_valid(given), pc.equal(self._texts("severity"), "")))
        coded = types.dictionary_encode()
        usual = pa.array([known.types[code].severity for code in coded.dictionary.to_pylist()], pa.int64()).take(coded.indices)
        return pc.coalesce(given, usual)

    def _times(self, known: Known) -> tuple[Any, Any]:
        now = pa.scalar(known.now, AT)
        reported, closed = self._moments("reported_at"), self._moments("closed_at")
        self._only(pc.less_equal(reported, now))
        good = pc.and_(pc.less_equal(reported, closed), pc.less_equal(closed, now))
        self._only(pc.or_kleene(good, pc.equal(self._texts("closed_at"), "")))
        return reported, closed

    def _moments(self, name: str) -> Any:
        """Points in time; null for what is empty or written in another way."""
        texts, nothing = self._texts(name), pa.scalar(None, pa.string())
        zoned, naive = pc.match_substring_regex(texts, _ZONED), pc.match_substring_regex(texts, _NAIVE)
        with_zone = pc.if_else(zoned, texts, nothing).cast(AT).cast(pa.int64())
        here = pc.subtract(pc.if_else(naive, texts, nothing).cast(pa.timestamp("us")).cast(pa.int64()), _AHEAD)
        here = pc.if_else(pc.greater_equal(here, _EVEN), here, pa.scalar(None, pa.int64()))
        return pc.coalesce(with_zone, here).cast(AT)

    def _figure(self, name: str, most: int) -> Any:
        texts, nothing = self._texts(name), pa.scalar(None, pa.string())
        figures = pc.if_else(pc.match_substring_regex(texts, _FIGURE), texts, nothing).cast(pa.float64())
        inside = pc.less_equal(pc.abs(figures), float(most))
        self._only(pc.or_kleene(inside, pc.equal(texts, "")))
        return figures

    def _titles(self, made: Mapping[str, Any], known: Known) -> Any:
        """A title that is not given is made of type and place."""
        if not pc.any(pc.equal(made["title"], "")).as_py():
            return made["title"]
        kind, region = made["type"].dictionary_encode(), made["region"].dictionary_encode()
        kinds = pa.array([known.types[code].zh for code in kind.dictionary.to_pylist()], pa.string()).take(kind.indices)
        places = pa.array([known.names.get(code, code) for code in region.dictionary.to_pylist()], pa.string()).take(region.indices)
        where = pc.if_else(pc.equal(made["address"], ""), places, made["address"])
        return pc.if_else(pc.equal(made["title"], ""), pc.binary_join_element_wise(kinds, where, " · "), made["title"])
