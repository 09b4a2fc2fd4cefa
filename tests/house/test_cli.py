"""The command table and the generated edge configuration."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from gridloop.doors.cli.edge import Edge
from gridloop.doors.cli.main import COMMANDS, cli
from gridloop.doors.cli.services import PROGRAMS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert "Usage:" in done.output


def test_group_help_names_every_command_without_importing_it() -> None:
    output = CliRunner().invoke(cli, ["--help"]).output
    assert all(name in output for name in COMMANDS)


@pytest.mark.parametrize("names", [(), ("localhost", "127.0.0.1", "192.0.2.7")])
def test_edge_accepts_its_configuration(tmp_path: Path, names: tuple[str, ...]) -> None:
    file = tmp_path / "Caddyfile"
    file.write_text(Edge(8443, "127.0.0.1", tmp_path, tmp_path, names, tls=bool(names)).text(), encoding="utf-8")
    done = subprocess.run(
        [PROGRAMS / "caddy", "adapt", "--config", file, "--adapter", "caddyfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ("internal" in done.stdout) == bool(names)
    assert '"admin":{"disabled":true' in done.stdout


def test_a_data_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = CliRunner().invoke(cli, ["up", "--data-dir", str(tmp_path / "file" / "data")])
    assert done.exit_code == 1
    assert "cannot hold a deployment" in done.output
    assert done.output.count("\n") == 1
