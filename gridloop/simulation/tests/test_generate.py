"""The county's records: numbers of everything, plausible people, complete duties; the same seed gives the same county."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest

from gridloop.access.rules import SAMPLE_ROLES
from gridloop.simulation.county.county import AGES_ON, SEED, County, generate, size_for
from gridloop.simulation.county.devices import SENDS
from gridloop.simulation.county.numbers import citizen_check
from gridloop.simulation.county.units import PANELS, catalogue


@pytest.fixture(scope="module")
def full() -> County:
    return generate(SEED)


@pytest.fixture(scope="module")
def small() -> County:
    return generate(SEED, 0.05)


def test_numbers_of_everything(full: County) -> None:
    assert len(full.people) == 120_000
    assert len(full.households) == 42_000
    assert len(full.enterprises) == 3_000
    assert len(full.devices) == 6_000
    assert len(full.staff) == 800
    assert len(full.vehicles) == 12_000
    assert Counter(row.level for row in full.regions) == {
        "province": 1, "city": 1, "county": 1, "town": 4, "village": 60, "grid": 300, "micro_grid": 1_200,
    }  # fmt: skip


def test_same_seed_same_county_other_seed_other_county(small: County) -> None:
    assert generate(SEED, 0.05).digest() == small.digest()
    assert generate(SEED + 1, 0.05).digest() != small.digest()


def test_codes_and_numbers_are_unique(full: County) -> None:
    for values in (
        [p.citizen_id_no for p in full.people],
        [p.code for p in full.people],
        [h.code for h in full.houses],
        [h.house for h in full.households],
        [b.code for b in full.buildings],
        [e.uscc for e in full.enterprises],
        [e.name for e in full.enterprises],
        [v.plate for v in full.vehicles],
        [d.code for d in full.devices],
        [u.code for u in full.units],
        [s.code for s in full.staff],
        [p.phone for p in full.people if p.phone] + [s.phone for s in full.staff] + [e.contact_phone for e in full.enterprises],
    ):
        assert len(set(values)) == len(values)


def test_people_are_plausible(full: County) -> None:
    ages = [(AGES_ON - p.birth).days / 365.2425 for p in full.people if p.birth]
    men = sum(p.sex == "M" for p in full.people)
    assert 0.48 < men / len(ages) < 0.53
    assert 0.12 < sum(age < 15 for age in ages) / len(ages) < 0.22
    assert 0.12 < sum(age >= 65 for age in ages) / len(ages) < 0.25
    assert min(ages) >= 0
    assert max(ages) < 110
    surnames = Counter(p.name[0] for p in full.people)
    assert {name for name, _ in surnames.most_common(5)} == {"王", "李", "张", "刘", "陈"}
    assert all(p.citizen_id_no.startswith("990101") and citizen_check(p.citizen_id_no[:17]) == p.citizen_id_no[17] for p in full.people)


def test_lone_elders_live_alone_and_are_old(full: County) -> None:
    sizes = Counter(p.household for p in full.people)
    elders = [p for p in full.people if "lone_elder" in p.tags]
    assert 1_000 < len(elders) < 5_000
    assert all(sizes[p.household] == 1 for p in elders)
    assert all(p.birth and (AGES_ON - p.birth).days / 365.2425 >= 65 for p in elders)


def test_devices_watch_lone_elders_and_belong_to_somebody(full: County) -> None:
    assert {d.kind for d in full.devices} == set(SENDS)
    alone = {p.household for p in full.people if "lone_elder" in p.tags}
    doors = [d for d in full.devices if d.kind == "door"]
    assert all(d.household in alone for d in doors)
    units = {u.code for u in full.units}
    assert all(d.owner_unit in units for d in full.devices)
    assert {d.status for d in full.devices} == {"unproved"}


def test_small_county_keeps_the_structure(small: County, full: County) -> None:
    assert len(small.people) < 10_000
    assert [r.code for r in small.regions if r.level == "town"] == [r.code for r in full.regions if r.level == "town"]
    assert {(d.kind, d.case_type, d.region_code[:9]) for d in small.duties if len(d.region_code) <= 9} == {
        (d.kind, d.case_type, d.region_code[:9]) for d in full.duties if len(d.region_code) <= 9
    }
    assert {p.code for p in small.posts} == {p.code for p in full.posts}
    assert {d.kind for d in small.devices} == {d.kind for d in full.devices}


def test_every_case_type_has_a_handler_everywhere(small: County) -> None:
    handlers = [d for d in small.duties if d.kind == "handle" and d.case_type]
    grids = [r.code for r in small.regions if r.level == "grid"]
    types = [t["code"] for c in catalogue()["categories"] for t in c["types"]]
    assert len(types) >= 100
    for case_type in types:
        own = [d.region_code for d in handlers if d.case_type == case_type]
        assert all(any(grid.startswith(region) for region in own) for grid in grids), case_type


def test_towns_have_four_panels_and_grids_have_1_3_n(small: County) -> None:
    for town in ("990101001", "990101100", "990101101", "990101200"):
        assert {p.panel for p in small.posts if p.unit.startswith(town) and p.panel} == set(PANELS)
        assert {"综合协调", "宣传统战", "城市管理", "综合执法"} <= {p.name for p in small.posts if p.unit.startswith(town)}
    for grid in (r.code for r in small.regions if r.level == "grid"):
        roles = Counter(a.role for a in small.assignments if a.region_code == grid)
        assert all(roles[role] == 1 for role in ("grid_leader", "full_time_grid_worker", "part_time_grid_worker", "grid_advisor")), (
            grid,
            roles,
        )


def test_somebody_commands_every_hour_of_the_roster(small: County) -> None:
    for unit in ("990101-GOV_CENTER", "990101200-GOV_CENTER"):
        shifts = sorted((s for s in small.shifts if s.unit == unit and s.role == "duty_commander"), key=lambda s: s.starts_at)
        assert len(shifts) == 60
        assert all(a.ends_at == b.starts_at for a, b in pairwise(shifts))


def test_sample_log_ins_cover_every_role(small: County) -> None:
    assert {login.username: login.role for login in small.logins} == SAMPLE_ROLES
    units, staff = {u.code for u in small.units}, {s.code for s in small.staff}
    for login in small.logins:
        assert login.unit_code is None or login.unit_code in units
        assert login.staff_code is None or login.staff_code in staff
        assert re.fullmatch(r"(990101\d*)?", login.region)


def test_unknown_scale_is_an_error() -> None:
    with pytest.raises(ValueError, match="scale"):
        size_for(2.0)
