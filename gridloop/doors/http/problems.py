"""Faults as RFC 9457 problem documents, in the caller's language."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_language_from_request

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


def problem(request: HttpRequest, fault: Fault) -> HttpResponse:
    """The answer to a fault: what, where (JSON pointers) and how to mend it."""
    lang = language(request)
    body: dict[str, Any] = {
        "type": f"urn:gridloop:{fault.key}",
        "title": say(f"doors.status_{fault.status}", lang),
        "status": fault.status,
        "detail": say(fault.key, lang, **fault.params),
        "errors": [{"pointer": e.pointer, "message": say(e.key, lang, **e.params)} for e in fault.errors],
    }
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
