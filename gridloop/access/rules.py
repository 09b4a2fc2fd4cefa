"""Pure rules of access: what each role may do, how far it sees, how personal values are masked, which passwords and scopes pass."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from gridloop.kernel.texts import Codes

# Every permission there is, with its name for screens and documents. A verb that asks for another one is a programming error (tested).
PERMISSIONS: Final[dict[str, tuple[str, str]]] = {
    "case.report": ("上报事件", "Report a case"),
    "case.track": ("凭码查看进度", "Follow one's own report"),
    "case.read": ("查看事件", "Read cases"),
    "case.accept": ("受理采纳", "Take in a case"),
    "case.route": ("派遣分流", "Route a case"),
    "case.merge": ("并案", "Merge cases"),
    "case.void": ("作废", "Void a case"),
    "case.urge": ("催办", "Urge"),
    "case.supervise": ("督办", "Supervise"),
    "case.reopen": ("重办", "Reopen"),
    "case.rate": ("评价", "Rate"),
    "case.import": ("导入历史事件", "Import historic cases"),
    "task.read": ("查看任务", "Read tasks"),
    "task.act": ("办理任务", "Act on tasks"),
    "evidence.add": ("上传凭证", "Add evidence"),
    "evidence.read": ("查看凭证", "Read evidence"),
    "org.read": ("查看组织", "Read the organisation"),
    "org.edit": ("维护组织", "Edit the organisation"),
    "device.read": ("查看设备", "Read devices"),
    "device.edit": ("维护设备", "Edit devices"),
    "people.read": ("查看人口（脱敏）", "Read people (masked)"),
    "people.unmask": ("按目的调阅个人信息", "Open personal data for a purpose"),
    "people.edit": ("维护人口", "Edit people"),
    "people.absence": ("登记住户外出", "Record when a household is away"),
    "people.erase": ("删除个人信息", "Erase personal data"),
    "house.read": ("查看房屋", "Read houses"),
    "enterprise.read": ("查看企业", "Read enterprises"),
    "vehicle.read": ("查看车辆", "Read vehicles"),
    "pack.read": ("查看场景", "Read scenes"),
    "pack.switch": ("启停场景", "Switch scenes"),
    "process.read": ("查看流程", "Read processes"),
    "process.edit": ("配置流程", "Edit processes"),
    "indicator.read": ("查看指标", "Read indicators"),
    "signals.read": ("查看信号", "Read signals"),
    "signals.write": ("推送信号", "Send signals"),
    "positions.read": ("查看位置", "Read positions"),
    "positions.write": ("上报位置", "Send positions"),
    "notice.read": ("查看通知", "Read notices"),
    "notice.edit": ("维护通知", "Edit notices"),
    "verify.read": ("校验存证", "Verify the trace"),
    "look.read": ("查看调阅登记", "Read the log of looks"),
    "token.issue": ("签发接口令牌", "Issue API tokens"),
    "role.grant": ("授予与收回岗位", "Give and take roles"),
    "factor.end": ("解除他人的二次验证", "Take off others' second factors"),
    "session.end": ("强制下线与解除锁定", "End sessions and unlock accounts"),
    "audit.read": ("查看安全日志", "Read the security log"),
    "user.read": ("查看账号", "Read accounts"),
    "user.edit": ("维护账号", "Edit accounts"),
    "system.edit": ("系统运维", "Run the deployment"),
}
# Three officers (三员分立): who makes accounts, who gives them rights, and who reads what both did are three people.
ADMIN_ONLY: Final = frozenset({"user.edit", "system.edit"})
SECURITY_ONLY: Final = frozenset({"role.grant", "session.end", "factor.end", "token.issue"})
AUDIT_ONLY: Final = frozenset({"audit.read"})
ALONE: Final = frozenset({"security_officer", "auditor"})  # an account with one of these roles holds no other


@dataclass(frozen=True, slots=True)
class Role:
    """``territory`` False: sees only what it brought in itself, whatever region its grant names."""

    key: str
    zh: str
    en: str
    permissions: frozenset[str]
    territory: bool = True


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_CITIZEN = _words("case.report case.track case.rate evidence.add")
_FIELD = _words(
    "case.report case.read task.read task.act evidence.add evidence.read org.read device.read people.read house.read enterprise.read "
    "vehicle.read positions.write notice.read"
)
_DESK = _FIELD | _words(
    "case.accept case.route case.merge case.void case.urge case.rate people.unmask pack.read indicator.read signals.read signals.write "
    "positions.read people.absence"
)
_VIEW = _words(
    "case.report case.read task.read evidence.read org.read device.read pack.read process.read indicator.read notice.read"
) | _words("verify.read look.read positions.read")
_ADMIN = (
    (_VIEW - {"look.read"})
    | ADMIN_ONLY
    | _words("case.import org.edit device.edit people.read people.edit people.erase house.read enterprise.read")
    | _words("vehicle.read pack.switch process.edit signals.read signals.write positions.write notice.edit user.read evidence.add")
)

_ROLE_LIST = (
    Role("citizen", "群众", "Citizen", _CITIZEN, territory=False),
    Role("deputy", "人大代表", "Deputy", _CITIZEN | _words("case.read case.urge indicator.read"), territory=False),
    Role("grid_worker", "网格员", "Grid worker", _FIELD | _words("people.unmask people.absence")),
    Role("handler", "部门经办", "Department handler", _FIELD),
    Role("officer", "执法队员", "Enforcement officer", _FIELD | _words("people.unmask")),
    Role("operator", "值守坐席", "Operator", _DESK),
    Role("duty_commander", "值班长", "Duty commander", _DESK | _words("case.supervise case.reopen pack.switch verify.read")),
    Role("supervisor", "督办考评", "Supervisor", _VIEW | _words("case.urge case.supervise case.reopen case.rate task.act evidence.add")),
    Role("leader", "领导", "Leader", _VIEW | _words("case.urge case.supervise")),
    Role("mediator", "调解员", "Mediator", _FIELD | _words("people.unmask")),
    Role("inspector", "检查人员", "Inspector", _FIELD),
    Role(
        "designer",
        "流程管理员",
        "Process designer",
        _words("case.report org.read device.read pack.read pack.switch process.read process.edit indicator.read"),
    ),
    Role("admin", "系统管理员", "Administrator", _ADMIN),
    Role("security_officer", "安全管理员", "Security officer", SECURITY_ONLY | _words("user.read org.read")),
    Role("auditor", "安全审计员", "Auditor", AUDIT_ONLY | _words("look.read verify.read")),
    Role(
        "integrator",
        "对接平台",
        "Integrator",
        _words(
            "case.report case.read evidence.add evidence.read org.read device.read indicator.read signals.write positions.write pack.read"
        ),
    ),
    Role("device", "设备", "Device", _words("signals.write positions.write"), territory=False),
)
ROLES: Final[dict[str, Role]] = {role.key: role for role in _ROLE_LIST}


# Who holds one of these can open, lend or watch every account: by default such a role must use a second factor.
GUARDED: Final = frozenset(role.key for role in _ROLE_LIST if role.permissions & (ADMIN_ONLY | SECURITY_ONLY | AUDIT_ONLY))


def factor_roles(setting: str, *, sample: bool) -> frozenset[str]:
    """Roles that must use a second factor: those named, ``none``, or where nothing is said the guarded ones, in a sample nobody."""
    words = frozenset(word.strip() for word in setting.split(",") if word.strip())
    if not words:
        return frozenset() if sample else GUARDED
    unknown = sorted(words - ROLES.keys() - {"none"})
    if unknown:
        raise ValueError(f"no such role: {unknown[0]}")
    return words - {"none"}


def role_words(role: str) -> Codes:
    """A role in a sentence."""
    return Codes((role,), lambda code, lang: ROLES[code].zh if lang == "zh" else ROLES[code].en)


# The sample deployment's log-ins: user name → role (the commander's and the grid worker's names are shorter than their roles).
SAMPLE_ROLES: Final[dict[str, str]] = {
    "operator": "operator",
    "commander": "duty_commander",
    "handler": "handler",
    "worker": "grid_worker",
    "officer": "officer",
    "supervisor": "supervisor",
    "leader": "leader",
    "deputy": "deputy",
    "mediator": "mediator",
    "inspector": "inspector",
    "designer": "designer",
    "admin": "admin",
    "security": "security_officer",
    "auditor": "auditor",
    "citizen": "citizen",
}


# Why personal data may be opened (the law asks for a purpose with every look).
PURPOSES: Final[dict[str, tuple[str, str]]] = {
    "handle_case": ("办理事件", "Handling a case"),
    "visit": ("走访服务", "Visit"),
    "emergency": ("应急处置", "Emergency"),
    "inspection": ("检查执法", "Inspection"),
    "mediation": ("矛盾调解", "Mediation"),
    "data_quality": ("数据核对", "Checking data"),
    "subject_request": ("本人申请", "Request of the person"),
    "audit": ("审计监督", "Audit"),
}


def permissions_of(roles: Iterable[str]) -> frozenset[str]:
    """The union of the roles' permissions; an unknown role (a grant older than this program) gives none."""
    return frozenset().union(*(ROLES[r].permissions for r in roles if r in ROLES))


