"""Reads of accounts and rights. The viewer of a request, a token or a session is made here and nowhere else."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.crypto import constant_time_compare
from django.utils.translation import get_language_from_request

from gridloop.access.models import LookLog, RoleGrant, User
from gridloop.access.rules import ROLES, permissions_of
from gridloop.journal.frame import elevated
from gridloop.journal.rows import ask_together
from gridloop.journal.selectors import reading, scoped
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden, NotFound
from gridloop.kernel.viewer import PUBLIC, SYSTEM, Grant, Viewer
from gridloop.orgs import selectors as orgs

if TYPE_CHECKING:
    from django.http import HttpRequest

KEPT_SECONDS = 5.0  # a right taken away in another process is felt after this long at the latest
MOST_BEARERS = 10_000
_kept: dict[int, tuple[float, Viewer]] = {}
_bearers: dict[str, tuple[float, tuple[int, frozenset[str]]]] = {}  # by the token's hash
_lock = threading.Lock()


def forget_viewers(user_id: int | None = None) -> None:
    """Drop remembered viewers of this process after a change of accounts, grants or units."""
    with _lock:
        _bearers.clear()
        if user_id is None:
            _kept.clear()
        else:
            _kept.pop(user_id, None)


def active_grants(user_id: int) -> QuerySet[RoleGrant]:
    now = clock.now()
    return RoleGrant.objects.filter(
        Q(valid_from__isnull=True) | Q(valid_from__lte=now), Q(valid_to__isnull=True) | Q(valid_to__gt=now), user_id=user_id
    ).order_by("id")


def viewer_for(user_id: int, scopes: frozenset[str] | None = None) -> Viewer:
    """The viewer of an active account, remembered for a few seconds; NotFound when there is none.

    ``scopes`` narrows it to those of an API token. A grant bound to a unit reaches the unit's whole tree; a role that
    does not see territory (citizen, deputy, device) gives permissions but no sight.
    """
    found = _kept.get(user_id)
    if found is None or found[0] < time.monotonic():
        viewer = _load_viewer(user_id)
        with _lock:
            _kept[user_id] = (time.monotonic() + KEPT_SECONDS, viewer)
    else:
        viewer = found[1]
    return viewer if scopes is None else replace(viewer, scopes=scopes)


_ACCOUNT = """SELECT u.username, u.staff_id, s.unit_id, u.lang FROM access_user u LEFT JOIN orgs_staff s ON s.id = u.staff_id
WHERE u.id = %s AND u.is_active"""
_GRANTS = """SELECT role, region, unit_id FROM access_rolegrant WHERE user_id = %s AND (valid_from IS NULL OR valid_from <= %s)
AND (valid_to IS NULL OR valid_to > %s) ORDER BY id"""


def _load_viewer(user_id: int) -> Viewer:
    """Everybody at work is read anew every few seconds: both statements in one round trip."""
    now = clock.now()
    with scoped(SYSTEM):
        accounts, grants = ask_together((_ACCOUNT, [user_id]), (_GRANTS, [user_id, now, now]))
        if not accounts:
            raise NotFound("access.no_account")
        seen = tuple(
            Grant(
                role=role,
                region=region,
                unit_ids=frozenset(orgs.unit_and_descendants(SYSTEM, unit)) if unit is not None else frozenset(),
                permissions=ROLES[role].permissions,
            )
            for role, region, unit in grants
            if _has_territory(role)
        )
    username, staff, staff_unit, lang = accounts[0]
    return Viewer(
        name=username,
        user_id=user_id,
        staff_id=staff,
        unit_id=staff_unit if staff is not None else next((unit for _, _, unit in grants if unit), None),
        grants=seen,
        permissions=permissions_of(role for role, _, _ in grants if not _has_territory(role)),
        roles=frozenset(role for role, _, _ in grants),
        lang=lang or "zh",
    )


def _has_territory(role: str) -> bool:
    return role in ROLES and ROLES[role].territory


def hash_token(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def check_bearer(token: str) -> tuple[int, frozenset[str]] | None:
    """(user id, scopes) of a valid API token of an active account, or None. One indexed query, remembered as long as a viewer is."""
    digest = hash_token(token)
    found = _bearers.get(digest)
    if found is not None and time.monotonic() < found[0]:
        return found[1]
    with connection.cursor() as cursor:
        cursor.execute("SELECT user_id, scopes FROM gl_bearer(%s, %s)", [digest, clock.now()])
        row = cursor.fetchone()
    if row is None:
        return None
    known = int(row[0]), frozenset(row[1].split())
    with _lock:
        if len(_bearers) > MOST_BEARERS:
            _bearers.clear()
        _bearers[digest] = (time.monotonic() + KEPT_SECONDS, known)
    return known


def second_factor_missing(user_id: int) -> bool:
    """Whether one of the account's roles must use a second factor by setting and none is enrolled yet."""
    if viewer_for(user_id).roles.isdisjoint(settings.REQUIRE_MFA_ROLES):
        return False
    from allauth.mfa.utils import is_mfa_enabled

    return not is_mfa_enabled(User(pk=user_id))


