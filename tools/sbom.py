"""The list of what a deployment runs, in CycloneDX 1.5: ``.venv/bin/python tools/sbom.py > sbom.json``.

From the two lock files alone, so the same commit gives the same list on every machine; what only tests and builds need is not in it.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parent.parent
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)")


def python_components(path: Path) -> Iterator[dict[str, Any]]:
    """One for each pin; of a version with several files (wheels, source) the hashes of all."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in text.splitlines():
        if pin := _PIN.match(line):
            name, version = re.sub(r"[-_.]+", "-", pin[1]).lower(), pin[2]
            hashes = [{"alg": "SHA-256", "content": one} for one in re.findall(r"--hash=sha256:([0-9a-f]{64})", line)]
            yield _component(name, version, f"pkg:pypi/{name}@{version}", hashes)


def npm_components(path: Path) -> Iterator[dict[str, Any]]:
    """What is built into the front end. The same version in two places is one component."""
    seen = set()
    for where, one in json.loads(path.read_text(encoding="utf-8"))["packages"].items():
        name = one.get("name") or where.rpartition("node_modules/")[2]
        if not where or one.get("dev") or one.get("link") or (name, one["version"]) in seen:
            continue
        seen.add((name, one["version"]))
        digest = base64.b64decode(one["integrity"].removeprefix("sha512-")).hex()
        purl = f"pkg:npm/{quote(name, safe='/')}@{one['version']}"
        yield _component(name, one["version"], purl, [{"alg": "SHA-512", "content": digest}])


def _component(name: str, version: str, purl: str, hashes: list[dict[str, str]]) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "hashes": hashes}


def document() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    found = [*python_components(ROOT / "requirements" / "base.txt"), *npm_components(ROOT / "web" / "package-lock.json")]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": project["name"], "version": project["version"]}},
        "components": sorted(found, key=lambda one: one["purl"]),
    }


if __name__ == "__main__":
    json.dump(document(), sys.stdout, indent=1)
    sys.stdout.write("\n")
