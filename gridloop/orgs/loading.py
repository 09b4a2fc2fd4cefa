"""Bulk loading: records are staged by COPY in a temporary table, references found in SQL, rows merged on their natural key.

Staging makes COPY possible for the ordinary role (it is refused on tables under row security) and keeps row security on: the
merge is an ordinary INSERT of the viewer. A chunk is one short transaction, because a long one would hold up every reader of the trace.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from psycopg import sql

from gridloop.journal.actions import append, verb
from gridloop.kernel.errors import FieldFault, Invalid
from gridloop.kernel.viewer import Viewer

CHUNK = 5_000  # rows a transaction: well under two seconds for the widest table, on a busy machine too
STAGE_NAME = "load_stage"
STAGE = sql.Identifier(STAGE_NAME)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the target: its SQL type, the record's field (default: the same name) and, for a reference, the table it names."""

    name: str
    type: str = "text"
    field: str = ""
    ref: str = ""
    ref_key: str = "code"
    ref_id: str = "id"
    inherit: tuple[str, ...] = ()  # when empty, take region_code of the row that one of these reference columns names
    value: Callable[[Any], Any] | None = None
    once: bool = False  # set by the first load, kept by later ones

    @property
    def source(self) -> str:
        return self.field or self.name

    @property
    def is_text(self) -> bool:
        return self.type == "text" and (not self.ref or self.ref_id != "id")

    def read(self, row: Any) -> Any:
        value = self.value(row) if self.value else getattr(row, self.source)
        if self.type == "jsonb" and value is not None:
            return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)
        return value


