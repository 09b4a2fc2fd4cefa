"""Unsafe requests with an Idempotency-Key: the answer is kept in the transaction of its effects and given again to a repeat."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import orjson
from django.core.files import File
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from gridloop.access.selectors import viewer_for_request
from gridloop.doors.http.problems import problem
from gridloop.journal.models import Answer
from gridloop.kernel import clock
from gridloop.kernel.errors import Fault, Invalid, NotNow
from gridloop.kernel.hashing import sha256_hex
from gridloop.kernel.viewer import Viewer

UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEY_LIMIT = 200
OPEN = frozenset({"/api/v1/reports"})  # works without an account: the sender may have logged in between two tries


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
        caller = _caller(viewer_for_request(request))
        digest = _digest(request, caller, key)
        body_hash = _body_hash(request)
        with transaction.atomic():
            if request.path in OPEN and (kept := _sent_by_nobody(request, caller, key, body_hash)) is not None:
                return _again(kept)
            Answer.objects.bulk_create([Answer(key=digest, body_hash=body_hash, at=clock.now())], ignore_conflicts=True)
            row = Answer.objects.select_for_update().get(key=digest)
            if row.status is not None:
                if row.body_hash != body_hash:
                    raise NotNow("doors.idempotency_other_body")
                return _again(row)
            response = self.get_response(request)
            if not isinstance(response, HttpResponse) or not 200 <= response.status_code < 300:
                transaction.set_rollback(True)  # nothing was done: the next try runs afresh
                return response
            row.status, row.body = response.status_code, response.content.decode("utf-8", "replace")
            row.content_type = response.headers.get("Content-Type", "application/json")
            row.save(update_fields=["status", "body", "content_type"])
            return response


def _caller(viewer: Viewer) -> str:
    """The person, not the log-in: a phone that lost the answer and logged in again is the same caller.

    A token of narrower scope has answers of its own, and nobody known has the name ''.
    """
    if viewer.user_id is None:
        return ""
    wide = viewer.scopes is None or "all" in viewer.scopes
    return f"user:{viewer.user_id}" if wide else f"user:{viewer.user_id}:{','.join(sorted(viewer.scopes or ()))}"


def _digest(request: HttpRequest, caller: str, key: str) -> str:
    return sha256_hex(f"{caller}\n{request.method}\n{request.path}\n{key}".encode())


def _sent_by_nobody(request: HttpRequest, caller: str, key: str, body_hash: str) -> Answer | None:
    """What was sent without an account and comes again after log-in: known by its key and its whole content.

    The lock keeps the two from running side by side; the caller of '' finds its own row the usual way.
    """
    digest = _digest(request, "", key)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 11))", [digest])
    return Answer.objects.filter(key=digest, body_hash=body_hash, status__isnull=False).first() if caller else None


def _again(row: Answer) -> HttpResponse:
    again = HttpResponse(row.body, status=row.status, content_type=row.content_type)
    again["Idempotent-Replayed"] = "true"
    return again


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
