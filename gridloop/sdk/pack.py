"""The files of a scene pack as frozen data. The JSON Schema in ``docs/reference/pack.schema.json`` is generated from these classes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

Word = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
TypeCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]
TypePrefix = Annotated[str, StringConstraints(pattern=r"^([0-9]{2}|[0-9]{5})$")]
SpecId = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,2}[0-9]{1,3}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
LimitWords = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}(m|h|d|wh|wd)$")]
Cel = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Severity = Annotated[int, Field(ge=1, le=4)]
Percent = Annotated[int, Field(ge=1, le=1000)]

AUDIENCES = ("owner", "reporter", "lead", "supporting", "holders", "desk", "checker", "above", "speakers", "source")
CHANNELS = ("sms", "app", "voice", "email", "speaker", "control")
FACT_NAMES = ("data",)  # what the condition of a notice may use: the fact's own data
SIGNAL_NAMES = ("id", "source", "device", "kind", "value", "place", "data")  # what a condition over a signal may use
TITLE_NAMES = ("type", "device", "value", "where")  # placeholders of a case title; personal data such as a plate is not among them
NOTICE_NAMES = ("code", "title", "type", "place", "unit", "stage", "due_at", "track_url", "plate", "wait", "platform")
INDICATOR_NAMES = ("status", "severity", "type", "source", "card", "stars", "reworks", "returns", "merged_count", "closed_by")


class Part(BaseModel):
    """Strict and frozen: an unknown key or a wrong kind of value is a fault of the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Both(Part):
    """A text in both languages."""

    zh: Annotated[str, StringConstraints(min_length=1)]
    en: Annotated[str, StringConstraints(min_length=1)]


class SameThing(Part):
    """When two signals or reports are one matter: an equal key, or a place within a radius and a time; at least one of the two."""

    key: Cel | None = None
    radius_m: Annotated[int, Field(ge=1, le=5000)] | None = None
    within: LimitWords | None = None
    again: Literal["never"] | LimitWords | None = Field(
        default=None, description="a result at a place where the same was closed so short a time before is reviewed; with a radius 7d"
    )


def _in_both(value: Any) -> Any:
    """Packs installed before a need had two languages keep their one wording."""
    return {"zh": value, "en": value} if isinstance(value, str) else value


Need = Annotated[Both, BeforeValidator(_in_both)]


class PackFile(Part):
    """``pack.yaml``. The tier is computed, never claimed."""

    id: Word
    version: Version
    title: Both
    spec: tuple[SpecId, ...] = Field(default=(), strict=False)
    case_type: TypeCode
    also: tuple[TypePrefix, ...] = Field(default=(), strict=False, description="further types or 2-digit categories people report under")
    any_type: bool = Field(default=False, description="the scene of every type that no other scene takes; one pack of a deployment")
    severity: Severity
    process: Word
    params: dict[Word, Any] = Field(default_factory=dict)
    same_thing: SameThing
    needs: tuple[Need, ...] = Field(default=(), strict=False, description="what is still missing before the pack is whole")
    legal_basis: Both | None = Field(
        default=None, description="the law the scene leans on: the pack is off until a person switches it on and records the basis there"
    )


class SignalRule(Part):
    """One rule; the first that holds for a signal decides. ``open`` opens a case or joins the open one of the same thing.

    Of a kind of signals, or of an alarm: ``open`` when a detector of the pack raises it or steps it up, ``clear`` when it is over,
    ``update`` at any of these.
    """

    kind: Word | None = None
    alarm: Word | None = Field(default=None, description="a detector of the pack's detect.yaml, instead of a kind")
    when: Cel = "true"
    does: Literal["open", "update", "clear"]
    message: Word | None = Field(default=None, description="told to the process of the open case, such as gone")
    title: str | None = Field(default=None, description="of the case it opens; placeholders {type} {device} {value} {where}")
    severity: Severity | None = None


class SignalsFile(Part):
    """``signals.yaml``."""

    subject: dict[Word, Cel] = Field(default_factory=dict, description="whom a courtesy notice goes to, from the signal")
    rules: tuple[SignalRule, ...] = Field(default=(), strict=False)


class StageFile(Part):
    """The limit of one stage and what happens on the way, in percent of the limit."""

    limit: LimitWords
    remind: tuple[Percent, ...] = Field(default=(50, 80), strict=False)
    yellow: Percent = 100
    red: Percent = 150
    escalate: bool = Field(default=True, description="after a red card the next level up sees the case and is told")


class LimitsFile(Part):
    """``limits.yaml``: by stage (verify intake accept handle support check)."""

    stages: dict[Word, StageFile]


Audience = Literal["owner", "reporter", "lead", "supporting", "holders", "desk", "checker", "above", "speakers", "source"]


class Template(Part):
    channel: Literal["sms", "app", "voice", "email", "speaker", "control"]
    audience: Audience
    command: Word | None = Field(default=None, description="what a device is told to do; with the channel control")
    zh: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    en: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class OnFact(Part):
    """When a case's trace gets a fact of this action, the template goes out."""

    fact: Word
    template: Word
    when: Cel = Field(default="true", description="over data, that of the fact; a fact that lacks what is asked calls for nothing")
    pause: LimitWords | None = Field(default=None, description="not again for the same case within so long, by the clock")


class NoticesFile(Part):
    """``notices.yaml``."""

    templates: dict[Word, Template] = Field(default_factory=dict)
    on_fact: tuple[OnFact, ...] = Field(default=(), strict=False)


class Indicator(Part):
    """A share: of the scene's cases of a period for which ``of`` holds, those for which ``part`` holds, too."""

    name: Word
    title: Both
    part: Cel
    of: Cel = "true"
    period: Literal["closed", "reported"] = Field(
        default="closed", description="which cases are of a period: closed in it, or reported in it"
    )


class IndicatorsFile(Part):
    """``indicators.yaml``."""

    indicators: tuple[Indicator, ...] = Field(default=(), strict=False)


class DetectFile(Part):
    """``detect.yaml`` as it was written; ``gridloop.detection.language`` says what may stand in it and makes detectors of it."""

    schedules: dict[str, Any] = Field(default_factory=dict)
    detectors: dict[str, Any]
    order: tuple[str, ...] = Field(default=(), strict=False, description="of the detectors in the file; kept by itself")

    def document(self) -> dict[str, Any]:
        """What was written, detectors in the order of the file: stores of JSON keep none."""
        return {"schedules": self.schedules, "detectors": {name: self.detectors[name] for name in self.order or sorted(self.detectors)}}


class Pack(Part):
    """A whole pack as installed: every file but the stories."""

    pack: PackFile
    signals: SignalsFile = SignalsFile()
    limits: LimitsFile
    notices: NoticesFile = NoticesFile()
    indicators: IndicatorsFile = IndicatorsFile()
    detect: DetectFile | None = None


FILES: dict[str, type[Part]] = {
    "pack": PackFile,
    "signals": SignalsFile,
    "limits": LimitsFile,
    "notices": NoticesFile,
    "indicators": IndicatorsFile,
    "detect": DetectFile,
}