@dataclass(frozen=True, slots=True)
class Target:
    """How one record shape becomes rows: table, columns, natural key, pure check and what to do after each chunk."""

    table: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    check: Callable[[Any], FieldFault | None]
    key_where: str = ""
    unique: tuple[str, ...] = ()  # columns that, where filled, no other row may carry
    after: Callable[[], None] | None = None
    unknown: Callable[[Viewer, list[Any]], Iterable[tuple[int, FieldFault]]] | None = None  # references that Python has to find
    around: Callable[[Viewer, Callable[[], int]], int] | None = None  # merges what is staged and tells of each row


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that was left out: its place in the input (from 0) and why."""

    index: int
    fault: FieldFault


@dataclass(slots=True)
class Loaded:
    """How many rows were merged by kind, and what was left out."""

    counts: dict[str, int] = field(default_factory=dict)
    rejects: list[Reject] = field(default_factory=list)

    @property
    def total(self) -> int:
        return sum(self.counts.values())


Progress = Callable[[int, list[Reject]], None]  # after each chunk: how many records it had, and which were left out
Store = Callable[[Viewer, Target, list[tuple[int, Any]], Loaded], int]


def load_rows(
    viewer: Viewer,
    permission: str,
    targets: Mapping[type, Target],
    records: Iterable[Any],
    *,
    strict: bool = True,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Loaded:
    """Merge records in order; neighbours of one shape go together. A value left out ('' or None) keeps what a row already has.

    ``strict`` raises Invalid at the first bad record and keeps nothing of its chunk; the chunks before stay. ``dry_run``
    does and undoes everything, chunk by chunk.
    """
    result = Loaded()
    how = _store_strictly if strict else _store
    store = verb(permission)(_undone(how) if dry_run else how)
    numbered = enumerate(records)
    for shape, group in groupby(numbered, key=lambda item: type(item[1])):
        target = targets[shape]
        seen: set[tuple[Any, ...]] = set()
        while chunk := list(islice(group, CHUNK)):
            before = len(result.rejects)
            good = list(_checked(target, chunk, seen, result))
            count = store(viewer, target, good, result)
            result.counts[target.table] = result.counts.get(target.table, 0) + count
            if progress:
                progress(len(chunk), result.rejects[before:])
    result.rejects.sort(key=lambda r: r.index)
    return result


def _as_error(reject: Reject) -> Invalid:
    pointed = FieldFault(f"/{reject.index}{reject.fault.pointer}", reject.fault.key, reject.fault.params)
    return Invalid("orgs.load_refused", errors=(pointed,), row=reject.index)


def _checked(target: Target, chunk: list[tuple[int, Any]], seen: set[tuple[Any, ...]], result: Loaded) -> Iterator[tuple[int, Any]]:
    """Records that pass the pure check and whose key did not come before."""
    columns = [c for c in target.columns if c.name in target.key]
    limits = _limits(target)
    for index, row in chunk:
        fault = target.check(row) or _too_long(row, limits)
        key = tuple(c.read(row) for c in columns) if fault is None else ()
        if fault is None and key in seen:
            fault = FieldFault("", "orgs.row_twice", params={"key": " ".join(map(str, key))})
        if fault is None:
            seen.add(key)
            yield index, row
        else:
            result.rejects.append(Reject(index, fault))


def _limits(target: Target) -> list[tuple[str, int]]:
    """Fields of the record that are kept as they are in columns of so many characters."""
    model = next(one for one in apps.get_models() if one._meta.db_table == target.table)
    most = {one.column: one.max_length for one in model._meta.concrete_fields if one.max_length}
    return [(c.source, most[c.name]) for c in target.columns if c.name in most and c.type == "text" and not (c.ref or c.value)]


def _too_long(row: Any, limits: list[tuple[str, int]]) -> FieldFault | None:
    for name, most in limits:
        if len(getattr(row, name) or "") > most:
            return FieldFault(f"/{name}", "orgs.row_long", params={"field": name, "limit": most})
    return None


def _store(viewer: Viewer, target: Target, rows: list[tuple[int, Any]], result: Loaded) -> int:
    """Stage, find references, merge: one transaction with one fact, and those of the target."""
    if target.unknown:
        bad = dict(target.unknown(viewer, [row for _, row in rows]))
        result.rejects += [Reject(rows[place][0], fault) for place, fault in bad.items()]
        rows = [item for place, item in enumerate(rows) if place not in bad]
    if not rows:
        return 0
    _stage(target, rows)
    result.rejects += _drop_unfound(target)
    for name in target.unique:
        result.rejects += _drop_taken(target, name)
    count = target.around(viewer, lambda: _merge(target)) if target.around else _merge(target)
    if target.after:
        target.after()
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("DROP TABLE {}").format(STAGE))
    append("org", "records_loaded", {"table": target.table, "rows": count}, viewer)
    return count


def _undone(store: Store) -> Store:
    def run(viewer: Viewer, target: Target, rows: list[tuple[int, Any]], result: Loaded) -> int:
        with transaction.atomic():
            count = store(viewer, target, rows, result)
            transaction.set_rollback(True)
        return count

    return run


def _store_strictly(viewer: Viewer, target: Target, rows: list[tuple[int, Any]], result: Loaded) -> int:
    count = 0 if result.rejects else _store(viewer, target, rows, result)
    if result.rejects:
        raise _as_error(result.rejects[0])
    return count


def _stage(target: Target, rows: list[tuple[int, Any]]) -> None:
    names = [sql.Identifier("row_no"), *(sql.Identifier(c.name) for c in target.columns)]
    types = ["bigint", *("text" if c.ref else c.type for c in target.columns)]
    fields = sql.SQL(", ").join(sql.SQL("{} {}").format(n, sql.SQL(t)) for n, t in zip(names, types, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE TEMPORARY TABLE {} ({}) ON COMMIT DROP").format(STAGE, fields))
        with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(STAGE, sql.SQL(", ").join(names))) as copy:
            for index, row in rows:
                copy.write_row([index, *(column.read(row) for column in target.columns)])
        cursor.execute(sql.SQL("ANALYZE {}").format(STAGE))


def _drop_unfound(target: Target) -> list[Reject]:
    """Take out staged rows whose reference names nothing (a row of the same chunk counts), again until nothing more falls."""
    rejects: list[Reject] = []
    while True:
        found = len(rejects)
        for column in target.columns:
            if column.ref:
                rejects += _unfound(target, column)
            if column.inherit:
                rejects += _homeless(target, column)
        if len(rejects) == found:
            return rejects


def _unfound(target: Target, column: Column) -> list[Reject]:
    own: sql.Composable = sql.SQL("")
    if column.ref == target.table:
        own = sql.SQL(" AND NOT EXISTS (SELECT 1 FROM {} x WHERE x.{} = s.{})").format(
            STAGE, sql.Identifier(column.ref_key), sql.Identifier(column.name)
        )
    query = sql.SQL(
        "DELETE FROM {stage} s WHERE s.{name} <> '' AND NOT EXISTS (SELECT 1 FROM {ref} r WHERE r.{key} = s.{name}){own} "
        "RETURNING s.row_no, s.{name}"
    ).format(stage=STAGE, name=sql.Identifier(column.name), ref=sql.Identifier(column.ref), key=sql.Identifier(column.ref_key), own=own)
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [
            Reject(index, FieldFault(f"/{column.source}", "orgs.row_unknown_ref", params={"field": column.source, "value": value}))
            for index, value in cursor.fetchall()
        ]


def _homeless(target: Target, column: Column) -> list[Reject]:
    empty = [sql.SQL("s.{} = ''").format(sql.Identifier(name)) for name in (column.name, *column.inherit)]
    query = sql.SQL("DELETE FROM {} s WHERE {} RETURNING s.row_no").format(STAGE, sql.SQL(" AND ").join(empty))
    with connection.cursor() as cursor:
        cursor.execute(query)
        return [Reject(index, FieldFault(f"/{column.source}", "orgs.row_no_region")) for (index,) in cursor.fetchall()]


def _drop_taken(target: Target, name: str) -> list[Reject]:
    """Staged rows whose value another row, or an earlier one of the chunk, carries. The value is not told: it may be personal."""
    same_key = sql.SQL(" AND ").join(sql.SQL("t.{0} = s.{0}").format(sql.Identifier(k)) for k in target.key)
    parts = {"stage": STAGE, "table": sql.Identifier(target.table), "name": sql.Identifier(name), "same_key": same_key}
    # two joins, not one OR: PostgreSQL hashes a join, but tries every pair for an OR of two EXISTS
    queries = (
        "DELETE FROM {stage} s USING {table} t WHERE s.{name} <> '' AND t.{name} = s.{name} AND NOT ({same_key}) RETURNING s.row_no",
        "DELETE FROM {stage} s USING {stage} e WHERE s.{name} <> '' AND e.{name} = s.{name} AND e.row_no < s.row_no RETURNING s.row_no",
    )
    taken: set[int] = set()
    with connection.cursor() as cursor:
        for query in queries:
            cursor.execute(sql.SQL(query).format(**parts))
            taken |= {index for (index,) in cursor.fetchall()}
    return [Reject(index, FieldFault(f"/{name}", "orgs.row_taken", params={"field": name})) for index in sorted(taken)]


def _expression(target: Target, column: Column) -> sql.Composed:
    name = sql.Identifier(column.name)
    if column.ref:
        return sql.SQL("{}.{}").format(sql.Identifier(f"r_{column.name}"), sql.Identifier(column.ref_id))
    if column.inherit:
        parents = sql.SQL(", ").join(sql.SQL("{}.region_code").format(sql.Identifier(f"r_{parent}")) for parent in column.inherit)
        return sql.SQL("COALESCE(NULLIF(s.{}, ''), {})").format(name, parents)
    return sql.SQL("s.{}").format(name)


def _merge(target: Target) -> int:
    names = [sql.Identifier(c.name) for c in target.columns]
    joins = [
        sql.SQL(" LEFT JOIN {ref} {alias} ON s.{name} <> '' AND {alias}.{key} = s.{name}").format(
            ref=sql.Identifier(c.ref), alias=sql.Identifier(f"r_{c.name}"), name=sql.Identifier(c.name), key=sql.Identifier(c.ref_key)
        )
        for c in target.columns
        if c.ref
    ]
    table = sql.Identifier(target.table)
    updates = [
        sql.SQL("{0} = COALESCE(%s, {1}.{0})" % ("NULLIF(EXCLUDED.{0}, '')" if column.is_text else "EXCLUDED.{0}")).format(name, table)
        for name, column in zip(names, target.columns, strict=True)
        if column.name not in target.key and not column.once
    ]
    query = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} s{} ORDER BY s.row_no ON CONFLICT ({}){} DO {}").format(
        table,
        sql.SQL(", ").join(names),
        sql.SQL(", ").join(_expression(target, c) for c in target.columns),
        STAGE,
        sql.SQL("").join(joins),
        sql.SQL(", ").join(map(sql.Identifier, target.key)),
        sql.SQL(f" WHERE {target.key_where}" if target.key_where else ""),
        sql.SQL("UPDATE SET ") + sql.SQL(", ").join(updates) if updates else sql.SQL("NOTHING"),
    )
    with connection.cursor() as cursor:
        cursor.execute(query)
        return int(cursor.rowcount)
