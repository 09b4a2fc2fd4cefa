"""Uploaded files are shown to the deployment's scanner before any room sees them, outside of every transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import cast

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from gridloop.access.selectors import viewer_for_request
from gridloop.doors.http.limits import address_of
from gridloop.doors.http.problems import problem
from gridloop.evidence.actions import refuse_infected
from gridloop.kernel.errors import Fault, FieldFault, Invalid, Unavailable
from gridloop.kernel.viewer import Viewer
from gridloop.sdk.scanners import Scanner, ScannerError, taken_unseen

log = logging.getLogger(__name__)
_OPEN = frozenset({"/api/v1/reports"})  # takes files from people without an account
_RETRY_SECONDS = 60


class ScanMiddleware:
    """Not used where no scanner is named; a name nobody understands stops the start."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        scanner = cast("Scanner | None", import_string(settings.GRIDLOOP_SCANNER_BOOK)())
        self.unseen = taken_unseen()
        if scanner is None:
            raise MiddlewareNotUsed
        self.scanner = scanner

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.method == "POST" and request.content_type == "multipart/form-data" and request.path.startswith("/api/"):
            try:
                viewer = viewer_for_request(request)
                if viewer.user_id is not None or request.path in _OPEN:  # others are refused by the door, which costs less
                    self._look(request, viewer)
            except Fault as fault:
                return problem(request, fault)
        return self.get_response(request)

    def _look(self, request: HttpRequest, viewer: Viewer) -> None:
        for name, files in request.FILES.lists():
            for file in files:
                content = file.read()
                file.seek(0)
                try:
                    found = self.scanner.look(content)
                except ScannerError as fault:
                    log.warning("an upload could not be scanned: %s", fault)
                    if not self.unseen:
                        raise Unavailable("doors.scanner_down", retry_after=_RETRY_SECONDS) from fault
                    continue
                if found:
                    refuse_infected(viewer, content, found, address_of(request))
                    raise Invalid(
                        "doors.infected", errors=(FieldFault(f"/{name}", "doors.infected", {"found": found[:100]}),), found=found[:100]
                    )
