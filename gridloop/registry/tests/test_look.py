"""Personal data: masked by default, opened for a purpose and a reason only, in one's own territory only, each look written down."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.db import connection

from gridloop.access.models import LookLog, User
from gridloop.journal.actions import scoped
from gridloop.journal.models import Fact
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, Invalid, NotFound
from gridloop.kernel.viewer import PUBLIC, SYSTEM
from gridloop.orgs.tests import cast as county
from gridloop.registry import actions, selectors
from gridloop.registry.models import Household, Person, Vehicle
from gridloop.registry.tests import cast

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 6, 17, tzinfo=UTC)  # 7 March in the county: Wang's birthday


@pytest.fixture(autouse=True)
def people() -> None:
    cast.settle()


def looks() -> list[tuple[str, str, str, int]]:
    with scoped(SYSTEM):
        return list(LookLog.objects.order_by("pk").values_list("subject", "purpose", "reason", "count"))


def test_people_are_masked() -> None:
    worker = cast.viewer(county.TOWN, "people.read")
    with clock.fixed(NOW):
        one, two = selectors.people(worker).items
    assert (one.name, one.phone, one.citizen_id_no) == ("王**", "138****0011", f"9901**********{cast.WANG_ID[-4:]}")
    assert (one.birth, one.age, one.tags, one.masked) == (None, 76, [], True)
    assert one.address == "城关街道幸福路8号1幢**"
    assert two.name == "欧阳**"
    assert looks() == []


def test_opening_needs_the_right_a_purpose_and_a_reason_and_is_written_down() -> None:
    with pytest.raises(Forbidden):
        selectors.person(cast.viewer(county.TOWN, "people.read"), "P1", "visit", "走访独居老人")
    with scoped(SYSTEM):
        account = User.objects.create(username="worker", name="网格员")
    worker = cast.viewer(county.TOWN, "people.read", "people.unmask", user_id=account.pk)
    with pytest.raises(Invalid):
        selectors.person(worker, "P1", "curiosity", "想看看")
    with pytest.raises(Invalid):
        selectors.person(worker, "P1", "visit", "")
    assert looks() == []
    opened = selectors.person(worker, "P1", "visit", "走访独居老人")
    assert (opened.name, opened.phone, opened.citizen_id_no, opened.tags) == ("王建国", "13800000011", cast.WANG_ID, ["lone_elder"])
    assert opened.address == "城关街道幸福路8号1幢201室"
    assert looks() == [(f"person:{opened.id}", "visit", "走访独居老人", 1)]
    page = selectors.people(worker, purpose="data_quality", reason="核对名单")
    assert [p.name for p in page.items] == ["王建国", "欧阳晓晓"]
    assert looks()[1][3] == 2
    with scoped(SYSTEM):
        assert all("王建国" not in str(data) for data in Fact.objects.values_list("data", flat=True))


def test_another_territory_does_not_exist() -> None:
    neighbour = cast.viewer(county.OTHER_VILLAGE, "people.read", "people.unmask")
    assert [p.code for p in selectors.people(neighbour).items] == ["P2"]
    assert selectors.people(neighbour, q="王建国").items == []
    with pytest.raises(NotFound):
        selectors.person(neighbour, "P1", "visit", "走访")
    department = cast.viewer("990101", "people.read", unit_ids=frozenset({1}))
    assert selectors.people(department).items == []
    assert selectors.people(PUBLIC).items == []


def test_row_security_holds_when_a_query_forgets_the_scope() -> None:
    with scoped(cast.viewer(county.OTHER_VILLAGE)):
        assert list(Person.objects.values_list("code", flat=True)) == ["P2"]
        assert Household.objects.count() == 1
        assert Vehicle.objects.count() == 0
        assert Person.objects.filter(code="P1").update(name="改") == 0
    with scoped(PUBLIC):
        assert Person.objects.count() == 0
    assert Person.objects.count() == 0  # and on the used connection after the scoped transactions
    with connection.cursor() as cursor:
        cursor.execute("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)


def test_search() -> None:
    county_wide = cast.viewer("990101", "people.read")
    assert [p.code for p in selectors.people(county_wide, q="欧阳").items] == ["P2"]
    assert [p.code for p in selectors.people(county_wide, q="13800000011").items] == ["P1"]
    assert [p.code for p in selectors.people(county_wide, q=cast.LI_ID.lower()).items] == ["P2"]
    assert [p.code for p in selectors.people(county_wide, household="F1").items] == ["P1"]
    first = selectors.people(county_wide, limit=1)
    assert [p.code for p in selectors.people(county_wide, limit=1, after=first.next).items] == ["P2"]


def test_contacts_for_a_notice() -> None:
    contact = selectors.plate_contact(SYSTEM, "浙z·12345", "handle_case", "违停提醒")
    assert contact is not None
    assert (contact.name, contact.phone) == ("王建国", "13800000011")
    firm = selectors.plate_contact(SYSTEM, "浙Z12346", "handle_case", "违停提醒")
    assert firm is not None
    assert (firm.subject.split(":")[0], firm.phone) == ("enterprise", "13800000013")
    assert selectors.plate_contact(SYSTEM, "浙ZD12347", "handle_case", "违停提醒") is None
    assert selectors.plate_contact(SYSTEM, "浙Z00000", "handle_case", "违停提醒") is None
    assert [c.name for c in selectors.household_contacts(SYSTEM, "F1", "visit", "长时间无动静")] == ["王建国"]
    assert [(subject.split(":")[0], count) for subject, _, _, count in looks()] == [("person", 1), ("enterprise", 1), ("household", 1)]
    assert selectors.household_region(SYSTEM, "F1") == county.MICRO
    assert selectors.household_region(PUBLIC, "F1") is None


def test_an_erased_person_is_gone() -> None:
    admin = cast.viewer("", "people.erase", "people.read")
    actions.erase_person(admin, "P1", "本人申请")
    with scoped(SYSTEM):
        assert not Person.objects.filter(code="P1").exists()
        assert not Vehicle.objects.filter(plate="浙Z12345").exists()
        assert Fact.objects.filter(action="person_erased").count() == 1
    with pytest.raises(NotFound):
        actions.erase_person(admin, "P1", "本人申请")
    with pytest.raises(Forbidden):
        actions.erase_person(cast.viewer("", "people.edit"), "P2", "不行")
