"""The only writes of accounts, grants, tokens and the log of looks. Facts go to ``account:<id>`` and hold ids only, never names."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from allauth.idp.oidc.models import Token
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet

from gridloop.access.messages import SampleLogin
from gridloop.access.models import LookLog, RoleGrant, User
from gridloop.access.rules import ALONE, PURPOSES, ROLES, clash, role_words, scope_known
from gridloop.access.selectors import BadToken, active_grants, forget_viewers, hash_token, may_administer, need_whole_account
from gridloop.access.watching import end_sessions, forget_failures, session_ended
from gridloop.journal.actions import append, drop, elevated, scoped, seal, verb
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Forbidden, Invalid, NotFound, NotNow
from gridloop.kernel.ids import secret_key
from gridloop.kernel.retention import kept
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs import selectors as orgs
from gridloop.orgs.briefs import StaffBrief


def _chain(user_id: int) -> str:
    return f"account:{user_id}"


def _invalid(pointer: str, key: str, **params: object) -> Invalid:
    return Invalid(key, errors=(FieldFault(pointer, key, dict(params)),), **params)


def _changed(user_id: int) -> None:
    """Forget now (this transaction reads its own change) and again after commit (another thread may have read the old)."""
    forget_viewers(user_id)
    transaction.on_commit(lambda: forget_viewers(user_id))


def _user_for(viewer: Viewer, user_id: int) -> User:
    """The account, locked, if the viewer administers its person's unit and all territory of its grants. Call inside ``elevated()``."""
    user = User.objects.select_for_update().filter(pk=user_id).first()
    if user is None:
        raise NotFound("access.no_account")
    regions = [g.region for g in active_grants(user_id)] + [
        orgs.unit(viewer, s.unit_id).region_code for s in _person(viewer, user.staff_id)
    ]
    if not all(may_administer(viewer, region) for region in regions):
        raise NotFound("access.no_account")
    return user


def _not_an_officer(viewer: Viewer, user_id: int) -> None:
    """Who could close or enter the accounts of those who watch would watch himself: their role is taken away first, by another officer."""
    if not viewer.system and active_grants(user_id).filter(role__in=ALONE).exists():
        raise NotNow("access.officer_account")


def _person(viewer: Viewer, staff_id: int | None) -> list[StaffBrief]:
    return list(orgs.staff_briefs(viewer, [staff_id]).values()) if staff_id is not None else []


def _need_unit(viewer: Viewer, unit_id: int) -> None:
    """Invalid for a unit that is not there, Forbidden for one outside of the administrator's territory."""
    try:
        region = orgs.unit(viewer, unit_id).region_code
    except NotFound as fault:
        raise _invalid("/unit", "access.unknown_code", code=unit_id) from fault
    if not may_administer(viewer, region):
        raise Forbidden("access.outside_territory", region=region)


# --- creation --------------------------------------------------------------------------------------------------------------------------


def load_users(records: Iterable[SampleLogin]) -> int:
    """Create the accounts that are missing, with one grant each, in one transaction; returns how many are new.

    Unit and staff codes must exist (NotFound names the first that does not). For loaders and commands, not for people.
    """
    wanted = list(records)
    _check_roles(wanted)
    with scoped(SYSTEM):
        known = set(User.objects.filter(username__in=[r.username for r in wanted]).values_list("username", flat=True))
        new = [r for r in wanted if r.username not in known]
        staff = _ids(orgs.staff_ids_by_code(SYSTEM, [r.staff_code for r in new if r.staff_code]), [r.staff_code for r in new])
        units = _ids(orgs.unit_ids_by_code(SYSTEM, [r.unit_code for r in new if r.unit_code]), [r.unit_code for r in new])
        users = [User(username=r.username, name=r.name, staff_id=staff.get(r.staff_code or ""), lang=r.lang) for r in new]
        # the sample's people have one password, which is public: its hash, slow by design, is made once
        hashes = {word: make_password(word or None) for word in {r.password for r in new}}
        for user, record in zip(users, new, strict=True):
            user.password = hashes[record.password]
        User.objects.bulk_create(users, batch_size=500)
        RoleGrant.objects.bulk_create(
            [
                RoleGrant(user=user, role=r.role, region=r.region, unit_id=units.get(r.unit_code or ""))
                for user, r in zip(users, new, strict=True)
            ],
            batch_size=500,
        )
        if new:
            append("org", "accounts_loaded", {"count": len(new)}, SYSTEM)
    forget_viewers()
    return len(new)


def _check_roles(records: Sequence[SampleLogin]) -> None:
    for record in records:
        if record.role not in ROLES:
            raise _invalid("/role", "access.unknown_role", role=record.role)


