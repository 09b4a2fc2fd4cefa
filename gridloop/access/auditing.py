"""The security log: what the trace knows of accounts, for the auditor to read and to take away as a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import Q

from gridloop.access.models import User
from gridloop.access.rules import ROLES
from gridloop.journal.actions import append, elevated, verb
from gridloop.journal.messages import FactRow
from gridloop.journal.selectors import account_facts, scoped, unseal
from gridloop.kernel.errors import FieldFault, Forbidden, Invalid
from gridloop.kernel.formulas import quoted
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM, Viewer

# The actions of accounts in groups that people ask for; a test holds them against what the code appends.
GROUPS: dict[str, tuple[str, ...]] = {
    "log_in": ("logged_in", "logged_out", "login_failed", "login_locked", "session_ended", "account_unlocked"),
    "factor": ("factor_added", "factor_removed", "factor_renewed", "factors_ended", "account_told", "password_changed", "password_reset"),
    "token": ("token_issued", "token_first_used", "token_ended"),
    "right": ("role_granted", "role_ended", "account_created", "account_opened", "account_closed", "identity_linked", "language_set"),
    "file": ("upload_refused",),
    "look": ("looked", "audit_exported"),
}
COLUMNS = ("at", "action", "account", "actor", "how", "address", "agent", "data", "hash")
_SEALED = ("from", "why")  # where an act came from; a reason in somebody's own words
PAGE, MOST = 500, 50_000  # rows of a file


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """``group``: one of GROUPS; ``user``: an account's id, 0 = tries with names nobody has; ``before``: id of the last row seen."""

    group: str = ""
    user: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    limit: int = 100


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One fact in words; ``data`` without what is sealed. An address that was erased is ''."""

    id: int
    at: datetime
    action: str
    text: str
    account: int
    account_name: str
    actor: str
    actor_name: str
    how: str
    address: str
    agent: str
    data: dict[str, Any]
    chain: str
    seq: int
    hash: str


def audit(viewer: Viewer, wanted: AuditFilter) -> list[AuditRow]:
    """The security log of the auditor's territory, newest first. Forbidden without ``audit.read``; Invalid for an unknown group."""
    if not viewer.can("audit.read"):
        raise Forbidden("access.forbidden", permission="audit.read")
    _need_group(wanted)
    with scoped(viewer.within("audit.read")), elevated():
        facts = account_facts(
            SYSTEM,
            chains=_chains(viewer.within("audit.read"), wanted.user),
            actions=GROUPS.get(wanted.group, ()),
            since=wanted.since,
            until=wanted.until,
            before=wanted.before,
            limit=wanted.limit,
        )
        return _rows(facts, viewer.lang)


def _need_group(wanted: AuditFilter) -> None:
    if wanted.group and wanted.group not in GROUPS:
        params = {"group": wanted.group, "known": ", ".join(GROUPS)}
        raise Invalid("access.unknown_group", errors=(FieldFault("/group", "access.unknown_group", params),), **params)


def _chains(viewer: Viewer, user: int | None) -> list[str] | None:
    """Chains to look at; None = all. An auditor of a town sees the accounts whose grants lie in it, and no tries of strangers."""
    if viewer.system or "" in viewer.regions:
        return None if user is None else [f"account:{user}"]
    touch = Q(pk__in=[])
    for prefix in viewer.regions:
        touch |= Q(grants__region__startswith=prefix)
    ids = set(User.objects.filter(touch).values_list("pk", flat=True))
    return [f"account:{pk}" for pk in sorted(ids if user is None else ids & {user})]


def _rows(facts: Sequence[FactRow], lang: str) -> list[AuditRow]:
    sealed = [str(f.data[key]["sealed"]) for f in facts for key in _SEALED if isinstance(f.data.get(key), dict)]
    opened = unseal(SYSTEM, sealed) if sealed else {}
    ids = {int(word.partition(":")[2]) for f in facts for word in (f.chain, f.actor) if word.partition(":")[2].isdigit()}
    names = {u.pk: f"{u.name} ({u.username})" for u in User.objects.filter(pk__in=ids)}
    return [_row(f, _opened(f, "from", opened), str(_opened(f, "why", opened).get("reason", "")), names, lang) for f in facts]


