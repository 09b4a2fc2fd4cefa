"""Historic cases, kept in bulk: ended ones of the system before, without limits, notices or proposals; and their words afterwards.

A chunk is one transaction: rows, sealed texts and one fact that counts them and holds a digest of what they are. Their words follow by
``index_words`` (a job; the command runs it, too): they cost more than the rows and nobody's work waits for them.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.db import connection

from gridloop.cases.messages import HistoricCase
from gridloop.journal.actions import append, elevated, scoped, verb
from gridloop.journal.rules import RETENTION
from gridloop.kernel import clock
from gridloop.kernel.hashing import new_key
from gridloop.kernel.ids import uuid7
from gridloop.kernel.viewer import SYSTEM, Viewer

CHUNK = 5_000  # rows a transaction: well under two seconds
SCENE = "history"  # no pack: nothing runs on them
WORDED = 2_000  # cases a turn whose words are made

_STAGE = """CREATE TEMPORARY TABLE history_stage (row_no int, code text, type text, title text, severity smallint, status text, region text,
    source text, lon float8, lat float8, address text, reported_at timestamptz, closed_at timestamptz, unit int, text_id uuid, said text,
    key bytea) ON COMMIT DROP"""
_KEEP = """INSERT INTO cases_case (code, type, title, severity, status, desk_waits, stage, region, desk_region, source, sources, scene,
    same_thing, lon, lat, address, text_sealed, reported_at, closed_at, updated_at, lead_unit_id, supporting_ids, unit_ids, staff_ids,
    handled_by, checked_by, doubts, returns, reworks, escalations, merged_count, supervised, ratings)
SELECT code, type, title, severity, status, false, '', region, region, source,
    jsonb_build_array(jsonb_build_object('kind', source, 'at', to_char(reported_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"+00:00"'),
    'count', 1)), %s, '', lon, lat, coalesce(address, ''), text_id, reported_at, closed_at, %s, unit, '{}',
    CASE WHEN unit IS NULL THEN '{}'::int[] ELSE ARRAY[unit] END, '{}', '{}', '', '[]', 0, 0, 0, 0, 0, '{}'
FROM history_stage ORDER BY row_no RETURNING id"""
_SEAL = """INSERT INTO journal_sealed (id, subject, purpose, case_code, value, key, retain_until, created_at, erased_rule)
SELECT text_id, 'case:' || code || '/reporter', 'case_text', code, to_jsonb(said), key, reported_at + make_interval(days => %s), %s, ''
FROM history_stage WHERE said IS NOT NULL"""


@verb("case.import")
def keep_historic(viewer: Viewer, rows: Sequence[HistoricCase], staged: str | None = None) -> int:
    """Keep ended cases; one whose code is there already stays as it is. Returns how many are new.

    ``staged``: what ``stage`` made of the rows, when the caller has done that meanwhile.
    """
    now = clock.now()
    with elevated(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('gridloop.words', 'later', true)")
        cursor.execute(_STAGE)
        with cursor.copy("COPY history_stage FROM STDIN (FORMAT csv)") as copy:
            copy.write(staged if staged is not None else stage(rows))
        cursor.execute("SELECT code FROM cases_case WHERE code = ANY (%s)", [[r.code for r in rows]])  # by index, however many cases
        if known := [code for (code,) in cursor.fetchall()]:
            cursor.execute("DELETE FROM history_stage WHERE code = ANY (%s)", [known])
        cursor.execute(_KEEP, [SCENE, now])
        ids = [number for (number,) in cursor.fetchall()]
        cursor.execute(_SEAL, [RETENTION["case_text"].days, now])
        if ids:
            cursor.execute("INSERT INTO cases_words_due VALUES (%s, %s)", [min(ids), max(ids)])
        cursor.execute("DROP TABLE history_stage")
        cursor.execute("SELECT set_config('gridloop.words', '', true)")
        if ids:
            append("org", "cases_imported", {"rows": len(ids), "known": len(rows) - len(ids), "digest": digest(rows)}, viewer)
    return len(ids)


def digest(rows: Sequence[HistoricCase]) -> str:
    """SHA-256 over what the rows are, words and places left out: a list of codes with type, status, territory and times."""
    lines = (f"{r.code}|{r.type}|{r.status}|{r.region_code}|{r.reported_at}|{r.closed_at or ''}\n" for r in rows)
    return sha256("".join(lines).encode()).hexdigest()


def stage(rows: Sequence[HistoricCase]) -> str:
    """The rows as CSV for the staging table. A text whose time is over is not taken in."""
    oldest = clock.now() - timedelta(days=RETENTION["case_text"].days)
    out = io.StringIO()
    write = csv.writer(out).writerow
    for number, r in enumerate(rows):
        told: tuple[Any, ...] = ("", None, "")
        if r.text and r.reported_at > oldest:
            told = (uuid7(), r.text, f"\\x{new_key().hex()}")
        write(
            (
                *(number, r.code, r.type, r.title, r.severity, r.status, r.region_code, r.source, r.lon, r.lat),
                *(r.address, r.reported_at, r.closed_at, r.unit, *told),
            )
        )
    return out.getvalue()


def index_words(most: int = WORDED) -> bool:
    """Job: make the words of cases kept in bulk, the last ones first. True when there may be more."""
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