def clash(held: Iterable[str], wanted: str) -> str | None:
    """The role among those held that cannot stand beside the wanted one; the database refuses the same."""
    others = sorted(set(held) - {wanted})
    return next((role for role in others if wanted in ALONE or role in ALONE), None)


def scope_known(scope: str) -> bool:
    """Whether a token scope means something: ``all``, a permission, or a family such as ``signals``."""
    return scope == "all" or scope in PERMISSIONS or any(p.split(".", 1)[0] == scope for p in PERMISSIONS)


# --- masks -----------------------------------------------------------------------------------------------------------------------------

_COMPOUND_SURNAMES = _words(
    "欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连 澹台 皇甫 宗政 濮阳 公冶 太叔 申屠 公孙 慕容 仲孙 钟离 "
    "长孙 宇文 司徒 鲜于 司空 令狐 百里 呼延 东郭 南门 西门 轩辕 淳于 单于 拓跋 第五"
)
# A building ends with one of these; what follows (unit, floor, room) is the home and is hidden.
_BUILDING = re.compile(r"^.*(?:号楼|幢|栋|大厦|[0-9A-Za-z一二三四五六七八九十]座)")
_STREET_NUMBER = re.compile(r"^.*?[0-9一二三四五六七八九十百]+(?:-[0-9]+)?号")
_HOME = re.compile(r"[0-9A-Za-z一二三四五六七八九十]+(?:单元|室|层|楼|户|房)")


