"""What can always be checked without a network: every pin has hashes, nothing is unpinned, every licence is one we may ship.

``make lint`` runs it. Known weaknesses need an advisory service: that is ``make audit``, where one can be reached.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Permissive, public domain, LGPL and file-level copyleft (MPL): may be used by a product under its own licence.
_WORDS = (
    r"MIT(-0|-CMU)?|BSD|0BSD|Apache|ISC|PSF|PSFL|Python Software Foundation|Python-2\.0|LGPL|Lesser General Public|MPL|Mozilla Public",
    r"Unlicense|CC0|Zlib|HPND|BlueOak|PostgreSQL|OFL|Boost|BSL-1\.0|WTFPL|Public Domain|Historical Permission|CC-BY-[34]\.0|W3C",
)
ALLOWED = re.compile(rf"\b({'|'.join(_WORDS)})\b", re.IGNORECASE)
REFUSED = re.compile(
    r"\b(AGPL|GPL(?!-compatible)|Affero|SSPL|BUSL|Commons Clause|Proprietary)\b|(?<!Lesser )General Public License", re.IGNORECASE
)
# Read by hand because the package's own words say nothing useful, or because only its tests use the refused part.
KNOWN_PYTHON: dict[str, str] = {"atheris": "Apache-2.0"}
KNOWN_NPM: dict[str, str] = {"bpmn-js": "MIT"}  # with one more condition: its mark stays visible on the drawing


def unpinned(path: Path) -> Iterator[str]:
    """Lines of a lock file that name no exact version or carry no hash."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for line in (one.strip() for one in text.splitlines()):
        if line and not line.startswith("#") and ("==" not in line or "--hash=sha256:" not in line):
            yield f"{path.relative_to(ROOT)}: {line.split()[0]} has no exact version with hashes"


def npm_faults(path: Path) -> Iterator[str]:
    """Packages of the npm lock without integrity, with another way of fetching, or with a licence we may not ship."""
    for name, one in json.loads(path.read_text(encoding="utf-8"))["packages"].items():
        if not name or one.get("link"):
            continue
        short = name.rpartition("node_modules/")[2]
        if not str(one.get("integrity", "")).startswith("sha512-"):
            yield f"{path.name}: {short} has no integrity"
        said = str(KNOWN_NPM.get(short) or one.get("license") or "")
        if not allowed(said):
            yield f"{path.name}: {short} is under {said or 'no licence it names'}"


def allowed(said: str) -> bool:
    """One allowed choice is enough where a package offers several; of parts joined by AND all must be."""
    return any(
        all(ALLOWED.search(part) and not _refused(part) for part in choice.split(" AND ")) for choice in re.split(r" OR |\bor\b", said)
    )


def _refused(part: str) -> bool:
    return bool(REFUSED.search(re.sub(r"L(esser )?GPL\S*|Lesser General Public License", "", part, flags=re.IGNORECASE)))


def licence_of(one: Distribution) -> str:
    """The SPDX expression, else the classifiers, else the first line of the licence field."""
    meta = one.metadata
    spoken = meta.get("License-Expression") or ""
    classed = " OR ".join(c.rpartition("::")[2].strip() for c in meta.get_all("Classifier") or [] if c.startswith("License ::"))
    field = (meta.get("License") or "").strip().splitlines()
    return (
        spoken
        or (classed if classed not in ("", "OSI Approved") else "")
        or (field[0] if field else "")
        or KNOWN_PYTHON.get(_name(one), "")
    )


def _name(one: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", str(one.metadata["Name"])).lower()


def python_faults(pinned: set[str]) -> Iterator[str]:
    """Installed packages of the lock files whose licence we may not ship."""
    for one in distributions():
        if _name(one) in pinned and not allowed(KNOWN_PYTHON.get(_name(one)) or licence_of(one)):
            yield f"{_name(one)} {one.version} is under {licence_of(one) or 'no licence it names'}"


def pinned_in(*paths: Path) -> set[str]:
    found = (re.findall(r"^([A-Za-z0-9_.-]+)(?:\[[^\]]*\])?==", path.read_text(encoding="utf-8"), re.MULTILINE) for path in paths)
    return {re.sub(r"[-_.]+", "-", name).lower() for names in found for name in names}


def main() -> int:
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    faults = [fault for lock in locks for fault in unpinned(lock)]
    faults += [*npm_faults(ROOT / "web" / "package-lock.json"), *python_faults(pinned_in(*locks))]
    for fault in sorted(set(faults)):
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
