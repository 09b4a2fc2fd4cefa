"""A small cast on a small territory: one county with a department tree, and people of every kind of right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pytest_django import Settings

from gridloop.access.actions import load_users
from gridloop.access.messages import SampleLogin
from gridloop.access.selectors import forget_viewers, user_id_of, viewer_for
from gridloop.journal.selectors import scoped
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs.models import Staff, Unit

COUNTY, TOWN = "990101", "990101100"


@dataclass(frozen=True)
class Cast:
    bureau: int
    team: int
    other: int

    def viewer(self, username: str) -> Viewer:
        user_id = user_id_of(username)
        assert user_id is not None
        return viewer_for(user_id)


def _unit(code: str, name: str, parent: Unit | None = None, region: str = COUNTY) -> Unit:
    unit = Unit.objects.create(code=code, name=name, kind="department", parent=parent, path="", region_code=region)
    unit.path = f"{parent.path}.{unit.pk}" if parent else str(unit.pk)
    unit.save(update_fields=["path"])
    return unit


@pytest.fixture
def cast(db: None, settings: Settings) -> Iterator[Cast]:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # three people log in, a hundred tests wait
    forget_viewers()
    with scoped(SYSTEM):
        bureau = _unit("BUREAU", "综合执法局")
        team = _unit("TEAM", "青石中队", bureau, TOWN)
        other = _unit("OTHER", "市政局")
        Staff.objects.create(code="S1", name="孙丽", unit=team)
    load_users(
        [
            SampleLogin("admin", "管理员", None, "admin", COUNTY, None, password="correct horse battery"),
            SampleLogin("operator", "周敏", None, "operator", COUNTY, None, password="correct horse battery"),
            SampleLogin("handler", "孙丽", "S1", "handler", COUNTY, "BUREAU", password="correct horse battery"),
            SampleLogin("worker", "陈强", None, "grid_worker", f"{TOWN}001001", None),
            SampleLogin("citizen", "李群", None, "citizen", COUNTY, None),
            SampleLogin("supervisor", "吴正", None, "supervisor", COUNTY, None),
            SampleLogin("security", "严守", None, "security_officer", "", None, password="correct horse battery"),
            SampleLogin("auditor", "明察", None, "auditor", "", None, password="correct horse battery"),
            SampleLogin("stranger", "赵外", None, "admin", "990102", None),
        ]
    )
    yield Cast(bureau.pk, team.pk, other.pk)
    forget_viewers()
