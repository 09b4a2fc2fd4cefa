"""Faults as RFC 9457 problem documents, in the caller's language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.translation import get_language_from_request

from gridloop.access.rules import PERMISSIONS
from gridloop.kernel.errors import Fault
from gridloop.kernel.texts import say


def language(request: HttpRequest) -> str:
    """The viewer's language when there is one, else the browser's, else Chinese."""
    viewer = getattr(request, "viewer", None)
    if viewer is not None:
        return str(viewer.lang)
    if not request.headers.get("Accept-Language"):
        return "zh"
    return "en" if get_language_from_request(request).startswith("en") else "zh"


def _named(params: dict[str, Any], lang: str) -> dict[str, Any]:
    """A right by its name: its code is for machines, who find it in ``permission``."""
    names = PERMISSIONS.get(str(params.get("permission", "")))
    return params | {"permission": names[lang == "en"]} if names else params


def problem(request: HttpRequest, fault: Fault) -> HttpResponse:
    """The answer to a fault: what, where (JSON pointers) and how to mend it."""
    lang = language(request)
    body: dict[str, Any] = {
        "type": f"urn:gridloop:{fault.key}",
        "title": say(f"doors.status_{fault.status}", lang),
        "status": fault.status,
        "detail": say(fault.key, lang, **_named(fault.params, lang)),
        "errors": [{"pointer": e.pointer, "message": say(e.key, lang, **_named(e.params, lang))} for e in fault.errors],
    }
    if "permission" in fault.params:
        body["permission"] = fault.params["permission"]
    if "allowed" in fault.params:
        body["allowed"] = [v.strip() for v in str(fault.params["allowed"]).split(",") if v.strip() not in ("", "–", "-")]
    response = HttpResponse(orjson.dumps(body), status=fault.status, content_type="application/problem+json")
    if "retry_after" in fault.params:
        response["Retry-After"] = str(fault.params["retry_after"])
    return response


def plain_problem(request: HttpRequest, status: int, key: str, **params: Any) -> HttpResponse:
    """A problem that no room raised: a body that is no JSON, an address that is not there."""
    fault = Fault(key, **params)
    fault.status = status
    return problem(request, fault)


BODY_LIMIT: Final = 12_000_000  # bytes of a body without files
FORM_LIMIT: Final = 30_000_000  # bytes of a form with them; a picture may have 25 MB


def too_large(request: HttpRequest) -> HttpResponse:
    """413, said before anything of the body is read."""
    limit = FORM_LIMIT if request.content_type == "multipart/form-data" else BODY_LIMIT
    return plain_problem(request, 413, "doors.body_too_large", limit=limit // 10**6)


def _said_too_large(request: HttpRequest) -> bool:
    length = request.META.get("CONTENT_LENGTH") or ""
    return length.isdigit() and int(length) > (FORM_LIMIT if request.content_type == "multipart/form-data" else BODY_LIMIT)


MACHINES: Final = ("/api/", "/track/")
_REFUSALS: Final = {400: "doors.bad_request", 404: "doors.no_such_address", 405: "doors.no_such_method"}


class ProblemMiddleware:
    """What Django or the router refuses before a room is asked (an address that fits none, another method) is a problem document, too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if _said_too_large(request):
            return too_large(request)
        response = self.get_response(request)
        key = _REFUSALS.get(response.status_code)
        if key is None or not request.path.startswith(MACHINES) or "json" in response.headers.get("Content-Type", ""):
            return response
        told = plain_problem(request, response.status_code, key)
        if "Allow" in response.headers:
            told["Allow"] = response.headers["Allow"]
        return told
