"""A registered person who reported a case asks to be forgotten: their name and number are nowhere any more, and the trace verifies."""

from __future__ import annotations

import io
import subprocess
import tarfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pyarrow.parquet as pq
import pytest
from psycopg import sql

from gridloop.doors.cli.deployment import Deployment
from gridloop.doors.cli.postgres import EmbeddedPostgres
from tests.house.product import Product, command, until
from tests.proof.conftest import Proof

pytestmark = pytest.mark.server
NAME, PHONE, PLATE_WORDS = "欧阳不二过", "19987654321", "车主欧阳不二过"
PERSON = "ERASE-1"
SOURCE, SIGNAL = "proof", "erase-1"


def forms(words: Iterable[str]) -> list[bytes]:
    """How a word may stand in a file: UTF-8, JSON escapes, percent encoding."""
    found: list[bytes] = []
    for word in words:
        found.append(word.encode())
        if not word.isascii():
            escaped = word.encode("unicode_escape")
            found += [
                escaped,
                escaped.replace(b"\\", b"\\\\"),
                "".join(f"%{b:02X}" for b in word.encode()).encode(),
                word.encode("utf-16-le"),
            ]
    return found


def rows_with(url: str, words: Iterable[str]) -> list[str]:
    """Every table's rows as text that hold a word; packed signals are opened by the caller."""
    hits: list[str] = []
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        )
        for schema, table in tables.fetchall():
            query = sql.SQL("COPY {}.{} TO STDOUT").format(sql.Identifier(schema), sql.Identifier(table))
            with connection.cursor().copy(query) as copy:
                for line in copy:
                    hits += [f"{table}: {bytes(line)[:300]!r}" for form in forms(words) if form in bytes(line)]
    return hits


def packed_with(proof: Proof, words: Iterable[str]) -> list[str]:
    """Signals of the log that hold a word."""
    body = """
from django.db import connection
from gridloop.journal.actions import scoped
from gridloop.sdk.signals import unpack
with scoped(SYSTEM), connection.cursor() as cursor:
    cursor.execute("SELECT data FROM signals_batch")
    print(json.dumps([repr(s) for row in cursor.fetchall() for s in unpack(bytes(row[0]))], ensure_ascii=True))
"""
    signals: list[str] = proof.inside(body)
    assert any(SIGNAL in one for one in signals), "the signal itself stays"
    return [one for one in signals if any(word in one for word in words)]


