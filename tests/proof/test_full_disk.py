"""The disk fills up while people report, staff work and devices send, and is emptied again: nothing acknowledged is lost.

Part of ``make soak``; needs to be root, for a disk of its own size.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.house.product import Product, until
from tests.live.conftest import SCALE
from tests.proof import test_kill as kills
from tests.proof.conftest import Proof

pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not kills.SOAK_MINUTES, reason="part of make soak"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a disk of its own"),
]
DISK_MB = 2_000
FULL_SECONDS = 25


@pytest.fixture
def small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="gl-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        folder.rmdir()


@pytest.fixture
def proof(small_disk: Path) -> Iterator[Proof]:
    product = Product(small_disk / "data", GRIDLOOP_SAMPLE_SCALE=str(SCALE))
    try:
        product.wait_ready(240)
        yield Proof(product, small_disk / "data")
    finally:
        product.stop()


def fill(disk: Path) -> Path:
    """A file that takes what is left, to the last byte."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    os.write(file.fileno(), b"\0" * size)
            except OSError:
                continue
    assert shutil.disk_usage(disk).free < 4096
    return ballast


def answers(proof: Proof) -> int:
    """What a report gets now."""
    try:
        place = {"lon": 121.6, "lat": 29.2}
        body = {"text": "磁盘满了也要有答复", "place": place}
        return httpx.post(f"{proof.url}/api/v1/reports", json=body, timeout=10, trust_env=False).status_code
    except httpx.HTTPError:
        return 0


def test_a_full_disk_loses_nothing_and_heals(proof: Proof, small_disk: Path) -> None:
    for user in ("citizen", "operator", "admin", "handler", "supervisor", "commander"):
        proof.token(user)
    traffic = kills.Traffic(proof)
    jobs: list[Callable[[], None]] = [traffic.accept, traffic.work, partial(traffic.signals, proof.place())]
    jobs += [partial(traffic.report, who, proof.place()) for who in range(kills.REPORTERS)]
    jobs += [partial(traffic.publish, device, secret, proof.mqtt) for device, secret in proof.meters(kills.METERS)]
    threads = [threading.Thread(target=job, daemon=True) for job in jobs]
    for thread in threads:
        thread.start()
    assert until(traffic.enough, 240)
    ballast = fill(small_disk)
    said = []
    end = time.monotonic() + FULL_SECONDS
    while time.monotonic() < end:
        said.append(answers(proof))
        time.sleep(1)
    ballast.unlink()
    emptied = time.monotonic()
    assert until(proof.product.ready, 90), proof.product.text[-2000:]
    assert until(lambda: answers(proof) == 201, 60)
    healed = time.monotonic() - emptied
    before = len(traffic.reported), len(traffic.sent), len(traffic.published), len(traffic.closed)
    assert until(lambda: all(now > then for now, then in zip(counts(traffic), before, strict=True)), 120), (before, counts(traffic))
    traffic.stop.set()
    for thread in threads:
        thread.join(70)
    assert traffic.refused == []
    assert set(said) <= {0, 201, 429, 503}, said
    assert [code for code in said if code != 201], "the disk was never full"
    kills.all_is_proved(proof, traffic)
    told = Counter(code for code in said if code != 201)
    figures = {"seconds": (FULL_SECONDS, "s"), "healed": (healed, "s after there was room again")}
    figures |= {f"answered_{code or 'nothing'}": (count, "reports") for code, count in sorted(told.items())}
    kills.file_soak(traffic, "full_disk", figures)


def counts(traffic: kills.Traffic) -> tuple[int, int, int, int]:
    return len(traffic.reported), len(traffic.sent), len(traffic.published), len(traffic.closed)
