"""The language of the server's own pages in this browser: the last one somebody chose, on whichever screen."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpResponse

LANGUAGE_CODES = {"zh": "zh-hans", "en": "en"}


def keep_language(response: HttpResponse, lang: str) -> None:
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        LANGUAGE_CODES[lang],
        max_age=365 * 86400,
        samesite="Lax",
        secure=settings.LANGUAGE_COOKIE_SECURE,
        httponly=True,
    )
