"""The packs' stories over HTTP on the whole product: the same acts, the same expectations, and the same facts as in memory.

Each pack's first one; with GRIDLOOP_LIVE_STORIES=all, as in ``make soak``, every one.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.product import Product, command, first_start_done
from tests.live.conftest import SCALE

ALL = os.environ.get("GRIDLOOP_LIVE_STORIES") == "all"
pytestmark = [pytest.mark.server, pytest.mark.timeout(0 if ALL else 1200)]  # stories wait for the worker many times
PACKS = sorted(path.parent.name for path in (Path(__file__).parents[2] / "packs").glob("*/pack.yaml") if (path.parent / "stories").is_dir())


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """A small sample county without the simulator, so that nothing else moves."""
    above = Path(tempfile.mkdtemp(prefix="gl-stories-"))
    first_start_done(above / "d", GRIDLOOP_SAMPLE_SCALE=str(SCALE))
    product = Product(above / "d", "--quiet", GRIDLOOP_SAMPLE_SCALE=str(SCALE))
    try:
        product.wait_ready(240)
        yield product
    finally:
        product.stop()
        shutil.rmtree(above, ignore_errors=True)


@pytest.fixture(scope="module")
def told(product: Product) -> str:
    """What one playing of them all says: each story's line, and below it what went wrong."""
    which = [] if ALL else ["--story", "01"]
    played = command("play-stories", *which, "--live", product.url, "--data-dir", str(product.folder), seconds=7200 if ALL else 1000)
    text = played.stdout + played.stderr
    assert played.returncode == (1 if "✗" in text else 0), text
    return text


@pytest.mark.parametrize("pack", PACKS)
def test_stories_of_a_pack(told: str, pack: str) -> None:
    lines = told.splitlines()
    assert [line for line in lines if line.startswith(f"✓ {pack} ·")], told
    assert not [line for line in lines if line.startswith((f"✗ {pack} ·", f"    {pack}/"))], told


def test_clock_of_a_deployment_without_sample_is_left_alone(tmp_path: Path) -> None:
    refused = command("play-stories", "--live", "http://127.0.0.1:1", "--data-dir", str(tmp_path))
    assert refused.returncode == 1
    assert not (tmp_path / "clock.json").exists()