def _opened(fact: FactRow, key: str, opened: dict[str, Any]) -> dict[str, Any]:
    """What was sealed under this key of the fact; {} once it was erased."""
    value = fact.data.get(key)
    return opened.get(str(value.get("sealed"))) or {} if isinstance(value, dict) else {}


def _row(fact: FactRow, origin: dict[str, Any], why: str, names: dict[int, str], lang: str) -> AuditRow:
    account = int(fact.chain.partition(":")[2])
    actor = fact.actor.partition(":")[2]
    return AuditRow(
        id=fact.id,
        at=fact.at,
        action=fact.action,
        text=say(f"access.did_{fact.action}", lang),
        account=account,
        account_name=names.get(account, say("access.nobody", lang) if account == 0 else ""),
        actor=fact.actor,
        actor_name=names.get(int(actor), "") if actor.isdigit() else _word("actor", fact.actor, lang),
        how=" · ".join(part for part in (_how(fact.data, lang), why) if part),
        address=str(origin.get("address", "")),
        agent=str(origin.get("agent", "")),
        data={key: value for key, value in fact.data.items() if key not in _SEALED},
        chain=fact.chain,
        seq=fact.seq,
        hash=fact.hash,
    )


def _word(kind: str, word: str, lang: str) -> str:
    """What somebody logged in with, or who acted where it was no account; a word we have none for stays as it is."""
    said = say(f"access.{kind}_{word}", lang)
    return word if said == f"access.{kind}_{word}" else said


def _role(key: str, lang: str) -> str:
    role = ROLES.get(key)
    return key if role is None else role.en if lang == "en" else role.zh


def _how(data: dict[str, Any], lang: str) -> str:
    """By which means, and why not, in words."""
    words = data.get("kinds") or str(data.get("method") or data.get("kind") or "").split("+")
    method = "+".join(_word("by", word, lang) for word in words)
    if template := data.get("template"):  # of what the person was told
        kind = {"phone_changed": "told", "wrong_code": "refused"}.get(str(template), "did")
        told = _word(kind, str(template), lang)
        return f"{told} · {say('access.not_delivered', lang)}" if data.get("status") == "failed" else told
    reason = say(f"access.refused_{data['reason']}", lang) if data.get("reason") else ""
    return " · ".join(part for part in (method, reason, _role(str(data.get("role") or ""), lang) or str(data.get("purpose") or "")) if part)


@verb("audit.read")
def export(viewer: Viewer, wanted: AuditFilter) -> str:
    """Write down that the log is taken away as a file, and by which filter; returns the file's name. Invalid as ``audit``."""
    _need_group(wanted)
    said = {
        "group": wanted.group,
        "account": wanted.user,
        "since": wanted.since and wanted.since.isoformat(),
        "until": wanted.until and wanted.until.isoformat(),
    }
    append(f"account:{viewer.user_id or 0}", "audit_exported", {k: v for k, v in said.items() if v not in ("", None)}, viewer)
    return "security-log.csv"


def lines(viewer: Viewer, wanted: AuditFilter) -> Iterator[str]:
    """The file in pieces, newest first, with a byte order mark so that spreadsheets read Chinese."""
    yield "\ufeff" + _csv([[say(f"access.column_{name}", viewer.lang) for name in COLUMNS]])
    before, sent = wanted.before, 0
    while sent < MOST:
        rows = audit(viewer, replace(wanted, before=before, limit=PAGE))
        yield _csv([_cells(row) for row in rows])
        sent += len(rows)
        if len(rows) < PAGE:
            return
        before = rows[-1].id


def _cells(row: AuditRow) -> list[str]:
    """Text; what a spreadsheet would take for a formula gets a quote in front, because a browser names itself as it likes."""
    data = " ".join(f"{key}={value}" for key, value in row.data.items())
    cells = [row.at.isoformat(), row.text, row.account_name, row.actor_name, row.how, row.address, row.agent, data, row.hash]
    return [quoted(cell) for cell in cells]


def _csv(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