def mask_name(value: str) -> str:
    """Surname and two stars: ``王**``, ``欧阳**``."""
    value = value.strip()
    if not value:
        return ""
    surname = value[:2] if value[:2] in _COMPOUND_SURNAMES and len(value) > 2 else value[:1]
    return f"{surname}**"


def mask_citizen_id(value: str) -> str:
    """First 4, ten stars, last 4; anything that is not 18 long is hidden whole."""
    value = value.strip()
    return f"{value[:4]}{'*' * 10}{value[-4:]}" if len(value) == 18 else "*" * len(value)


def mask_phone(value: str) -> str:
    """First 3, four stars, last 4 of a mobile number; other numbers keep their last 2 at most."""
    digits = re.sub(r"[^0-9]", "", value)
    if len(digits) == 13 and digits.startswith("86"):
        digits = digits[2:]
    if len(digits) == 11:
        return f"{digits[:3]}****{digits[-4:]}"
    return "*" * (len(digits) - 2) + digits[-2:] if len(digits) > 6 else "*" * len(digits)


def mask_address(value: str) -> str:
    """The address down to the building: unit, floor and room are hidden."""
    value = value.strip()
    for pattern in (_BUILDING, _STREET_NUMBER):
        found = pattern.match(value)
        if found:
            return value if found.end() == len(value) else f"{found.group()}**"
    home = _HOME.search(value)
    return f"{value[: home.start()]}**" if home else value


def mask_plate(value: str, *, public: bool = False) -> str:
    """First 2, two stars, last 3 on shared screens; nothing at all on public ones."""
    value = value.strip().upper()
    if public or not value:
        return ""
    return f"{value[:2]}**{value[-3:]}" if len(value) >= 7 else "*" * len(value)


def mask_contact(value: str) -> str:
    """How to reach a reporter, whatever they typed: a number as a number, the rest hidden but its first character."""
    value = value.strip()
    digits = re.sub(r"[^0-9]", "", value)
    if len(digits) >= 7:
        return mask_phone(value)
    return f"{value[:1]}***" if value else ""


MASKS: Final[dict[str, Callable[[str], str]]] = {
    "name": mask_name,
    "citizen_id": mask_citizen_id,
    "phone": mask_phone,
    "address": mask_address,
    "plate": mask_plate,
    "contact": mask_contact,
}
_IN_TEXT = re.compile(r"(?<!\d)(?:(?P<id>\d{17}[\dXx])|(?:\+?86[ -]?)?1\d{2}[ -]?\d{4}[ -]?\d{4})(?!\d)")


_NARROW = str.maketrans("０１２３４５６７８９Ｘｘ＋－　", "0123456789Xx+- ")  # Chinese keyboards write both; one character for one


def mask_text(value: str) -> str:
    """Free text with citizen ids and mobile numbers masked, for people who may read the case but not the person."""
    masked, end = [], 0
    for m in _IN_TEXT.finditer(value.translate(_NARROW)):
        masked += [value[end : m.start()], mask_citizen_id(m.group()) if m.group("id") else mask_phone(m.group())]
        end = m.end()
    return "".join((*masked, value[end:]))
