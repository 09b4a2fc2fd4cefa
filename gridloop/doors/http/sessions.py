"""Session cookies: whoever becomes somebody else in one tab is not logged out by what another tab had asked for just before."""

from __future__ import annotations

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware as BaseMiddleware
from django.http import HttpRequest, HttpResponse


class SessionMiddleware(BaseMiddleware):
    """Takes the cookie away from those who log out only.

    Django does so in every answer to an ended session's request. When that was on its way while the browser logged in as somebody else,
    the cookie it takes away is the new session's.
    """

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        session = request.session
        if settings.SESSION_COOKIE_NAME in request.COOKIES and not session.modified and session.is_empty():
            return response
        return super().process_response(request, response)