def password_owed(user_id: int) -> bool:
    """Whether the account's password was set by somebody else, who knows it until its person has changed it."""
    return User.objects.filter(pk=user_id, password_given=True).exists()


def _session_viewer(user: Any) -> Viewer:
    """A person who still owes a password of their own or the second factor may log in to set it, and do nothing else."""
    viewer = viewer_for(user.pk)
    if user.password_given or second_factor_missing(user.pk):
        return replace(viewer, grants=(), permissions=frozenset(), roles=frozenset())
    return viewer


def viewer_of_session(session_key: str) -> Viewer | None:
    """The viewer of a browser session cookie, for processes without Django's request (push); None when it is over."""
    store = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    data: dict[str, Any] = store.load()
    if SESSION_KEY not in data or data.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return None
    user = User.objects.filter(pk=data[SESSION_KEY], is_active=True).first()
    if user is None or not constant_time_compare(data.get(HASH_SESSION_KEY, ""), user.get_session_auth_hash()):
        return None
    return _session_viewer(user)


def viewer_for_request(request: HttpRequest) -> Viewer:
    """Bearer token, else session, else PUBLIC in the browser's language; remembered on the request.

    A bearer token that is not valid is a Forbidden fault with status 401 at the door, never silently PUBLIC.
    """
    kept: Viewer | None = getattr(request, "viewer", None)
    if kept is None:
        kept = _viewer_of(request)
        request.viewer = kept  # type: ignore[attr-defined]  # the one place that adds it
    return kept


class BadToken(Forbidden):
    """A bearer token that is unknown, expired or of a closed account."""

    status = 401


def _viewer_of(request: HttpRequest) -> Viewer:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        found = check_bearer(token.strip())
        if found is None:
            raise BadToken("access.bad_token")
        return viewer_for(*found)
    if request.user.is_authenticated:
        viewer = _session_viewer(request.user)
        # another web process may have set the language a moment ago: the account was just read, the viewer is remembered
        lang = request.user.lang or _lang_of(request)
        return viewer if viewer.lang == lang else replace(viewer, lang=lang)
    return replace(PUBLIC, lang=_lang_of(request))


def _lang_of(request: HttpRequest) -> str:
    """What was chosen in this browser, else what it asks for, else Chinese."""
    return "en" if get_language_from_request(request).startswith("en") else "zh"


@dataclass(frozen=True, slots=True)
class GrantRow:
    id: int
    role: str
    region: str
    unit_id: int | None
    valid_from: datetime | None
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class UserRow:
    id: int
    username: str
    name: str
    staff_id: int | None
    lang: str
    machine: bool
    active: bool
    grants: tuple[GrantRow, ...]
    second_factor: bool = False


def _row(user: User, grants: Sequence[RoleGrant], factor: bool = False) -> UserRow:
    rows = tuple(GrantRow(g.pk, g.role, g.region, g.unit_id, g.valid_from, g.valid_to) for g in grants)
    return UserRow(user.pk, user.username, user.name, user.staff_id, user.lang, user.machine, user.is_active, rows, factor)


def need_whole_account(viewer: Viewer) -> None:
    """Forbidden for a token of narrower scope: it works for its purpose and neither reads nor changes the account itself."""
    if viewer.scopes is not None and "all" not in viewer.scopes:
        raise Forbidden("access.scope_too_narrow")


@reading
def me(viewer: Viewer) -> UserRow:
    """The viewer's own account with its active grants; Forbidden (401 at the door) for PUBLIC."""
    user = User.objects.filter(pk=viewer.user_id or 0).first()
    if user is None:
        raise BadToken("access.not_logged_in")
    return _row(user, list(active_grants(user.pk)))


