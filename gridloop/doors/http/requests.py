"""Every request has an id, and every line written during it says which: asked for and answered as ``X-Request-ID``."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from gridloop.doors.logs import request_id
from gridloop.kernel import tracing

log = logging.getLogger("gridloop.access_log")
_CASE = re.compile(r"[0-9]{19}")  # what people type in its place, an identity number say, is not written down


class RequestMiddleware:
    """Binds what is known of the request to the lines written during it, and tells of each when lines are JSON."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        clear_contextvars()  # the thread served somebody else before
        number = request_id(request.headers.get("X-Request-ID", ""))
        bind_contextvars(request=number)
        try:
            response = self._traced(request) if tracing.on() else self.get_response(request)
            response["X-Request-ID"] = number
            if log.isEnabledFor(logging.INFO):
                self._tell(request, response, time.perf_counter() - began)
            return response
        finally:
            clear_contextvars()

    def _traced(self, request: HttpRequest) -> HttpResponseBase:
        with tracing.span(str(request.method), request.headers.get("traceparent", ""), "server") as span:
            response = self.get_response(request)
            route = request.resolver_match.route if request.resolver_match else "none"
            span.update_name(f"{request.method} /{route}")
            span.set_attributes(
                {"http.request.method": str(request.method), "http.route": route, "http.response.status_code": response.status_code}
            )
            if case := get_contextvars().get("case"):
                span.set_attribute("gridloop.case", case)
            return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """The address is resolved: its case, task and verb are known from here on."""
        route = request.resolver_match.route if request.resolver_match else ""
        known: dict[str, str] = {}
        code = str(kwargs.get("code", ""))
        if route.startswith(("api/v1/cases/", "track/")) and _CASE.fullmatch(code):
            known["case"] = code
        if "task_id" in kwargs:
            known["task"] = str(kwargs["task_id"])
        if request.method == "POST":
            known["verb"] = str(kwargs["verb"]) if "verb" in kwargs else route.rstrip("/").rpartition("/")[2]
        if known:
            bind_contextvars(**known)

    def _tell(self, request: HttpRequest, response: HttpResponseBase, seconds: float) -> None:
        viewer = getattr(request, "viewer", None)
        said = {
            "method": request.method,
            "route": request.resolver_match.route if request.resolver_match else "none",
            "status": response.status_code,
            "ms": round(seconds * 1000, 1),
        }
        if viewer is not None and viewer.user_id is not None and "user" not in get_contextvars():
            said["user"] = viewer.user_id
        log.info("request", extra=said)
