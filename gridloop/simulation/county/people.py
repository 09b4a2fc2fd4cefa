"""Households and people: who lives together, ages, names, numbers. All identities are invented and marked by unassigned prefixes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from gridloop.orgs.rules import pinyin
from gridloop.registry.messages import HouseholdRow, HouseRow, PersonRow
from gridloop.simulation.county import words
from gridloop.simulation.county.buildings import HOUSE, TOWER, Buildings
from gridloop.simulation.county.frame import COUNTY_CODE, Ints, share_out, stream
from gridloop.simulation.county.numbers import citizen_ids, phone_numbers

# kinds of households: share, then the ages of members relative to a head: (who, …)
#   h head, p partner of the head, c child of the head, g parent of the head, e elder (65+), y young adult, s grandchild of elders
KINDS: Final = (
    ("y", 0.075), ("h", 0.045), ("e", 0.055), ("ee", 0.12), ("hp", 0.12), ("hc", 0.035), ("yy", 0.02), ("hpc", 0.235),
    ("hpcc", 0.125), ("hpcg", 0.06), ("hpcgg", 0.065), ("hpccgg", 0.035), ("es", 0.004), ("ees", 0.006),
)  # fmt: skip
COUPLE, FAMILY = 4, 7  # turned into each other to meet the number of people exactly
VACANT_SHARE = 0.08


@dataclass(frozen=True)
class People:
    houses: list[HouseRow]
    households: list[HouseholdRow]
    people: list[PersonRow]
    household_micro: Ints
    household_building: Ints
    adults: Ints  # positions of people between 18 and 70
    person_household: Ints


def _draw_kinds(count: int, people: int, rng: np.random.Generator) -> Ints:
    """The kind of each household so that the members add up to ``people``."""
    sizes = np.array([len(k) for k, _ in KINDS])
    share = np.array([s for _, s in KINDS])
    kinds = rng.permutation(np.repeat(np.arange(len(KINDS)), share_out(count, share)))
    short = people - int(sizes[kinds].sum())
    source, target = (COUPLE, FAMILY) if short > 0 else (FAMILY, COUPLE)
    pool = np.flatnonzero(kinds == source)
    if abs(short) > len(pool):
        raise ValueError(f"{people} people do not fit {count} households")
    kinds[rng.permutation(pool)[: abs(short)]] = target
    return kinds


def _ages(kinds: Ints, rng: np.random.Generator) -> tuple[Ints, Ints, Ints, Ints]:
    """For each person: household, role (position in ``hpcgeys``), age in years, sex (1 male)."""
    sizes = np.array([len(k) for k, _ in KINDS])[kinds]
    home = np.repeat(np.arange(len(kinds)), sizes)
    letters = np.frombuffer("".join(k for k, _ in KINDS).encode(), dtype=np.uint8)
    offset = np.concatenate([[0], np.cumsum([len(k) for k, _ in KINDS])])[:-1][kinds]
    place = np.arange(len(home)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    role = letters[np.repeat(offset, sizes) + place]
    count = len(kinds)
    with_child = np.array(["c" in k for k, _ in KINDS])[kinds]
    head = np.where(with_child, np.clip(rng.normal(43, 9.0, count), 23, 62), np.clip(rng.normal(56, 11, count), 24, 78))
    elder = np.clip(66 + rng.gamma(1.7, 5.0, count), 65, 99)
    young = rng.integers(19, 35, count)
    own = rng.normal(0, 1, len(home))
    child = np.clip(head[home] - 27.5 + own * 4.5 - (place == 3) * 4, 0, 30)
    by_role = {
        "h": head[home],
        "p": np.clip(head[home] - 1.5 + own * 2.5, 21, 78),
        "c": child,
        "g": np.clip(head[home] + 26.5 + own * 3.0, 52, 99),
        "e": np.clip(elder[home] + own * 2.0, 65, 101),
        "y": young[home] + np.abs(own),
        "s": rng.integers(2, 15, len(home)),
    }
    age = np.zeros(len(home))
    for letter, values in by_role.items():
        age = np.where(role == ord(letter), values, age)
    man = rng.random(len(home)) < 0.515
    first_man = (rng.random(count) < 0.8)[home]
    pair = np.isin(role, [ord("h"), ord("p")])
    man = np.where(pair, first_man == (role == ord("h")), man)
    elders = np.isin(role, [ord("e"), ord("g")])
    number: Ints = np.cumsum(elders) - np.repeat((np.cumsum(elders) - elders)[np.cumsum(sizes) - sizes], sizes)  # first or second elder
    both = elders & np.isin(kinds[home], [i for i, (k, _) in enumerate(KINDS) if k.count("e") == 2 or k.count("g") == 2])
    man = np.where(both, number == 1, man)
    alone = elders & ~both
    man = np.where(alone, rng.random(len(home)) < 0.33, man)
    return home, role.astype(np.int64), np.floor(age).astype(np.int64), man.astype(np.int64)


def _names(home: Ints, role: Ints, birth_year: Ints, man: Ints, count: int, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Name and its sound for each person."""
    weights = np.array(words.SURNAME_WEIGHTS, dtype=np.float64)
    weights /= weights.sum()
    of_home = rng.choice(len(weights), size=count, p=weights)
    own = rng.choice(len(weights), size=len(home), p=weights)
    inherits = np.isin(role, [ord("h"), ord("c"), ord("s")]) | (np.isin(role, [ord("g"), ord("e"), ord("y")]) & (man == 1))
    surname = np.where(inherits & (rng.random(len(home)) < 0.96), of_home[home], own)
    given: list[str] = []
    pools = [[men.split(), women.split()] for _, men, women in words.GIVEN]
    era = np.searchsorted([year for year, _, _ in words.GIVEN], birth_year)
    luck, single = rng.random(len(home)).tolist(), rng.random(len(home)) < 0.06
    for which, is_man, at, short in zip(era.tolist(), man.tolist(), luck, single.tolist(), strict=True):
        pool = pools[which][0 if is_man else 1]
        name = pool[int(at * len(pool))]
        given.append(name[-1] if short else name)
    sound = {word: pinyin(word) for word in {*words.SURNAMES, *given}}  # a few hundred words instead of 120,000 names
    families = [(word, sound[word]) for word in words.SURNAMES]
    rows = zip((families[s] for s in surname.tolist()), given, strict=True)
    return [(family + name, f"{spoken} {sound[name]}") for (family, spoken), name in rows]


