"""Unsafe requests with an Idempotency-Key: the answer is kept in the transaction of its effects and given again to a repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import orjson
from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from gridloop.doors.http.problems import problem
from gridloop.journal.models import Answer
from gridloop.kernel import clock
from gridloop.kernel.errors import Fault, Invalid, NotNow
from gridloop.kernel.hashing import sha256_hex

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEY_LIMIT = 200


class IdempotencyMiddleware:
    """The first request with a key runs; a concurrent one waits for it; later ones get the kept answer."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        key = request.headers.get("Idempotency-Key", "")
        if not key or request.method not in UNSAFE:
            return self.get_response(request)
        try:
            return self._once(request, key)
        except Fault as fault:
            return problem(request, fault)

    def _once(self, request: HttpRequest, key: str) -> HttpResponseBase:
        if len(key) > KEY_LIMIT:
            raise Invalid("doors.idempotency_key_long", limit=KEY_LIMIT)
        caller = request.headers.get("Authorization") or request.COOKIES.get(settings.SESSION_COOKIE_NAME) or ""
        digest = sha256_hex(f"{caller}\n{request.method}\n{request.path}\n{key}".encode())
        body_hash = _body_hash(request)
        with transaction.atomic():
            Answer.objects.bulk_create([Answer(key=digest, body_hash=body_hash, at=clock.now())], ignore_conflicts=True)
            row = Answer.objects.select_for_update().get(key=digest)
            if row.status is not None:
                if row.body_hash != body_hash:
                    raise NotNow("doors.idempotency_other_body")
                again = HttpResponse(row.body, status=row.status, content_type=row.content_type)
                again["Idempotent-Replayed"] = "true"
                return again
            response = self.get_response(request)
            if not isinstance(response, HttpResponse) or not 200 <= response.status_code < 300:
                transaction.set_rollback(True)  # nothing was done: the next try runs afresh
                return response
            row.status, row.body = response.status_code, response.content.decode("utf-8", "replace")
            row.content_type = response.headers.get("Content-Type", "application/json")
            row.save(update_fields=["status", "body", "content_type"])
            return response


def _body_hash(request: HttpRequest) -> str:
    """Of a multipart body its fields and files, because its boundary differs on every try."""
    if request.content_type != "multipart/form-data":
        return sha256_hex(request.body)
    fields = sorted((name, request.POST.getlist(name)) for name in request.POST)
    files = sorted((name, [_file_hash(file) for file in request.FILES.getlist(name)]) for name in request.FILES)
    return sha256_hex(orjson.dumps([fields, files]))


def _file_hash(file: File[bytes]) -> str:
    digest = hashlib.sha256()
    for part in file.chunks():
        digest.update(part)
    file.seek(0)
    return digest.hexdigest()
