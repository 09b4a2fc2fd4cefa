"""How often one address may report without an account, try keys of reporters' pages, or be told that a password is wrong."""

from __future__ import annotations

from collections.abc import Callable

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponse, HttpResponseBase

from gridloop.access.limits import Meter, network_of
from gridloop.access.selectors import viewer_for_request
from gridloop.doors.http.problems import problem
from gridloop.kernel.errors import Busy, Fault

WRONG_KEYS = Meter("track", 60, 300)
LOCKED_SECONDS = 300  # the span of ACCOUNT_RATE_LIMITS["login_failed"] for one name
_WAIT_SECONDS = 60  # of the log-in library's own limits, which tell no time
_LOG_IN = ("/login/", "/_allauth/", "/accounts/")
_TOO_MANY = "too_many_login_attempts"


class LimitsMiddleware:
    """429 with ``Retry-After``, in the caller's language, before any work is done."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith("/track/"):
            return self._track(request)
        if request.path == "/api/v1/reports" and request.method == "POST" and settings.REPORTS_PER_MINUTE:
            refused = self._report(request)
            if refused is not None:
                return refused
        response = self.get_response(request)
        if request.path.startswith(_LOG_IN) and _locked(response):
            response.status_code = 429  # the library answers a locked name like a wrong word
            response.headers["Retry-After"] = str(LOCKED_SECONDS)
        if response.status_code == 429:
            response.headers.setdefault("Retry-After", str(_WAIT_SECONDS))
        return response

    def _report(self, request: HttpRequest) -> HttpResponse | None:
        """Reports of an account are its own to answer for; those of nobody are counted by where they come from."""
        try:
            viewer = viewer_for_request(request)
        except Fault:
            return None  # a token that is not valid: the door says so
        if viewer.user_id is not None:
            return None
        meter = Meter("report", settings.REPORTS_PER_MINUTE, 60)
        count, left = meter.count(address_of(request))
        return problem(request, Busy("doors.too_many_reports", retry_after=left)) if count > meter.most else None

    def _track(self, request: HttpRequest) -> HttpResponseBase:
        """Wrong keys are counted, right ones are not: a whole village may follow its reports from one address."""
        caller = address_of(request)
        if left := WRONG_KEYS.wait(caller):
            return problem(request, Busy("doors.too_many_keys", retry_after=left))
        response = self.get_response(request)
        if response.status_code == 403:
            WRONG_KEYS.count(caller)
        return response


def _locked(response: HttpResponseBase) -> bool:
    """Whether the log-in library refused because of too many wrong tries: a form's error, or one in a JSON answer."""
    if response.status_code == 400:
        return _TOO_MANY.encode() in getattr(response, "content", b"")
    form = (getattr(response, "context_data", None) or {}).get("form")
    if response.status_code != 200 or form is None or not form.is_bound:
        return False
    return any(error.code == _TOO_MANY for errors in form.errors.as_data().values() for error in errors)


def address_of(request: HttpRequest) -> str:
    """The caller's network, as far as trusted proxies tell it; '' when the number of proxies is set wrongly (log-in then fails loudly)."""
    try:
        return network_of(str(get_adapter(request).get_client_ip(request)))
    except (PermissionDenied, ImproperlyConfigured):
        return ""
