"""Rows of the models by SQL written once, for what a push reads and writes each time: there compiling the query cost more than running it.

Everything else asks the ORM. Values pass through the fields as in the ORM; row security applies as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any, Generic, TypeVar

import orjson
from django.db import connection
from django.db.models import Field, JSONField, Model
from django.db.models.base import ModelState
from psycopg.pq import PipelineStatus

M = TypeVar("M", bound=Model)


def is_together() -> bool:
    """Whether statements are being sent together on this thread's connection."""
    return bool(connection.connection.pgconn.pipeline_status != PipelineStatus.OFF)


@contextmanager
def together() -> Iterator[None]:
    """Statements whose results nobody reads go to the database in one round trip; a read, or the end, waits for all of them.

    A refusal by the database is raised there, not at its statement: for writes that succeed or fail as a whole. Within another one
    nothing waits at its end: the driver would wait where a second one begins, and again where it ends.
    """
    connection.ensure_connection()
    if is_together():
        yield
        return
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield


class Rows(Generic[M]):
    """All columns of a model with a fixed rest of the statement, such as ``WHERE code = %s FOR UPDATE``."""

    def __init__(self, model: type[M], rest: str) -> None:
        fields = model._meta.concrete_fields
        self.model = model
        self.names = [f.attname for f in fields]
        self.json = [f.attname for f in fields if isinstance(f, JSONField)]
        self.sql = f"SELECT {', '.join(f't.{f.column}' for f in fields)} FROM {model._meta.db_table} t {rest}"

    def __call__(self, *params: Any) -> list[M]:
        with connection.cursor() as cursor:
            cursor.execute(self.sql, params)
            return self.read(cursor.fetchall())

    def read(self, found: Sequence[tuple[Any, ...]]) -> list[M]:
        """Rows of the model from what the statement gave."""
        return [self._row(values) for values in found]

    def first(self, *params: Any) -> M | None:
        found = self(*params)
        return found[0] if found else None

    def _row(self, values: tuple[Any, ...]) -> M:
        """As ``from_db`` makes it, without the signals and descriptors that cost it most of its time: our models have no use for them."""
        row = self.model.__new__(self.model)
        held = row.__dict__
        held["_state"] = state = ModelState()
        state.adding, state.db = False, "default"
        held.update(zip(self.names, values, strict=True))
        for name in self.json:
            if isinstance(held[name], str | bytes):  # the ORM's connection leaves JSON as text
                held[name] = orjson.loads(held[name])
        return row


def ask_together(*asked: tuple[str, Sequence[Any]]) -> list[list[tuple[Any, ...]]]:
    """The rows of several statements sent in one round trip, run in this order; each sees what those before it have locked or done."""
    with ExitStack() as stack:
        cursors = [stack.enter_context(connection.cursor()) for _ in asked]
        with together():
            for cursor, (sql, params) in zip(cursors, asked, strict=True):
                cursor.execute(sql, params)
        return [cursor.fetchall() for cursor in cursors]


@cache
def _columns(model: type[Model], with_id: bool) -> tuple[list[tuple[str, str]], str]:
    """Columns with the attributes they hold, and the statement: its rows come as one JSON text, so it is the same for any number."""
    fields = [f for f in model._meta.concrete_fields if with_id or not f.primary_key]
    table, columns = model._meta.db_table, ", ".join(str(f.column) for f in fields)
    sql = f"INSERT INTO {table} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{table}, %s::json)"
    return [(str(f.column), f.attname) for f in fields], sql


def as_json(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows by column name as the database's ``json_populate_recordset`` takes them."""
    return orjson.dumps(rows, default=_bytes, option=orjson.OPT_NON_STR_KEYS).decode()


def _bytes(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return "\\x" + value.hex()
    raise TypeError(f"{type(value).__name__} has no form in JSON")


def insert(rows: Sequence[Model], *, numbered: bool = True) -> None:
    """Insert rows of one model in one statement; a number the database gives (``id``) is put on the row.

    Not ``numbered``: nobody asks for the number, so nothing has to come back before the next statement.
    """
    if not rows:
        return
    given = rows[0].pk is not None
    wanted = numbered and not given
    names, sql = _columns(type(rows[0]), given)
    with connection.cursor() as cursor:
        cursor.execute(
            sql + " RETURNING id" if wanted else sql, [as_json([{column: row.__dict__[name] for column, name in names} for row in rows])]
        )
        for row, (number,) in zip(rows, cursor.fetchall() if wanted else (), strict=wanted):
            row.pk = number
    for row in rows:
        row._state.adding, row._state.db = False, "default"


def _value(field: Field[Any, Any], row: Model) -> Any:
    """As the driver takes it. JSON goes through its field; of all others the driver knows Python's own type."""
    value = row.__dict__[field.attname]
    return field.get_db_prep_save(value, connection) if isinstance(field, JSONField) else value


def update(row: Model, names: Sequence[str]) -> None:
    """Write the named columns of one row."""
    if not names:
        return
    meta = row._meta
    known = {f.attname: f for f in meta.concrete_fields}
    fields = [known[name] for name in names]
    assert meta.pk is not None
    with connection.cursor() as cursor:
        sets = ", ".join(f"{f.column} = %s" for f in fields)
        cursor.execute(f"UPDATE {meta.db_table} SET {sets} WHERE {meta.pk.column} = %s", [*(_value(f, row) for f in fields), row.pk])


def update_many(rows: Sequence[M], names: Sequence[str]) -> None:
    """Write the named columns of many rows of one model in one statement."""
    if not rows:
        return
    meta = rows[0]._meta
    assert meta.pk is not None
    key = meta.pk
    columns = {str(f.column): f.attname for f in meta.concrete_fields if f.attname in names or f is key}
    sets = ", ".join(f"{column} = n.{column}" for column in columns if column != key.column)
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {meta.db_table} o SET {sets} FROM json_populate_recordset(NULL::{meta.db_table}, %s::json) n"
            f" WHERE o.{key.column} = n.{key.column}",
            [as_json([{column: row.__dict__[name] for column, name in columns.items()} for row in rows])],
        )
