"""Put the sample county into the database by the rooms' own bulk loaders. Run alone: ``python -m gridloop.simulation.county.load``."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from gridloop.access.actions import load_users
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs import actions as orgs
from gridloop.orgs.loading import Loaded
from gridloop.registry import actions as registry
from gridloop.simulation.county.county import SEED, County, generate
from gridloop.simulation.county.staffing import ZONE


@dataclass
class LoadReport:
    """Rows by table and seconds by part of a load."""

    rows: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def note(self, part: str, began: float, loaded: Loaded) -> None:
        self.rows |= loaded.counts
        self.seconds[part] = round(time.monotonic() - began, 2)

    @property
    def total_seconds(self) -> float:
        return round(sum(self.seconds.values()), 2)


def load_county(county: County) -> LoadReport:
    """Load what was generated; rows that are there already (same codes) are brought up to date, accounts are left alone."""
    report = LoadReport()
    began = time.monotonic()
    report.note("orgs", began, orgs.load(SYSTEM, county.orgs()))
    began = time.monotonic()
    report.note("registry", began, registry.load(SYSTEM, county.registry()))
    began = time.monotonic()
    report.rows["access_user"] = load_users(county.logins)
    report.seconds["access"] = round(time.monotonic() - began, 2)
    return report


def load_sample(seed: int = SEED, scale: float = 1.0) -> LoadReport:
    """Generate and load; the roster lies around the deployment clock's day."""
    began = time.monotonic()
    county = generate(seed, scale, clock.now().astimezone(ZONE).date())
    seconds = round(time.monotonic() - began, 2)
    report = load_county(county)
    report.seconds["generate"] = seconds
    return report