def _ids(found: dict[str, int], codes: Sequence[str | None]) -> dict[str, int]:
    missing = [c for c in codes if c and c not in found]
    if missing:
        raise NotFound("access.unknown_code", code=missing[0])
    return found


OFFICERS = (("admin", "admin", "系统管理员"), ("security", "security_officer", "安全管理员"), ("auditor", "auditor", "安全审计员"))


def create_officers() -> list[tuple[str, str, str]]:
    """The three officers of a deployment, each where nobody holds that role yet: role, log-in name, one-time password.

    A name that somebody has already (an upgraded deployment may well have its ``auditor``) gets a number.
    """
    made = []
    with scoped(SYSTEM):
        for wanted, role, name in OFFICERS:
            if RoleGrant.objects.filter(role=role).exists():
                continue
            taken = {n.lower() for n in User.objects.filter(username__istartswith=wanted).values_list("username", flat=True)}
            username = next(n for n in itertools.chain([wanted], (f"{wanted}{i}" for i in itertools.count(2))) if n not in taken)
            password = secret_key()
            user = User(username=username, name=name, password_given=True)
            user.set_password(password)
            user.save()
            RoleGrant.objects.create(user=user, role=role)
            append(_chain(user.pk), "account_created", {"user": user.pk, "role": role, "region": ""}, SYSTEM)
            made.append((role, username, password))
    return made


@verb("user.edit")
def create_user(viewer: Viewer, username: str, name: str, *, staff_id: int | None = None, lang: str = "", machine: bool = False) -> int:
    """A new account without rights and without a password; returns its id. NotNow when the log-in name is taken.

    A staff member is one of the administrator's own territory: the account sees and does what names that person.
    """
    if not username.strip() or not name.strip():
        raise _invalid("/username", "access.name_empty")
    with elevated():
        person = _person(viewer, staff_id)
        if staff_id is not None and not person:
            raise _invalid("/staff", "access.unknown_code", code=staff_id)
        for one in person:
            _need_unit(viewer, one.unit_id)
        if User.objects.filter(username=username).exists():
            raise NotNow("access.name_taken", username=username)
        user = User(username=username.strip(), name=name.strip(), staff_id=staff_id, lang=lang, machine=machine)
        user.set_unusable_password()
        user.save()
        append(_chain(user.pk), "account_created", {"user": user.pk, "staff": staff_id, "machine": machine}, viewer)
    return user.pk


# --- changes ---------------------------------------------------------------------------------------------------------------------------


@verb("user.edit")
def set_active(viewer: Viewer, user_id: int, active: bool) -> None:
    """Close or reopen an account. Closing ends its sessions and API tokens at once; nobody closes their own."""
    if user_id == viewer.user_id:
        raise NotNow("access.not_oneself")
    with elevated():
        _not_an_officer(viewer, user_id)
        _set_active(viewer, _user_for(viewer, user_id), active)


def _set_active(viewer: Viewer, user: User, active: bool) -> None:
    user.is_active = active
    user.save(update_fields=["is_active"])
    if not active:
        end_sessions(user.pk)
        Token.objects.filter(user_id=user.pk).delete()
    append(_chain(user.pk), "account_opened" if active else "account_closed", {"user": user.pk}, viewer)
    _changed(user.pk)


@verb("org.edit")
def close_accounts_of(viewer: Viewer, staff_id: int) -> int:
    """Close the accounts of somebody who leaves the viewer's territory; nobody closes their own. Returns how many were open."""
    person = next(iter(_person(viewer, staff_id)), None)
    if person is None or not viewer.may("org.edit", person.region_code, (person.unit_id,)):
        raise Forbidden("access.outside_territory", region=person.region_code if person else "–")
    with elevated():
        users = list(User.objects.select_for_update().filter(staff_id=staff_id, is_active=True))
        if any(user.pk == viewer.user_id for user in users):
            raise NotNow("access.not_oneself")
        for user in users:
            _set_active(viewer, user, False)
    return len(users)


@verb("user.edit")
def reset_password(viewer: Viewer, user_id: int) -> str:
    """Give an account a new one-time password, shown once to the administrator, to be changed at log-in; its sessions end."""
    password = secret_key()
    with elevated():
        _not_an_officer(viewer, user_id)
        user = _user_for(viewer, user_id)
        user.set_password(password)
        user.password_given = True
        user.save(update_fields=["password", "password_given"])
        end_sessions(user_id)
        append(_chain(user_id), "password_reset", {"user": user_id}, viewer)
    return password


