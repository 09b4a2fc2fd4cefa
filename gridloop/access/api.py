"""Who is calling (bearer token or session with CSRF), the caller's own account, and the administration of accounts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.middleware.csrf import get_token
from ninja import Query, Router, Status
from ninja.security.base import AuthBase
from ninja.utils import check_csrf

from gridloop.access import actions, auditing, selectors, watching
from gridloop.access.language import keep_language
from gridloop.access.rules import ROLES
from gridloop.access.schemas import (
    ActiveIn,
    AuditList,
    AuditQuery,
    CountOut,
    GrantIn,
    IdOut,
    LookList,
    LookQuery,
    MeIn,
    MeOut,
    PasswordOut,
    ReasonIn,
    RoleList,
    TokenIn,
    TokenList,
    TokenOut,
    UserIn,
    UserList,
    UserQuery,
)
from gridloop.access.selectors import BadToken, viewer_for_request
from gridloop.kernel import clock
from gridloop.kernel.errors import Forbidden
from gridloop.kernel.viewer import Viewer
from gridloop.orgs import selectors as orgs

__all__ = ["BearerOrSession", "need", "open_door", "router", "signed_in", "viewer_for_request"]

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class BearerOrSession(AuthBase):
    """A machine's bearer token (no CSRF) or a browser's session cookie (CSRF on unsafe methods). Sets ``request.viewer``.

    ``public=True`` lets callers without either through as PUBLIC. Faults: 401 without a valid log-in, 403 on a stale page.
    """

    openapi_type = "http"
    openapi_scheme = "bearer"

    def __init__(self, *, public: bool = False) -> None:
        self.public = public
        super().__init__()

    def __call__(self, request: HttpRequest) -> Viewer:
        viewer = viewer_for_request(request)
        if viewer.user_id is None:
            if self.public:
                return viewer
            raise BadToken("access.not_logged_in")
        by_session = viewer.scopes is None
        if not by_session:
            watching.first_use(request, viewer.user_id)
        elif request.method not in SAFE and check_csrf(request) is not None:
            raise Forbidden("access.csrf")
        return viewer


signed_in = BearerOrSession()
open_door = BearerOrSession(public=True)
router = Router(tags=["access"], auth=signed_in)


def need(request: HttpRequest, permission: str) -> Viewer:
    """The caller, who must hold the permission, seeing no further than the grants that give it."""
    viewer = viewer_for_request(request)
    if not viewer.can(permission):
        raise Forbidden("journal.forbidden", permission=permission)
    return viewer.within(permission)


@router.get("/me", response=MeOut, summary="The caller's own account, rights and the deployment's clock")
def me(request: HttpRequest) -> dict[str, Any]:
    viewer = viewer_for_request(request)
    get_token(request)  # gives a browser the CSRF cookie it needs for its first unsafe request
    account = selectors.me(viewer)
    regions = [g.region for g in account.grants if g.region]
    region = min(regions, key=len, default="")
    region_name = orgs.region_names(viewer, [region]).get(region)
    unit_name = orgs.unit_names(viewer, [viewer.unit_id]).get(viewer.unit_id) if viewer.unit_id else None
    return {
        "user": account.username,
        "name": account.name,
        "roles": sorted({g.role for g in account.grants}),
        "unit": {"id": viewer.unit_id, "name": unit_name} if unit_name else None,
        "region": {"code": region, "name": region_name} if region_name else None,
        "permissions": sorted(viewer.everything),
        "lang": viewer.lang,
        "sample": settings.SAMPLE,
        "second_factor": viewer.scopes is None and selectors.second_factor_missing(account.id),
        "own_password": viewer.scopes is None and selectors.password_owed(account.id),
        "clock": {"now": clock.now(), "rate": clock.rate()},
    }


@router.post("/me", response={204: None}, summary="Set one's own language")
def change_me(request: HttpRequest, response: HttpResponse, body: MeIn) -> Status[None]:
    actions.set_language(viewer_for_request(request), body.lang)
    keep_language(response, body.lang)
    return Status(204, None)


@router.get("/roles", response=RoleList, summary="Every role and what it may do")
def roles(request: HttpRequest) -> dict[str, Any]:
    items = [
        {"key": r.key, "name_zh": r.zh, "name_en": r.en, "permissions": sorted(r.permissions), "territory": r.territory}
        for r in ROLES.values()
    ]
    return {"items": items, "next": None}


def _page(items: list[Any], limit: int) -> dict[str, Any]:
    return {"items": items, "next": str(items[-1].id) if len(items) == limit else None}


@router.get("/users", response=UserList, summary="Accounts in the administrator's territory")
def users(request: HttpRequest, page: Query[UserQuery]) -> dict[str, Any]:
    return _page(selectors.users(viewer_for_request(request), page.q, page.limit, page.after), page.limit)


@router.post("/users", response={201: IdOut}, summary="Create an account without rights or password")
def create_user(request: HttpRequest, body: UserIn) -> Status[dict[str, int]]:
    user_id = actions.create_user(
        viewer_for_request(request), body.username, body.name, staff_id=body.staff, lang=body.lang, machine=body.machine
    )
    return Status(201, {"id": user_id})


@router.post("/users/{int:user_id}/active", response={204: None}, summary="Close or reopen an account")
def set_active(request: HttpRequest, user_id: int, body: ActiveIn) -> Status[None]:
    actions.set_active(viewer_for_request(request), user_id, body.active)
    return Status(204, None)


@router.post("/users/{int:user_id}/password", response=PasswordOut, summary="Set a new one-time password")
def reset_password(request: HttpRequest, user_id: int) -> dict[str, str]:
    return {"password": actions.reset_password(viewer_for_request(request), user_id)}


@router.post("/users/{int:user_id}/unlock", response={204: None}, summary="Let an account that was locked try again at once")
def unlock(request: HttpRequest, user_id: int) -> Status[None]:
    actions.unlock(viewer_for_request(request), user_id)
    return Status(204, None)


@router.post("/users/{int:user_id}/factors/end", response=CountOut, summary="Take off the second factor of somebody who lost it")
def end_factors(request: HttpRequest, user_id: int, body: ReasonIn) -> dict[str, int]:
    return {"count": actions.end_factors(viewer_for_request(request), user_id, body.reason)}


@router.delete("/users/{int:user_id}/sessions", response=CountOut, summary="Log an account out everywhere")
def end_sessions(request: HttpRequest, user_id: int) -> dict[str, int]:
    return {"count": actions.end_sessions_of(viewer_for_request(request), user_id)}


@router.post("/users/{int:user_id}/grants", response={201: IdOut}, summary="Give a role over a territory or unit")
def grant_role(request: HttpRequest, user_id: int, body: GrantIn) -> Status[dict[str, int]]:
    grant_id = actions.grant_role(
        viewer_for_request(request), user_id, body.role, region=body.region, unit_id=body.unit, valid_to=body.valid_to
    )
    return Status(201, {"id": grant_id})


@router.delete("/grants/{int:grant_id}", response={204: None}, summary="Take a role away")
def end_grant(request: HttpRequest, grant_id: int) -> Status[None]:
    actions.end_grant(viewer_for_request(request), grant_id)
    return Status(204, None)


@router.get("/tokens", response=TokenList, summary="One's own API tokens, without their values")
def tokens(request: HttpRequest) -> dict[str, Any]:
    return {"items": selectors.tokens(viewer_for_request(request)), "next": None}


@router.post("/users/{int:user_id}/tokens", response={201: TokenOut}, summary="Issue an API token of an account")
def issue_token(request: HttpRequest, user_id: int, body: TokenIn) -> Status[dict[str, str]]:
    token = actions.issue_token(viewer_for_request(request), user_id, body.scopes, body.name, body.days)
    return Status(201, {"token": token})


@router.delete("/tokens/{int:token_id}", response={204: None}, summary="End an API token")
def end_token(request: HttpRequest, token_id: int) -> Status[None]:
    actions.end_token(viewer_for_request(request), token_id)
    return Status(204, None)


@router.get("/looks", response=LookList, summary="Who opened whose personal data, and why")
def looks(request: HttpRequest, page: Query[LookQuery]) -> dict[str, Any]:
    return _page(selectors.looks(viewer_for_request(request), page.subject, page.limit, page.before), page.limit)


@router.get("/audit", response=AuditList, summary="The security log: log-ins, factors, tokens, rights and looks, newest first")
def audit(request: HttpRequest, page: Query[AuditQuery]) -> dict[str, Any]:
    return _page(auditing.audit(viewer_for_request(request), page.wanted()), page.limit)


_CSV = {"responses": {200: {"description": "a CSV file", "content": {"text/csv": {"schema": {"type": "string"}}}}}}


@router.get("/audit.csv", openapi_extra=_CSV, summary="The security log as a file, at most 50,000 rows; taking it is written down")
def audit_csv(request: HttpRequest, page: Query[AuditQuery]) -> StreamingHttpResponse:
    viewer = viewer_for_request(request)
    name = auditing.export(viewer, page.wanted())
    answer = StreamingHttpResponse(auditing.lines(viewer, page.wanted()), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
