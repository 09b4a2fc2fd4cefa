"""Reads a folder of scene packs and checks each against the catalogue, the processes and the known words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gridloop.cases.conditions import Condition, ConditionFault, can_hold, unknown_words
from gridloop.cases.conditions import read as read_condition
from gridloop.cases.types import case_types
from gridloop.detection import language
from gridloop.detection.values import Kind
from gridloop.flow.engine import Process, load_process
from gridloop.flow.rules import ProcessFault
from gridloop.kernel.errors import Invalid
from gridloop.kernel.expressions import Expression, ExpressionFault
from gridloop.kernel.hashing import canonical, sha256_hex
from gridloop.kernel.texts import Words
from gridloop.scenes.folders import is_pack, left_by_a_system, stories_in
from gridloop.scenes.rules import placeholders
from gridloop.scenes.strict_yaml import Document, Wrong, read, text_of
from gridloop.sdk.pack import (
    FACT_NAMES,
    FILES,
    INDICATOR_NAMES,
    NOTICE_NAMES,
    SIGNAL_NAMES,
    TITLE_NAMES,
    DetectFile,
    IndicatorsFile,
    LimitsFile,
    NoticesFile,
    Pack,
    PackFile,
    SignalRule,
    SignalsFile,
)

ROOT = Path(__file__).resolve().parent.parent.parent
PACKS, PROCESSES = ROOT / "packs", ROOT / "processes"
NEEDED = ("pack", "limits")
FACTS = (
    "reported",
    "joined",
    "signal_added",
    "severity_raised",
    "message_received",
    "verified",
    "found_untrue",
    "case_accepted",
    "intake_rejected",
    "passed_on",
    "handed_down",
    "handed_up",
    "filed",
    "scene_changed",
    "nobody_competent",
    "dispatched",
    "rejected",
    "task_opened",
    "task_accepted",
    "task_cancelled",
    "checked_in",
    "submitted",
    "support_submitted",
    "support_returned",
    "returned",
    "sent_back",
    "escalation_asked",
    "recalled",
    "reminded",
    "card_given",
    "overdue_escalated",
    "check_approved",
    "check_rejected",
    "closing_doubted",
    "review_approved",
    "review_rejected",
    "reworked",
    "closed",
    "voided",
    "merged",
    "absorbed",
    "draft_asked",
    "split_off",
    "split_from",
    "urged",
    "supervised",
    "rated",
    "reporter_erased",
    "wait_opened",
    "wait_over",
    "notice_requested",
    "outcome_stated",
    "proposal_decided",
)


@dataclass(slots=True)
class Loaded:
    """A pack folder as read: the pack when every file is right, its process, its stories' text, and what is wrong."""

    folder: Path
    pack: Pack | None = None
    process: Process | None = None
    process_xml: bytes = b""
    stories: dict[str, str] = field(default_factory=dict)  # file name → text
    detect_text: str = ""  # detect.yaml as it was written
    wrongs: list[Wrong] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def digest(self) -> str:
        """Of everything that is installed: the pack and its process."""
        if self.pack is None:
            raise ValueError("a pack with faults has no digest")
        return digest_of(self.pack, sha256_hex(self.process_xml))


def digest_of(pack: Pack, process_digest: str) -> str:
    """A file or word that came later counts only where a pack has it: the others are still what they were."""
    part = pack.model_dump(mode="json", exclude=None if pack.detect else {"detect"})
    _leave_out(part["pack"], legal_basis=None)
    for rule in part["signals"]["rules"]:
        _leave_out(rule, alarm=None)
    for template in part["notices"]["templates"].values():
        _leave_out(template, command=None)
    for one in part["notices"]["on_fact"]:
        _leave_out(one, when="true", pause=None)
    for one in part["indicators"]["indicators"]:
        _leave_out(one, period="closed")
    return sha256_hex(canonical({"pack": part, "process": process_digest}))


def _leave_out(part: dict[str, Any], **unsaid: Any) -> None:
    for name, value in unsaid.items():
        if part[name] == value:
            del part[name]


@dataclass(frozen=True, slots=True)
class Known:
    """What packs may name: case types, signal kinds, process files."""

    types: Mapping[str, Any]
    kinds: Mapping[str, Kind]
    processes: Path = PROCESSES

    @classmethod
    def of(cls, packs: Path = PACKS, processes: Path = PROCESSES) -> Known:
        return cls(case_types(), signal_kinds(packs), processes)