def files_of(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file of a data folder but the server's own, of which ``rows_with`` and ``pages_with`` speak."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "postgres" not in path.relative_to(folder).parts[:1]:
            yield str(path.relative_to(folder)), path.read_bytes()
            if path.suffix == ".parquet":
                yield f"{path.name} (columns)", repr(pq.read_table(path).to_pylist()).encode()


def files_with(folder: Path, words: Iterable[str]) -> list[str]:
    return [name for name, content in files_of(folder) for form in forms(words) if form in content]


def a_life_with_a_name(proof: Proof) -> tuple[str, str]:
    """A report by JSON with an Idempotency-Key, taken in, worked on, and closed; a signal that carries the name."""
    place = proof.place()
    photo = proof.photo("citizen")
    text = f"我是{NAME}，电话{PHONE}，门口井盖破损"
    body = {"text": text, "kind": "01002", "name": NAME, "contact": PHONE, "place": place, "evidence": [photo]}
    answer = proof.post("/api/v1/reports", "citizen", body, 201, **{"Idempotency-Key": "erase-report"})
    code, key = answer["case"], answer["track_url"].partition("key=")[2]
    again = proof.post("/api/v1/reports", None, body | {"text": f"还没人来，{NAME}", "evidence": []}, 201)
    assert again["case"] == code, "a second text and reporter of the same thing"
    for path in (f"/api/v1/cases/{code}", f"/api/v1/cases/{code}/trace", f"/api/v1/cases?q={NAME}", f"/api/v1/cases?q={PHONE}"):
        proof.get(path, "operator")
    proof.call("GET", f"/track/{code}", params={"key": key}, headers={"Accept": "application/json"})
    proof.post(f"/api/v1/cases/{code}/accept", "operator", {"note": f"已与{NAME}核对"}, **{"Idempotency-Key": "erase-accept"})
    proof.post(f"/api/v1/cases/{code}/urge", "operator", {"note": f"{NAME}又来电 {PHONE}"}, **{"Idempotency-Key": "erase-urge"})
    return code, key


def a_signal_with_a_name(proof: Proof) -> None:
    at = proof.inside("from gridloop.kernel import clock\nprint(json.dumps(clock.now().isoformat()))")
    item = {
        "id": SIGNAL,
        "source": SOURCE,
        "device": "cam-erase",
        "kind": "object_dwell",
        "at": at,
        "value": 9,
        "data": {"owner": PLATE_WORDS},
    }
    proof.post("/api/v1/signals", "admin", item, 202)


def daytime(proof: Proof, hours: int = 0) -> None:
    """Move the clock to the next 10:10 of the place, when people may be told, or some hours on."""
    move = """
from datetime import timedelta
from gridloop.kernel import clock
now, hours = clock.now(), HOURS
morning = now.replace(hour=2, minute=10) + timedelta(days=1)
clock.set_clock(now + timedelta(hours=hours) if hours else morning)
print(json.dumps(True))
"""
    proof.inside(move.replace("HOURS", str(hours)))
    time.sleep(0.2)  # every process looks at the clock's file twenty times a second


def history_of_now(proof: Proof) -> int:
    """Move the clock over the hour, and write the history's files; how many there are."""
    daytime(proof, 2)
    proof.inside("from gridloop.signals.history import write_hours\nprint(json.dumps(write_hours()))")  # as the worker does each minute
    until(lambda: any((proof.folder / "history").rglob("*.parquet")), 75)
    return len(list((proof.folder / "history").rglob("*.parquet")))


def told(proof: Proof, code: str) -> bool:
    """Notices to the reporter went out."""
    rows = proof.sql("SELECT status FROM notices_delivery WHERE case_code = %s AND audience = 'reporter'", code)
    return bool(rows) and all(status == "sent" for (status,) in rows)


def registered(proof: Proof) -> None:
    """The reporter is a person of the registry too."""
    body = """
from gridloop.registry.actions import load
from gridloop.registry.messages import PersonRow, VehicleRow
from gridloop.registry.selectors import devices
region = devices(SYSTEM, limit=1).items[0].region_code
load(SYSTEM, [PersonRow(PERSON, NAME, region_code=region, phone=PHONE), VehicleRow("浙Z98765", person=PERSON)])
print(json.dumps(True))
"""
    proof.inside(body.replace("PERSON", repr(PERSON)).replace("NAME", repr(NAME)).replace("PHONE", repr(PHONE)))


def forget(proof: Proof, code: str) -> None:
    """Through the doors: the person by HTTP, which finds the report by its number; then the tables are rewritten by the command."""
    gone = proof.post(f"/api/v1/people/{PERSON}/erase", "admin", {"reason": "本人要求", "words": [NAME]})
    assert gone["signals"] >= 1
    assert (gone["cases"], gone["files"]) == (1, 1)
    time.sleep(3)  # consumers of the erasure's fact
    again = command("erase", "reporter", code, "--reason", "本人要求", "--rewrite", "--data-dir", str(proof.folder))
    assert again.returncode == 0, again.stderr


def pages_with(proof: Proof, words: Iterable[str]) -> list[str]:
    """Files of the database's tables and indexes that hold a word, dead rows and all; everything is on the disk beforehand.

    Its log (``pg_wal``) is left out: it is overwritten in turn, see docs/deploy.md.
    """
    server = EmbeddedPostgres(proof.folder / "postgres", Deployment(proof.folder).secrets()["postgres"])
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    base = proof.folder / "postgres" / "base"
    return [str(p.relative_to(base)) for p in sorted(base.rglob("*")) if p.is_file() for form in forms(words) if form in p.read_bytes()]


def restored(proof: Proof, folder: Path) -> Path:
    """A backup made now, restored into another folder; also looked at as it lies on the disk."""
    file = folder / "after.tar"
    done = command("backup", str(file), "--data-dir", str(proof.folder))
    assert done.returncode == 0, done.stderr
    target = folder / "second"
    done = command("restore", str(file), "--data-dir", str(target))
    assert done.returncode == 0, done.stderr
    return target


def dump_inside(file: Path) -> bytes:
    """The database of a backup as plain SQL."""
    from gridloop.doors.cli.postgres import BIN

    with tarfile.open(file) as archive:
        member: Any = archive.extractfile("database.dump")
        dump = file.with_suffix(".dump")
        dump.write_bytes(io.BytesIO(member.read()).getvalue())
    return subprocess.run([str(BIN / "pg_restore"), "-f", "-", str(dump)], capture_output=True, check=True).stdout


@pytest.fixture
def forgotten(proof: Proof) -> str:
    """The code of a case whose reporter was known everywhere and then erased."""
    daytime(proof)
    registered(proof)
    code, _key = a_life_with_a_name(proof)
    a_signal_with_a_name(proof)
    assert until(lambda: told(proof, code), 30), proof.sql(
        "SELECT template, status, error FROM notices_delivery WHERE case_code = %s", code
    )
    assert rows_with(proof.product.run()["urls"]["owner"], [NAME]), "it was there"
    assert packed_with(proof, [NAME])
    assert files_with(proof.folder / "outbox", [NAME, PHONE]), "it was told"
    assert history_of_now(proof) > 0
    assert files_with(proof.folder / "history", [NAME])
    assert pages_with(proof, [NAME])
    assert [p for p in (proof.folder / "evidence").rglob("*") if p.is_file()], "the photo is there"
    forget(proof, code)
    return code


def test_an_erased_person_is_nowhere(proof: Proof, forgotten: str, tmp_path: Path) -> None:
    words = [NAME, PHONE]
    done = command("verify", "--data-dir", str(proof.folder))
    assert done.returncode == 0, done.stdout + done.stderr
    trace = proof.get(f"/api/v1/cases/{forgotten}/trace", "operator")["items"]
    assert trace[0]["action"] == "reported"
    assert NAME not in str(trace)
    assert rows_with(proof.product.run()["urls"]["owner"], words) == []
    assert packed_with(proof, words) == []
    assert files_with(proof.folder, words) == []
    assert pages_with(proof, words) == []
    assert [p for p in (proof.folder / "evidence").rglob("*") if p.is_file()] == []
    assert proof.sql("SELECT uploaded_by_id, status FROM evidence_file WHERE case_code = %s", forgotten) == [(None, "erased")]
    assert proof.sql("SELECT 1 FROM registry_vehicle WHERE plate = '浙Z98765'") == []
    target = restored(proof, tmp_path)
    assert all(form not in dump_inside(tmp_path / "after.tar") for form in forms(words))
    assert files_with(target, words) == []
    second = Product(target)
    try:
        second.wait_ready(120)
        assert rows_with(second.run()["urls"]["owner"], words) == []
    finally:
        second.stop()
