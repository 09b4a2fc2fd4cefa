"""``gridloop import cases``: historic cases. Rows are read and checked while the database keeps those before; their words follow."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa

from gridloop.doors.cli.import_kinds import BadCell, text_of, to_wgs84, value_of
from gridloop.doors.cli.imports import Importer
from gridloop.doors.cli.sheets import Block, Line, read_blocks
from gridloop.kernel.errors import FieldFault

if TYPE_CHECKING:  # these import models: not before the settings are there
    from gridloop.cases.history import Ready
    from gridloop.doors.cli.case_columns import Columns

_NAMED = ("region_code", "unit")


@dataclass
class Part:
    """Rows that are kept together: those in columns, and those read one by one."""

    columns: Columns | None
    lines: list[tuple[Line, dict[str, Any]]]


class Keepers:
    """Those that keep what was made: this thread and a second one with a connection of its own, in turns; each chunk is a transaction.

    When a chunk fails the run does, with what was kept before.
    """

    def __init__(self, viewer: Any, dry_run: bool) -> None:
        from django.db import connection

        self._viewer, self._dry_run = viewer, dry_run
        # inside a transaction of the caller all rows belong to it
        self._beside = None if connection.in_atomic_block else ThreadPoolExecutor(1)
        self._here: Future[Ready] | None = None
        self._there: Future[int] | None = None
        self._kept = 0

    def __enter__(self) -> Keepers:
        return self

    def __exit__(self, *_: object) -> None:
        from django.db import connection

        if self._beside is not None:
            self._beside.submit(connection.close)
            self._beside.shutdown()

    def keep(self, made: Future[Ready]) -> None:
        """The next chunk, which is being made. It is kept by whoever is free; nobody is waited for who need not be."""
        if self._beside is not None and self._there is None:
            self._there = self._beside.submit(self._keep, made)
            return
        self._turn()
        self._here = made

    def all_kept(self) -> int:
        self._turn()
        return self._kept

    def _turn(self) -> None:
        """What waits is kept by this thread, and what the other one has in hand by that."""
        if self._here is not None:
            self._kept += self._keep(self._here)
            self._here = None
        if self._there is not None:
            self._kept += self._there.result()
            self._there = None

    def _keep(self, made: Future[Ready]) -> int:
        from django.db import transaction

        from gridloop.cases.history import keep_historic

        rows = made.result()
        if not len(rows.rows):
            return 0
        with transaction.atomic():
            kept = keep_historic(self._viewer, rows)
            transaction.set_rollback(self._dry_run)
        return kept


class CasesImporter(Importer):
    """One run: blocks of plain rows in columns, all others one by one; both come together before they are kept."""

    def run(self, dry_run: bool) -> int:
        from gridloop.cases.history import CHUNK, index_words

        self._remember()
        kept, began = 0, time.monotonic()
        blocks = read_blocks(self.source, CHUNK)
        with ThreadPoolExecutor(1) as reader, Keepers(self.viewer, dry_run) as keepers:
            ahead = reader.submit(self._read, blocks)
            try:
                while (part := ahead.result()) is not None:
                    self._look_up(part)
                    making = reader.submit(self._make, part)
                    ahead = reader.submit(self._read, blocks)
                    keepers.keep(making)
                    self._show(f"{self.rows:,} rows / 行 …")
                kept = keepers.all_kept()
            finally:
                reader.shutdown()
                self.rejects.close()
        click.echo(f"  {kept:,} kept in {time.monotonic() - began:.1f} s / 已写入", err=True)
        while not dry_run and index_words():  # what a version before has left
            self._show("words for the search / 建立检索词 …")
        return kept

    def _remember(self) -> None:
        from gridloop.cases.types import case_types
        from gridloop.doors.cli.case_columns import Known
        from gridloop.kernel import clock
        from gridloop.kernel.viewer import SYSTEM
        from gridloop.orgs import selectors

        types = case_types()
        self._known = Known(types, {name: code for code, t in types.items() for name in (t.zh, t.en.lower())}, clock.now())
        self._orgs, self._system = selectors, SYSTEM

    def _read(self, blocks: Iterator[Block | list[Line]]) -> Part | None:
        """The next rows with their cells read; None at the end. The reader's thread: no database here."""
        from gridloop.doors.cli.case_columns import Columns

        block = next(blocks, None)
        if block is None:
            return None
        if isinstance(block, Block):
            if self._columns is None:
                self._columns = self._find_columns(block.header())
            self.rows += block.cells.num_rows
            return Part(Columns(block, self._columns, self.plan, self.kind.words), [])
        if self._columns is None and block:
            self._columns = self._find_columns(block[0])
        self.rows += len(block)
        return Part(None, self._read_lines(block))

    def _read_lines(self, lines: list[Line]) -> list[tuple[Line, dict[str, Any]]]:
        good: list[tuple[Line, dict[str, Any]]] = []
        for line in lines:
            try:
                good.append((line, self._cells(line)))
            except BadCell as bad:
                self.rejects.add(line, bad.fault)
        return good

    def _make(self, part: Part) -> Ready:
        """Those that are right, with all that is kept of them. The reader's thread, too."""
        from gridloop.cases.history import columns_of, ready

        tables = []
        if part.columns is not None:
            table, others = part.columns.rows(self._known)
            tables.append(table)
            part.lines.extend(self._read_lines(others))
        rows = []
        for line, values in part.lines:
            try:
                rows.append(self._case(values))
            except BadCell as bad:
                self.rejects.add(line, bad.fault)
        return ready(pa.concat_tables([*tables, columns_of(rows)]))

    def _cells(self, line: Line) -> dict[str, Any]:
        """The row's cells by field, times and figures read; BadCell."""
        values: dict[str, Any] = dict(self.plan.defaults)
        for name, column in (self._columns or {}).items():
            cell = line.cells.get(column)
            text = cell if type(cell) is str else text_of(cell)
            if (words := self.plan.words.get(name) or self.kind.words.get(name)) and (known := words.get(text)) is not None:
                text = known
            if text:
                values[name] = text if cell is text or not isinstance(cell, datetime) else cell
        for name in ("reported_at", "closed_at"):
            if name in values:
                values[name] = value_of(name, datetime, values[name])
        for name, kind in (("lon", float), ("lat", float), ("severity", int)):
            if name in values:
                values[name] = value_of(name, kind, values[name])
        if self.plan.gcj02 and "lon" in values and "lat" in values:
            values["lon"], values["lat"] = to_wgs84(values["lon"], values["lat"], True)
        return values

    def _look_up(self, part: Part) -> None:
        """Where the points lie; regions and units named for the first time."""
        self._fill_regions(part.lines)
        rows = [values for _, values in part.lines]
        named = {name: {v[name] for v in rows if v.get(name)} | (part.columns.named(name) if part.columns else set()) for name in _NAMED}
        regions = {r for r in named["region_code"] if r not in self._known.regions}
        if regions:
            unknown = self._orgs.unknown_regions(self._system, regions)
            self._known.regions.update({r: r not in unknown for r in regions})
            self._known.names.update(self._orgs.region_names(self._system, sorted(regions - set(unknown))))
        if units := {u for u in named["unit"] if u not in self._known.units}:
            found = self._orgs.unit_ids_by_code(self._system, sorted(units))
            self._known.units.update({u: found.get(u) for u in units})

    def _case(self, values: dict[str, Any]) -> Any:
        """A row of the history; BadCell says what does not fit."""
        from gridloop.cases.messages import HistoricCase
        from gridloop.cases.rules import END_STATUSES
        from gridloop.doors.cli.case_columns import CODE, LONGEST, SOURCE

        known = self._known
        for name in ("code", "type", "reported_at", "region_code"):
            if name not in values:
                raise _bad(name, "doors.import_no_region" if name == "region_code" else "doors.import_missing", field=name)
        code, kind = values["code"], values["type"]
        values["type"] = kind = known.type_of(kind)
        region, unit = values["region_code"], values.get("unit")
        status, source = values.get("status", "closed"), values.get("source", "hotline")
        closed = values.get("closed_at")
        wrong: tuple[tuple[bool, str, str, dict[str, Any]], ...] = (
            (not CODE.fullmatch(code), "code", "doors.import_case_code", {"code": code[:40]}),
            (code in known.seen, "code", "orgs.row_twice", {"key": code[:40]}),
            (kind not in known.types, "type", "cases.no_such_type", {"type": kind[:40]}),
            (not known.regions.get(region), "region_code", "orgs.row_region_unknown", {"code": region[:20]}),
            (status not in END_STATUSES, "status", "doors.import_open_case", {"status": status[:20], "allowed": "、".join(END_STATUSES)}),
            (values["reported_at"] > known.now, "reported_at", "doors.import_future", {"field": "reported_at"}),
            (closed is not None and not values["reported_at"] <= closed <= known.now, "closed_at", "doors.import_case_order", {}),
            (
                unit is not None and known.units.get(unit) is None,
                "unit",
                "orgs.row_unknown_ref",
                {"field": "unit", "value": str(unit)[:40]},
            ),
            (not SOURCE.fullmatch(source), "source", "doors.import_case_source", {"source": source[:40]}),
            (not 1 <= values.get("severity", 4) <= 4, "severity", "doors.import_case_severity", {}),
            (not (-180 <= values.get("lon", 0) <= 180 and -90 <= values.get("lat", 0) <= 90), "lon", "doors.import_case_place", {}),
        )
        for is_wrong, name, key, params in wrong:
            if is_wrong:
                raise _bad(name, key, **params)
        for name, most in LONGEST.items():
            if len(values.get(name, "")) > most:
                raise _bad(name, "doors.import_too_long", field=name, limit=most)
        known.seen.add(code)
        entry = known.types[kind]
        values.setdefault("severity", entry.severity)
        values.setdefault("title", f"{entry.zh} · {values.get('address') or known.names.get(region, region)}")
        values["unit"] = known.units.get(unit) if unit is not None else None
        return HistoricCase(**values)


def _bad(name: str, why: str, /, **params: Any) -> BadCell:
    return BadCell(FieldFault(f"/{name}", why, params))
