"""What a story file may say. Keys and words are Chinese so that a department can read and write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints

from gridloop.sdk.pack import Part, TypeCode, Word

KINDS = {"真实": "true", "误报": "false", "重复": "duplicate", "晚到": "late", "超期": "overdue", "其他": "other"}
STATUSES = {
    "已上报": "reported",
    "核实中": "verifying",
    "已立案": "filed",
    "已派遣": "dispatched",
    "已签收": "accepted",
    "处置中": "handling",
    "已提级": "escalated",
    "已反馈": "submitted",
    "核查中": "checking",
    "返工中": "reworked",
    "已结案": "closed",
    "已作废": "voided",
    "不予受理": "rejected",
}
FACTS = {
    "上报": "reported",
    "并入": "joined",
    "信号": "signal_added",
    "升级": "severity_raised",
    "属实": "verified",
    "不属实": "found_untrue",
    "受理": "case_accepted",
    "立案": "filed",
    "派遣": "dispatched",
    "不予受理": "rejected",
    "签收": "task_accepted",
    "到场": "checked_in",
    "反馈": "submitted",
    "协办反馈": "support_submitted",
    "退回": "returned",
    "提级": "handed_up",
    "催办": "urged",
    "提醒": "reminded",
    "亮牌": "card_given",
    "超期上报": "overdue_escalated",
    "核查通过": "check_approved",
    "核查不通过": "check_rejected",
    "返工": "reworked",
    "等待": "wait_opened",
    "等待结束": "wait_over",
    "收到消息": "message_received",
    "通知": "notice_requested",
    "结案": "closed",
    "作废": "voided",
    "评价": "rated",
}
CARDS = {"无": None, "黄牌": "yellow", "红牌": "red"}
TASKS = {"核实": "verify", "受理": "intake", "主办处置": "handle", "协办": "support", "核查": "check", "值守查找": "trace", "救助": "help"}
LEVELS = {"省": 2, "市": 4, "县": 6, "镇街": 9, "村社": 12, "网格": 15, "微网格": 18}  # by the digits of a region's code
PLACES = ("甲", "甲旁", "乙")  # 甲旁 is 20 m from 甲; 乙 is far from both
DEFAULT_START = "2026-09-01T09:00:00+08:00"  # a Tuesday morning without a holiday near

_OFFSET = re.compile(r"^\+([0-9]{1,5})(m|h|d)$")
_MINUTES = {"m": 1, "h": 60, "d": 1440}
Offset = Annotated[str, StringConstraints(pattern=_OFFSET.pattern)]
Place = Literal["甲", "甲旁", "乙"]
Side = Literal["主办", "协办"]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=200)]
StatusWord = Literal[
    "已上报", "核实中", "已立案", "已派遣", "已签收", "处置中", "已提级", "已反馈", "核查中", "返工中", "已结案", "已作废", "不予受理"
]
TaskWord = Literal["核实", "受理", "主办处置", "协办", "核查", "值守查找", "救助"]
LevelWord = Literal["省", "市", "县", "镇街", "村社", "网格", "微网格"]
DeviceName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.:@-]{1,30}$")]
Figure = Annotated[float, Field(strict=False)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=30)]


def offset(text: str) -> timedelta:
    """``+5m`` after the story's start."""
    match = _OFFSET.match(text)
    if match is None:
        raise ValueError(text)
    return timedelta(minutes=int(match[1]) * _MINUTES[match[2]])


