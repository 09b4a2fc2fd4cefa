"""The root of the HTTP API: every room's router, one way of answering faults."""

from __future__ import annotations

import logging
import sys
import uuid
from typing import Any

import orjson
from django.core.exceptions import RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import AuthenticationError, HttpError, ValidationError
from ninja.openapi.docs import ABS_TPL_PATH, Swagger
from ninja.parser import Parser
from ninja.renderers import BaseRenderer

from gridloop import __version__
from gridloop.access.api import router as access_router
from gridloop.access.api import signed_in
from gridloop.cases.api import router as cases_router
from gridloop.cases.api import track_router
from gridloop.doors.http.imports import router as imports_router
from gridloop.doors.http.problems import language, plain_problem, problem, too_large
from gridloop.doors.http.watch import database_down
from gridloop.doors.http.wrong_fields import fault_of
from gridloop.evidence.api import router as evidence_router
from gridloop.flow.api import router as flow_router
from gridloop.insight.api import router as insight_router
from gridloop.kernel.bodies import read_json
from gridloop.kernel.errors import Fault, FieldFault, Forbidden, Invalid
from gridloop.notices.api import router as notices_router
from gridloop.orgs.api import router as orgs_router
from gridloop.registry.api import router as registry_router
from gridloop.scenes.api import router as scenes_router
from gridloop.signals.api import router as signals_router

log = logging.getLogger(__name__)


class FastJson(BaseRenderer):
    """orjson; keys that are not text become text, as in JavaScript."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:
        return orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z)


class FastParser(Parser):
    """orjson for bodies; what is wrong comes with its place."""

    def parse_body(self, request: HttpRequest) -> Any:
        return read_json(request.body)


api = NinjaAPI(
    title="Gridloop 网格闭环",
    version=__version__,
    description="Signals become cases; cases reach the right people; every case is brought to a proven end.",
    docs_url=None,  # at /api/docs, beside the versions
    renderer=FastJson(),
    parser=FastParser(),
)
track_api = NinjaAPI(
    title="Gridloop track",
    version=__version__,
    urls_namespace="track",
    docs_url=None,
    openapi_url=None,
    renderer=FastJson(),
    parser=FastParser(),
)
api.add_router("", access_router)
api.add_router("", cases_router)
api.add_router("", evidence_router)
api.add_router("", flow_router)
api.add_router("", insight_router)
api.add_router("", scenes_router)
api.add_router("", orgs_router, auth=signed_in)  # orgs lies below access: its log-in is put before it here
api.add_router("", notices_router)
api.add_router("", imports_router)  # its fixed names come before those of single devices
api.add_router("", registry_router)
api.add_router("", signals_router)
track_api.add_router("", track_router)


def _route(request: HttpRequest) -> str:
    """The address's template: what stands in its places, a number of a person say, is not written down."""
    return request.resolver_match.route if request.resolver_match else "none"


def _fault(request: HttpRequest, fault: Any) -> HttpResponse:
    if isinstance(fault, Forbidden):
        _tell_refused(request, fault)
    return problem(request, fault)


def _tell_refused(request: HttpRequest, fault: Forbidden) -> None:
    """Who was refused what."""
    viewer = getattr(request, "viewer", None)
    who, right = (viewer and viewer.user_id) or 0, fault.params.get("permission", "")
    log.warning("refused %s %s: %s%s, account %s", request.method, _route(request), fault.key, f" {right}" if right else "", who)


def _validation(request: HttpRequest, error: Any) -> HttpResponse:
    """What pydantic found, as field faults with JSON pointers; the sentence says where."""
    faults = tuple(fault_of(found) for found in error.errors)
    first = faults[0] if faults else FieldFault("/", "doors.bad_field", {"field": "body", "what": ""})
    return problem(request, Invalid(first.key, errors=faults, **first.params))


def _not_there(request: HttpRequest, error: Any) -> HttpResponse:
    return plain_problem(request, 404, "doors.no_such_address")


def _http_error(request: HttpRequest, error: Any) -> HttpResponse:
    if isinstance(error.__cause__, Fault):  # the framework's own words around what our parser said
        return problem(request, error.__cause__)
    return plain_problem(request, error.status_code, str(error))


def _not_logged_in(request: HttpRequest, error: Any) -> HttpResponse:
    return plain_problem(request, 401, "access.not_logged_in")


def _unfit(request: HttpRequest, error: Any) -> HttpResponse:
    """A value the database cannot hold: a NUL character, a number beyond its column. The sender's to mend."""
    log.warning("unfit value at %s %s: %s", request.method, _route(request), type(error.__cause__ or error).__name__)
    return plain_problem(request, 422, "doors.unfit_value")


def _bad_form(request: HttpRequest, error: Any) -> HttpResponse:
    """A multipart body without its boundary, cut short, or of too many parts."""
    log.info("bad form at %s %s: %s", request.method, _route(request), str(error)[:200])
    return plain_problem(request, 400, "doors.bad_form")


def _too_large(request: HttpRequest, error: Any) -> HttpResponse:
    """Fields of a form that are larger than a whole body of JSON may be."""
    return too_large(request)


def _database_down(request: HttpRequest, error: Any) -> HttpResponse:
    log.error("database: %s", error)
    return database_down(request)


def _unexpected(request: HttpRequest, error: Any) -> HttpResponse:
    incident = uuid.uuid4().hex[:8]
    log.error("incident %s at %s %s", incident, request.method, _route(request), exc_info=error)
    return plain_problem(request, 500, "doors.server_error", incident=incident)


for _api in (api, track_api):
    _api.add_exception_handler(Fault, _fault)
    _api.add_exception_handler(ValidationError, _validation)
    _api.add_exception_handler(Http404, _not_there)
    _api.add_exception_handler(HttpError, _http_error)
    _api.add_exception_handler(AuthenticationError, _not_logged_in)
    _api.add_exception_handler(DataError, _unfit)
    for _away in (OperationalError, InterfaceError):
        _api.add_exception_handler(_away, _database_down)
    _api.add_exception_handler(RequestDataTooBig, _too_large)
    for _kind in (MultiPartParserError, TooManyFilesSent, TooManyFieldsSent):
        _api.add_exception_handler(_kind, _bad_form)
    _api.add_exception_handler(Exception, _unexpected)


def server_error(request: HttpRequest) -> HttpResponse:
    """What failed before or after a room was asked, in a middleware: Django's own page would be no answer to a machine."""
    error = sys.exc_info()[1]
    return _database_down(request, error) if isinstance(error, OperationalError | InterfaceError) else _unexpected(request, error)


class _OwnScripts(Swagger):
    """The page with the library's own scripts: as it is no installed app, it would take the one whose scripts come from elsewhere."""

    template_cdn = str(ABS_TPL_PATH / "swagger.html")


def docs(request: HttpRequest) -> HttpResponse:
    """``/api/docs``: the description to read and try, with scripts of our own origin only."""
    return _OwnScripts().render_page(request, api)


__all__ = ["api", "docs", "language", "server_error", "track_api"]