def signal_kinds(packs: Path = PACKS) -> dict[str, Kind]:
    """The catalogue of signal kinds by name. Invalid when it is not right."""
    document = read(text_of(packs / "signal_kinds.yaml"), "packs/signal_kinds.yaml")
    found: dict[str, Kind] = {}
    kinds = document.data.get("kinds") if isinstance(document.data, dict) else None
    for name, entry in (kinds if isinstance(kinds, dict) else {}).items():
        try:
            found[name] = Kind(language.kind_number(name), **entry)
        except TypeError:
            allowed = ", ".join(Kind._fields[4:])
            document.fault(
                ("kinds", name), "scenes.bad_value", name=name, value=str(entry), detail=Words("scenes.kind_keys", (("allowed", allowed),))
            )
    for name, kind in found.items():
        if kind.counts and kind.counts not in found:
            document.fault(
                ("kinds", name, "counts"), "scenes.bad_value", name="counts", value=kind.counts, detail=Words("kernel.field_wrong")
            )
    if document.wrongs:
        raise Invalid("scenes.refused", first=document.wrongs[0].words)
    return found


def load_all(packs: Path = PACKS, known: Known | None = None) -> list[Loaded]:
    """Every pack folder, in order of name; two packs for any type are a fault of the second."""
    known = known or Known.of()
    loaded = [load(folder, known) for folder in sorted(packs.iterdir()) if is_pack(folder)]
    anys = [one for one in loaded if one.pack and one.pack.pack.any_type]
    for second in anys[1:]:
        params = (("first", anys[0].name), ("second", second.name))
        second.wrongs.append(Wrong(f"{second.name}/pack.yaml", 1, "scenes.two_any", params))
    return loaded


def load(folder: Path, known: Known) -> Loaded:
    """One pack. Faults are gathered, none is raised."""
    loaded = Loaded(folder)
    documents = _documents(folder, loaded)
    if "detect" in documents:
        check_detect(documents["detect"], known)
    parts: dict[str, Any] = {name: documents[name].parse(model) for name, model in FILES.items() if name in documents}
    if isinstance(detect := parts.get("detect"), DetectFile):
        parts["detect"] = detect.model_copy(update={"order": tuple(detect.detectors)})
    if isinstance(parts.get("pack"), PackFile):
        loaded.process, loaded.process_xml = _process(parts["pack"], documents["pack"], known)
    checker = Checker(known, documents, loaded.process)
    for name, part in parts.items():
        if part is not None and name != "detect":
            getattr(checker, name)(part, parts)
    loaded.wrongs += [wrong for document in documents.values() for wrong in document.wrongs]
    if not loaded.wrongs:
        loaded.pack = Pack(**parts)
    loaded.wrongs.sort()
    return loaded


def _documents(folder: Path, loaded: Loaded) -> dict[str, Document]:
    documents: dict[str, Document] = {}
    for path in sorted(folder.iterdir()):
        name = f"{folder.name}/{path.name}"
        if left_by_a_system(path.name):
            continue
        if path.suffix == ".yaml" and path.stem in FILES and path.is_file():
            text = text_of(path)
            documents[path.stem] = read(text, name)
            if path.stem == "detect":
                loaded.detect_text = text
        elif path.name == "stories" and path.is_dir():
            loaded.stories, others = stories_in(path)
            loaded.wrongs += [Wrong(f"{name}/{one}", 1, "scenes.not_yaml", (("name", one),)) for one in others]
        elif path.name not in ("fixtures", "README.md"):
            key = "scenes.not_yaml" if path.suffix == ".yml" and path.stem in FILES else "scenes.unknown_file"
            loaded.wrongs.append(Wrong(name, 1, key, (("name", path.name),)))
    for name in NEEDED:
        if name not in documents:
            loaded.wrongs.append(Wrong(f"{folder.name}/{name}.yaml", 1, "scenes.no_file", (("name", f"{name}.yaml"),)))
    return documents


def check_detect(document: Document, known: Known) -> None:
    """Notes what the language of detectors has against the document."""
    if document.wrongs:
        return
    try:
        language.detectors(document.data if document.data is not None else {}, known.kinds, 1)
    except language.LanguageFault as error:
        for fault in error.faults:
            document.fault(fault.path, fault.key, **fault.params)


