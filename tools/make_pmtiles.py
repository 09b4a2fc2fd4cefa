"""Make the base map of the sample county: ``python tools/make_pmtiles.py OUT.pmtiles [--seed N] [--scale S]``."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gridloop.kernel.errors import Fault
from gridloop.kernel.texts import say
from gridloop.simulation.county.basemap import make_base_map
from gridloop.simulation.county.county import SEED


@click.command(help=__doc__)
@click.argument("out", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--seed", default=SEED, show_default=True)
@click.option("--scale", default=1.0, show_default=True)
def main(out: Path, seed: int, scale: float) -> None:
    began = time.monotonic()
    try:
        size = make_base_map(out, seed, scale)
    except Fault as fault:
        raise click.ClickException(say(fault.key, "en", **fault.params)) from fault
    click.echo(f"{out}: {size / 2**20:.1f} MB in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    main()
