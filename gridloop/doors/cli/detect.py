"""``gridloop detect``: detectors over files of readings. Alarms go to a file or the output, everything else to the error output."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from gridloop.detection.language import detectors as made
from gridloop.detection.rules import DEVICE, Detector
from gridloop.detection.sentences import Teller, zone_names
from gridloop.detection.vocabulary import DURATION, GROUPINGS, UNITS
from gridloop.doors.cli.detect_output import Alarms, Telling, kinds_asked_for
from gridloop.doors.cli.detecting import Facts, Runs, pair, read_devices, told_time
from gridloop.doors.cli.faults import refused, refused_as
from gridloop.doors.cli.imports import Rejects
from gridloop.doors.cli.own_history import hours
from gridloop.doors.cli.readings import USUAL, Names, Plan, moment, pieces
from gridloop.doors.cli.sheets import SheetFault, opened_text
from gridloop.kernel.durations import WorkingCalendar
from gridloop.kernel.errors import Invalid
from gridloop.kernel.texts import say
from gridloop.scenes.loading import PACKS, Known, check_detect
from gridloop.scenes.strict_yaml import Document, read

SHOW_EVERY = 2.0  # seconds between lines of progress
_SHOWN = 20  # of the rows that cannot be used
_ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq", ".xlsx", ".csv.gz", ".jsonl.gz", ".csv.xz", ".jsonl.xz")


@click.command("detect")
@click.argument("rules")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--column", "columns", multiple=True, metavar="WHAT=COLUMN", help="time, device, kind, value, token, id, or a grouping.")
@click.option(
    "--kind", "kinds", multiple=True, metavar="NAME=KIND", help="What the file calls NAME is this kind of the catalogue; * for all else."
)
@click.option("--fact", "facts", multiple=True, metavar="FACT=VALUE", help="A fact of every key, such as lives_alone=yes.")
@click.option("--facts", "fact_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV: a grouping, then facts.")
@click.option(
    "--devices", "device_file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="CSV: device, and whose it is."
)
@click.option("--only", multiple=True, metavar="DETECTOR", help="Only these detectors.")
@click.option("--each", metavar="COLUMN", default="", help="Run each value of this column by itself, with its own time.")
@click.option("--to", "to", metavar="TIME", help="Look up to this time: what is silent at the end of the files is silent up to then.")
@click.option("--lateness", default="60s", show_default=True, help="How far a row may be behind a later one.")
@click.option("--zone", default="Asia/Shanghai", show_default=True, help="The zone of times that name none.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), help="Write alarms here, as CSV when it ends so, else as JSON Lines."
)
@click.option("--explain", metavar="KEY", default="", help="Say why there was an alarm for this device, household …, or none.")
@click.option(
    "--engine", metavar="MASTER", default="", help="Run on Apache Spark, such as spark://host:7077 or local[4]: over Parquet files only."
)
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is said (zh; what is refused in both).")
def detect(rules: str, files: tuple[Path, ...], lang: str | None, **options: Any) -> None:
    """Run detectors over readings in files.

    RULES is a pack's folder, a detect.yaml, or the name of a pack that comes with the program. FILES are CSV or JSON Lines (also packed),
    Parquet or Excel, or folders of them, in the order of time.
    """
    try:
        work = Work(rules, files, lang, **options)
        work.run()
        for line in work.told():
            click.echo(line, err=True)
        if work.explain:
            for line in work.explained():
                click.echo(line)
    except Invalid as fault:
        raise click.ClickException(refused(lang, fault.key, **fault.params)) from fault
    except SheetFault as fault:
        raise click.ClickException(str(fault)) from fault
    except OSError as fault:
        raise click.ClickException(refused(lang, "doors.detect_os", file=fault.filename or "", detail=fault.strerror or fault)) from fault
    if work.wrong or work.passed["late"] or not work.rows:
        sys.exit(1)


def _rules(path: str) -> tuple[Document, str]:
    """The document and the name before its detectors: a pack's."""
    here = Path(path)
    own = PACKS / path / "detect.yaml"
    candidates = [(here, ""), (here / "detect.yaml", f"{here.resolve().name}."), (own, f"{path}.")]
    for file, before in candidates:
        if file.is_file():
            name = f"{before.rstrip('.')}/detect.yaml" if before else file.name
            with opened_text(file) as text:
                return read(text.read(), name), before
    packs = ", ".join(sorted(one.parent.name for one in PACKS.glob("*/detect.yaml")))
    raise Invalid("doors.detect_no_rules", path=path, packs=packs)


