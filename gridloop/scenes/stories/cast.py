"""Accounts for live stories on a sample or test deployment, made when first needed, and what they have on record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

from gridloop.access.actions import create_user, grant_role, issue_token
from gridloop.access.selectors import user_id_of
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs import selectors as orgs
from gridloop.registry.actions import load
from gridloop.registry.messages import BuildingRow, DeviceRow, HouseholdRow, HouseRow, PersonRow, PlaceRow, RegistryRow
from gridloop.scenes.stories.acting import level_of
from gridloop.scenes.stories.story import Register

INTERVAL_SECONDS = 400 * 86_400  # of devices on record: no story is about them, or those of a story months ago, falling silent
PHONE = "13900000000"
DAYS = 365  # of the deployment, whose clock the stories move by days


def sample_token(username: str) -> str:
    """A token of a sample log-in. NotFound when the deployment has none of that name."""
    account = user_id_of(username)
    if account is None:
        raise NotFound("scenes.story_no_user", user=username)
    return issue_token(SYSTEM, account, name="story", days=DAYS)


def unit_token(kind: str, unit_id: int) -> str:
    """A token of an account that may do the unit's tasks; each kind of work has its own, for nobody checks their own."""
    username = f"story-{kind}-{unit_id}"
    account = user_id_of(username)
    if account is None:
        account = create_user(SYSTEM, username, orgs.unit(SYSTEM, unit_id).name)
        grant_role(SYSTEM, account, "handler", unit_id=unit_id)
    return issue_token(SYSTEM, account, name="story", days=DAYS)


def level_of_unit(unit_id: int) -> str:
    """The level of the region a unit belongs to."""
    return level_of(orgs.unit(SYSTEM, unit_id).region_code)


def put_on_record(told: Register, tag: str, place: Callable[[str], tuple[float, float]]) -> None:
    """What the story has on record, under codes of this playing: ``name-tag``."""
    if not told.devices:
        return

    def code(name: str | None) -> str:
        return f"{name}-{tag}" if name else ""

    region = {word: orgs.region_at(SYSTEM, *place(word)) or "" for word in ("甲", "甲旁", "乙")}
    here, (lon, lat) = region["甲"], place("甲")
    rows: list[RegistryRow] = [BuildingRow(code(name), here, name, lon=lon, lat=lat) for name in told.buildings]
    for name, home in told.homes.items():
        house = ""
        if home.house:
            house = code(f"{name}房")
            building = code(f"{name}楼")
            rows += [BuildingRow(building, here, building, lon=lon, lat=lat), HouseRow(house, building, "101", kind=home.house)]
        rows.append(HouseholdRow(code(name), house, here))
    for name, home in told.homes.items():
        birth = date(1940, 1, 1) if home.elder else date(1995, 1, 1)
        rows += [PersonRow(code(f"{name}{n}"), "样甲", code(name), here, birth=birth, phone=PHONE) for n in range(home.people)]
    rows += [PlaceRow(code(name), name, kind, here, lon=lon, lat=lat) for name, kind in told.spots.items()]
    for name, one in told.devices.items():
        lon, lat = place(one.place)
        device = DeviceRow(code(name), one.kind, region[one.place], lon=lon, lat=lat, interval_seconds=INTERVAL_SECONDS)
        rows.append(replace(device, place=code(one.spot), building=code(one.building), household=code(one.home)))
    load(SYSTEM, rows)
