"""What many tests begin with, loaded by the product's own loaders once a process and afterwards put into empty tables as it was then.

Loading is three hundred statements and what each computes; hundreds of tests need the same rows.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from psycopg import sql

from gridloop.journal.actions import scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM

_LEFT_OUT = {"journal_fact": {"id", "tx"}}  # each time a fact gets a place of its own in the order of transactions
_COLUMNS = """SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position) FROM information_schema.columns
    WHERE table_schema = 'public' AND is_generated = 'NEVER' AND table_name <> 'django_migrations'
    AND table_name IN (SELECT tablename FROM pg_tables WHERE schemaname = 'public') GROUP BY 1"""
_PUT = "INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns} FROM json_populate_recordset(NULL::{table}, {rows});"


class Kept:
    """``put()`` gives what ``load`` gave. Where one of its tables has rows already, or the clock is moved, it loads."""

    def __init__(self, load: Callable[[], Any]) -> None:
        self._load = load
        self._given: Any = None
        self._statements = self._are_filled = ""

    def put(self) -> Any:
        if abs(clock.now() - datetime.now(UTC)) > timedelta(minutes=1):
            return self._load()
        with scoped(SYSTEM):
            if not self._statements:
                self._take()
            elif self._ask(self._are_filled)[0][0]:
                return self._load()
            else:
                self._run(self._statements)
        return self._given

    def _take(self) -> None:
        before = self._rows()
        self._given = self._load()
        after = self._rows()
        new = {table: rows for table, rows in after.items() if rows != before.get(table)}
        statements, empty = [], []
        for table, rows in new.items():
            name = sql.Identifier(table)
            if table in before:  # rows of the migrations, changed by the load
                statements.append(sql.SQL("DELETE FROM {};").format(name))
            else:
                empty.append(sql.SQL("EXISTS (SELECT FROM {})").format(name))
            columns = sql.SQL(", ").join(map(sql.Identifier, self._columns[table]))
            statements.append(sql.SQL(_PUT).format(table=name, columns=columns, rows=sql.Literal(rows)))
        self._statements = sql.Composed(statements).as_string(connection.connection)
        self._are_filled = sql.SQL("SELECT {}").format(sql.SQL(" OR ").join(empty)).as_string(connection.connection)

    def _rows(self) -> dict[str, str]:
        """Every table that has rows, as JSON."""
        self._columns = {table: [c for c in columns if c not in _LEFT_OUT.get(table, ())] for table, columns in self._ask(_COLUMNS)}
        found = {}
        for table, columns in sorted(self._columns.items()):
            query = "SELECT json_agg(row_to_json(x))::text FROM (SELECT {} FROM {}) x"
            asked = sql.SQL(query).format(sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(table))
            rows = self._ask(asked.as_string(connection.connection))[0][0]
            if rows is not None:
                found[table] = rows
        return found

    def _ask(self, statement: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            found: list[Any] = cursor.fetchall()
            return found

    def _run(self, statements: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(statements)
