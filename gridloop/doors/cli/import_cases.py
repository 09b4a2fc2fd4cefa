"""``gridloop import cases``: historic cases. Rows are read and checked while the database keeps those before; their words follow."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from typing import Any

import click

from gridloop.doors.cli.import_kinds import BadCell, text_of, to_wgs84, value_of
from gridloop.doors.cli.imports import SHOW_EVERY, Importer
from gridloop.doors.cli.sheets import Line, read_sheet
from gridloop.kernel.errors import FieldFault

_CODE = re.compile(r"[0-9A-Za-z_-]{4,40}")
_LONGEST = {"title": 200, "address": 300, "text": 5000, "source": 60}
_SOURCE = re.compile(r"[a-z_]{1,60}")


class CasesImporter(Importer):
    """One run. What a cell means is remembered, because a million rows name the same few types, regions and units."""

    def run(self, dry_run: bool) -> int:
        from django.db import transaction

        from gridloop.cases.history import CHUNK, index_words, keep_historic

        self._remember()
        kept, began = 0, time.monotonic()
        lines = read_sheet(self.source)
        waiting: tuple[list[Any], str] = ([], "")
        with ThreadPoolExecutor(1) as reader:
            ahead = reader.submit(self._read, lines, CHUNK)
            try:
                while (batch := ahead.result()) is not None or waiting[0]:
                    self._look_up(batch or [])
                    making = reader.submit(self._make, batch or [])
                    ahead = reader.submit(self._read, lines, CHUNK)
                    if waiting[0]:
                        with transaction.atomic():
                            kept += keep_historic(self.viewer, *waiting)
                            transaction.set_rollback(dry_run)
                    waiting = making.result()
                    self._show(f"{self.rows:,} rows / 行 …")
            finally:
                reader.shutdown()
                self.rejects.close()
        click.echo(f"  {kept:,} kept in {time.monotonic() - began:.1f} s / 已写入", err=True)
        while not dry_run and index_words():
            self._show("words for the search / 建立检索词 …")
        return kept

    def _show(self, what: str) -> None:
        if time.monotonic() - self._shown > SHOW_EVERY:
            self._shown = time.monotonic()
            click.echo(f"  {what}", err=True)

    def _remember(self) -> None:
        from gridloop.cases.types import case_types
        from gridloop.kernel import clock
        from gridloop.kernel.viewer import SYSTEM
        from gridloop.orgs import selectors

        self._types = case_types()
        self._by_name = {name: code for code, t in self._types.items() for name in (t.zh, t.en.lower())}
        self._regions: dict[str, bool] = {}
        self._unit_ids: dict[str, int | None] = {}
        self._now = clock.now()
        self._seen: set[str] = set()
        self._names: dict[str, str] = {}
        self._orgs, self._system = selectors, SYSTEM

    def _read(self, lines: Iterator[Line], most: int) -> list[tuple[Line, dict[str, Any]]] | None:
        """The next rows with their cells read; None at the end. The reader's thread: no database here."""
        batch = list(islice(lines, most))
        if not batch:
            return None
        if self._columns is None:
            self._columns = self._find_columns(batch[0])
        good: list[tuple[Line, dict[str, Any]]] = []
        for line in batch:
            self.rows += 1
            try:
                good.append((line, self._cells(line)))
            except BadCell as bad:
                self.rejects.add(line, bad.fault)
        return good

    def _make(self, batch: list[tuple[Line, dict[str, Any]]]) -> tuple[list[Any], str]:
        """Those that are right, and what the staging table is given. The reader's thread, too."""
        from gridloop.cases.history import stage

        rows = []
        for line, values in batch:
            try:
                rows.append(self._case(values))
            except BadCell as bad:
                self.rejects.add(line, bad.fault)
        return rows, stage(rows)

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

    def _look_up(self, batch: list[tuple[Line, dict[str, Any]]]) -> None:
        """Where the points lie; regions and units named for the first time."""
        self._fill_regions(batch)
        rows = [values for _, values in batch]
        regions = {r for v in rows if (r := v.get("region_code")) and r not in self._regions}
        if regions:
            unknown = self._orgs.unknown_regions(self._system, regions)
            self._regions |= {r: r not in unknown for r in regions}
            self._names |= self._orgs.region_names(self._system, sorted(regions - set(unknown)))
        units = {u for v in rows if (u := v.get("unit")) and u not in self._unit_ids}
        if units:
            found = self._orgs.unit_ids_by_code(self._system, sorted(units))
            self._unit_ids |= {u: found.get(u) for u in units}

    def _case(self, values: dict[str, Any]) -> Any:
        """A row of the history; BadCell says what does not fit."""
        from gridloop.cases.messages import HistoricCase
        from gridloop.cases.rules import END_STATUSES

        for name in ("code", "type", "reported_at", "region_code"):
            if name not in values:
                raise _bad(name, "doors.import_no_region" if name == "region_code" else "doors.import_missing", field=name)
        code, kind = values["code"], values["type"]
        values["type"] = kind = kind if kind in self._types else self._by_name.get(kind.lower(), kind)
        region, unit = values["region_code"], values.get("unit")
        status, source = values.get("status", "closed"), values.get("source", "hotline")
        closed = values.get("closed_at")
        wrong: tuple[tuple[bool, str, str, dict[str, Any]], ...] = (
            (not _CODE.fullmatch(code), "code", "doors.import_case_code", {"code": code[:40]}),
            (code in self._seen, "code", "orgs.row_twice", {"key": code[:40]}),
            (kind not in self._types, "type", "cases.no_such_type", {"type": kind[:40]}),
            (not self._regions.get(region), "region_code", "orgs.row_region_unknown", {"code": region[:20]}),
            (status not in END_STATUSES, "status", "doors.import_open_case", {"status": status[:20], "allowed": "、".join(END_STATUSES)}),
            (values["reported_at"] > self._now, "reported_at", "doors.import_future", {"field": "reported_at"}),
            (closed is not None and not values["reported_at"] <= closed <= self._now, "closed_at", "doors.import_case_order", {}),
            (
                unit is not None and self._unit_ids.get(unit) is None,
                "unit",
                "orgs.row_unknown_ref",
                {"field": "unit", "value": str(unit)[:40]},
            ),
            (not _SOURCE.fullmatch(source), "source", "doors.import_case_source", {"source": source[:40]}),
            (not 1 <= values.get("severity", 4) <= 4, "severity", "doors.import_case_severity", {}),
            (not (-180 <= values.get("lon", 0) <= 180 and -90 <= values.get("lat", 0) <= 90), "lon", "doors.import_case_place", {}),
        )
        for is_wrong, name, key, params in wrong:
            if is_wrong:
                raise _bad(name, key, **params)
        for name, most in _LONGEST.items():
            if len(values.get(name, "")) > most:
                raise _bad(name, "doors.import_too_long", field=name, limit=most)
        self._seen.add(code)
        entry = self._types[kind]
        values.setdefault("severity", entry.severity)
        values.setdefault("title", f"{entry.zh} · {values.get('address') or self._names.get(region, region)}")
        values["unit"] = self._unit_ids.get(unit) if unit is not None else None
        return HistoricCase(**values)


def _bad(name: str, why: str, /, **params: Any) -> BadCell:
    return BadCell(FieldFault(f"/{name}", why, params))
