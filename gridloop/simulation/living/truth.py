"""What really happens: incidents with place and kind, whether they are still there, how they come to light, and who really answers.

Two truths stand in no list of the deployment: the agreements by which a town's own people do what the list of duties gives to somebody
else (``World.agreements``), and how pressing a thing is by what people say of it (``Said.severity``). Desks know them; what proposals
learn is measured against them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gridloop.registry.messages import DeviceRow, VehicleRow
from gridloop.simulation.county.county import County


@dataclass(frozen=True, slots=True)
class Said:
    """What people say of a thing, and how pressing it then is (1–4)."""

    words: str
    severity: int


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of incident: how often it happens (share), who notices it, and what people say."""

    name: str
    case_type: str
    share: float
    by: str  # camera | people
    said: tuple[Said, ...] = ()


KINDS = (
    Kind("illegal_parking", "09009", 0.30, "camera"),
    Kind("seen_damage", "01002", 0.10, "camera"),
    Kind(
        "damaged_facility", "01037", 0.12, "people",
        (Said("路灯不亮，晚上看不见路", 4), Said("路灯一闪一闪的", 4), Said("这盏路灯坏了好几天", 4), Said("路灯杆歪了，电线露在外面", 2)),
    ),
    Kind(
        "damaged_facility", "01002", 0.10, "people",
        (Said("井盖松动，车一过就响", 3), Said("污水井盖破了一个角", 3), Said("井盖不见了，很危险", 1)),
    ),
    Kind("damaged_facility", "04002", 0.08, "people", (Said("树枝被风吹断，挡住人行道", 4), Said("行道树歪了，快倒了", 2))),
    Kind("litter", "06010", 0.16, "people", (Said("路边一大堆垃圾没人清", 4), Said("垃圾袋散了一地，有异味", 4))),
    Kind("noise", "06028", 0.10, "people", (Said("夜里施工太吵，睡不着", 3), Said("楼下音响声音很大", 4))),
    Kind("stalls", "09006", 0.10, "people", (Said("小摊占了人行道，推婴儿车过不去", 3), Said("门口占道摆摊", 4))),
)  # fmt: skip
AGREED = 0.35  # share of a town's kinds of matter that its own people do by agreement
MOVES_AFTER_MESSAGE = 0.6  # share of owners who drive away when they get the courtesy message
FALSE_REPORTS = 0.06  # share of people's reports with nothing behind them


@dataclass(slots=True)
class Incident:
    """The truth about one thing. ``there`` turns False when it is mended, gone, or never was."""

    number: int
    kind: str
    case_type: str
    lon: float
    lat: float
    there: bool
    device: str = ""
    plate: str = ""
    words: str = ""
    severity: int | None = None  # None: as the catalogue says
    unit: str = ""  # code of the unit that really answers; '' = as the list of duties says
    address: str = ""
    case: str = ""
    track: str = ""


class World:
    """Draws incidents from the county; the same seed gives the same sequence."""

    def __init__(self, county: County, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.cameras: list[DeviceRow] = [d for d in county.devices if d.kind == "camera" and d.lon is not None]
        self.vehicles: list[VehicleRow] = [v for v in county.vehicles if v.person]
        self.buildings = [b for b in county.buildings if b.lon is not None and b.address]
        self.agreements = _agreements(county, seed)
        self.incidents: dict[int, Incident] = {}
        self.by_case: dict[str, Incident] = {}

    def happen(self) -> Incident:
        """The next incident of the county; the first is one a camera sees, so that the desk has an alarm at once."""
        shares = np.array([k.share for k in KINDS])
        kind = KINDS[int(self.random.choice(len(KINDS), p=shares / shares.sum()))] if self.incidents else KINDS[1]
        number = len(self.incidents) + 1
        if kind.by == "camera":
            camera = self.cameras[int(self.random.integers(len(self.cameras)))]
            car = self.vehicles[int(self.random.integers(len(self.vehicles)))]
            plate = car.plate if kind.name == "illegal_parking" else ""
            lon, lat = camera.lon or 0.0, camera.lat or 0.0
            incident = Incident(number, kind.name, kind.case_type, lon, lat, True, device=camera.code, plate=plate)
        else:
            house = self.buildings[int(self.random.integers(len(self.buildings)))]
            lon, lat = (house.lon or 0.0) + float(self.random.normal(0, 1e-4)), (house.lat or 0.0) + float(self.random.normal(0, 1e-4))
            said = kind.said[int(self.random.integers(len(kind.said)))]
            there = bool(self.random.random() >= FALSE_REPORTS)
            incident = Incident(
                number, kind.name, kind.case_type, lon, lat, there,
                words=said.words, severity=said.severity, unit=self.agreements.get((house.region_code[:9], kind.case_type), ""),
                address=house.address,
            )  # fmt: skip
        self.incidents[number] = incident
        return incident

    def chance(self, share: float) -> bool:
        return bool(self.random.random() < share)

    def minutes(self, median: float, spread: float = 0.5) -> float:
        """A log-normal time of human work, in simulated minutes."""
        return float(self.random.lognormal(np.log(median), spread))

    def write(self, path: Path) -> None:
        """The ground truth, one incident a line; the deployment never reads it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as file:
            for incident in self.incidents.values():
                row: dict[str, Any] = asdict(incident)
                row.pop("track")
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _agreements(county: County, seed: int) -> dict[tuple[str, str], str]:
    """(town, case type) → the town's own unit that does it by agreement; drawn apart, so that incidents stay what they were."""
    random = np.random.default_rng([seed, 1])
    own: dict[str, list[str]] = {}
    for unit in county.units:
        if unit.kind in ("panel", "team", "station"):
            own.setdefault(unit.region_code, []).append(unit.code)
    types = sorted({kind.case_type for kind in KINDS if kind.by == "people"})
    return {(t, k): units[int(random.integers(len(units)))] for t, units in sorted(own.items()) for k in types if random.random() < AGREED}
