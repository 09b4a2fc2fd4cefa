"""The files of ``deploy/`` say what the product needs, and their commands run."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.house.product import Product, clean_environment, command, first_start_done

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
SETTINGS = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for path in DEPLOY.glob("gridloop*.[st]*"):
        text = path.read_text(encoding="utf-8")
        # the programs of another machine: what matters here is that every line is known
        (tmp_path / path.name).write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE), encoding="utf-8")
    units = sorted(str(p) for p in tmp_path.iterdir())
    assert len(units) == 3
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if any(Path(unit).name in line for unit in units)]
    assert not told, "\n".join(told)


def test_compose_is_whole() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"gridloop", "postgres", "nats"}
    for name, service in services.items():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (DEPLOY / source).exists(), (name, volume)
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        assert set(service.get("depends_on", {})) <= set(services)
        assert ":latest" not in service["image"] or "build" in service, f"{name}: an image of others has a version"
    assert all(
        "healthcheck" in services[name] for name, how in services["gridloop"]["depends_on"].items() if how["condition"] == "service_healthy"
    )
    assert (DEPLOY / services["gridloop"]["build"]["context"] / services["gridloop"]["build"]["dockerfile"]).exists()


def test_every_setting_they_name_exists() -> None:
    named = set(services_environment()) | set(re.findall(r"\b(GRIDLOOP_[A-Z_]+|DATABASE_URL\w*|NATS_URL\w*)=", every_text()))
    assert len(named) >= 5
    assert [name for name in named if f"`{name.removesuffix('_FILE')}`" not in SETTINGS and "`" + name not in SETTINGS] == []


def services_environment() -> dict[str, str]:
    environment: dict[str, str] = COMPOSE["services"]["gridloop"]["environment"]
    return environment


def every_text() -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in DEPLOY.glob("*") if path.is_file())


def test_what_the_image_copies_is_there_and_pinned() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert copied
    assert [word for word in copied if not (ROOT / word).exists()] == []
    installs = re.findall(r"pip install (.+?)(?: \\)?$", text, re.MULTILINE)
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)
    assert not re.search(r"https?://(?!127\.0\.0\.1)", text), "no registry but the implicit one"
    ran = json.loads(re.findall(r"^CMD (\[.+\])$", text, re.MULTILINE)[0])
    assert command(ran[0], "--help").returncode == 0


def test_new_volumes_belong_to_the_account_that_writes_them() -> None:
    """A named volume takes the owner of the folder it is laid over; without one it would be root's, and no backup could be written."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    given = set(re.findall(r"install -d -o gridloop -g gridloop -m \d+ (\S+)", text))
    laid = {volume.split(":")[1] for volume in COMPOSE["services"]["gridloop"]["volumes"]}
    assert laid == given == set(json.loads(re.findall(r"^VOLUME (\[.+\])$", text, re.MULTILINE)[0]))


def test_secrets_stay_out_of_image_and_repository() -> None:
    folders = {str(Path(secret["file"]).parent) for secret in COMPOSE["secrets"].values()}
    assert folders == {"secrets"}
    for name, line in ((".dockerignore", "deploy/secrets"), (".gitignore", "/deploy/secrets/")):
        assert line in (ROOT / name).read_text(encoding="utf-8").splitlines(), name


def test_the_database_is_healthy_only_when_it_can_be_reached() -> None:
    """The image sets its first database up on a server that has the socket only."""
    check = COMPOSE["services"]["postgres"]["healthcheck"]["test"]
    assert check[check.index("-h") + 1] == "127.0.0.1"


@pytest.mark.server
def test_the_units_command_runs_and_systemd_hears_of_it(tmp_path: Path) -> None:
    """Its own words with another port and folder, secrets in a file, and we in the place of systemd."""
    start = re.findall(r"^ExecStart=\S+/gridloop (.+)$", (DEPLOY / "gridloop.service").read_text(encoding="utf-8"), re.MULTILINE)[0]
    secret = tmp_path / "secret_key"
    secret.write_text("only-of-this-test-0123456789\n", encoding="utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(120)
        words = start.replace("--port 8000", "").split()
        assert words[0] == "up"
        first_start_done(tmp_path / "d", "--empty")
        product = Product(tmp_path / "d", *words[1:], NOTIFY_SOCKET=str(tmp_path / "notify"), GRIDLOOP_PLATFORM_FILE=str(secret))
        try:
            assert manager.recv(100) == b"READY=1"
            assert product.ready(), "told only when it answers"
            assert product.run()["environment"]["GRIDLOOP_PLATFORM"] == "only-of-this-test-0123456789"
        finally:
            began = time.monotonic()
            assert product.stop() == 0
        assert manager.recv(100) == b"STOPPING=1"
        assert time.monotonic() - began < 60


def test_a_settings_file_that_is_not_there_ends_with_one_line() -> None:
    environment = clean_environment(DATABASE_URL_FILE="/nowhere/url")
    done = subprocess.run(
        [sys.executable, "-m", "gridloop.doors.cli.main", "doctor"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: DATABASE_URL_FILE: /nowhere/url")
    assert os.linesep not in done.stderr.strip()
