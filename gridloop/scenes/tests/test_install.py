from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import InternalError, ProgrammingError, transaction
from django.test import Client

from gridloop.access.actions import issue_token
from gridloop.access.selectors import user_id_of
from gridloop.cases.tests.kit import COUNTY, EAST, WEST, Cast, build
from gridloop.flow.models import Definition
from gridloop.journal.actions import scoped
from gridloop.journal.models import Fact
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, Invalid, NotFound, NotNow
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Grant, Viewer
from gridloop.scenes import actions, selectors
from gridloop.scenes.book import BOOK
from gridloop.scenes.loading import PACKS, load
from gridloop.scenes.models import PackVersion
from gridloop.scenes.tests.packkit import KNOWN, change, copy_of
from gridloop.sdk.signals import Signal

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Iterator[Cast]:
    yield build()
    BOOK.forget()


PLATE = {"plate": "浙B12345"}


def stopped(value: float, plate: str = "样A1") -> Signal:
    return Signal("s1", "cam", "CAM-1", "vehicle_stopped", clock.now(), value, 121.6, 29.2, {"plate": plate})


def test_installing_again_changes_nothing(cast: Cast) -> None:
    before = PackVersion.objects.count()
    assert len(actions.install_all()) == before
    assert PackVersion.objects.count() == before
    assert Definition.objects.filter(name="standard_case").count() == 1


def test_a_pack_with_faults_stops_neither_the_others_nor_its_version_of_before(cast: Cast, tmp_path: Path) -> None:
    before = next(one for one in selectors.packs(SYSTEM) if one.name == "illegal_parking").version_id
    change(copy_of("illegal_parking", tmp_path), "limits.yaml", "{limit: 30m}", "{limit: 30分钟}")
    change(copy_of("general", tmp_path), "pack.yaml", "version: 1.", "version: 9.")
    shutil.copy(PACKS / "signal_kinds.yaml", tmp_path)
    actions.install_folder(SYSTEM, tmp_path)
    BOOK.forget()
    assert BOOK.for_type("09009", EAST, PLATE)[0].version_id == before
    assert next(one for one in selectors.packs(SYSTEM) if one.name == "general").version.startswith("9.")
    ((name, first),) = selectors.left_out(tmp_path)
    assert name == "illegal_parking"
    assert "limits.yaml:" in first.said("zh")


def test_changed_pack_is_a_new_version_and_the_old_one_stays(cast: Cast, tmp_path: Path) -> None:
    old = next(one for one in selectors.packs(SYSTEM) if one.name == "illegal_parking")
    new_id = actions.install(SYSTEM, change(copy_of("illegal_parking", tmp_path), "pack.yaml", "wait: 5m", "wait: 9m"))
    BOOK.forget()
    assert new_id != old.version_id
    assert BOOK.by_version(old.version_id)[0].params["wait"] == "5m"
    assert BOOK.for_type("09009", EAST, PLATE)[0].params["wait"] == "9m"
    back = actions.install(SYSTEM, load(copy_of("illegal_parking", tmp_path / "again"), KNOWN))
    assert back > new_id  # going back is a version of its own


def test_what_a_later_program_left_behind_stops_no_report(cast: Cast) -> None:
    """After going back: a newer version of a pack in words not known here, and a pack that did not exist."""
    old = next(one for one in selectors.packs(SYSTEM) if one.name == "illegal_parking")
    with scoped(SYSTEM):
        row = PackVersion.objects.get(pk=old.version_id)
        for name in ("illegal_parking", "from_later"):
            row.pk, row.name, row.version, row.content = None, name, "9.0.0", {**row.content, "word_of_tomorrow": 1}
            row.save(force_insert=True)
    BOOK.forget()
    here = {one.name: one.version for one in selectors.packs(SYSTEM)}
    assert here["illegal_parking"] == old.version
    assert "from_later" not in here
    assert BOOK.for_type("09009", EAST, PLATE)[0].version_id == old.version_id
    told = [params for _, _, key, params in selectors.doctor(SYSTEM) if key == "scenes.of_a_later_program"]
    assert told == [{"pack": "from_later", "version": "9.0.0"}, {"pack": "illegal_parking", "version": "9.0.0"}]
    with pytest.raises(NotNow):
        selectors.version(int(row.pk))


