"""Historic cases, kept in bulk: ended ones of the system before, without limits, notices or proposals; and the words of cases.

A chunk is one transaction: rows, sealed texts, their words and one fact that counts them and holds a digest of what they are. Everything is
made in columns: a row by itself would cost more in Python than in the database.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from django.db import IntegrityError, connection, transaction

from gridloop.cases.messages import HistoricCase
from gridloop.cases.words import Words, postings, words_of
from gridloop.journal.actions import append, elevated, scoped, verb
from gridloop.journal.rules import RETENTION
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM, Viewer

CHUNK = 30_000  # rows a transaction: one to two seconds
SCENE = "history"  # no pack: nothing runs on them
WORDED = 2_000  # cases a turn whose words are made

AT = pa.timestamp("us", "UTC")
ROWS = pa.schema(  # what is kept; texts are '' where there is none
    [
        *((name, pa.string()) for name in ("code", "type", "title", "status", "region", "source", "address", "text")),
        *(("severity", pa.int64()), ("lon", pa.float64()), ("lat", pa.float64()), ("unit", pa.int64())),
        *(("reported_at", AT), ("closed_at", AT)),
    ]
)
_STAGE = """CREATE TEMPORARY TABLE IF NOT EXISTS history_stage (code text, type text, title text, status text, region text, source text,
    address text, severity smallint, lon float8, lat float8, unit int, reported_at timestamptz, closed_at timestamptz, sources text,
    id bigint, text_id uuid, key text, said text) ON COMMIT DELETE ROWS"""
_POSTED = """CREATE TEMPORARY TABLE IF NOT EXISTS history_posting (key bigint, cases bigint[]) ON COMMIT DELETE ROWS;
    ALTER TABLE history_posting ALTER COLUMN cases SET STORAGE EXTERNAL"""  # as cases_posting has it: else packed for nothing
_KEEP = """INSERT INTO cases_case (id, code, type, title, severity, status, desk_waits, stage, region, desk_region, source, sources, scene,
    same_thing, lon, lat, address, text_sealed, reported_at, closed_at, updated_at, lead_unit_id, supporting_ids, unit_ids, staff_ids,
    handled_by, checked_by, doubts, returns, reworks, escalations, merged_count, supervised, ratings)
SELECT id, code, type, title, severity, status, false, '', region, region, source,
    sources::jsonb, %s, '', lon, lat, address, text_id, reported_at, closed_at, %s, unit, '{}',
    CASE WHEN unit IS NULL THEN '{}'::int[] ELSE ARRAY[unit] END, '{}', '{}', '', '[]', 0, 0, 0, 0, 0, '{}'
FROM history_stage"""
_NEW_ONLY = " ON CONFLICT (code) DO NOTHING"
_SEAL = """INSERT INTO journal_sealed (id, subject, purpose, case_code, value, key, retain_until, created_at, erased_rule)
SELECT text_id, 'case:' || code || '/reporter', 'case_text', code, to_jsonb(said), decode(key, 'hex'),
    reported_at + make_interval(days => %s), %s, ''