def change_password(viewer: Viewer, password: str) -> None:
    """The person's own new password; Invalid with each rule it breaks."""
    with scoped(viewer):
        user = User.objects.select_for_update().filter(pk=viewer.user_id or 0).first()
        if user is None:
            raise BadToken("access.not_logged_in")
        try:
            validate_password(password, user)
        except ValidationError as fault:
            raise _invalid("/password", "access.weak_password", why="; ".join(fault.messages)) from fault
        user.set_password(password)
        user.password_given = False
        user.save(update_fields=["password", "password_given"])
        append(_chain(user.pk), "password_changed", {"user": user.pk}, viewer)


def set_language(viewer: Viewer, lang: str) -> None:
    """The person's own language, ``zh`` or ``en``."""
    need_whole_account(viewer)
    if lang not in ("zh", "en"):
        raise _invalid("/lang", "access.unknown_language", lang=lang)
    with scoped(viewer):
        if not User.objects.filter(pk=viewer.user_id or 0).update(lang=lang):
            raise BadToken("access.not_logged_in")
        append(_chain(viewer.user_id or 0), "language_set", {"lang": lang}, viewer)
    _changed(viewer.user_id or 0)


@verb("role.grant")
def grant_role(
    viewer: Viewer, user_id: int, role: str, *, region: str = "", unit_id: int | None = None, valid_to: datetime | None = None
) -> int:
    """Give a role over a territory inside the officer's own (and a unit); returns the grant's id, the old one if it stands.

    Nobody gives one to themselves, and the roles of those who watch stand beside no other.
    """
    if user_id == viewer.user_id:
        raise NotNow("access.not_oneself")
    if role not in ROLES:
        raise _invalid("/role", "access.unknown_role", role=role)
    if not may_administer(viewer, region):
        raise Forbidden("access.outside_territory", region=region)
    with elevated():
        _user_for(viewer, user_id)
        if unit_id is not None:
            _need_unit(viewer, unit_id)
        same = active_grants(user_id).filter(role=role, region=region, unit=unit_id).first()
        if same is not None:
            return same.pk
        other = clash((g.role for g in _not_over(user_id)), role)
        if other is not None:
            raise NotNow("access.roles_apart", role=role_words(role), other=role_words(other))
        grant = RoleGrant.objects.create(
            user_id=user_id, role=role, region=region, unit_id=unit_id, valid_from=clock.now(), valid_to=valid_to
        )
        data = {"user": user_id, "grant": grant.pk, "role": role, "region": region, "unit": unit_id}
        append(_chain(user_id), "role_granted", data, viewer)
    _changed(user_id)
    return grant.pk


def _not_over(user_id: int) -> QuerySet[RoleGrant]:
    """Grants that hold now or later."""
    return RoleGrant.objects.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=clock.now()), user_id=user_id)


@verb("role.grant")
def end_grant(viewer: Viewer, grant_id: int) -> None:
    """Take a role away now; ending it twice is no fault. Nobody takes away their own."""
    with elevated():
        grant = RoleGrant.objects.select_for_update().filter(pk=grant_id).first()
        if grant is None or not may_administer(viewer, grant.region):
            raise NotFound("access.no_grant")
        if grant.user_id == viewer.user_id:
            raise NotNow("access.not_oneself")
        now = clock.now()
        if grant.valid_to is None or grant.valid_to > now:
            grant.valid_to = max(now, grant.valid_from) if grant.valid_from else now
            grant.save(update_fields=["valid_to"])
            append(_chain(grant.user_id), "role_ended", {"user": grant.user_id, "grant": grant.pk, "role": grant.role}, viewer)
    _changed(grant.user_id)


@verb("session.end")
def end_sessions_of(viewer: Viewer, user_id: int) -> int:
    """Log an account out everywhere; returns how many sessions there were."""
    with elevated():
        count = end_sessions(_user_for(viewer, user_id).pk)
        session_ended(viewer, user_id, count)
    return count


@verb("session.end")
def unlock(viewer: Viewer, user_id: int) -> None:
    """Let an account that was locked after wrong passwords or codes try again at once."""
    with elevated():
        forget_failures(_user_for(viewer, user_id))
        append(_chain(user_id), "account_unlocked", {"user": user_id}, viewer)


