"""No bytes from outside crash a parser: what once did, the seeds, and a short run of the fuzzer over every target.

``make fuzz MINUTES=10`` runs longer.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import TARGETS, run

ROOT = Path(__file__).parents[2]

CRASHED = [
    ("log_ins", b"c(am\xd3\xcd.x\x1e*"),  # a Basic log-in that is not even ASCII
    ("replay_rows", "案件編號,x\n1\n".encode()),
]


@pytest.mark.parametrize(("name", "data"), CRASHED)
def test_what_once_crashed_is_refused(name: str, data: bytes) -> None:
    assert run(name, data) is None


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_takes_its_seeds(name: str) -> None:
    seeds = TARGETS[name].seeds()
    assert seeds
    for seed in seeds:
        for data in (seed, seed[: len(seed) // 2], seed[::-1], seed + b"\x00", b""):
            assert run(name, data) is None


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine (Linux on x86-64 has)")
def test_a_short_run_of_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    env = {k: v for k, v in os.environ.items() if not k.startswith("GRIDLOOP_")} | {"GRIDLOOP_FUZZ_FOLDER": str(tmp_path)}
    done = subprocess.run([sys.executable, "-m", "tests.fuzz.run", "0"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    assert [line for line in done.stdout.splitlines() if line.endswith(": ok")] == [f"{name}: ok" for name in TARGETS]
