"""The WSGI door: Django, synchronous."""

import io
import os
from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.wsgi import get_wsgi_application

from gridloop.doors.http.problems import FORM_LIMIT
from gridloop.doors.http.shedding import shed_late
from gridloop.doors.http.watch import silent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gridloop.project.settings")
_django = get_wsgi_application()


def _measured(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Django takes a body without a length for an empty one: one that comes in pieces is measured first, never beyond the limit."""
    if not environ.get("CONTENT_LENGTH") and "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        body = environ["wsgi.input"].read(FORM_LIMIT + 1)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))}
    answer: Iterable[bytes] = _django(environ, start_response)
    return answer


application = shed_late(_measured, silent)
if settings.SECRET_KEY == settings.NO_SECRET:  # sessions and links would be signed with a word everybody can read
    raise ImproperlyConfigured("GRIDLOOP_SECRET_KEY is not set")
if settings.FACTOR_KEY == settings.NO_SECRET:
    raise ImproperlyConfigured("GRIDLOOP_FACTOR_KEY is not set")
