"""The second lock: what an ordinary connection sees of things and staff when a query forgets its scope."""

from __future__ import annotations

import pytest
from django.db import connection

from gridloop.journal.actions import scoped
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Grant, Viewer
from gridloop.orgs.models import Staff
from gridloop.orgs.selectors import unit_ids_by_code
from gridloop.orgs.tests import cast as county
from gridloop.registry.models import Device, Enterprise, House, Place
from gridloop.registry.tests import cast

pytestmark = pytest.mark.django_db
TABLES = (House, Enterprise, Place, Device)
Seen = tuple[int, int, int, int, int]


@pytest.fixture(autouse=True)
def things() -> None:
    cast.settle()


def seen(viewer: Viewer) -> Seen:
    with scoped(viewer):
        counts = [table._default_manager.count() for table in (*TABLES, Staff)]
    return counts[0], counts[1], counts[2], counts[3], counts[4]


def test_a_query_without_scope_shows_no_more_than_the_grants() -> None:
    everything = seen(SYSTEM)
    assert all(everything)
    assert seen(cast.viewer("990101")) == everything
    bureau = cast.viewer("990101", unit_ids=frozenset(unit_ids_by_code(SYSTEM, ["county-urban"]).values()))
    assert seen(bureau) == everything, "a department sees the things of its grant's territory"
    village = seen(cast.viewer(county.OTHER_VILLAGE))
    assert sum(village[:4]) < sum(everything[:4])
    assert village[4] == everything[4], "who works here is no secret among those who do"
    assert seen(PUBLIC) == seen(Viewer("citizen", user_id=1)) == (0, 0, 0, 0, 0)
    assert [table._default_manager.count() for table in (*TABLES, Staff)] == [0] * 5, "and on the used connection afterwards"


def test_a_device_is_seen_by_its_owner_wherever_it_stands() -> None:
    unit = unit_ids_by_code(SYSTEM, ["fire"])["fire"]
    with scoped(SYSTEM):
        Device.objects.update(owner_unit_id=unit)
        count = Device.objects.count()
    assert seen(Viewer("fire", user_id=1, grants=(Grant("handler", "990199", frozenset({unit})),)))[3] == count


def test_staff_see_themselves_and_change_no_row() -> None:
    with scoped(SYSTEM):
        one = Staff.objects.order_by("pk").values_list("pk", flat=True)[0]
    assert seen(Viewer("without grants", user_id=1, staff_id=one))[4] == 1
    with scoped(cast.viewer("990101")):
        assert Staff.objects.filter(pk=one).update(phone="1") == 0
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM orgs_staff WHERE phone = '1'")
        assert cursor.fetchone() == (0,)
