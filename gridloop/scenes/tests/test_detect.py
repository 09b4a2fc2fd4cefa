"""``detect.yaml`` in a pack: faults with file and line, versions of detectors, what a deployment runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings

from gridloop.cases.tests.kit import EAST, Cast, build
from gridloop.detection.engine import Engine
from gridloop.detection.language import detectors, kind_number
from gridloop.detection.rules import Threshold
from gridloop.detection.tests.documents import spoiled
from gridloop.kernel.hashing import canonical, sha256_hex
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.selectors import calendar_for
from gridloop.scenes import actions, selectors
from gridloop.scenes.book import BOOK
from gridloop.scenes.loading import check_detect, digest_of, load, load_all, signal_kinds
from gridloop.scenes.strict_yaml import read
from gridloop.scenes.tests.packkit import KNOWN, change, copy_of

BREAKS = [
    ("kind: door_open, longer", "kind: door_opened, longer", "detection.no_kind"),
    ("at_least: 0.3 kWh", "at_least: 300 Wh", "detection.unit"),
    ("longer: 36h", "longer: 4wh", "detection.working_time"),
    ("where: {lives_alone", "where: {lives_lonely", "detection.unknown_nearly"),
    ("severity: 1, when", "severity: 3, when", "detection.step"),
    ("quiet: 12h", "quiet: 12", "detection.duration"),
    ("by: household", "by: home", "detection.word"),
    ("detectors:", "detections:", "detection.missing"),
    ("quiet: 12h", "quiet: [12h", "scenes.yaml"),
    ("quiet: 12h", "quiet: &q 12h", "scenes.anchor"),
    ("quiet: 12h", "quiet: 12:00", "scenes.trap"),
]


@pytest.mark.parametrize(("old", "new", "key"), BREAKS, ids=[f"{key}-{number}" for number, (*_, key) in enumerate(BREAKS)])
def test_a_fault_names_file_and_line(old: str, new: str, key: str, tmp_path: Path) -> None:
    loaded = change(copy_of("silent_home", tmp_path), "detect.yaml", old, new)
    assert loaded.pack is None
    wrong = next(wrong for wrong in loaded.wrongs if wrong.key == key)
    lines = (tmp_path / "silent_home" / "detect.yaml").read_text(encoding="utf-8").splitlines()
    assert new.split(", ")[0] in "".join(lines[wrong.line - 1 : wrong.line + 1]) or key in ("detection.missing", "scenes.yaml")
    for lang in ("zh", "en"):
        assert wrong.said(lang).startswith(f"silent_home/detect.yaml:{wrong.line}: ")
        assert not {"{", "}"} & set(wrong.said(lang).split(": ", 1)[1])


@pytest.mark.parametrize("text", ["", "detectors: {}", "- a", "detectors: 3", "7", "schedules: {}"])
def test_an_empty_or_shapeless_file_is_told_off(text: str, tmp_path: Path) -> None:
    pack = copy_of("silent_home", tmp_path)
    (pack / "detect.yaml").write_text(text, encoding="utf-8")
    loaded = load(pack, KNOWN)
    assert loaded.pack is None
    assert all(wrong.file == "silent_home/detect.yaml" and wrong.key.startswith("detection.") for wrong in loaded.wrongs)


@given(spoiled())
@settings(max_examples=100)
def test_whatever_is_written_is_right_or_told_with_its_line(document: Any) -> None:
    text = json.dumps(document, indent=1)  # JSON is YAML, each part on a line of its own; what breaks lines elsewhere is escaped
    found = read(text, "detect.yaml")
    check_detect(found, KNOWN)
    lines = text.splitlines()
    for wrong in found.wrongs:
        assert 1 <= wrong.line <= len(lines)
        last = str(wrong.params[0][1]).split("[")[0]  # the name of the part: on its line, or an item of a list below it
        written = json.dumps(last)[1:-1]
        assert wrong.key.startswith("scenes.") or last in ("-", "detect.yaml", "") or any(written in line for line in lines[: wrong.line])
        assert wrong.said("zh") != wrong.said("en")
    if not found.wrongs:
        Engine(detectors(found.data, KNOWN.kinds, 1))


def test_every_kind_has_its_number_and_names() -> None:
    kinds = signal_kinds()
    assert len({kind.number for kind in kinds.values()}) == len(kinds) >= 20
    assert all(kind.zh and kind.en and kind.number == kind_number(name) for name, kind in kinds.items())
    assert "any" not in kinds


def test_a_pack_without_detectors_is_the_version_it_was() -> None:
    loaded = {one.name: one for one in load_all()}
    pack = loaded["general"].pack
    assert pack is not None
    assert pack.detect is None
    part = pack.model_dump(mode="json", exclude={"detect": True, "pack": {"legal_basis"}})
    part["notices"] = {  # as it was before templates could command and notices could be for a part of the facts
        "templates": {name: {k: v for k, v in one.items() if k != "command"} for name, one in part["notices"]["templates"].items()},
        "on_fact": [{"fact": one["fact"], "template": one["template"]} for one in part["notices"]["on_fact"]],
    }
    before = {"pack": part, "process": sha256_hex(b"x")}
    assert digest_of(pack, sha256_hex(b"x")) == sha256_hex(canonical(before))
    other = loaded["silent_home"].pack
    assert other is not None
    assert digest_of(pack, sha256_hex(b"x")) != digest_of(pack.model_copy(update={"detect": other.detect}), sha256_hex(b"x"))


@pytest.fixture
def cast(db: None) -> Iterator[Cast]:
    yield build()
    BOOK.forget()


def test_detectors_of_packs_that_are_on(cast: Cast) -> None:
    running = {detector.id: detector for detector in selectors.detectors(SYSTEM)}
    assert set(running) >= {"silent_home.no_trace", "silent_home.no_movement", "water_level.high_water"}
    silent = running["silent_home.no_movement"]
    assert (silent.by, silent.severity) == ("household", 3)  # 2 in the house
    actions.switch(SYSTEM, "silent_home", False)
    assert not any(name.startswith("silent_home.") for name in (d.id for d in selectors.detectors(SYSTEM)))
    actions.switch(SYSTEM, "silent_home", True, cast.units["EAST"])  # on in one town: its detectors run
    assert "silent_home.no_trace" in {detector.id for detector in selectors.detectors(SYSTEM)}
    assert next(one for one in selectors.packs(SYSTEM) if one.name == "silent_home").on_at(EAST)


def test_a_detector_keeps_its_version_until_its_definition_changes(cast: Cast, tmp_path: Path) -> None:
    def versions() -> dict[str, int]:
        return {d.id.partition(".")[2]: d.version for d in selectors.detectors(SYSTEM) if d.id.startswith("water_level.")}

    first = versions()
    assert len(set(first.values())) == 1
    pack = copy_of("water_level", tmp_path)
    actions.install(SYSTEM, change(pack, "limits.yaml", "handle: {limit: 4h}", "handle: {limit: 5h}"))
    actions.install(SYSTEM, change(pack, "detect.yaml", "zh: 水位急涨", "zh: 水位猛涨"))
    assert versions() == first
    second = actions.install(SYSTEM, change(pack, "detect.yaml", "rises: 0.5 m", "rises: 0.6 m"))
    assert versions() == {**first, "fast_rise": second}
    actions.install(SYSTEM, change(pack, "limits.yaml", "handle: {limit: 5h}", "handle: {limit: 6h}"))
    third = actions.install(SYSTEM, change(pack, "detect.yaml", "rises: 0.6 m", "rises: 0.5 m"))
    assert versions() == {**first, "fast_rise": third}  # back again is new: what was learned meanwhile is another's


def test_schedules_go_by_the_deployments_calendar(cast: Cast, tmp_path: Path) -> None:
    pack = copy_of("water_level", tmp_path)
    (pack / "signals.yaml").unlink()
    (pack / "detect.yaml").write_text(
        dedent("""
            schedules:
              work: [{from: "08:00", to: "18:00", days: working}]
            detectors:
              rising: {title: {zh: 涨, en: Rise}, severity: 3, when: {threshold: {kind: water_level, at_least: 2}, during: work}}
        """),
        encoding="utf-8",
    )
    (pack / "signals.yaml").unlink(missing_ok=True)
    actions.install(SYSTEM, load(pack, KNOWN))
    rising = next(d for d in selectors.detectors(SYSTEM) if d.id == "water_level.rising")
    assert rising.when.schedule.calendar == calendar_for(SYSTEM)  # type: ignore[attr-defined]
    assert isinstance(rising.when.of, Threshold)  # type: ignore[attr-defined]
