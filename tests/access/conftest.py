"""The cast of the access room, and the world every operation is asked of, for tests over HTTP."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from gridloop.access.actions import create_user, issue_token
from gridloop.access.selectors import me, user_id_of
from gridloop.access.tests.conftest import cast
from gridloop.cases import actions as cases
from gridloop.cases import present
from gridloop.cases.messages import Report
from gridloop.cases.tests.kit import EAST, HERE, build
from gridloop.evidence.tests.kit import photo_of
from gridloop.kernel import clock
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.orgs.models import Duty
from gridloop.registry.actions import load as load_things
from gridloop.registry.actions import record_absence
from gridloop.registry.messages import BuildingRow, DeviceRow, HouseholdRow, HouseRow, PersonRow, RegistryRow

__all__ = ["PEOPLE", "cast", "world"]

# column of the table → log-in name
PEOPLE = {
    "citizen": "citizen",
    "worker": "worker",
    "handler": "handler",
    "operator": "operator",
    "west": "west_operator",
    "supervisor": "supervisor",
    "admin": "admin",
    "security": "security",
    "auditor": "auditor",
}


@pytest.fixture
def world(db: None, tmp_path: Path, settings: Settings) -> dict[str, Any]:
    """A token for each column, and one thing of each kind to act on."""
    settings.DATA_DIR = tmp_path
    people = build()
    micro = f"{EAST}200001001"
    things: list[RegistryRow] = [
        BuildingRow("B1", micro, "幸福小区1幢", "幸福路8号1幢"),
        HouseRow("H1", "B1", "201"),
        HouseholdRow("F1", "H1"),
        PersonRow("P1", "王建国", "F1"),
        DeviceRow("smoke-1", "smoke", micro),
    ]
    load_things(SYSTEM, things)
    later = clock.now() + timedelta(days=3)
    absence = record_absence(SYSTEM, "F1", clock.now(), later)
    code, twin = (cases.report(PUBLIC, Report(text="路灯不亮", kind=k, lon=HERE[0], lat=HERE[1])).case for k in ("01037", "02010"))
    cases.accept(people.operator, code, {})
    task = next(t["id"] for t in present.case_tasks(SYSTEM, code) if t["stage"] == "handle")
    tokens = {column: issue_token(SYSTEM, user_id_of(name) or 0) for column, name in PEOPLE.items()}
    tokens["narrow"] = issue_token(SYSTEM, user_id_of("operator") or 0, ["notice.read"])
    return {
        "tokens": tokens,
        "code": code,
        "twin": twin,
        "task": str(task),
        "photo": photo_of(people.operator),
        "worker": str(user_id_of("worker")),
        "machine": str(create_user(people.admin, "gateway", "网关", machine=True)),
        "grant": str(me(people.worker).grants[0].id),
        "unit": str(people.units["EAST"]),
        "person": str(people.worker.staff_id),
        "duty": str(Duty.objects.get(kind="verify").pk),
        "absence": str(absence.id),
        "later": later.isoformat(),
        "east": EAST,
    }
