"""The check of pins and licences holds today, and it can fail."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import licences  # noqa: E402


def test_nothing_is_wrong_today() -> None:
    assert licences.main() == 0


@pytest.mark.parametrize(
    ("said", "may"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0 OR MIT", True),
        ("LGPL-2.1-or-later", True),
        ("GNU Lesser General Public License v3", True),
        ("AGPL-3.0", False),
        ("GPL-3.0-only", False),
        ("GNU General Public License v2", False),
        ("MIT AND AGPL-3.0", False),
        ("SSPL-1.0", False),
        ("", False),
        ("SEE LICENSE IN LICENSE", False),
    ],
)
def test_allowed(said: str, may: bool) -> None:
    assert licences.allowed(said) is may


def test_a_pin_without_hash_and_one_without_version_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "ROOT", tmp_path)
    lock = tmp_path / "x.txt"
    lock.write_text("# made\na==1 \\\n    --hash=sha256:00\nb==2\nc>=3\n")
    assert [fault.split()[1] for fault in licences.unpinned(lock)] == ["b==2", "c>=3"]


def test_an_npm_package_without_integrity_is_told(tmp_path: Path) -> None:
    lock = tmp_path / "package-lock.json"
    packages = {"": {}, "node_modules/a": {"license": "MIT"}, "node_modules/b": {"license": "AGPL-3.0", "integrity": "sha512-x"}}
    lock.write_text(json.dumps({"packages": packages}))
    assert len(list(licences.npm_faults(lock))) == 2


def test_an_audit_that_could_ask_nobody_is_red() -> None:
    """Without ``--strict`` packages an index does not tell of are skipped, and all skipped is "no known vulnerabilities", status 0."""
    lines = [line for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines() if "bin/pip-audit " in line and "-r " in line]
    asked = [line for line in lines if "--strict" in line]
    assert len(asked) == len([line for line in lines if "install" not in line]) == 2
