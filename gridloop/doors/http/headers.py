"""Our headers on every answer of Django, so that ``web`` alone behind somebody's own router is as strict as behind our front door."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from gridloop.kernel.headers import HEADERS, STRICT_TRANSPORT


class HeadersMiddleware:
    """Adds what a view has not set itself (a file that somebody sent has a policy of its own).

    What Django makes is somebody's own: nothing between, and no browser on a shared desk, keeps it. Static files say how long they live.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        response.headers.setdefault("Cache-Control", "no-store")
        if settings.STRICT_TRANSPORT and request.is_secure():
            response.headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT)
        return response
