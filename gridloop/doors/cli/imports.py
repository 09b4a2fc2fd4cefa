"""``gridloop import``: tables of territory, organisation, people and things from files; misfits go to a file with the reason."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click
import yaml

from gridloop.doors.cli.common import data_dir_option, django_on
from gridloop.doors.cli.import_kinds import (
    KINDS,
    BadCell,
    Kind,
    columns_for,
    fields_of,
    point_and_outline,
    region_code_and_level,
    required_of,
    text_of,
    to_wgs84,
    value_of,
)
from gridloop.doors.cli.sheets import Line, SheetFault, read_sheet
from gridloop.kernel.errors import FieldFault
from gridloop.kernel.formulas import quoted
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM, Viewer

if TYPE_CHECKING:  # it imports models: not before the settings are there
    from gridloop.orgs.loading import Loaded

BATCH = 2_000  # rows whose coordinates are looked up together
SOME_REFUSED = 3  # exit status: the file was read to its end, but rows of it were refused (2 is the library's word for wrong options)
SHOW_EVERY = 1.0  # seconds between progress lines


@dataclass(frozen=True, slots=True)
class Plan:
    """The map file: ``columns`` field → column, ``defaults`` field → value, ``words`` field → {cell: value}, ``coordinates``."""

    columns: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    gcj02: bool = False


def read_plan(path: Path | None, kind: Kind) -> Plan:
    """The map file, strict: an unknown key or field is an error that names it."""
    if path is None:
        return Plan()
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # every value stays the text it was
    except (OSError, yaml.YAMLError) as error:
        raise click.ClickException(f"{path}: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict):
        raise click.ClickException(f"{path}: a mapping with columns, defaults, words, coordinates is needed / 应为 columns、defaults 等键")
    known = fields_of(kind.record)
    for key in raw:
        if key not in ("columns", "defaults", "words", "coordinates"):
            raise click.ClickException(f"{path}: unknown key {key!r} (columns, defaults, words, coordinates) / 未知的键")
    for part in ("columns", "defaults", "words"):
        section = raw.get(part) or {}
        if not isinstance(section, dict):
            raise click.ClickException(f"{path}: {part} must map fields to values / {part} 应为 字段: 值")
        for name in section:
            if name not in known:
                raise click.ClickException(f"{path}: {part}.{name}: no such field; there are {', '.join(known)} / 没有此字段")
    if raw.get("coordinates", "wgs84") not in ("wgs84", "gcj02"):
        raise click.ClickException(f"{path}: coordinates must be wgs84 or gcj02 / 坐标系应为 wgs84 或 gcj02")
    return Plan(raw.get("columns") or {}, raw.get("defaults") or {}, raw.get("words") or {}, raw.get("coordinates") == "gcj02")


_OF_A_FEATURE = ("geometry", "id", "row", "reason")  # of GeoJSON, and what our own file of refused rows puts in front


class Rejects:
    """The file beside the input with row number, reason and the original row; made only when it is needed."""

    def __init__(self, source: Path) -> None:
        self.path = source.with_name(source.name + ".rejects.csv")
        self.count = 0
        self._file: TextIO | None = None
        self._header: list[str] = []
        self.path.unlink(missing_ok=True)

    def add(self, line: Line, fault: FieldFault) -> None:
        cells = {name: text_of(cell) for name, cell in line.cells.items() if name != "geometry"}
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8-sig", newline="")
            self._header = list(cells)
            csv.writer(self._file).writerow(["row", "reason", *map(quoted, self._header)])
        reason = f"{say(fault.key, 'zh', **fault.params)} / {say(fault.key, 'en', **fault.params)}"
        csv.writer(self._file).writerow([line.number, reason, *(quoted(cells.get(name, "")) for name in self._header)])
        self.count += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


class Importer:
    """One run: rows become records, records are loaded in short transactions, refused rows are written down as they fall."""

    def __init__(self, kind: Kind, source: Path, plan: Plan, only: str = "", viewer: Viewer = SYSTEM) -> None:
        from gridloop.orgs import selectors

        self.kind, self.source, self.plan, self.only, self.viewer = kind, source, plan, only, viewer
        found = selectors.levels(SYSTEM)
        self.levels = {level.code: level.digits for level in found}
        self.level_words = {word.lower(): level.code for level in found for word in (str(level.rank), level.name_zh, level.name_en)}
        self.rejects = Rejects(source)
        self.rows = 0
        self._waiting: dict[int, Line] = {}
        self._columns: dict[str, str] | None = None
        self._shown = time.monotonic()

    def run(self, dry_run: bool) -> int:
        """How many rows were merged."""
        try:
            return self._load()(self.viewer, self._records(), strict=False, progress=self._chunk_done, dry_run=dry_run).total
        finally:
            self.rejects.close()

    def _load(self) -> Callable[..., Loaded]:
        from gridloop.orgs import actions as orgs
        from gridloop.registry import actions as registry

        return orgs.load if self.kind.room == "orgs" else registry.load

    def _chunk_done(self, count: int, rejects: list[Any]) -> None:
        for reject in rejects:
            self._refuse(self._waiting[reject.index], reject.fault)
        for index in list(islice(self._waiting, count)):
            del self._waiting[index]
        self._show(f"{self.rows:,} rows / 行 …")

    def _refuse(self, line: Line, fault: FieldFault) -> None:
        """In the words of the table: it calls a field by its column's name."""
        column = (self._columns or {}).get(fault.params.get("field", ""))
        named = {**fault.params, "field": column} if column else fault.params
        self.rejects.add(line, FieldFault(fault.pointer, fault.key, named))

    def _show(self, what: str) -> None:
        if time.monotonic() - self._shown > SHOW_EVERY:
            self._shown = time.monotonic()
            click.echo(f"  {what}", err=True)

    def _records(self) -> Iterator[Any]:
        """Records in order; each waits by its number until its chunk is stored."""
        lines = read_sheet(self.source)
        number = 0
        while batch := list(islice(lines, BATCH)):
            for line, record in self._convert(batch):
                self._waiting[number] = line
                number += 1
                yield record

    def _convert(self, batch: list[Line]) -> Iterator[tuple[Line, Any]]:
        good: list[tuple[Line, dict[str, Any]]] = []
        for line in batch:
            self.rows += 1
            try:
                values = self._values(line)
            except BadCell as bad:
                self._refuse(line, bad.fault)
                continue
            if values is not None:
                good.append((line, values))
        self._fill_regions(good)
        for line, values in good:
            missing = next((name for name in required_of(self.kind.record) if name not in values), None)
            if missing:
                key = "doors.import_no_region" if missing == "region_code" else "doors.import_missing"
                self._refuse(line, FieldFault(f"/{missing}", key, {"field": missing}))
            else:
                yield line, self.kind.record(**values)

    def _values(self, line: Line) -> dict[str, Any] | None:
        """The record's fields from a row; None when ``--only`` leaves it out."""
        if self._columns is None:
            self._columns = self._find_columns(line)
        values: dict[str, Any] = {}
        types = fields_of(self.kind.record)
        for name, column in self._columns.items():
            cell = line.cells.get(column)
            translated = self._word(name, text_of(cell))
            value = value_of(name, types[name], cell if translated is None else translated)
            if value is not None:
                values[name] = value
        for name, text in self.plan.defaults.items():
            values.setdefault(name, value_of(name, types[name], text))
        if self.plan.gcj02 and "lon" in values and "lat" in values:
            values["lon"], values["lat"] = to_wgs84(values["lon"], values["lat"], True)
        if "geometry" in line.cells:
            shape = point_and_outline(line.cells["geometry"], self.plan.gcj02)
            values |= {name: value for name, value in shape.items() if name in types}
        if self.kind.finish:
            values = self.kind.finish(values)
        return self._region_row(values) if self.kind is KINDS["regions"] else values

    def _find_columns(self, line: Line) -> dict[str, str]:
        header = list(line.cells)
        columns = columns_for(self.kind, header, self.plan.columns)
        for name, column in self.plan.columns.items():
            if column not in header:
                has = ", ".join(header)
                en = f"the map names the column {column!r} for {name}, the file has {has}"
                raise SheetFault(self.source.name, en, f"对照文件说 {name} 在“{column}”列，表格里没有；有：{has}")
        given = {*columns, *self.plan.defaults, "region_code", "level"}  # these two may come from coordinates and digits
        missing = [name for name in required_of(self.kind.record) if name not in given]
        if missing:
            words = "; ".join(f"{name} ({'、'.join(self.kind.names.get(name, ())[:3]) or name})" for name in missing)
            has = ", ".join(name for name in header if name)[:200]
            raise SheetFault(self.source.name, f"no column for {words}; the file has {has}", f"缺少列：{words}；表格里有：{has}")
        if unread := [name for name in header if name and name not in (*columns.values(), *_OF_A_FEATURE)]:
            click.echo(f"  columns not read / 未读取的列: {', '.join(unread)[:200]}", err=True)
        return columns

    def _word(self, name: str, text: str) -> str | None:
        """The translation of a cell, by the map file first; None when there is none."""
        for words in (self.plan.words.get(name, {}), self.kind.words.get(name, {})):
            if text in words or text.lower() in words:
                return words.get(text, words.get(text.lower(), ""))
        return None

    def _region_row(self, values: dict[str, Any]) -> dict[str, Any] | None:
        if "code" in values:
            values["code"], values["level"] = region_code_and_level(
                values["code"], str(values.get("level", "")), self.levels, self.level_words
            )
            if self.only and not (values["code"].startswith(self.only) or self.only.startswith(values["code"])):
                return None
        return values

    def _fill_regions(self, rows: list[tuple[Line, dict[str, Any]]]) -> None:
        """A thing with coordinates and no region code lies where its coordinates say."""
        from gridloop.orgs.selectors import regions_at

        if "region_code" not in fields_of(self.kind.record):
            return
        blank = [values for _, values in rows if not values.get("region_code") and "lon" in values and "lat" in values]
        for values, code in zip(blank, regions_at(self.viewer, [v["lon"] for v in blank], [v["lat"] for v in blank]), strict=True):
            if code is not None:
                values["region_code"] = code


