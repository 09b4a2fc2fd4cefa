"""Who works for the county: staff, grid teams of 1 + 3 + N, posts held, the roster, and the sample log-ins."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import shapely

from gridloop.access.messages import SampleLogin
from gridloop.orgs.messages import AssignmentRow, ShiftRow, StaffRow
from gridloop.simulation.county import words
from gridloop.simulation.county.frame import COUNTY_CODE, stream, to_degrees
from gridloop.simulation.county.numbers import phone_numbers
from gridloop.simulation.county.territory import Territory
from gridloop.simulation.county.units import PANELS, TOWN_BRANCHES, TOWN_POSTS, Organisation, county_unit, panel_unit, town_unit

ZONE = ZoneInfo("Asia/Shanghai")
ROSTER_DAYS = 60
SAMPLE_PASSWORD = "gridloop-demo"  # of the 13 log-ins of the fictional county, printed at its start; no other deployment has them
CENTRE_DESKS = {"指挥长": 6, "受理坐席": 12, "督办核查": 8, "综合分析": 2}  # people at the county centre by post
ROOM_DESKS = {"指挥长": 3, "受理坐席": 4, "督办核查": 2}  # and in a town's command room
SHIFT_START = 8.5  # hours after local midnight


@dataclass(frozen=True)
class Staffing:
    staff: list[StaffRow]
    assignments: list[AssignmentRow]
    shifts: list[ShiftRow]
    logins: list[SampleLogin]


@dataclass
class _Payroll:
    """Hires people one by one; positions in metres are turned into degrees at the end."""

    rng: np.random.Generator
    land: Territory
    phones: list[str]
    staff: list[StaffRow] = field(default_factory=list)
    assignments: list[AssignmentRow] = field(default_factory=list)
    by_unit: dict[str, list[str]] = field(default_factory=dict)

    def hire(self, unit: str, employment: str, *skills: str, at: tuple[float, float] | None = None) -> str:
        number = len(self.staff) + 1
        code = f"S{number:04d}"
        man = self.rng.random() < 0.56
        era = words.GIVEN[int(self.rng.integers(1, 3))]
        weights = np.array(words.SURNAME_WEIGHTS, dtype=np.float64)
        surname = words.SURNAMES[int(self.rng.choice(len(weights), p=weights / weights.sum()))]
        name = surname + str(self.rng.choice((era[1] if man else era[2]).split()))
        lon, lat = at if at is not None else (None, None)
        self.staff.append(StaffRow(code, name, unit, self.phones[number - 1], employment, skills, lon, lat))
        self.by_unit.setdefault(unit, []).append(code)
        return code

    def hold(self, staff: str, region: str, role: str = "member", post: str = "") -> None:
        self.assignments.append(AssignmentRow(staff, region, role, post))


def _seats(land: Territory) -> dict[str, tuple[float, float]]:
    """Where people of a grid, village or town are found at first, degrees."""
    out: dict[str, tuple[float, float]] = {}
    for codes, shapes in ((land.grids, land.grid_shapes), (land.villages, land.village_shapes)):
        spots = to_degrees(shapely.get_coordinates(shapely.point_on_surface(shapes))).tolist()
        out |= {code: (lon, lat) for code, (lon, lat) in zip(codes, spots, strict=True)}
    for town in land.towns:
        out[town] = out[next(code for code in land.villages if code.startswith(town))]
    out[COUNTY_CODE] = out[land.towns[0]]
    return out


def _county_staff(pay: _Payroll, org: Organisation, seats: dict[str, tuple[float, float]]) -> None:
    for unit in org.units:
        if unit.region_code != COUNTY_CODE:
            continue
        if unit.kind == "center":
            for post, number in CENTRE_DESKS.items():
                for _ in range(number):
                    pay.hold(pay.hire(unit.code, "civil_servant"), COUNTY_CODE, post=f"{unit.code}-{post}")
            continue
        skills = ("enforcement_certificate",) if unit.department in ("URBAN_MGMT", "POLICE", "TRAFFIC_POLICE", "MARKET", "FIRE") else ()
        for _ in range(5 if unit.presence == "resident" else 2):
            code = pay.hire(unit.code, "staff" if unit.kind == "utility" else "civil_servant", *skills, at=seats[COUNTY_CODE])
            pay.hold(code, COUNTY_CODE, post=f"{unit.code}-处置岗")


def _town_staff(pay: _Payroll, town: str, seats: dict[str, tuple[float, float]]) -> None:
    room = town_unit(town, "GOV_CENTER")
    for post, number in ROOM_DESKS.items():
        for _ in range(number):
            pay.hold(pay.hire(room, "civil_servant", at=seats[town]), town, post=f"{room}-{post}")
    pay.hire(town_unit(town, "TOWN"), "civil_servant", at=seats[town])
    for number in range(len(PANELS)):
        unit = panel_unit(town, number)
        for post in TOWN_POSTS[number]:
            pay.hold(pay.hire(unit, "civil_servant", at=seats[town]), town, post=f"{unit}-{post}")
    for department in TOWN_BRANCHES:
        unit = town_unit(town, department)
        certified = ("enforcement_certificate",) if department in ("URBAN_MGMT", "POLICE", "MARKET") else ()
        for nth in range(4 if certified else 2):
            code = pay.hire(unit, "auxiliary" if nth == 3 else "civil_servant", *(certified if nth < 3 else ()), at=seats[town])
            pay.hold(code, town, post=f"{unit}-处置岗")


def _grid_teams(pay: _Payroll, land: Territory, seats: dict[str, tuple[float, float]], wanted: int) -> None:
    """1 leader (village cadre), 3: full-time, part-time, town advisor, and N: the village doctor, electrician, volunteers …"""
    cadres: dict[str, list[str]] = {}
    for village in land.villages:
        cadres[village] = [pay.hire(f"{village}-COMMUNITY", "village_cadre", at=seats[village]) for _ in range(2)]
    advisors = {town: [c for n in range(len(PANELS)) for c in pay.by_unit[panel_unit(town, n)]] for town in land.towns}
    for grid in land.grids:
        pay.hold(pay.hire(f"{grid}-GRID", "full_time", "first_aid", at=seats[grid]), grid, "full_time_grid_worker")
    part: dict[str, list[str]] = {village: [] for village in land.villages}
    turn = 0
    while len(pay.staff) < wanted or turn < len(land.villages):
        village = land.villages[turn % len(land.villages)]
        part[village].append(pay.hire(f"{village}-COMMUNITY", "part_time", at=seats[village]))
        turn += 1
    for nth, grid in enumerate(land.grids):
        village, town = grid[:12], grid[:9]
        leaders, helpers, guides = cadres[village], part[village], advisors[town]
        pay.hold(leaders[nth % len(leaders)], grid, "grid_leader")
        pay.hold(helpers[nth % len(helpers)], grid, "part_time_grid_worker")
        pay.hold(guides[nth % len(guides)], grid, "grid_advisor")
        others = [leaders[(nth + 1) % len(leaders)], helpers[(nth + 1) % len(helpers)]]
        for code in dict.fromkeys(o for o in others if o not in (leaders[nth % len(leaders)], helpers[nth % len(helpers)])):
            pay.hold(code, grid, "member")


def _shifts(pay: _Payroll, land: Territory, today: date) -> list[ShiftRow]:
    """24-hour shifts from 08:30 for centres, police posts and enforcement teams; the commander leads, the desks answer."""
    rows: list[ShiftRow] = []
    first = datetime(today.year, today.month, today.day, tzinfo=ZONE) + timedelta(hours=SHIFT_START) - timedelta(days=ROSTER_DAYS // 2)
    desks = [(county_unit("GOV_CENTER"), CENTRE_DESKS), *((town_unit(t, "GOV_CENTER"), ROOM_DESKS) for t in land.towns)]
    field_units = [town_unit(t, d) for t in land.towns for d in ("POLICE", "URBAN_MGMT")]
    for day in range(ROSTER_DAYS):
        start, end = first + timedelta(days=day), first + timedelta(days=day + 1)
        for unit, desk in desks:
            people, commanders, operators = pay.by_unit[unit], desk["指挥长"], desk["受理坐席"]
            rows.append(ShiftRow(unit, people[day % commanders], start, end, "duty_commander"))
            rows += [ShiftRow(unit, people[commanders + (day * 2 + k) % operators], start, end, "operator") for k in range(2)]
        for unit in field_units:
            people = pay.by_unit[unit][:3]
            rows += [ShiftRow(unit, people[(day + k) % len(people)], start, end, "member") for k in range(2)]
    return rows


def _logins(pay: _Payroll, land: Territory) -> list[SampleLogin]:
    """One account for each sample role; staff accounts belong to somebody on the payroll."""
    names = {row.code: row.name for row in pay.staff}
    centre, seat, first_grid = county_unit("GOV_CENTER"), land.towns[0], land.grids[0]
    desk = pay.by_unit[centre]
    panel = pay.by_unit[panel_unit(seat, 3)]
    plan: tuple[tuple[str, str, str, str, str | None], ...] = (
        ("operator", "operator", COUNTY_CODE, desk[6], None),
        ("commander", "duty_commander", COUNTY_CODE, desk[0], None),
        ("supervisor", "supervisor", COUNTY_CODE, desk[18], None),
        ("leader", "leader", COUNTY_CODE, desk[1], None),
        ("handler", "handler", COUNTY_CODE, pay.by_unit[county_unit("MUNICIPAL")][0], county_unit("MUNICIPAL")),
        ("officer", "officer", COUNTY_CODE, pay.by_unit[county_unit("TRAFFIC_POLICE")][0], county_unit("TRAFFIC_POLICE")),
        ("mediator", "mediator", COUNTY_CODE, pay.by_unit[county_unit("JUSTICE")][0], county_unit("JUSTICE")),
        ("inspector", "inspector", COUNTY_CODE, pay.by_unit[county_unit("MARKET")][0], county_unit("MARKET")),
        ("worker", "grid_worker", first_grid, pay.by_unit[f"{first_grid}-GRID"][0], None),
        ("designer", "designer", "", desk[26], None),
        ("admin", "admin", "", desk[27], None),
        ("deputy", "deputy", seat, panel[0], None),
    )
    logins = [
        SampleLogin(user, names[staff], staff if user != "deputy" else None, role, region, unit, SAMPLE_PASSWORD)
        for user, role, region, staff, unit in plan
    ]
    return [
        *logins,
        SampleLogin("citizen", "林晓雯", None, "citizen", COUNTY_CODE, None, SAMPLE_PASSWORD),
        SampleLogin("security", "严守正", None, "security_officer", "", None, SAMPLE_PASSWORD),  # no post: they handle nothing
        SampleLogin("auditor", "明察远", None, "auditor", "", None, SAMPLE_PASSWORD),
    ]


def make_staffing(seed: int, land: Territory, org: Organisation, wanted: int, today: date) -> Staffing:
    """About ``wanted`` staff (never fewer than the structure needs)."""
    pay = _Payroll(stream(seed, "staff"), land, phone_numbers(4_000, 2))
    seats = _seats(land)
    _county_staff(pay, org, seats)
    for town in land.towns:
        _town_staff(pay, town, seats)
    _grid_teams(pay, land, seats, wanted)
    return Staffing(pay.staff, pay.assignments, _shifts(pay, land, today), _logins(pay, land))