class Told(Part):
    """Chinese keys only."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class HomeTold(Told):
    """A home on record and who lives there."""

    people: int = Field(default=1, alias="人数", ge=0, le=20)
    elder: bool = Field(default=False, alias="老人")
    house: Literal["home", "rented", "shop", "office", "vacant"] | None = Field(default=None, alias="房屋")


class DeviceTold(Told):
    """A device on record: where it stands and whose it is."""

    kind: Word = Field(alias="种类")
    home: Name | None = Field(default=None, alias="户")
    building: Name | None = Field(default=None, alias="楼栋")
    spot: Name | None = Field(default=None, alias="场所")
    place: Place = Field(default="甲", alias="地点")


class Register(Told):
    """登记: what is on record when the story begins. Detectors only look at devices on record."""

    homes: dict[Name, HomeTold] = Field(default_factory=dict, alias="户")
    buildings: tuple[Name, ...] = Field(default=(), alias="楼栋", strict=False)
    spots: dict[Name, Word] = Field(default_factory=dict, alias="场所", description="key places and their kinds")
    devices: dict[DeviceName, DeviceTold] = Field(default_factory=dict, alias="设备")

    def place_of(self, told: SignalStep) -> Place:
        """Where a signal comes from."""
        device = self.devices.get(told.device)
        return told.place or (device.place if device else "甲")


class SignalStep(Told):
    """信号: a device or camera reports, once or, with 每, time after time."""

    kind: Word = Field(alias="种类")
    device: str = Field(default="", alias="设备")
    value: Figure | Annotated[tuple[Figure, ...], Field(strict=False)] | None = Field(
        default=None, alias="值", description="several: one each time"
    )
    place: Place | None = Field(default=None, alias="地点", description="where its device stands, else 甲")
    data: dict[str, Any] = Field(default_factory=dict, alias="数据")
    number: str | None = Field(default=None, alias="编号", description="the same number twice is the same signal")
    happened: Offset | None = Field(default=None, alias="发生", description="when it happened, when it arrives late")
    every: Offset | None = Field(default=None, alias="每", description="again and again, so far apart")
    times: int | None = Field(default=None, alias="次", ge=2, le=500, description="how often; as many as there are values")

    @property
    def count(self) -> int:
        return len(self.value) if isinstance(self.value, tuple) else self.times or 1

    def one(self, number: int) -> SignalStep:
        """The signal of one time."""
        value = self.value[number] if isinstance(self.value, tuple) else self.value
        return self.model_copy(update={"value": value, "every": None, "times": None})


class AwayStep(Told):
    """外出: a grid worker notes that nobody will be at home."""

    home: Name = Field(alias="户")
    since: Offset = Field(default="+0m", alias="从")
    till: Offset = Field(alias="到")


class ReportStep(Told):
    """上报: a person reports."""

    text: str = Field(alias="文字")
    kind: TypeCode | None = Field(default=None, alias="类型")
    place: Place = Field(default="甲", alias="地点")
    contact: str = Field(default="", alias="电话")


class AcceptStep(Told):
    """受理: the desk takes the proposal or changes it."""

    type: TypeCode | None = Field(default=None, alias="类型")
    severity: int | None = Field(default=None, alias="等级", ge=1, le=4)
    supporting: int = Field(default=0, alias="协办", ge=0, le=2, description="how many supporting units")


class SubmitStep(Told):
    """提交, 协办提交, 查找: the result with its photos."""

    photos: int = Field(default=0, alias="照片", ge=0, le=9)
    note: str = Field(default="", alias="说明")


class Should(Told):
    """应当: what must be true now; only what is written is checked."""

    status: StatusWord | None = Field(default=None, alias="状态")
    cases: int | None = Field(default=None, alias="案件数")
    tasks: tuple[TaskWord, ...] | None = Field(default=None, alias="任务", strict=False)
    card: Literal["无", "黄牌", "红牌"] | None = Field(default=None, alias="牌")
    facts: tuple[str, ...] | None = Field(default=None, alias="动作", strict=False, description="in this order, others may lie between")
    posts: dict[TaskWord, LevelWord] | None = Field(default=None, alias="岗位", description="level of the unit each task stands with")
    severity: int | None = Field(default=None, alias="等级", ge=1, le=4)
    notices: tuple[Word, ...] | None = Field(default=None, alias="通知", strict=False, description="templates sent so far, in this order")
    delivered: tuple[Word, ...] | None = Field(default=None, alias="送达", strict=False, description="templates that reached somebody")
    sources: int | None = Field(default=None, alias="来源数")
    due: Offset | None = Field(default=None, alias="时限", description="when the most pressing task is due")
    reworks: int | None = Field(default=None, alias="返工次数")
    returns: int | None = Field(default=None, alias="退回次数")
    stars: int | None = Field(default=None, alias="星")


class Step(Told):
    """One line of a story: when, one act, and what should be true after it."""

    at: Offset | None = Field(default=None, alias="时间", description="since the start of the story")
    case: int = Field(default=1, alias="案", ge=1, description="which case of the story, in order of opening")
    signal: SignalStep | None = Field(default=None, alias="信号")
    away: AwayStep | None = Field(default=None, alias="外出")
    report: ReportStep | None = Field(default=None, alias="上报")
    verify: Literal["属实", "不属实"] | None = Field(default=None, alias="核实")
    accept: AcceptStep | None = Field(default=None, alias="受理")
    reject: Reason | None = Field(default=None, alias="不予受理")
    sign: Side | None = Field(default=None, alias="签收")
    arrive: Side | None = Field(default=None, alias="到场")
    submit: SubmitStep | None = Field(default=None, alias="提交")
    support: SubmitStep | None = Field(default=None, alias="协办提交")
    trace: SubmitStep | None = Field(default=None, alias="查找")
    give_back: Reason | None = Field(default=None, alias="退回")
    escalate: Reason | None = Field(default=None, alias="提级")
    settle: SubmitStep | None = Field(default=None, alias="现场办结")
    check: Literal["通过", "不通过"] | None = Field(default=None, alias="核查")
    urge: Reason | None = Field(default=None, alias="催办")
    void: Reason | None = Field(default=None, alias="作废")
    rate: int | None = Field(default=None, alias="评价", ge=1, le=5)
    why: Reason | None = Field(default=None, alias="原因", description="of 核实: 不属实")
    form: dict[str, Any] | None = Field(default=None, alias="表单", description="answers of the form of the task that ends")
    refused: bool = Field(default=False, alias="应被拒绝")
    should: Should | None = Field(default=None, alias="应当")

    @property
    def acts(self) -> list[str]:
        """Names of the acts given; a right step has at most one."""
        return [name for name in ACTS if getattr(self, name) is not None]

    def each(self) -> Iterator[tuple[timedelta, Step]]:
        """The step, or one for each time its signal is sent, and how long after the first; what should be is asked after the last."""
        told = self.signal
        if told is None or told.every is None:
            yield timedelta(), self
            return
        for number in range(told.count):
            should = self.should if number == told.count - 1 else None
            yield number * offset(told.every), self.model_copy(update={"signal": told.one(number), "should": should})


ACTS: tuple[str, ...] = tuple(
    "signal away report verify accept reject sign arrive submit support trace give_back escalate settle check urge void rate".split(" ")  # noqa: SIM905
)
ACT_WORDS = {name: str(Step.model_fields[name].alias) for name in ACTS}


class Story(Told):
    """A story file."""

    title: Annotated[str, StringConstraints(min_length=2)] = Field(alias="场景")
    kind: Literal["真实", "误报", "重复", "晚到", "超期", "其他"] = Field(alias="类别")
    start: str = Field(default=DEFAULT_START, alias="开始")
    on_record: Register = Field(default=Register(), alias="登记")
    steps: tuple[Step, ...] = Field(alias="步骤", strict=False, min_length=1)

    @property
    def starts_at(self) -> datetime:
        return datetime.fromisoformat(self.start)
