"""What a start must not load: each of these costs every restart, every test and every command its time. Held without measuring any."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.product import clean_environment

_DJANGO = "from gridloop.doors.cli.database import setup_django; setup_django()"
_WORKER = f"{_DJANGO}; from django.conf import settings; from gridloop.doors.worker.loop import load; load(settings.JOBS)"
_WEB = f"{_DJANGO}; import gridloop.project.urls"
_TOKEN = f"{_DJANGO}; import gridloop.access.actions, gridloop.access.selectors"
_VERIFY = f"{_DJANGO}; import gridloop.journal.selectors"

# of no start: colours of lines nobody sees, Django's test client and its templates, the client of a log-in the city has not named
NOWHERE = ("rich", "requests")
NO_API = (*NOWHERE, "ninja", "django.test", "jinja2", "fido2")  # the API and its shapes are the web's alone
NO_SHAPES = (*NO_API, "pydantic", "gridloop.doors.http", "gridloop.doors.cli.imports")
NO_PLACES = (*NO_SHAPES, "numpy", "shapely", "jsonschema", "pyarrow", "PIL")  # nothing is measured, checked or drawn there

# command or process: what it runs until it is ready, what it must not have loaded by then
STARTS = {
    "up": ("", (*NO_PLACES, "django", "nats", "qrcode")),
    "web": (_WEB, (*NOWHERE, "pyarrow", "nats")),
    "push": ("import gridloop.doors.push.app", (*NO_PLACES, "SpiffWorkflow", "nats")),
    "ingest": ("import gridloop.doors.ingest.app", (*NO_PLACES, "django", "SpiffWorkflow", "gridloop.detection")),
    "worker": (_WORKER, (*NO_API, "nats", "gridloop.doors.http", "gridloop.doors.cli.imports")),
    "token": (_TOKEN, (*NO_PLACES, "SpiffWorkflow", "nats")),
    "verify": (_VERIFY, (*NO_PLACES, "SpiffWorkflow", "nats")),
    "doctor": (_DJANGO, (*NO_PLACES, "nats")),
    "import": ("", (*NO_API, "django", "pyarrow", "nats")),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_start_loads_nothing_it_does_not_use(name: str, tmp_path: Path) -> None:
    runs, unwanted = STARTS[name]
    code = (
        f"import sys; from gridloop.doors.cli.main import cli; cli.get_command(None, {name!r}); {runs or 'pass'}\n"
        f"print(*(name for name in {unwanted!r} if sys.modules.get(name)))"
    )
    environment = clean_environment() | {"GRIDLOOP_DATA_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [], f"{name} loads what it does not use: move the import to where it is used, or say here why not"


def test_who_draws_with_colours_still_gets_them() -> None:
    """structlog is loaded while rich is not to be had; see ``main``."""
    code = "from gridloop.doors.cli.main import cli; cli.get_command(None, 'worker'); from rich.console import Console"
    done = subprocess.run([sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_city_with_its_own_log_in_gets_its_client() -> None:
    code = f"{_DJANGO}; from allauth.socialaccount.providers import registry; print(registry.get_class('openid_connect').__name__)"
    environment = clean_environment() | {"GRIDLOOP_OIDC_ISSUER": "https://id.example", "GRIDLOOP_OIDC_CLIENT_ID": "gridloop"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.strip() == "OpenIDConnectProvider", done.stderr[-2000:]


def test_children_keep_what_they_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from gridloop.doors.cli.database import Urls
    from gridloop.doors.cli.deployment import Deployment

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    found = Deployment(tmp_path).environment(Urls("o", "a", "i"), "", public_url="http://127.0.0.1:1", hosts=[], sample=False)
    assert "PYTHONDONTWRITEBYTECODE" not in found
