"""What a person is told of their own account: that a password, a second factor, a passkey or their telephone number changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from gridloop.access.selectors import AccountBrief, accounts_to_tell
from gridloop.journal.messages import FactRow
from gridloop.kernel import clock
from gridloop.kernel.ids import uuid7
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices.models import Delivery
from gridloop.notices.rules import local_time
from gridloop.orgs import selectors as orgs

AUDIENCE = "account"
CHANNEL = "app"
# actions of an account's chain; each has a sentence notices.account_<action>
TOLD: Final = frozenset(
    {"password_changed", "password_reset", "factor_added", "factor_removed", "factor_renewed", "factors_ended", "identity_linked"}
)
PAUSE = timedelta(hours=1)  # between two notices of wrong codes: whoever guesses does not write messages


@dataclass(frozen=True, slots=True)
class Told:
    """A notice for one account; ``quietly`` one that is not repeated within the pause."""

    fact: FactRow
    name: str
    user_id: int | None = None
    staff_id: int | None = None
    quietly: bool = False


def wanted(facts: Sequence[FactRow]) -> list[Told]:
    """Which of these facts people are told of, as the account or as the staff member they are."""
    return list(_wanted(facts))


def _wanted(facts: Sequence[FactRow]) -> Iterator[Told]:
    for fact in facts:
        kind, _, number = fact.chain.partition(":")
        if kind == "account" and number.isdigit() and fact.action in TOLD:
            yield Told(fact, fact.action, int(number))
        elif kind == "account" and number.isdigit() and _after_the_password(fact):
            yield Told(fact, "wrong_code", int(number), quietly=True)
        elif fact.action == "staff_changed" and "phone" in fact.data.get("fields", ()):
            yield Told(fact, "phone_changed", staff_id=int(fact.data["staff"]))


def _after_the_password(fact: FactRow) -> bool:
    """Whoever was asked for a code knew the password; a passkey is tried without one."""
    wrong = fact.action == "login_failed" and fact.data.get("reason") == "wrong_code"
    return wrong and fact.data.get("method") in ("totp", "recovery_codes")


def deliveries(told: Sequence[Told], made: set[tuple[int, str, str, str]]) -> list[tuple[Delivery, dict[str, str], str]]:
    """A notice for each account concerned, with what is told and of whom. Inside the consumer's transaction."""
    if not told:
        return []
    accounts = accounts_to_tell(SYSTEM, {t.user_id for t in told if t.user_id}, {t.staff_id for t in told if t.staff_id})
    people = orgs.staff_briefs(SYSTEM, {a.staff_id for a in accounts if a.staff_id})
    found, quiet = [], set[tuple[str, str]]()
    for one in told:
        for account in (a for a in accounts if a.id == one.user_id or (one.staff_id and a.staff_id == one.staff_id)):
            key = (one.fact.id, one.name, CHANNEL, f"account:{account.id}")
            if key in made or (one.quietly and ((key[3], one.name) in quiet or _lately(key[3], one.name))):
                continue
            made.add(key)
            quiet.add((key[3], one.name))
            person = people.get(account.staff_id or 0)
            region = person.region_code if person else ""
            said = {lang: _text(one, account, region, lang) for lang in ("zh", "en")}  # sent in their language, shown in the page's
            value = {"to": person.phone if person else "", "name": account.name, "text": said[account.lang or "zh"], **said}
            found.append((_delivery(one, account), value, key[3]))
    return found


def _lately(recipient: str, name: str) -> bool:
    return Delivery.objects.filter(recipient=recipient, template=name, created_at__gt=clock.now() - PAUSE).exists()


def _delivery(told: Told, account: AccountBrief) -> Delivery:
    now = clock.now()
    return Delivery(
        id=uuid7(),
        fact_id=told.fact.id,
        case_code="",
        template=told.name,
        audience=AUDIENCE,
        recipient=f"account:{account.id}",
        channel=CHANNEL,
        status="waiting",
        next_at=now,
        created_at=now,
    )


def _text(told: Told, account: AccountBrief, region: str, lang: str) -> str:
    """With whom to ask where it was not they themselves."""
    kind = str(told.fact.data.get("kind", ""))
    words: dict[str, Any] = {
        "account": account.username,
        "at": local_time(told.fact.at, orgs.calendar_for(SYSTEM, region)),
        "kind": say(f"access.by_{kind}", lang) if kind else "",
    }
    return say(f"notices.account_{told.name}", lang, **words) + say("notices.account_not_you", lang)