def test_pack_with_faults_is_refused(cast: Cast, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="refused"):
        actions.install(SYSTEM, change(copy_of("illegal_parking", tmp_path), "pack.yaml", "wait: 5m", "wait: soon"))


@pytest.mark.parametrize("statement", ["update", "delete"])
def test_versions_never_change(cast: Cast, statement: str) -> None:
    rows = PackVersion.objects.filter(name="general")
    with pytest.raises((InternalError, ProgrammingError), match="never change"), transaction.atomic():
        rows.update(version="9.9.9") if statement == "update" else rows.delete()


def test_type_finds_its_pack(cast: Cast) -> None:
    assert BOOK.for_type("09009", EAST, PLATE)[0].name == "illegal_parking"
    assert BOOK.for_type("01003", EAST, {})[0].name == "damaged_facility"  # by its category
    assert BOOK.for_type("21001", EAST, {})[0].name == "general"
    scene, digest = BOOK.for_type("01002", EAST, {})
    assert (scene.radius_m, scene.within_s, scene.process.name) == (50.0, 86400.0, "standard_case")
    assert Definition.objects.get(digest=digest).name == "standard_case"


def test_switch_in_one_units_territory(cast: Cast) -> None:
    actions.switch(SYSTEM, "illegal_parking", False, cast.units["EAST"])
    BOOK.forget()
    assert BOOK.for_type("09009", f"{EAST}200001001", PLATE)[0].name == "general"
    assert BOOK.for_type("09009", f"{WEST}200001001", PLATE)[0].name == "illegal_parking"
    assert BOOK.recognise(stopped(200), f"{EAST}200001001") == []
    actions.switch(SYSTEM, "illegal_parking", False)
    actions.switch(SYSTEM, "illegal_parking", True, cast.units["EAST"])
    BOOK.forget()
    assert BOOK.for_type("09009", EAST, PLATE)[0].name == "illegal_parking"
    assert BOOK.for_type("09009", COUNTY, PLATE)[0].name == "general"
    shown = next(one for one in selectors.packs(SYSTEM) if one.name == "illegal_parking")
    assert selectors.enabled(shown) == {"enabled": False, "units": [cast.units["EAST"]]}
    with scoped(SYSTEM):
        assert Fact.objects.filter(action="pack_switched").count() == 3


def test_a_draft_is_off_until_somebody_switches_it_on(cast: Cast, tmp_path: Path) -> None:
    folder = copy_of("crowd", tmp_path)
    for story in folder.glob("stories/*"):
        story.unlink()
    actions.install(SYSTEM, change(folder, "pack.yaml", "version: 1.0.0", "version: 1.0.1"))
    BOOK.forget()
    draft = next(one for one in selectors.packs(SYSTEM) if one.name == "crowd")
    assert (draft.tier, selectors.enabled(draft)["enabled"]) == ("draft", False)
    assert not [one.id for one in selectors.detectors(SYSTEM) if one.id.startswith("crowd.")]
    actions.switch(SYSTEM, "crowd", True)
    assert "crowd.crowded" in [one.id for one in selectors.detectors(SYSTEM)]


def test_the_program_s_packs_with_detectors_start_proved(cast: Cast) -> None:
    """Each that is on from the start has stories of all kinds; the one that needs a legal basis is off."""
    sensing = [one for one in selectors.packs(SYSTEM) if one.pack.detect is not None]
    assert {one.tier for one in sensing} <= {"silver", "gold"}
    assert [one.name for one in sensing if not one.on_somewhere] == ["unregistered_resident"]