def importer_of(kind: str) -> type[Importer]:
    if kind != "cases":
        return Importer
    from gridloop.doors.cli.import_cases import CasesImporter

    return CasesImporter


@click.command("import")
@click.argument("kind", type=click.Choice(sorted(KINDS)))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--map", "map_file", type=click.Path(dir_okay=False, path_type=Path), help="YAML: columns, defaults, words, coordinates.")
@click.option("--only", default="", help="Regions only: a code; imports it, what lies below and what lies above.")
@click.option("--dry-run", is_flag=True, help="Do everything, keep nothing.")
@data_dir_option
def import_table(kind: str, file: Path, map_file: Path | None, only: str, dry_run: bool, data_dir: Path | None) -> None:
    """Import a table from CSV, Excel or GeoJSON (plain, .gz or .xz).

    Columns are found by their Chinese or English names; --map says otherwise. Rows that do not fit go to
    FILE.rejects.csv with the row number and the reason; the others are kept. Importing again corrects in place.

    Exit status: 0 every row is in, 3 some rows were refused, 1 nothing was imported or the file is wrong.
    """
    plan = read_plan(map_file, KINDS[kind])
    if not file.exists():
        raise click.ClickException(f"{file}: no such file / 没有此文件")
    with django_on(data_dir):
        started = time.monotonic()
        importer = importer_of(kind)(KINDS[kind], file, plan, only)
        try:
            merged = importer.run(dry_run)
        except (SheetFault, OSError) as fault:
            raise click.ClickException(str(fault)) from fault
        report(importer, merged, dry_run, time.monotonic() - started)


def report(importer: Importer, merged: int, dry_run: bool, seconds: float) -> None:
    """The last lines; refused rows end with a status of their own, nothing merged at all is an error."""
    refused = importer.rejects.count
    done = "would be imported / 可导入" if dry_run else "imported / 已导入"
    click.echo(f"{merged:,} {done}, {refused:,} refused / 未导入, {seconds:.1f} s")
    if refused:
        click.echo(f"see / 见 {importer.rejects.path}", err=True)
        sys.exit(SOME_REFUSED if merged else 1)