def _homes(buildings: Buildings, households: int, rng: np.random.Generator) -> tuple[list[HouseRow], list[str], list[str], Ints]:
    """A dwelling for each household, then vacant ones: (rows, code and doorplate by household, building by household)."""
    building = np.repeat(np.arange(len(buildings.code)), buildings.homes)
    serial = np.arange(len(building)) - np.repeat(np.cumsum(buildings.homes) - buildings.homes, buildings.homes)
    rented = rng.random(len(building)) < np.where(buildings.kind[building] == HOUSE, 0.05, 0.17)
    rows, codes, doors = [], [], []
    columns = zip(
        building.tolist(),
        serial.tolist(),
        buildings.floors[building].tolist(),
        buildings.kind[building].tolist(),
        rented.tolist(),
        strict=True,
    )
    for at, number, floors, kind, let in columns:
        floor, room = _room(number, floors, kind)
        code = f"{buildings.code[at]}-{room}"
        rows.append(HouseRow(code, buildings.code[at], room, floor, "rented" if let else "home"))
        codes.append(code)
        doors.append(buildings.addresses[at] if kind == HOUSE and number == 0 else f"{buildings.addresses[at]}{room}室")
    return rows + _vacant(buildings, round(households * VACANT_SHARE), rng), codes, doors, building


def _vacant(buildings: Buildings, count: int, rng: np.random.Generator) -> list[HouseRow]:
    """Empty flats after the lived-in ones of the blocks."""
    blocks = np.flatnonzero((buildings.homes > 2) & (buildings.kind != HOUSE))
    rows = []
    taken = buildings.homes.copy()
    for at in rng.choice(blocks, size=count).tolist():
        floor, room = _room(int(taken[at]), int(buildings.floors[at]), int(buildings.kind[at]))
        taken[at] += 1
        rows.append(HouseRow(f"{buildings.code[at]}-{room}", buildings.code[at], room, floor, "vacant"))
    return rows


def _room(number: int, floors: int, kind: int) -> tuple[int, str]:
    """Floor and room of the n-th home of a building: rooms of a floor are 01, 02 …; a second family of a house lives upstairs."""
    per_floor = 6 if kind == TOWER else (1 if kind == HOUSE else 4)
    floor = number // per_floor % max(floors, 1) + 1
    round_ = number // per_floor // max(floors, 1)
    return floor, f"{floor}{number % per_floor + 1 + round_ * per_floor:02d}"


def _tags(kinds: Ints, home: Ints, role: Ints, age: Ints, rng: np.random.Generator) -> list[tuple[str, ...]]:
    size = np.array([len(k) for k, _ in KINDS])[kinds][home]
    names = [k for k, _ in KINDS]
    flags = {
        "lone_elder": (size == 1) & (age >= 65),
        "empty_nest_elder": np.isin(kinds[home], [names.index("ee")]) & (age >= 65),
        "left_behind_child": role == ord("s"),
        "child_at_risk": (age < 14) & (rng.random(len(home)) < 0.004),
        "disabled": rng.random(len(home)) < 0.012,
        "floating_resident": (rng.random(len(kinds)) < 0.11)[home],
    }
    out: list[tuple[str, ...]] = [()] * len(home)
    for tag, has in flags.items():
        for at in np.flatnonzero(has).tolist():
            out[at] = (*out[at], tag)
    return out


def make_people(seed: int, buildings: Buildings, people: int, today: date) -> People:
    """Everybody's age is counted on ``today``; one household in each home of the buildings."""
    rng = stream(seed, "people")
    houses, house_codes, doors, building = _homes(buildings, int(buildings.homes.sum()), rng)
    count = len(building)
    kinds = _draw_kinds(count, people, rng)
    home, role, age, man = _ages(kinds, rng)
    born = np.datetime64(today) - (age * 365.2425 + 1 + rng.integers(0, 364, len(home))).astype(np.int64)
    year = born.astype("datetime64[Y]").astype(np.int64) + 1970
    names = _names(home, role, year, man, count, rng)
    ids, phones, tags = citizen_ids(COUNTY_CODE, born, man), phone_numbers(len(home), 0), _tags(kinds, home, role, age, rng)
    micro = buildings.micro[building]
    household_codes = [f"H{n:06d}" for n in range(1, count + 1)]
    codes18 = [code[:18] for code in house_codes]
    households = [
        HouseholdRow(code, house, region, door)
        for code, house, region, door in zip(household_codes, house_codes, codes18, doors, strict=True)
    ]
    sexes = np.where(man == 1, "M", "F").tolist()
    columns = zip(names, home.tolist(), sexes, born.tolist(), ids, phones, tags, age.tolist(), strict=True)
    persons = [
        PersonRow(f"P{n:07d}", name, household_codes[at], codes18[at], sex, day, number, phone if years >= 12 else "", tag, spoken)
        for n, ((name, spoken), at, sex, day, number, phone, tag, years) in enumerate(columns, 1)
    ]
    return People(houses, households, persons, micro, building, np.flatnonzero((age >= 18) & (age <= 70)), home)
