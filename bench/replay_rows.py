"""Recorded hotline rows a second into a running product: report, region, proposal, case, acceptance, trace, limits, notices."""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
from pathlib import Path

from kit.record import ROOT, record
from kit.running import product

from tests.house.product import COMMAND, clean_environment

FILE = ROOT.parent / "shared" / "data" / "tainan_1999" / "requests_2015_2018.csv.gz"
EXTRACT = ROOT / "tests" / "data" / "tainan_extract.csv"


def rows_of(file: Path, wanted: int, folder: Path) -> tuple[Path, int]:
    """The first rows of a packed file (0 = all), unpacked beside the deployment."""
    out = folder / "rows.csv"
    count = 0
    with gzip.open(file, "rt", encoding="utf-8", newline="") as packed, out.open("w", encoding="utf-8", newline="") as plain:
        for count, line in enumerate(packed):
            if wanted and count > wanted:
                return out, wanted
            plain.write(line)
    return out, count


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--file", type=Path, default=FILE)
    options.add_argument("--rows", type=int, default=0, help="only the first rows of the file")
    chosen, _ = options.parse_known_args()
    with product(0.1) as callers:
        file, count = (EXTRACT, 200) if not chosen.file.exists() else rows_of(chosen.file, chosen.rows, callers.folder.parent)
        arguments = ["replay", str(file), "--as", "hotline", "--times", "own", "--json", "--data-dir", str(callers.folder)]
        # the progress goes on to the terminal: the whole file takes most of an hour
        done = subprocess.run([*COMMAND, *arguments], env=clean_environment(), stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit("the replay failed")
        figures = json.loads(done.stdout.strip().splitlines()[-1])
        record("replay_hotline", figures["per_second"], "rows/s", count)
        record("replay_hotline_failed", figures["failed"], "rows", count)
        record("replay_hotline_merged", figures["merged"], "rows", count)


if __name__ == "__main__":
    main()