@reading
def need_account(viewer: Viewer, username: str) -> None:
    """Refused (401 at the door) unless the caller is this account: its session has ended, or somebody else's has begun."""
    if viewer.user_id is None or not User.objects.filter(pk=viewer.user_id, username=username).exists():
        raise BadToken("access.session_over")


@dataclass(frozen=True, slots=True)
class AccountBrief:
    id: int
    username: str
    name: str
    lang: str
    staff_id: int | None


@reading
def accounts_to_tell(viewer: Viewer, ids: Collection[int], staff_ids: Collection[int]) -> list[AccountBrief]:
    """The open accounts of people with these ids, or of these staff members."""
    found = User.objects.filter(Q(pk__in=ids) | Q(staff_id__in=staff_ids), is_active=True, machine=False).order_by("pk")
    return [AccountBrief(u.pk, u.username, u.name, u.lang, u.staff_id) for u in found]


def may_administer(viewer: Viewer, region: str) -> bool:
    """Whether the region lies in the administrator's own territory."""
    return viewer.system or any(region.startswith(prefix) for prefix in viewer.regions)


@reading
def users(viewer: Viewer, q: str = "", limit: int = 100, after: int = 0) -> list[UserRow]:
    """Accounts whose grants touch the viewer's territory (or that have none yet), by id."""
    if not viewer.can("user.read"):
        raise Forbidden("access.forbidden", permission="user.read")
    from allauth.mfa.models import Authenticator

    viewer = viewer.within("user.read")
    with elevated():
        found = User.objects.filter(pk__gt=after).order_by("pk")
        if q:
            found = found.filter(Q(username__icontains=q) | Q(name__icontains=q))
        if not viewer.system:
            touch = Q(grants__isnull=True)
            for prefix in viewer.regions:
                touch |= Q(grants__region__startswith=prefix)
            found = found.filter(touch).distinct()
        shown = list(found.prefetch_related("grants")[:limit])
        secured = set(Authenticator.objects.filter(user_id__in=[u.pk for u in shown]).values_list("user_id", flat=True))
        return [_row(u, list(u.grants.all()), u.pk in secured) for u in shown]


@dataclass(frozen=True, slots=True)
class LookRow:
    id: int
    at: datetime
    user_id: int | None
    user_name: str
    subject: str
    purpose: str
    reason: str
    count: int


def looks(viewer: Viewer, subject: str = "", limit: int = 100, before: int | None = None) -> list[LookRow]:
    """The log of looks, newest first: of the viewer's unit or territory with ``look.read``, else the viewer's own looks."""
    with scoped(viewer.within("look.read")):
        return _looks(viewer, subject, limit, before)


def _looks(viewer: Viewer, subject: str, limit: int, before: int | None) -> list[LookRow]:
    found = LookLog.objects.select_related("user").order_by("-id")
    if not viewer.can("look.read"):
        need_whole_account(viewer)
        found = found.filter(user_id=viewer.user_id or 0)
    if subject:
        found = found.filter(subject=subject)
    if before is not None:
        found = found.filter(pk__lt=before)
    return [LookRow(x.pk, x.at, x.user_id, x.user.name if x.user else "", x.subject, x.purpose, x.reason, x.count) for x in found[:limit]]


@dataclass(frozen=True, slots=True)
class TokenRow:
    id: int
    name: str
    user_id: int
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None


@reading
def tokens(viewer: Viewer) -> list[TokenRow]:
    """The viewer's own API tokens (never their values)."""
    from allauth.idp.oidc.models import Token

    need_whole_account(viewer)
    found = Token.objects.filter(user_id=viewer.user_id or 0, type=Token.Type.ACCESS_TOKEN).order_by("-pk")
    return [
        TokenRow(t.pk, str((t.data or {}).get("name", "")), t.user_id, tuple(t.get_scopes()), t.created_at, t.expires_at) for t in found
    ]


def user_id_of(username: str) -> int | None:
    """The id of an account by its log-in name."""
    return User.objects.filter(username=username).values_list("pk", flat=True).first()


@reading
def names_of(viewer: Viewer, user_ids: Sequence[int]) -> dict[int, str]:
    """Display names of accounts: people at work are named to their colleagues, so no mask applies."""
    return dict(User.objects.filter(pk__in=user_ids).values_list("pk", "name"))
