"""The list of components names every pin of what a deployment runs, once and with its hashes, and nothing of what tests need."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import sbom  # noqa: E402


def test_every_pin_stands_in_it_once_with_its_hashes() -> None:
    made = sbom.document()
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.5")
    purls = [one["purl"] for one in made["components"]]
    assert len(purls) == len(set(purls))
    assert purls == sorted(purls)
    locked = (ROOT / "requirements" / "base.txt").read_text(encoding="utf-8")
    pins = re.findall(r"^([a-zA-Z0-9._-]+)(?:\[.*?\])?==(\S+)", locked, re.MULTILINE)
    assert {p for p in purls if p.startswith("pkg:pypi/")} == {f"pkg:pypi/{re.sub('[-_.]+', '-', n).lower()}@{v}" for n, v in pins}
    lengths = {"SHA-256": 64, "SHA-512": 128}
    for one in made["components"]:
        assert one["hashes"], one["name"]
        assert all(re.fullmatch(r"[0-9a-f]+", h["content"]) and len(h["content"]) == lengths[h["alg"]] for h in one["hashes"])


def test_what_is_built_in_and_what_only_builds() -> None:
    names = {one["name"] for one in sbom.document()["components"]}
    wanted = json.loads((ROOT / "web" / "package.json").read_text(encoding="utf-8"))
    assert set(wanted["dependencies"]) <= names
    assert {"django", "cryptography"} <= names
    assert not {"vitest", "pytest", "ruff"} & names