def test_switch_faults(cast: Cast) -> None:
    with pytest.raises(Forbidden):
        actions.switch(PUBLIC, "illegal_parking", False)
    with pytest.raises(NotFound):
        actions.switch(SYSTEM, "flying_cars", False)
    with pytest.raises(Invalid, match="no_unit"):
        actions.switch(SYSTEM, "illegal_parking", False, 999_999)


def test_nobody_switches_beyond_their_own_territory(cast: Cast) -> None:
    commander = Viewer("commander", user_id=1, grants=(Grant("duty_commander", EAST, permissions=frozenset({"pack.switch"})),))
    actions.switch(commander, "illegal_parking", False, cast.units["EAST"])
    for unit in (cast.units["WEST"], cast.units["CENTER"], None):
        with pytest.raises(Forbidden):
            actions.switch(commander, "illegal_parking", False, unit)
    actions.switch(cast.admin, "illegal_parking", False)  # the county's: everywhere, for it is the widest desk here


def test_signal_is_recognised(cast: Cast) -> None:
    opened = BOOK.recognise(stopped(200))[0]
    assert (opened.verb, opened.key, opened.case_type, dict(opened.subject)) == ("open", "样A1", "09009", {"plate": "样A1"})
    assert "样A1" not in opened.title
    assert [(m.verb, m.message) for m in BOOK.recognise(stopped(0))] == [("clear", "gone")]
    assert [m.verb for m in BOOK.recognise(stopped(30))] == ["update"]
    assert BOOK.recognise(Signal("s", "x", "D", "smoke_density", clock.now(), 1.0)) == []
    assert BOOK.recognise(Signal("s", "x", "D", "vehicle_stopped", clock.now())) == []  # no value, no plate
    assert "vehicle_stopped" in BOOK.kinds()
    assert "move_please" in BOOK.pack(opened.scene_version_id).notices.templates


def client_of(user: str) -> Client:
    return Client(headers={"Authorization": f"Bearer {issue_token(SYSTEM, user_id_of(user) or 0, name='test')}"})


def test_packs_over_http(cast: Cast) -> None:
    assert Client().get("/api/v1/packs").status_code == 401
    admin = client_of("admin")
    items = {one["name"]: one for one in admin.get("/api/v1/packs").json()["items"]}
    assert items["illegal_parking"] | {"version": ""} == {
        "name": "illegal_parking",
        "version": "",
        "title_zh": "机动车违停",
        "title_en": "Illegal parking",
        "tier": "silver",
        "enabled": True,
        "units": [],
        "type": "09009",
        "process": "warn_then_enforce",
        "needs": [],
        "legal_zh": "",
        "legal_en": "",
        "bases": [],
        "detectors": [],
    }
    assert [one["name"] for one in items["water_level"]["detectors"]] == ["high_water", "fast_rise", "heavy_rain"]  # as in the file
    first = items["silent_home"]["detectors"][0]
    assert (first["name"], first["title_en"]) == ("no_trace", "No door, water, gas or electricity")
    assert first["sentence_zh"].startswith("若户内「24 小时无开门记录，并且 24 小时无用水、用气记录（只看值大于 0 的记录），")
    assert first["sentence_en"].endswith("For 12 hours after an alarm it is not repeated.")
    body = {"on": False, "unit": cast.units["EAST"]}
    answer = admin.post("/api/v1/packs/illegal_parking/switch", body, content_type="application/json")
    assert (answer.status_code, answer.json()["enabled"], answer.json()["units"]) == (200, True, [cast.units["EAST"]])
    assert admin.post("/api/v1/packs/flying_cars/switch", {"on": True}, content_type="application/json").status_code == 404
    assert admin.post("/api/v1/packs/illegal_parking/switch", {"on": "x"}, content_type="application/json").status_code == 422
    operator = client_of("operator")
    assert operator.get("/api/v1/packs").status_code == 200
    assert operator.post("/api/v1/packs/general/switch", {"on": False}, content_type="application/json").status_code == 403
    assert client_of("citizen").get("/api/v1/packs").status_code == 403
