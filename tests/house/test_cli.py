"""The command table and the generated edge configuration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gridloop.doors.cli.deployment import Deployment, free_port
from gridloop.doors.cli.edge import Edge
from gridloop.doors.cli.main import COMMANDS, cli
from gridloop.doors.cli.services import PROGRAMS
from tests.house.product import clean_environment, command


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_helps(name: str) -> None:
    done = CliRunner().invoke(cli, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert "Usage:" in done.output


def test_every_command_is_there_in_a_shell_of_its_own() -> None:
    """No settings are in its environment yet, as there are in that of the tests."""
    code = "from gridloop.doors.cli.main import COMMANDS, cli; print(sum(cli.get_command(None, name) is not None for name in COMMANDS))"
    done = subprocess.run([sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) == len(COMMANDS)
    checked = command("check-packs", "packs/smoke")
    assert checked.returncode == 0, checked.stdout + checked.stderr


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


def test_a_folder_of_somebody_elses_files_does_not_become_a_deployment(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("", encoding="utf-8")
    done = CliRunner().invoke(cli, ["up", "--data-dir", str(tmp_path)])
    assert done.exit_code == 1
    assert "thesis.txt" in done.output
    assert "空文件夹" in done.output
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_mounted_or_begun_folder_is_ours(tmp_path: Path) -> None:
    for name in ("lost+found", "logs"):
        (tmp_path / name).mkdir()
    (tmp_path / ".gitkeep").touch()
    Deployment(tmp_path).refuse_a_strangers_folder()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "deployment.json").write_text("{}", encoding="utf-8")
    Deployment(tmp_path).refuse_a_strangers_folder()
    assert Deployment(tmp_path).read("deployment.json") == {}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("token", "admin"), ("holds no deployment", "还没有部署")),
        (("restore", "FILE"), ("is not a Gridloop backup", "不是网格闭环的备份文件")),
    ],
)
def test_what_cannot_go_on_says_so_in_one_line_of_both_languages(
    tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    file = tmp_path / "no.backup"
    file.write_text("hello", encoding="utf-8")
    done = command(*(str(file) if a == "FILE" else a for a in arguments), "--data-dir", str(tmp_path / "data"))
    assert done.returncode == 1
    assert all(word in done.stderr for word in words), done.stderr
    assert done.stderr.count("\n") == 1


EXTRACT = str(Path(__file__).parent.parent / "data" / "tainan_extract.csv")
REPLAY = ("replay", EXTRACT, "--as", "hotline", "--times", "own")
REAL = "apprise:json://localhost"


def _deployment(folder: Path, state: dict[str, bool], **environment: str) -> str:
    (folder / "deployment.json").write_text(json.dumps(state), encoding="utf-8")
    (folder / "run.json").write_text(json.dumps({"environment": {"GRIDLOOP_X": "1", **environment}}), encoding="utf-8")
    return str(folder)


@pytest.mark.parametrize(
    ("state", "environment", "said"),
    [
        ({"sample": False}, {}, "neither a sample nor a test"),
        ({"sample": True}, {"GRIDLOOP_CHANNEL_SMS": REAL}, "real channel (apprise)"),
        ({"sample": False, "test": True}, {"GRIDLOOP_CHANNEL_SMS": REAL}, "real channel (apprise)"),
    ],
    ids=["made for real", "sample with a real channel", "test with a real channel"],
)
def test_nobody_moves_the_clock_of_a_real_deployment(
    tmp_path: Path, state: dict[str, bool], environment: dict[str, str], said: str
) -> None:
    folder = _deployment(tmp_path, state, **environment)
    for arguments, env in (
        (REPLAY, {"GRIDLOOP_APP_URL": "postgresql://nowhere"}),
        (("up", "--rate", "60", "--port", str(free_port())), environment),
        (("up", "--clock", "2026-03-01T08:00:00+08:00", "--port", str(free_port())), environment),
    ):
        done = command(*arguments, "--data-dir", folder, **env)
        assert done.returncode == 1, arguments
        assert said in done.stderr
    assert not (tmp_path / "clock.json").exists()


def test_only_a_first_start_makes_a_test_deployment(tmp_path: Path) -> None:
    port = str(free_port())
    wrong = command("up", "--empty", "--clock", "tomorrow", "--port", port, "--data-dir", str(tmp_path / "a"))
    assert "an RFC 3339 time is wanted" in wrong.stderr
    assert not (tmp_path / "a" / "deployment.json").exists()
    real = command("up", "--empty", "--rate", "2", "--port", port, "--data-dir", str(tmp_path / "b"), GRIDLOOP_CHANNEL_SMS=REAL)
    assert "real channel" in real.stderr
    assert json.loads((tmp_path / "b" / "deployment.json").read_text())["test"] is False


def test_a_misspelt_role_stops_the_start(tmp_path: Path) -> None:
    wrong = command("up", "--port", str(free_port()), "--data-dir", str(tmp_path / "a"), GRIDLOOP_REQUIRE_MFA_ROLES="admin,adminn")
    assert wrong.returncode == 1
    assert "no such role: adminn" in wrong.stderr
    assert not (tmp_path / "a").exists()


def test_invented_people_live_in_a_sample_only(tmp_path: Path) -> None:
    folder = _deployment(tmp_path, {"sample": False, "test": True})
    done = command("simulate", "--data-dir", folder, GRIDLOOP_APP_URL="postgresql://nowhere")
    assert done.returncode == 1
    assert "sample deployments only" in done.stderr
