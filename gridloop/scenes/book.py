"""The scene book: what other rooms ask of scenes without knowing this room (wired by the project's settings)."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from gridloop.cases.messages import SceneMatch, SceneShares
from gridloop.cases.rules import Scene
from gridloop.detection.language import meters
from gridloop.detection.rules import Detector, Total
from gridloop.flow.selectors import process_by_digest
from gridloop.kernel.errors import NotFound
from gridloop.kernel.viewer import SYSTEM
from gridloop.registry.selectors import named_place
from gridloop.scenes import selectors
from gridloop.scenes.rules import ALARM, Candidate, again_seconds, choose, match, stage_limits, thing_of, within_seconds
from gridloop.scenes.selectors import Installed
from gridloop.sdk.pack import Pack
from gridloop.sdk.signals import Signal

DETECTORS_KEPT_SECONDS = 60.0
KEPT_SECONDS = 2.0  # a switch or a new version is felt everywhere after this long at the latest


class RowBook:
    """Installed packs; implements ``cases.messages.SceneBook``. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._packs: list[Installed] = []
        self._read_at = self._detectors_at = float("-inf")
        self._detectors: Sequence[Detector] = ()
        self._detecting: tuple[tuple[int, bool], ...] = ()

    def forget(self) -> None:
        """Read the packs anew at the next question."""
        with self._lock:
            self._read_at = self._detectors_at = float("-inf")

    def installed(self) -> list[Installed]:
        with self._lock:
            if time.monotonic() - self._read_at > KEPT_SECONDS:
                self._packs = selectors.packs(SYSTEM)
                self._read_at = time.monotonic()
            return self._packs

    def by_version(self, version_id: int) -> tuple[Scene, str]:
        """The scene of an installed version and the digest of its process."""
        pack, name, version, digest = selectors.version(version_id)
        same = pack.pack.same_thing
        scene = Scene(
            name=name,
            version=version,
            version_id=version_id,
            process=process_by_digest(digest),
            params=dict(pack.pack.params),
            limits=stage_limits(pack),
            radius_m=float(same.radius_m or 0),
            within_s=within_seconds(same),
            again_s=again_seconds(same),
        )
        return scene, digest

    def for_type(self, case_type: str, region: str, data: Mapping[str, Any]) -> tuple[Scene, str]:
        """The active scene for a person's report of this type at a place. NotFound when not even a pack for any type is on."""
        here = [Candidate(one.version_id, one.name, one.pack) for one in self.installed() if one.on_at(region)]
        chosen = choose(here, case_type, data)
        if chosen is None:
            raise NotFound("scenes.not_found", name=case_type)
        return self.by_version(chosen.version_id)

    def thing_of(self, version_id: int, data: Mapping[str, Any]) -> str:
        """The same-thing key of a person's report in this scene; '' when the scene goes by place and time."""
        return thing_of(selectors.version(version_id)[0], data)

    def recognise(self, signal: Signal, region: str = "") -> list[SceneMatch]:
        """What the packs that are on at the place make of a signal; empty when it means nothing to any."""

        def where(told: Signal) -> str:
            found = {word: str(told.data.get(word) or "") for word in ("household", "place", "building")}
            return named_place(SYSTEM, told.device, **found)

        matches = [match(one.pack, one.version_id, signal, where) for one in self.installed() if one.on_at(region)]
        return [found for found in matches if found is not None]

    def shares(self) -> list[SceneShares]:
        """What the packs want watched, by the newest version of each."""
        return [
            SceneShares(one.name, one.version, one.pack.pack.title, one.on_somewhere, one.pack.indicators.indicators)
            for one in self.installed()
            if one.pack.indicators.indicators
        ]

    def detectors(self) -> Sequence[Detector]:
        """Detectors of the packs that are on anywhere. A change of the calendar is felt a little later than that of a pack."""
        installed = tuple((one.version_id, one.on_somewhere) for one in self.installed())
        with self._lock:
            if installed != self._detecting or time.monotonic() - self._detectors_at > DETECTORS_KEPT_SECONDS:
                self._detectors = selectors.detectors(SYSTEM)
                self._detecting, self._detectors_at = installed, time.monotonic()
            return self._detectors

    def title(self, name: str, lang: str) -> str:
        """What people call a detector (``pack.name``), or what a device tells by itself (``pack:kind``); its name when nobody knows it."""
        return selectors.title_of(self.installed(), name, lang)

    def sentence(self, name: str, lang: str) -> str:
        """What a detector waits for, in words; '' when it is none or nobody knows it."""
        return selectors.sentence_of(self.installed(), name, lang)

    def kinds_called(self, lang: str) -> dict[str, tuple[str, str]]:
        """What people call kinds of readings, and the unit of each."""
        kinds = selectors.kinds().items()
        return {name: (one.en, one.unit_en or one.unit) if lang == "en" else (one.zh, one.unit) for name, one in kinds}

    def most_an_hour(self) -> dict[str, float]:
        """Kinds of use, and the most of each that a home's connection gives in an hour, in the kind's unit."""
        return {name: one.most for name, one in selectors.kinds().items() if one.most}

    def meters(self) -> list[Total]:
        """Kinds whose readings are the state of a meter."""
        return [total for _, total in meters(selectors.kinds())]

    def kinds(self) -> frozenset[str]:
        """Signal kinds that any installed pack has a rule for; others need not be asked about."""
        return frozenset(rule.kind or ALARM for one in self.installed() for rule in one.pack.signals.rules)

    def pack(self, version_id: int) -> Pack:
        """The pack of a version, with its notice templates."""
        return selectors.version(version_id)[0]


BOOK = RowBook()
