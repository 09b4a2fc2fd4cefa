"""The packs' stories over HTTP on the whole product: the same acts, the same expectations, and the same facts as in memory.

Each pack's first one; with GRIDLOOP_LIVE_STORIES=all, as in ``make soak``, every one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.product import Product, command

pytestmark = [pytest.mark.server, pytest.mark.timeout(1200)]  # a pack's stories wait for the worker many times
PACKS = sorted(path.parent.name for path in (Path(__file__).parents[2] / "packs").glob("*/pack.yaml") if (path.parent / "stories").is_dir())


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A sample county without the simulator, so that nothing else moves."""
    product = Product(tmp_path_factory.mktemp("stories") / "d", "--quiet")
    try:
        product.wait_ready(400)
        yield product
    finally:
        product.stop()


@pytest.mark.parametrize("pack", PACKS)
def test_stories_of_a_pack(product: Product, pack: str) -> None:
    which = [] if os.environ.get("GRIDLOOP_LIVE_STORIES") == "all" else ["--story", "01"]
    played = command("play-stories", pack, *which, "--live", product.url, "--data-dir", str(product.folder), seconds=900)
    assert played.returncode == 0, played.stdout + played.stderr


def test_clock_of_a_deployment_without_sample_is_left_alone(tmp_path: Path) -> None:
    refused = command("play-stories", "--live", "http://127.0.0.1:1", "--data-dir", str(tmp_path))
    assert refused.returncode == 1
    assert not (tmp_path / "clock.json").exists()