@verb("factor.end")
def end_factors(viewer: Viewer, user_id: int, reason: str) -> int:
    """Take off every second factor and passkey of somebody who lost theirs, and log them out; returns how many there were.

    Not the administrator who resets passwords: one hand with both could enter any account. Nobody takes off their own this way.
    """
    if user_id == viewer.user_id:
        raise NotNow("access.factor_own")
    why = reason.strip()[:400]
    if len(why) < 2:
        raise _invalid("/reason", "access.factor_reason_missing")
    with elevated():
        _not_an_officer(viewer, user_id)
        user = _user_for(viewer, user_id)
        factors = list(Authenticator.objects.select_for_update().filter(user_id=user.pk))
        if not factors:
            raise NotNow("access.no_factor")
        Authenticator.objects.filter(pk__in=[f.pk for f in factors]).delete()
        forget_failures(user)
        end_sessions(user.pk)
        kinds = sorted({str(f.type) for f in factors})
        data = {"user": user.pk, "kinds": kinds, "why": seal({"reason": why}, subject=_chain(user.pk), purpose="account_reason")}
        append(_chain(user.pk), "factors_ended", data, viewer)
    return len(factors)


# --- tokens ----------------------------------------------------------------------------------------------------------------------------


@verb("token.issue")
def issue_token(viewer: Viewer, user_id: int, scopes: Iterable[str] = ("all",), name: str = "", days: int | None = None) -> str:
    """A new API token of an account, returned this once and stored hashed. ``scopes``: ``all``, permissions or their families."""
    wanted = sorted(set(scopes))
    unknown = [s for s in wanted if not scope_known(s)]
    if unknown or not wanted:
        raise _invalid("/scopes", "access.unknown_scope", scope=unknown[0] if unknown else "")
    value = f"gl_{secrets.token_urlsafe(32)}"
    with elevated():
        user = _user_for(viewer, user_id)
        if not user.is_active:
            raise NotNow("access.account_closed")
        if not (user.machine or viewer.system):
            raise NotNow("access.token_for_machines")  # it would let its issuer act and see as this person
        token = Token(type=Token.Type.ACCESS_TOKEN, hash=hash_token(value), user=user, data={"name": name})
        token.set_scopes(wanted)
        token.expires_at = clock.now() + timedelta(days=days) if days else None
        token.save()
        append(_chain(user_id), "token_issued", {"user": user_id, "token": token.pk, "scopes": wanted, "days": days}, viewer)
    return value


def end_token(viewer: Viewer, token_id: int) -> None:
    """End an API token: one's own, or anybody's inside one's territory with ``token.issue``."""
    if not viewer.can("token.issue"):
        need_whole_account(viewer)
    with scoped(viewer):
        token = Token.objects.filter(pk=token_id, user_id=viewer.user_id or 0).first()
        if token is not None:
            _drop_token(viewer, token)
            return
        if not viewer.can("token.issue"):
            raise NotFound("access.no_token")
        with elevated():
            token = Token.objects.filter(pk=token_id, user__isnull=False).first()
            if token is None:
                raise NotFound("access.no_token")
            _user_for(viewer.within("token.issue"), token.user_id)
            _drop_token(viewer, token)


def _drop_token(viewer: Viewer, token: Token) -> None:
    _changed(token.user_id)
    append(_chain(token.user_id), "token_ended", {"user": token.user_id, "token": token.pk}, viewer)
    token.delete()


# --- looks -----------------------------------------------------------------------------------------------------------------


def log_look(viewer: Viewer, subject: str, purpose: str, reason: str = "", count: int = 1) -> int:
    """Write down that personal data was opened, before it is shown; returns the entry's id.

    ``subject`` is an id such as ``person:12``. Invalid without a known purpose and, for people, a reason of two characters.
    """
    if purpose not in PURPOSES:
        raise _invalid("/purpose", "access.unknown_purpose", purpose=purpose, known=", ".join(PURPOSES))
    if not viewer.system and len(reason.strip()) < 2:
        raise _invalid("/reason", "access.reason_missing")
    with scoped(viewer):
        look = LookLog.objects.create(
            user_id=viewer.user_id, unit_id=viewer.unit_id, subject=subject, purpose=purpose, reason=reason.strip()[:400], count=count
        )
        chain = _chain(viewer.user_id) if viewer.user_id else "org"
        append(chain, "looked", {"look": look.pk, "subject": subject, "purpose": purpose, "count": count}, viewer)
    return look.pk


def forget_looks(limit: int = 500, dry: bool = False) -> int:
    """Retention: looks at personal data, after a year; returns how many went."""
    with scoped(SYSTEM):
        return drop(LookLog.objects.filter(at__lt=clock.now() - kept("looks")), limit, dry)


def forget_sessions(limit: int = 500, dry: bool = False) -> int:
    """Retention: sessions that are over, in real time as the library counts it, and what was kept of whose they were and from where."""
    from django.contrib.sessions.models import Session

    now = datetime.now(UTC)
    live = Session.objects.filter(expire_date__gte=now).values("session_key")
    with scoped(SYSTEM):
        told = drop(UserSession.objects.exclude(session_key__in=live), limit, dry)
        return told + drop(Session.objects.filter(expire_date__lt=now), limit, dry)
