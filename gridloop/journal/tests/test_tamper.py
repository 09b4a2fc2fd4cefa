"""Whoever holds the database itself may change facts, but not unseen: ``gridloop verify`` names the first broken one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from django.db import connection

from gridloop.doors.cli.admin import verify as verify_command
from gridloop.journal.actions import append_many, checkpoint, scoped
from gridloop.journal.messages import FactIn
from gridloop.journal.selectors import chain_facts, verify
from gridloop.kernel.hashing import ZERO_HASH, fact_hash
from gridloop.kernel.viewer import SYSTEM

pytestmark = pytest.mark.django_db(transaction=True)
Intruder = Callable[..., None]
SECOND = "UPDATE journal_fact SET {} WHERE chain = 'case:1' AND seq = 2"
DONE = {
    "altered": ([SECOND.format("data = '{\"n\": 99}'")], "case:1 #2: the content does not give its hash"),
    "another time": ([SECOND.format("at = at + interval '1 hour'")], "case:1 #2: the content does not give its hash"),
    "another actor": ([SECOND.format("actor = 'user:7'")], "case:1 #2: the content does not give its hash"),
    "deleted": (["DELETE FROM journal_fact WHERE chain = 'case:1' AND seq = 2"], "case:1 #3: expected #2: a fact is missing"),
    "deleted at the end": (
        ["DELETE FROM journal_fact WHERE chain = 'case:1' AND seq = 4"],
        "case:1 #3: the chain's head names another last",
    ),
    "swapped": (
        [f"UPDATE journal_fact SET seq = {to} WHERE chain = 'case:1' AND seq = {of}" for of, to in ((2, 9), (3, 2), (9, 3))],
        "case:1 #2: previous_hash is not the hash of the fact before",
    ),
}


@pytest.fixture
def trace() -> None:
    """Two chains, sealed by a checkpoint."""
    for chain in ("case:1", "case:2"):
        with scoped(SYSTEM):
            append_many(chain, [FactIn("tested", {"n": n}) for n in range(4)], SYSTEM)
    checkpoint()


def told(data_dir: Path) -> tuple[int, str]:
    """Exit code and last line of the command, run as an administrator would."""
    command = [str(Path(sys.executable).with_name("gridloop")), "verify", "--data-dir", str(data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.returncode, (done.stderr if done.returncode else done.stdout).strip().splitlines()[-1]


def test_an_untouched_trace_verifies(trace: None, tmp_path: Path) -> None:
    code, line = told(tmp_path)
    assert code == 0, line
    assert "8 facts verify" in line


@pytest.mark.parametrize("way", DONE)
def test_the_first_broken_fact_is_named(trace: None, intruder: Intruder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str) -> None:
    statements, expected = DONE[way]
    intruder(*statements)
    monkeypatch.setenv("GRIDLOOP_DATA_DIR", str(tmp_path))  # put back afterwards: the command changes it
    done = CliRunner().invoke(verify_command, ["--data-dir", str(tmp_path)])
    assert done.exit_code == 1
    assert expected in done.stderr.strip().splitlines()[-1]


def rewritten(chain: str) -> list[str]:
    """A forged chain without a flaw of its own: every hash after the change computed anew, the head too."""
    statements, previous = [], ZERO_HASH
    for fact in chain_facts(SYSTEM, chain):
        public = {**fact.public(), "previous_hash": previous}
        public["data"] = {"n": 99} if fact.seq == 2 else public["data"]
        previous = fact_hash(public)
        values = f"data = '{orjson.dumps(public['data']).decode()}', previous_hash = '{public['previous_hash']}', hash = '{previous}'"
        statements.append(f"UPDATE journal_fact SET {values} WHERE chain = '{chain}' AND seq = {fact.seq}")
    return [*statements, f"UPDATE journal_chainhead SET hash = '{previous}' WHERE chain = '{chain}'"]


def test_a_chain_computed_anew_is_found_by_its_checkpoint(trace: None, intruder: Intruder) -> None:
    intruder(*rewritten("case:1"))
    broken = verify(SYSTEM)[1]
    assert broken is not None
    assert broken.where.startswith("checkpoint")


def test_a_chain_that_vanished_is_found_by_its_checkpoint(trace: None, intruder: Intruder, tmp_path: Path) -> None:
    intruder("DELETE FROM journal_fact WHERE chain = 'case:2'", "DELETE FROM journal_chainhead WHERE chain = 'case:2'")
    code, line = told(tmp_path)
    assert code == 1
    assert "checkpoint" in line
    assert "found 4" in line


def test_a_checkpoint_that_was_changed_is_found(trace: None, intruder: Intruder) -> None:
    intruder("UPDATE journal_checkpoint SET count = count - 1")
    broken = verify(SYSTEM)[1]
    assert broken is not None
    assert "chain of checkpoints" in broken.why


def test_facts_after_a_checkpoint_are_sealed_by_the_next(trace: None) -> None:
    with scoped(SYSTEM):
        append_many("case:1", [FactIn("tested", {"n": 5})], SYSTEM)
    assert checkpoint() is False
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SELECT sum(count) FROM journal_checkpoint")
        assert cursor.fetchone()[0] == 9
    assert verify(SYSTEM) == (9, None)