class Work:
    """One call of the command."""

    def __init__(self, rules: str, files: tuple[Path, ...], lang: str | None, **options: Any) -> None:
        self.asked, self.lang = lang, lang or "zh"
        self.to, self.out, self.explain = None, options["out"], options["explain"]
        if self.out is not None and not self.out.parent.is_dir():
            raise Invalid("doors.detect_out", folder=self.out.parent)
        self.zone = _zone(options["zone"])
        self.known = Known.of().kinds
        self.document, before = _rules(rules)
        self.detectors = self._chosen(self._made(before), options["only"])
        if options["to"]:
            self.to = moment(options["to"], ZoneInfo(self.zone))
            if self.to < 0:
                raise Invalid("doors.detect_to", value=options["to"])
        self.lateness = options["lateness"]
        facts = Facts()
        for fact in options["facts"]:
            facts.note_all(fact, self.zone)
        if options["fact_file"]:
            facts.read(options["fact_file"], self.zone)
        self.homes = read_devices(options["device_file"]) if options["device_file"] else {}
        self.kinds = self._kinds(options["kinds"])
        self.names = Names(self.kinds, frozenset(self.known), self.homes)
        self.engine, self.facts = options["engine"], facts
        self.plan = self._plan(options["columns"], options["each"])
        self.each = options["each"]
        self.files = [file for path in files for file in _files(path)]
        self.runs = Runs(self.detectors, facts, _length(self.lateness), self.each, self.explain)
        if self.engine:
            self._check_engine()
        self.rows = self.used = self.wrong = 0
        self.passed = Counter[str]()
        self._told = time.monotonic()
        self.read: set[int] = set()  # kinds
        self.shown: list[str] = []
        self.rejected: list[str] = []
        self.unknown: set[str] = set()

    def _say(self, key: str, **params: Any) -> str:
        return say(f"doors.detect_{key}", self.lang, **params)

    # --- what was asked for -----------------------------------------------------------------------------------------------

    def _made(self, before: str) -> list[Detector]:
        check_detect(self.document, Known.of())
        if self.document.wrongs:
            for wrong in sorted(self.document.wrongs):
                click.echo(refused_as(self.asked, wrong.words), err=True)
            sys.exit(1)
        self.calendar = WorkingCalendar(tz=self.zone)
        found = made(self.document.data, self.known, 1, calendar=self.calendar)
        return [replace(detector, id=before + detector.id) for detector in found]

    def _chosen(self, found: list[Detector], only: tuple[str, ...]) -> list[Detector]:
        names = {name: detector for detector in found for name in (detector.id, detector.id.rpartition(".")[2])}
        for name in only:
            if name not in names:
                raise Invalid("doors.detect_no_detector", name=name, there=", ".join(detector.id for detector in found))
        return [detector for detector in found if not only or any(names[name] is detector for name in only)]

    def _kinds(self, pairs: tuple[str, ...]) -> dict[str, str]:
        found = dict(pair("--kind", one) for one in pairs)
        for kind in found.values():
            if kind not in self.known:
                raise Invalid("doors.detect_no_kind", kind=kind)
        return found

    def _plan(self, pairs: tuple[str, ...], each: str) -> Plan:
        columns = dict(pair("--column", one) for one in pairs)
        for what in columns:
            if what not in (*USUAL, *GROUPINGS):
                raise Invalid("doors.detect_what_column", what=what, allowed=", ".join(dict.fromkeys([*USUAL, *GROUPINGS])))
        groupings = {detector.by: detector.id for detector in self.detectors if detector.by != DEVICE}
        for by, detector in groupings.items():
            if by not in columns and by not in self.homes:
                raise Invalid("doors.detect_grouping", detector=detector, by=by)
        words = {by: columns.pop(by) for by in GROUPINGS if by in columns and by != DEVICE}
        kind = self.kinds.get("*") if set(self.kinds) == {"*"} else None
        return Plan(columns, {**words, **({each: each} if each else {})}, kind, self.zone, _length(self.lateness))

    # --- the work ---------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        with Alarms.to(self.out, self.each, silent=bool(self.explain)) as self.alarms:
            if self.engine:
                self._on_spark()
                return
            for files in hours(self.files):
                self._together(files)
            self._progress(self.files[-1].name)
            for row in self.runs.finish(self.to):
                self.alarms.write(row)
        for run in self.runs.runs.values():
            self.passed.update(run.passed())
        self.read = {kind for run in self.runs.runs.values() for kind in run.kinds}

    def _check_engine(self) -> None:
        for option, asked in (("--explain", self.explain), ("--each", self.each)):
            if asked:
                raise Invalid("doors.detect_spark_without", option=option)
        for file in self.files:
            if not file.name.lower().endswith((".parquet", ".pq")):
                raise Invalid("doors.detect_spark_parquet", file=file.name)

    def _on_spark(self) -> None:
        from gridloop.doors.cli.spark import detected

        found, counts = detected(
            self.engine, self.files, self.detectors, self.facts, _length(self.lateness), self.names, self.plan, self.to
        )
        for row in found:
            self.alarms.write(row)
        self.rows, self.used, self.wrong = (counts.numbers[what] for what in ("rows", "used", "wrong"))
        self.passed, self.read, self.unknown = counts.numbers, counts.kinds, counts.unknown
        self.shown = [say(key, self.lang, **params) for key, params in counts.shown]

    def _together(self, files: Sequence[Path]) -> None:
        """A file, or those of an hour."""
        file = files[0] if len(files) == 1 else files[0].parent
        rejects = Rejects(file)
        try:
            for piece in pieces(files, self.plan):
                self.rows += piece.rows
                self.used += len(piece) + piece.late
                self.passed["late"] += piece.late
                for line, fault in piece.wrong:
                    rejects.add(line, fault)
                    if len(self.shown) < _SHOWN:
                        reason = say(fault.key, self.lang, **fault.params)
                        self.shown.append(self._say("bad_row", file=file.name, line=line.number, reason=reason))
                for row in self.runs.step(self.names.given(piece, self.unknown)):
                    self.alarms.write(row)
                if time.monotonic() - self._told > SHOW_EVERY:
                    self._progress(file.name if len(files) == 1 else f"{file.parent.name}/{file.name}")
        finally:
            rejects.close()
        if rejects.count:
            self.wrong += rejects.count
            self.rejected.append(str(rejects.path))

    def _progress(self, file: str) -> None:
        self._told = time.monotonic()
        latest = max(self.runs.latest.values(), default=None)
        at = "-" if latest is None else told_time(latest)
        click.echo(self._say("progress", file=file, rows=self.rows, alarms=self.alarms.counts["raised"], time=at), err=True)

    # --- what is said at the end ------------------------------------------------------------------------------------------

    def told(self) -> Iterator[str]:
        """For the error output."""
        yield self._say("done", rows=self.rows, used=self.used - self.passed["late"] - self.passed["ahead"], **self.alarms.counts)
        if not self.rows:
            yield self._say("no_rows", files=", ".join(str(file) for file in self.files[:_SHOWN]))
        if self.wrong:
            yield (
                self._say("bad", count=self.wrong, file=", ".join(self.rejected))
                if self.rejected
                else self._say("bad_rows", count=self.wrong)
            )
            yield from self.shown
            if self.wrong > len(self.shown):
                yield self._say("bad_more")
        for what in ("late", "ahead", "again", "fell_back", "too_much"):
            if count := self.passed[what]:
                yield self._say(what, count=count, lateness=self.lateness)
        if self.unknown:
            yield self._say("unknown_kinds", kinds=", ".join(sorted(self.unknown)))
            meant = {
                one.lower(): name for name, kind in self.known.items() for one in (kind.called("zh"), kind.zh, kind.called("en"), kind.en)
            }
            if near := [f"--kind {name}={meant[name.lower()]}" for name in sorted(self.unknown) if name.lower() in meant]:
                yield self._say("kinds_meant", options=" ".join(near))
        wanted = {kind for detector in self.detectors for kind in kinds_asked_for(detector)}
        stood_for = {total.use for detector in self.detectors for total in detector.totals if total.kind in self.read}
        if missing := wanted - self.read - stood_for:
            yield self._say("unused_kinds", kinds=", ".join(sorted(name for name, kind in self.known.items() if kind.number in missing)))

    def explained(self) -> Iterator[str]:
        """Why there was an alarm for the key, or none."""
        titles = {name: one["title"][self.lang] for name, one in self.document.data["detectors"].items()}
        telling = Telling(Teller(self.known, self.lang, self.calendar, zone_names(self.document.data)), titles, self.lang, self.zone)
        found = False
        for name, run in self.runs.runs.items():
            for by, one in run.explanations(self.to):
                found = True
                yield from telling.lines(f"{name} / {self.explain}" if name and name != self.explain else self.explain, by, one, run)
        if not found:
            keys = {
                by: list(dict.fromkeys(key for run in self.runs.runs.values() for key in run.names(by)))[:10]
                for by in {d.by for d in self.detectors}
            }
            for by in (detector.by for detector in {d.by: d for d in self.detectors}.values()):
                yield self._say(
                    "no_key", wanted=self.explain, by=say(f"detection.say_key_{by}", self.lang), there=", ".join(keys.get(by, [])) or "-"
                )


def _files(path: Path) -> list[Path]:
    """The file, or those in a folder by name."""
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.is_file() and file.name.lower().endswith(_ENDINGS))
    else:
        found = [path] if path.is_file() else []
    if not found:
        raise Invalid("doors.detect_no_file", path=path)
    return [file for file in found if not file.name.endswith(".rejects.csv")]


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid("doors.detect_zone", value=name) from None
    return name


def _length(text: str) -> int:
    match = DURATION.fullmatch(text.strip())
    if match is None and text.strip() != "0s":
        raise Invalid("doors.detect_lateness", value=text)
    return int(match[1]) * UNITS[match[2]] if match else 0
