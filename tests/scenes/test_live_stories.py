"""The packs' stories over HTTP on the whole product: the same acts, the same expectations, and the same facts as in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.product import Product, command

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """A sample county without the simulator, so that nothing else moves."""
    product = Product(tmp_path_factory.mktemp("stories") / "d", "--quiet")
    try:
        product.wait_ready(240)
        yield product
    finally:
        product.stop()


@pytest.mark.parametrize("pack", ["illegal_parking", "damaged_facility", "device_care"])
def test_stories_of_a_pack(product: Product, pack: str) -> None:
    played = command("play-stories", pack, "--live", product.url, "--data-dir", str(product.folder))
    assert played.returncode == 0, played.stdout + played.stderr


def test_clock_of_a_deployment_without_sample_is_left_alone(tmp_path: Path) -> None:
    refused = command("play-stories", "--live", "http://127.0.0.1:1", "--data-dir", str(tmp_path))
    assert refused.returncode == 1
    assert not (tmp_path / "clock.json").exists()
