"""What is written down of log-ins, second factors, sessions and tokens, each with where it came from."""

from __future__ import annotations

from allauth.core.internal import ratelimit
from allauth.usersessions.models import UserSession
from django.core.cache import cache
from django.db import connection, transaction
from django.http import HttpRequest

from gridloop.access.limits import Meter, network_of
from gridloop.access.messages import Origin
from gridloop.access.models import User
from gridloop.access.selectors import hash_token
from gridloop.journal.actions import append, scoped, seal
from gridloop.kernel import clock
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Viewer

NOBODY = 0  # the chain of tries with names that no account has
_STRANGERS = Meter("stranger", 1, 600)
_LOCKED = Meter("locked", 1, 300)
_TOLD_AT = (1, 10, 100, 1000, 10_000)  # of strangers' tries from one network in ten minutes: guessing must not fill the trace
_AGENT_LENGTH = 200
_known_tokens: set[str] = set()


def origin_of(request: HttpRequest) -> Origin:
    """Address and browser as trusted proxies tell them."""
    from allauth.account.adapter import get_adapter

    adapter = get_adapter(request)
    return Origin(str(adapter.get_client_ip(request)), str(adapter.get_http_user_agent(request))[:_AGENT_LENGTH])


def log_sign_in(user_id: int, action: str, method: str, origin: Origin | None = None, reason: str = "", count: int = 1) -> None:
    """The fact of a log-in, a refused one, a log-out or the like; the address is sealed beside it for a year."""
    chain = f"account:{user_id}"
    with scoped(SYSTEM):
        data: dict[str, object] = {"method": method}
        if reason:
            data["reason"] = reason
        if count > 1:
            data["count"] = count
        if origin is not None:
            data["from"] = seal({"address": origin.address, "agent": origin.agent}, subject=chain, purpose="sign_in")
        nobody = action in ("login_failed", "login_locked") or user_id == NOBODY
        append(chain, action, data, PUBLIC if nobody else Viewer(name="public", user_id=user_id))


def refused(request: HttpRequest, user_id: int | None, method: str, reason: str) -> None:
    """A try that failed: of an account each one (the lock-out limits them), of unknown names the 1st, 10th, 100th … of a network."""
    origin = origin_of(request)
    if user_id is not None:
        log_sign_in(user_id, "login_failed", method, origin, reason)
        return
    count, _ = _STRANGERS.count(network_of(origin.address))
    if count in _TOLD_AT:
        log_sign_in(NOBODY, "login_failed", method, origin, reason, count)


def locked(request: HttpRequest, user_id: int | None, method: str) -> None:
    """A name or an address was locked: once for each span."""
    origin = origin_of(request)
    if _LOCKED.count(str(user_id) if user_id is not None else network_of(origin.address))[0] == 1:
        log_sign_in(user_id or NOBODY, "login_locked", method, origin, "too_many")


def log_factor(request: HttpRequest, user_id: int, action: str, kind: str) -> None:
    """A second factor or passkey was added, removed or renewed."""
    origin, chain = origin_of(request), f"account:{user_id}"
    with scoped(SYSTEM):
        data = {"kind": kind, "from": seal({"address": origin.address, "agent": origin.agent}, subject=chain, purpose="sign_in")}
        append(chain, action, data, Viewer(name="public", user_id=user_id))


def session_ended(viewer: Viewer, user_id: int, count: int) -> None:
    """Sessions of an account were ended by its person or by an officer. Call inside the verb's transaction."""
    append(f"account:{user_id}", "session_ended", {"user": user_id, "count": count}, viewer)


def end_one(request: HttpRequest, user_id: int) -> None:
    """The person ends one of their own sessions, here or elsewhere."""
    log_sign_in(user_id, "session_ended", "person", origin_of(request))


def end_sessions(user_id: int) -> int:
    """End every session of an account; how many there were, those not counted that were over by themselves."""
    sessions = UserSession.objects.purge_and_list(User(pk=user_id))
    for session in sessions:
        session.end()
    return len(sessions)


def forget_failures(user: User) -> None:
    """Empty the log-in library's counters of this name and of its second factor; those of addresses stay."""
    from allauth.account import app_settings

    rates = ratelimit.parse_rates(app_settings.RATE_LIMITS["login_failed"])
    for key in (user.username.lower(), f"mfa-auth-user-{user.pk}"):
        for rate in (r for r in rates if r.per == "key"):
            cache.delete(ratelimit.get_cache_key(HttpRequest(), app="allauth.account", action="login_failed", rate=rate, key=key))
    _LOCKED.forget(str(user.pk))


def first_use(request: HttpRequest, user_id: int) -> None:
    """The first request with an API token, of whichever process; afterwards this costs a look into a set."""
    digest = hash_token(request.headers.get("Authorization", "").partition(" ")[2].strip())
    if digest in _known_tokens:
        return
    with scoped(SYSTEM), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO access_tokenuse (token_id, first_at) SELECT id, %s FROM allauth_idp_oidc_token WHERE type = 'at' AND hash = %s"
            " ON CONFLICT DO NOTHING RETURNING token_id",
            [clock.now(), digest],
        )
        row = cursor.fetchone()
        if row is not None:
            origin, chain = origin_of(request), f"account:{user_id}"
            sealed = seal({"address": origin.address, "agent": origin.agent}, subject=chain, purpose="sign_in")
            append(chain, "token_first_used", {"token": row[0], "from": sealed}, Viewer(name="public", user_id=user_id))
    transaction.on_commit(lambda: _known_tokens.add(digest))  # a request that fails under an idempotency key takes its first use back