FROM history_stage WHERE said IS NOT NULL"""


@dataclass(frozen=True, slots=True)
class Ready:
    """Rows with all that can be made of them before the database is asked: words, and what is staged, but for the ids."""

    rows: pa.Table
    staged: pa.Table
    words: Words


def columns_of(rows: Sequence[HistoricCase]) -> pa.Table:
    """Rows as columns."""
    names = {"region": "region_code"}
    return pa.table({name: [getattr(r, names.get(name, name)) for r in rows] for name in ROWS.names}, schema=ROWS)


def ready(rows: pa.Table) -> Ready:
    """A text whose time is over is not taken in. No database here."""
    rows = rows.combine_chunks()
    oldest = pa.scalar(clock.now() - timedelta(days=RETENTION["case_text"].days), AT)
    told = pc.and_(pc.not_equal(rows["text"], ""), pc.greater(rows["reported_at"], oldest))
    said = _whole(pc.if_else(told, rows["text"], ""))
    nothing = pa.scalar(None, pa.string())
    at = pc.replace_substring(_written(rows["reported_at"], "s"), " ", "T")
    once = pc.binary_join_element_wise('[{"kind": "', rows["source"], '", "at": "', at, '+00:00", "count": 1}]', "")
    staged = rows.drop_columns(["text"]).append_column("sources", once)
    for name in ("reported_at", "closed_at"):
        written = pc.binary_join_element_wise(_written(rows[name], "us"), "+00", "")
        staged = staged.set_column(staged.column_names.index(name), name, written)
    for name, values in (("text_id", _uuids(len(rows))), ("key", _hex(secrets.token_bytes(32 * len(rows)), 32)), ("said", said)):
        staged = staged.append_column(name, pc.if_else(told, values, nothing))
    title, address, region, unit, at = (_whole(rows[name]) for name in ("title", "address", "region", "unit", "reported_at"))
    return Ready(rows, staged, words_of(title, address, said, region, unit, at))


def _written(times: Any, unit: str) -> Any:
    """Points in time of UTC as text. Cast without their zone, which pyarrow would look up for each: twenty times as dear."""
    return pc.cast(pc.cast(times, pa.timestamp(unit), safe=False), pa.string())


def _whole(column: Any) -> Any:
    column = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return column.chunk(0) if isinstance(column, pa.ChunkedArray) else column


def _hex(data: bytes, size: int) -> Any:
    """Values of so many bytes each, as text."""
    count = len(data) // size
    offsets = np.arange(0, 2 * len(data) + 1, 2 * size, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(data.hex().encode()))


def _uuids(count: int) -> Any:
    """UUIDs of version 7, as text; rising, so that each comes beside the one before in the index."""
    parts = np.frombuffer(secrets.token_bytes(16 * count), dtype=np.uint8).reshape(-1, 16).copy()
    parts[:, :6] = np.frombuffer((time.time_ns() // 1_000_000).to_bytes(6, "big"), dtype=np.uint8)
    parts[:, 6] = parts[:, 6] & 0x0F | 0x70
    parts[:, 8] = parts[:, 8] & 0x3F | 0x80
    return _hex(np.sort(parts.view("S16").ravel()).tobytes(), 16)


@verb("case.import")
def keep_historic(viewer: Viewer, made: Ready) -> int:
    """Keep ended cases; one whose code is there already stays as it is. Returns how many are new."""
    now, count = clock.now(), len(made.rows)
    if not count:
        return 0
    with elevated(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('gridloop.words', 'later', true)")
        cursor.execute("SELECT array_agg(nextval('cases_case_id_seq')) FROM generate_series(1, %s)", [count])
        ids = np.array(cursor.fetchone()[0], dtype=np.int64)
        cursor.execute(_STAGE)
        cursor.execute(_POSTED)
        cursor.execute("TRUNCATE history_stage, history_posting")  # a chunk before in the same transaction
        with cursor.copy(f"COPY history_stage ({', '.join([*made.staged.column_names, 'id'])}) FROM STDIN (FORMAT csv)") as copy:
            copy.write(_csv(made.staged.append_column("id", pa.array(ids))))
        new, kept = _keep(cursor, now), np.ones(count, dtype=bool)
        if new < count:
            cursor.execute("SELECT s.id FROM history_stage s JOIN cases_case c ON c.id = s.id")
            kept = np.isin(ids, np.array(cursor.fetchall(), dtype=np.int64))
            cursor.execute("DELETE FROM history_stage s WHERE NOT EXISTS (SELECT FROM cases_case c WHERE c.id = s.id)")
        cursor.execute(_SEAL, [RETENTION["case_text"].days, now])
        with cursor.copy("COPY history_posting (key, cases) FROM STDIN (FORMAT binary)") as copy:
            copy.write(postings(made.words, ids, kept))
        cursor.execute("INSERT INTO cases_posting (key, cases) SELECT key, cases FROM history_posting")
        cursor.execute("SELECT set_config('gridloop.words', '', true)")
        if new:
            append("org", "cases_imported", {"rows": new, "known": count - new, "digest": digest(made.rows)}, viewer)
    return new


def _keep(cursor: Any, now: datetime) -> int:
    """How many of the staged rows are new. Where all are, as they nearly always are, none needs to be looked for first."""
    try:
        with transaction.atomic():
            cursor.execute(_KEEP, [SCENE, now])
    except IntegrityError:
        cursor.execute(_KEEP + _NEW_ONLY, [SCENE, now])
    return int(cursor.rowcount)


def _csv(table: pa.Table) -> memoryview:
    """As COPY reads it: every text in quotes, so that an empty one is no null."""
    out = pa.BufferOutputStream()
    pa_csv.write_csv(table, out, pa_csv.WriteOptions(include_header=False, batch_size=CHUNK))
    return memoryview(out.getvalue())


def digest(rows: pa.Table) -> str:
    """SHA-256 over what the rows are, words and places left out: a list of codes with type, status, territory and times (microseconds)."""
    times = [pc.fill_null(rows[name].cast(pa.int64()).cast(pa.string()), "") for name in ("reported_at", "closed_at")]
    lines = pc.binary_join_element_wise(*(rows[name] for name in ("code", "type", "status", "region")), *times, "|")
    return sha256("".join(f"{line}\n" for line in lines.to_pylist()).encode()).hexdigest()


def index_words(most: int = WORDED) -> bool:
    """Job: make the words of cases kept by a version before, the last ones first. True when there may be more."""
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SELECT ctid::text, first_id, last_id FROM cases_words_due ORDER BY last_id DESC LIMIT 1 FOR UPDATE SKIP LOCKED")
        due = cursor.fetchone()
        if due is None:
            return False
        place, first, last = due
        start = max(first, last - most + 1)
        cursor.execute("SELECT gl_cases_reword(%s, %s)", [start, last])
        if start == first:
            cursor.execute("DELETE FROM cases_words_due WHERE ctid = %s::tid", [place])
        else:
            cursor.execute("UPDATE cases_words_due SET last_id = %s WHERE ctid = %s::tid", [start - 1, place])
    return True