def _process(pack: PackFile, document: Document, known: Known) -> tuple[Process | None, bytes]:
    path = known.processes / f"{pack.process}.bpmn"
    if not path.is_file():
        allowed = ", ".join(sorted(p.stem for p in known.processes.glob("*.bpmn")))
        document.fault(("process",), "scenes.no_process", process=pack.process, allowed=allowed)
        return None, b""
    xml = path.read_bytes()
    try:
        return load_process(xml, f"processes/{path.name}"), xml
    except ProcessFault as fault:
        document.fault(("process",), "scenes.process_fault", detail=process_fault_words(fault))
        return None, b""


def process_fault_words(fault: ProcessFault) -> Words:
    """``file:line element x: what is wrong``."""
    what = Words(fault.key, tuple(fault.params.items()))
    return Words("flow.fault", (("file", fault.file), ("line", fault.line), ("element", fault.element), ("what", what)))


class Checker:
    """The checks that look across files; each method is named like the file it checks."""

    def __init__(self, known: Known, documents: dict[str, Document], process: Process | None) -> None:
        self.known, self.documents, self.process = known, documents, process

    def _expression(self, file: str, path: tuple[str | int, ...], source: str, names: Iterable[str]) -> None:
        try:
            Expression(source, names)
        except ExpressionFault as error:
            self.documents[file].fault(path, "scenes.cel", name=".".join(map(str, path)), detail=error.words)

    def _placeholders(self, file: str, path: tuple[str | int, ...], template: str, allowed: tuple[str, ...]) -> None:
        for name in placeholders(template):
            if name not in allowed:
                self.documents[file].fault(path, "scenes.placeholder", name=name, allowed=" ".join(allowed))

    def pack(self, part: PackFile, parts: Mapping[str, Any]) -> None:
        document = self.documents["pack"]
        folder = document.file.split("/")[0]
        if part.id != folder:
            document.fault(("id",), "scenes.folder_name", id=part.id, folder=folder)
        categories = {code[:2] for code in self.known.types}
        for path, code in [(("case_type",), part.case_type), *((("also", n), code) for n, code in enumerate(part.also))]:
            if code not in self.known.types and code not in categories:
                document.fault(path, "scenes.no_type", type=code)
        same = part.same_thing
        if (same.key is None and same.radius_m is None) or (same.radius_m is None) != (same.within is None):
            document.fault(("same_thing",), "scenes.same_thing")
        if same.key is not None:
            self._expression("pack", ("same_thing", "key"), same.key, SIGNAL_NAMES)
        self._params(part, parts.get("notices"))

    def _params(self, part: PackFile, notices: NoticesFile | None) -> None:
        if self.process is None:
            return
        document = self.documents["pack"]
        try:
            self.process.with_defaults(part.params)
        except Invalid as fault:
            name = str(fault.params.get("name", ""))
            document.fault(("params", name), fault.key, **fault.params)
            return
        template = part.params.get("courtesy")
        if notices is None and "notices" in self.documents:
            return  # the file with faults says enough itself
        if template is not None and (notices is None or template not in notices.templates):
            document.fault(("params", "courtesy"), "scenes.no_template", name=template)

    def signals(self, part: SignalsFile, parts: Mapping[str, Any]) -> None:
        document = self.documents["signals"]
        for name, source in part.subject.items():
            self._expression("signals", ("subject", name), source, SIGNAL_NAMES)
        for number, rule in enumerate(part.rules):
            path: tuple[str | int, ...] = ("rules", number)
            self._spoken_of(rule, path, parts)
            self._expression("signals", (*path, "when"), rule.when, SIGNAL_NAMES)
            if rule.does == "open" and not rule.title:
                document.fault(path, "scenes.title_needed")
            if rule.title:
                self._placeholders("signals", (*path, "title"), rule.title, TITLE_NAMES)
            if rule.message and self.process and rule.message not in self.process.messages:
                allowed = ", ".join(self.process.messages) or "-"
                document.fault((*path, "message"), "scenes.no_message", process=self.process.name, name=rule.message, allowed=allowed)

    def _spoken_of(self, rule: SignalRule, path: tuple[str | int, ...], parts: Mapping[str, Any]) -> None:
        document = self.documents["signals"]
        if (rule.kind is None) == (rule.alarm is None):
            document.fault(path, "scenes.kind_or_alarm")
        elif rule.kind is not None and rule.kind not in self.known.kinds:
            document.fault((*path, "kind"), "scenes.no_kind", kind=rule.kind)
        elif rule.alarm is not None and ("detect" not in self.documents or parts.get("detect")):  # a file with faults says enough itself
            detect = parts.get("detect")
            names = sorted(detect.detectors) if isinstance(detect, DetectFile) else []
            broken = "detect" in self.documents and self.documents["detect"].wrongs  # told there, and once
            if rule.alarm not in names and not broken:
                document.fault((*path, "alarm"), "scenes.no_detector", name=rule.alarm, allowed=", ".join(names) or "-")

    def limits(self, part: LimitsFile, parts: Mapping[str, Any]) -> None:
        if self.process is None:
            return
        document = self.documents["limits"]
        stages = (*self.process.stages, *(["accept"] if "handle" in self.process.stages else []))
        for stage, limit in part.stages.items():
            if stage not in stages:
                document.fault(("stages", stage), "scenes.no_stage", process=self.process.name, stage=stage, allowed=", ".join(stages))
            if max((0, *limit.remind)) >= limit.yellow or limit.yellow >= limit.red:
                document.fault(("stages", stage), "scenes.card_order", stage=stage)
        for stage in ("intake", "accept", "handle", "check"):
            if stage in stages and stage not in part.stages:
                document.fault(("stages",), "scenes.stage_limit", stage=stage)

    def notices(self, part: NoticesFile, parts: Mapping[str, Any]) -> None:
        document = self.documents["notices"]
        for name, template in part.templates.items():
            for lang in ("zh", "en"):
                self._placeholders("notices", ("templates", name, lang), getattr(template, lang), NOTICE_NAMES)
            if (template.channel == "control") != (template.command is not None):
                document.fault(("templates", name, "command"), "scenes.command", name=name)
        for number, one in enumerate(part.on_fact):
            if one.fact not in FACTS:
                document.fault(("on_fact", number, "fact"), "scenes.no_fact", name=one.fact, allowed=" ".join(FACTS))
            if one.template not in part.templates:
                document.fault(("on_fact", number, "template"), "scenes.no_template", name=one.template)
            self._expression("notices", ("on_fact", number, "when"), one.when, FACT_NAMES)
            if one.pause and one.pause.endswith(("wh", "wd")):
                document.fault(("on_fact", number, "pause"), "scenes.pause", value=one.pause)

    def indicators(self, part: IndicatorsFile, parts: Mapping[str, Any]) -> None:
        document, seen = self.documents["indicators"], set[str]()
        for number, one in enumerate(part.indicators):
            path: tuple[str | int, ...] = ("indicators", number)
            if one.name in seen:
                document.fault((*path, "name"), "scenes.share_twice", name=one.name)
            seen.add(one.name)
            of = self._countable((*path, "of"), one.of)
            among = self._countable((*path, "part"), one.part)
            if of is None or among is None:
                continue
            for key, conditions in (("of", (of,)), ("part", (of, among))):
                if not can_hold(conditions, one.period == "closed", self._closings()):
                    document.fault((*path, key) if key in one.model_fields_set else path, f"scenes.share_never_{one.period}", name=key)
                    break

    def _closings(self) -> tuple[str, ...]:
        return self.process.closings if self.process else ()

    def _countable(self, path: tuple[str | int, ...], source: str) -> Condition | None:
        """The condition as it is counted by; None, and a fault of the file, when it cannot be."""
        before = len(self.documents["indicators"].wrongs)
        self._expression("indicators", path, source, INDICATOR_NAMES)
        if len(self.documents["indicators"].wrongs) > before:
            return None
        try:
            found = read_condition(source)
        except ConditionFault as fault:
            self.documents["indicators"].fault(path, "scenes.share", name=".".join(map(str, path)), detail=fault.words)
            return None
        for unknown in unknown_words(found, self._closings()):
            self.documents["indicators"].fault(path, "scenes.share", name=".".join(map(str, path)), detail=unknown)
        return found if len(self.documents["indicators"].wrongs) == before else None
