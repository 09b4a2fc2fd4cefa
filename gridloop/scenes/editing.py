"""A pack's detectors as somebody would have them: the text read, what is wrong with it, how it differs, and the pack it makes."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import SafeRepresenter

from gridloop.detection import language
from gridloop.detection.rules import Detector
from gridloop.kernel.durations import WorkingCalendar
from gridloop.scenes.loading import Known, check_detect
from gridloop.scenes.rules import ToldDetector, told_detectors
from gridloop.scenes.strict_yaml import Document, Path, Wrong, needs_quotes, read
from gridloop.sdk.pack import DetectFile, Pack

NEW, CHANGED, SAME, GONE = "new", "changed", "same", "gone"


@dataclass(frozen=True, slots=True)
class Checked:
    """``pack`` is None when something is wrong. ``states``: by detector new, changed, same or gone, in the order of the text."""

    wrongs: tuple[Wrong, ...]
    pack: Pack | None
    states: dict[str, str]


def check(pack: Pack, text: str, known: Known) -> Checked:
    """The pack with this ``detect.yaml``. Every fault at once, none is raised."""
    document = read(text, f"{pack.pack.id}/detect.yaml")
    check_detect(document, known)
    part = document.parse(DetectFile)
    if part is not None:
        _rules_speak_of(pack, part, document)
    if document.wrongs or part is None:
        return Checked(tuple(sorted(document.wrongs)), None, {})
    wished = pack.model_copy(update={"detect": part.model_copy(update={"order": tuple(part.detectors)})})
    return Checked((), wished, states(pack, wished))


def _rules_speak_of(pack: Pack, part: DetectFile, document: Document) -> None:
    """signals.yaml stays as it is: what it asks for must be there."""
    for name in sorted({rule.alarm for rule in pack.signals.rules if rule.alarm} - set(part.detectors)):
        document.fault(("detectors",), "scenes.detector_asked_for", name=name)


def states(old: Pack | None, new: Pack) -> dict[str, str]:
    before, after = (language.definitions(one.detect.document()) if one and one.detect else {} for one in (old, new))
    found = {name: NEW if name not in before else SAME if before[name] == after[name] else CHANGED for name in after}
    return found | {name: GONE for name in before if name not in after}


def detectors_of(pack: Pack, kinds: Any, calendar: WorkingCalendar, version: int = 1) -> dict[str, Detector]:
    """By name, their ids as alarms have them."""
    if pack.detect is None:
        return {}
    made = language.detectors(pack.detect.document(), kinds, version, calendar=calendar)
    return {one.id: replace(one, id=f"{pack.pack.id}.{one.id}") for one in made}


def told(pack: Pack, kinds: Any, calendar: WorkingCalendar, found: dict[str, str]) -> list[tuple[ToldDetector, str]]:
    """As people read them, each with its state."""
    return [(one, found.get(one.name, SAME)) for one in told_detectors(pack, kinds, calendar)]


def text_of(pack: Pack, kept: str) -> str:
    """As it was written; of a pack installed before texts were kept, written anew."""
    if kept or pack.detect is None:
        return kept
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style, yaml.allow_unicode, yaml.sort_base_mapping_type_on_output = None, True, False  # type: ignore[assignment]
    yaml.width = 140
    yaml.Representer = _Representer
    document = pack.detect.document()
    out = io.StringIO()
    yaml.dump({key: value for key, value in document.items() if value}, out)
    return out.getvalue()


class _Representer(SafeRepresenter):
    """What would be read as something else than words is quoted."""

    def represent_str(self, text: str) -> Any:
        return self.represent_scalar("tag:yaml.org,2002:str", text, style='"' if needs_quotes(text) else None)


_Representer.add_representer(str, _Representer.represent_str)


def next_version(version: str) -> str:
    *front, last = version.split(".")
    return ".".join([*front, str(int(last) + 1)])


def with_limit(text: str, name: str, limit: float) -> str:
    """The text with another limit of a detector's one threshold, or the one of several on the same readings that is reached first; where

    it lets go moves along. As it was when there is none.
    """
    document = read(text, "detect.yaml")
    first = None if document.wrongs else _reached_first(document.data, ("detectors", name, "when"))
    if first is None:
        return text
    where, part, side, old = first
    lines = text.splitlines(keepends=True)
    for key in (side, "clear"):
        if (before := _number(part.get(key))) is not None:
            at = document.line((*where, key)) - 1
            value = f"{round(before + limit - old, 6):g}"
            lines[at] = re.sub(rf"(\b{key}\s*:\s*)-?[0-9.]+", rf"\g<1>{value}", lines[at], count=1)
    return "".join(lines)


def _reached_first(data: Any, path: Path) -> tuple[Path, dict[str, Any], str, float] | None:
    """Where it stands, the threshold, the word of its limit, and that."""
    found = list(_thresholds(_at(data, path), path))
    sides = {(part.get("kind"), next((key for key in ("at_least", "at_most") if key in part), "")) for _, part in found}
    if len(sides) != 1 or (len(found) > 1 and any({"all", "not"} & set(where) for where, _ in found)):
        return None
    ((_, side),) = sides
    limits = [(number, where, part) for where, part in found if (number := _number(part.get(side))) is not None]
    if not side or len(limits) != len(found):
        return None
    number, where, part = (min if side == "at_least" else max)(limits, key=lambda one: one[0])
    return where, part, side, number


def _at(data: Any, path: Path) -> Any:
    for part in path:
        data = data.get(part) if isinstance(data, dict) else None
    return data


def _thresholds(data: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    if isinstance(data, list):
        for number, item in enumerate(data):
            yield from _thresholds(item, (*path, number))
    elif isinstance(data, dict):
        for key, value in data.items():
            if key == "threshold" and isinstance(value, dict):
                yield (*path, key), value
            else:
                yield from _thresholds(value, (*path, key))


def _number(value: Any) -> float | None:
    """Of ``2.5 m`` the 2.5."""
    try:
        return float(str(value).split()[0])
    except (ValueError, IndexError):
        return None
