"""Keeps figures as JSON lines: ``{"name", "value", "unit", "cases"?, "at", "commit", "machine"}``."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "bench" / "results"


def commit() -> str:
    """The checked-out commit, with ``+`` when files differ from it."""
    head = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain", "-uno", "gridloop"], cwd=ROOT, capture_output=True, text=True, check=False)
    return (head or "unknown") + ("+" if changed.stdout.strip() else "")


def machine() -> str:
    """Cores, processor and how busy it was: a figure without it says nothing."""
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    return f"{os.cpu_count()} cores, {model}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"


def record(name: str, value: float, unit: str, cases: int | None = None, script: str = "") -> None:
    """Print the figure and append it to ``bench/results/<script>.jsonl``; the script is the one that runs, if no other is named."""
    line: dict[str, object] = {"name": name, "value": round(value, 3), "unit": unit}
    if cases is not None:
        line["cases"] = cases
    line |= {"at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit(), "machine": machine()}
    text = json.dumps(line, ensure_ascii=False)
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / f"{script or Path(sys.argv[0]).stem}.jsonl").open("a", encoding="utf-8") as file:
        file.write(text + "\n")


def percentile(values: list[float], share: float) -> float:
    """The value below which the share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
