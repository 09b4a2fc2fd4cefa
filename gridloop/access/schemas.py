"""Shapes of this room on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Field
from pydantic import AwareDatetime

from gridloop.access.auditing import GROUPS, AuditFilter
from gridloop.journal.shapes import Schema


class Named(Schema):
    id: int
    name: str


class NamedRegion(Schema):
    code: str
    name: str


class ClockOut(Schema):
    now: datetime
    rate: float


class MeOut(Schema):
    user: str
    name: str
    roles: list[str]
    unit: Named | None
    region: NamedRegion | None
    permissions: list[str]
    lang: str
    sample: bool
    second_factor: bool = Field(description="true: a second factor must be enrolled at /accounts/ before anything else is allowed")
    own_password: bool = Field(description="true: a password set by somebody else must be changed at /accounts/ before all else")
    clock: ClockOut


class MeIn(Schema):
    lang: Literal["zh", "en"]


class GrantOut(Schema):
    id: int
    role: str
    region: str
    unit: int | None = Field(alias="unit_id")
    valid_from: datetime | None
    valid_to: datetime | None


class UserOut(Schema):
    id: int
    username: str
    name: str
    staff: int | None = Field(alias="staff_id")
    lang: str = Field(description="zh, en, or empty where nobody has chosen: then that of the browser")
    machine: bool
    active: bool
    grants: list[GrantOut]
    second_factor: bool = Field(description="whether it has a second factor or a passkey")


class UserList(Schema):
    items: list[UserOut]
    next: str | None


class UserQuery(Schema):
    q: str = Field("", max_length=80)
    limit: int = Field(100, ge=1, le=500)
    after: int = Field(0, ge=0, le=2**62)


class UserIn(Schema):
    username: str = Field(min_length=1, max_length=64, pattern=r"^[\w.@+-]+$")
    name: str = Field(min_length=1, max_length=80)
    staff: int | None = None
    lang: Literal["", "zh", "en"] = Field("", description="empty: that of the browser, until somebody chooses")
    machine: bool = False


class ActiveIn(Schema):
    active: bool


class ReasonIn(Schema):
    reason: str = Field(max_length=400)


class GrantIn(Schema):
    role: str = Field(max_length=32)
    region: str = Field("", max_length=18, pattern=r"^\d*$")
    unit: int | None = None
    valid_to: AwareDatetime | None = None


class IdOut(Schema):
    id: int


class PasswordOut(Schema):
    password: str = Field(description="shown this once")


class TokenIn(Schema):
    scopes: list[str] = Field(default=["all"], min_length=1, max_length=50)
    name: str = Field("", max_length=80)
    days: int | None = Field(None, ge=1, le=3650)


class TokenOut(Schema):
    token: str = Field(description="shown this once")


class TokenRowOut(Schema):
    id: int
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None


class TokenList(Schema):
    items: list[TokenRowOut]
    next: str | None


class RoleOut(Schema):
    key: str
    name_zh: str
    name_en: str
    permissions: list[str]
    territory: bool


class RoleList(Schema):
    items: list[RoleOut]
    next: str | None


class LookOut(Schema):
    id: int
    at: datetime
    user: int | None = Field(alias="user_id")
    user_name: str
    subject: str
    purpose: str
    reason: str
    count: int


class LookList(Schema):
    items: list[LookOut]
    next: str | None


class LookQuery(Schema):
    subject: str = Field("", max_length=80)
    limit: int = Field(100, ge=1, le=500)
    before: int | None = Field(None, ge=1, le=2**62)


class CountOut(Schema):
    count: int


class AuditOut(Schema):
    id: int
    at: datetime
    action: str
    text: str = Field(description="the action in the caller's language")
    account: int
    account_name: str
    actor: str
    actor_name: str
    how: str
    address: str = Field(description="'' once it was erased")
    agent: str
    data: dict[str, Any]
    chain: str
    seq: int
    hash: str


class AuditList(Schema):
    items: list[AuditOut]
    next: str | None


class AuditQuery(Schema):
    group: str = Field("", max_length=20, description=f"one of {', '.join(GROUPS)}")
    user: int | None = Field(None, ge=0, le=2**62, description="an account; 0: tries with names nobody has")
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    before: int | None = Field(None, ge=1, le=2**62)
    limit: int = Field(100, ge=1, le=500)

    def wanted(self) -> AuditFilter:
        return AuditFilter(self.group, self.user, self.since, self.until, self.before, self.limit)
