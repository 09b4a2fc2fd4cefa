"""The only writes of evidence: take a file in, name it in a case, erase it when its time is over."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from django.db import connection

from gridloop.access.actions import log_look
from gridloop.access.limits import Meter, network_of
from gridloop.access.selectors import viewer_for
from gridloop.evidence import blobs
from gridloop.evidence.messages import Checked, Content, Stored
from gridloop.evidence.models import File
from gridloop.evidence.rules import MAX_BYTES, bands_of, check, kind_of
from gridloop.evidence.selectors import original
from gridloop.journal.actions import HELD_FOR, append, elevated, held_cases, scoped, seal, verb
from gridloop.journal.actions import erase as erase_sealed
from gridloop.journal.rules import RETENTION
from gridloop.kernel import clock
from gridloop.kernel.errors import FieldFault, Invalid, TooMuch
from gridloop.kernel.geo import distance_m
from gridloop.kernel.hashing import sha256_hex
from gridloop.kernel.viewer import SYSTEM, Viewer

SIGNAL_FILES = 10  # pictures of one alarm at most
_IS_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
UNNAMED_KEPT = timedelta(days=7)  # sent but never named by a report or task
EVIDENCE_KEPT = timedelta(days=RETENTION["evidence_origin"].days)


class Upload(Protocol):
    """What a web framework hands over for one uploaded file."""

    @property
    def size(self) -> int | None: ...

    def read(self) -> bytes: ...


def content_of(upload: Upload) -> bytes:
    """The bytes of an upload; TooMuch before anything is read when it says it is too large."""
    if upload.size is not None and upload.size > MAX_BYTES:
        raise TooMuch("evidence.too_large", size=upload.size // 2**20, limit=MAX_BYTES // 2**20)
    return upload.read()


@verb("evidence.add")
def add(
    viewer: Viewer,
    content: bytes,
    *,
    at: datetime | None = None,
    lon: float | None = None,
    lat: float | None = None,
    sha256: str = "",
    kind: str = "",
) -> Stored:
    """Take a file in: its bytes are on disk before the row exists. Faults as in ``rules.check``."""
    return _add(viewer, content, at, lon, lat, sha256, kind)


@verb("case.report")
def add_with_report(viewer: Viewer, upload: Upload, lon: float | None = None, lat: float | None = None) -> str:
    """A photo that comes inside a report, perhaps from nobody known; returns the id to attach in the same transaction."""
    return str(_add(viewer, content_of(upload), None, lon, lat, "", "scene").id)


def _add(viewer: Viewer, content: bytes, at: datetime | None, lon: float | None, lat: float | None, sha256: str, kind: str) -> Stored:
    kind = kind_of(kind)
    checked = check(content, sha256)
    now = clock.now()
    row = File(
        sha256=checked.sha256,
        mime=checked.mime,
        size=checked.size,
        width=checked.width,
        height=checked.height,
        kind=kind,
        at=at or now,
        received_at=now,
        lon=lon,
        lat=lat,
        gap_m=_gap(checked, lon, lat),
        look=checked.look,
        look_bands=bands_of(checked.look) if checked.look else None,
        uploaded_by_id=viewer.user_id,
        retain_until=now + UNNAMED_KEPT,
    )
    with elevated():
        _lock(checked.sha256)
        _put(checked, content)
        if checked.taken_lon is not None or checked.taken_at:
            value = {"lon": checked.taken_lon, "lat": checked.taken_lat, "at": checked.taken_at}
            row.origin = seal(value, subject=f"evidence:{row.id}", purpose="evidence_origin")
        row.save(force_insert=True)
    return Stored(row.id, row.sha256)


def _gap(checked: Checked, lon: float | None, lat: float | None) -> float | None:
    if checked.taken_lon is None or lon is None or lat is None:
        return None
    return round(float(distance_m(checked.taken_lon, checked.taken_lat or 0.0, lon, lat)), 1)


def _lock(sha256: str) -> None:
    """Until the end of the transaction nobody else writes or removes these bytes."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [sha256])


def _put(checked: Checked, content: bytes) -> None:
    for suffix, part in (("", content), (blobs.VIEW, checked.view), (blobs.THUMB, checked.thumb)):
        path = blobs.path_of(checked.sha256, suffix)
        if part is not None and not path.exists():
            blobs.put(path, part)


_INFECTED = Meter("infected", 1, 600)
_TOLD_AT = (1, 10, 100, 1000)  # of files from one network without an account in ten minutes: a flood must not fill the trace


def refuse_infected(viewer: Viewer, content: bytes, found: str, address: str) -> None:
    """A scanner found something in an upload: nothing of it is kept but its hash and what it was called, for the auditor."""
    if viewer.user_id is None and _INFECTED.count(network_of(address))[0] not in _TOLD_AT:
        return
    data = {"sha256": sha256_hex(content), "size": len(content), "found": found[:100]}
    with scoped(SYSTEM):
        append(f"account:{viewer.user_id or 0}", "upload_refused", data, viewer)


def attach(viewer: Viewer, ids: Sequence[str | UUID], case: str, task: str | UUID | None) -> None:
    """Name files in a case (and a task), inside the verb that does so; one fact ``evidence_added`` each.

    Invalid for an id that is not there, not the caller's own, or already named in another case. Naming twice is no fault.
    """
    wanted = [_uuid(value) for value in ids]
    with elevated():
        rows = {row.id: row for row in File.objects.select_for_update().filter(pk__in=wanted).order_by("pk")}
        for number, key in enumerate(dict.fromkeys(wanted)):
            row = rows.get(key)
            if row is None or row.uploaded_by_id != viewer.user_id or row.status == File.Status.ERASED:
                raise _refused(number, "evidence.unknown", key)
            if row.case_code not in (None, case):
                raise _refused(number, "evidence.elsewhere", key)
            if row.case_code is None:
                _attach_one(viewer, row, case, UUID(str(task)) if task else None)


def attach_of_signal(ids: object, case: str) -> None:
    """Name the pictures an alarm brought (``data.evidence``) in its case, inside the effects of the signal.

    An alarm is never lost for its pictures: what is no id, not there, named already, or was not sent by an account that may
    send signals is passed over. Ids can not be guessed, so whoever knows one was told it by its sender.
    """
    wanted = [key for key in ids[:SIGNAL_FILES] if isinstance(key, str) and _IS_UUID.fullmatch(key)] if isinstance(ids, list) else []
    if not wanted:
        return
    rows = File.objects.select_for_update().filter(pk__in=wanted, status=File.Status.STORED, case_code=None).order_by("pk")
    for row in rows:
        if row.uploaded_by_id is not None and viewer_for(row.uploaded_by_id).can("signals.write"):
            _attach_one(SYSTEM, row, case, None)


def _uuid(value: str | UUID) -> UUID:
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except ValueError as fault:
        raise _refused(0, "evidence.unknown", value) from fault


def _refused(number: int, key: str, value: object) -> Invalid:
    return Invalid(key, errors=(FieldFault(f"/evidence/{number}", key, {"id": str(value)}),), id=str(value))


def _attach_one(viewer: Viewer, row: File, case: str, task: UUID | None) -> None:
    row.kind = row.kind or ("after" if task else "scene")
    data = {
        "file": str(row.id),
        "sha256": row.sha256,
        "mime": row.mime,
        "size": row.size,
        "kind": row.kind,
        "task": str(task) if task else None,
        "gap_m": row.gap_m,
    }
    fact = append(f"case:{case}", "evidence_added", data, viewer, case=case)
    row.case_code, row.task, row.seq, row.status = case, task, fact["seq"], File.Status.ATTACHED
    row.retain_until = clock.now() + EVIDENCE_KEPT
    row.save(update_fields=["kind", "case_code", "task", "seq", "status", "retain_until"])


@verb("people.unmask")
def open_original(viewer: Viewer, file_id: UUID, purpose: str, reason: str) -> Content:
    """The file as it was sent, camera data included; the look is written down first. Faults as in ``log_look``, or NotFound."""
    content = original(viewer, file_id)
    log_look(viewer, f"evidence:{file_id}", purpose, reason)
    return content


def forget_due(limit: int = 200, dry: bool = False) -> int:
    """Retention: erase the bytes of files whose time is over; the row and the fact's hash stay.

    What belongs to a case at work waits another month. Returns how many files were looked at.
    """
    with scoped(SYSTEM):
        due = File.objects.filter(retain_until__lt=clock.now()).exclude(status=File.Status.ERASED).order_by("pk")
        if dry:
            codes = {code for code in due.values_list("case_code", flat=True).distinct() if code}
            return due.count() - due.filter(case_code__in=held_cases(codes)).count()
        rows = list(due.select_for_update(skip_locked=True)[:limit])
        held = held_cases({row.case_code for row in rows if row.case_code})
        File.objects.filter(pk__in=[row.pk for row in rows if row.case_code in held]).update(retain_until=clock.now() + HELD_FOR)
        for row in rows:
            if row.case_code not in held:
                _forget(row, "retention", SYSTEM)
    return len(rows)


def erase_sent(viewer: Viewer, cases: Sequence[str], rule: str) -> int:
    """Inside the verb that erases reporters: what came with their reports, the bytes, the camera data, the place and who sent it.

    What handlers proved in a task stays: it is theirs. Returns how many files went.
    """
    with elevated():
        rows = list(File.objects.select_for_update().filter(case_code__in=cases, task__isnull=True).order_by("pk"))
        left = [row for row in rows if row.status != File.Status.ERASED]
        for row in left:
            erase_sealed(viewer, f"evidence:{row.id}", rule)
            _forget(row, rule, viewer)
        File.objects.filter(pk__in=[row.pk for row in rows]).update(uploaded_by=None)
    return len(left)


def _forget(row: File, rule: str, viewer: Viewer) -> None:
    """The bytes go unless another row needs them; of a file named in a case the row and the fact's hash stay."""
    _lock(row.sha256)
    if row.case_code is None:
        row.delete()
    else:
        row.status, row.lon, row.lat, row.gap_m = File.Status.ERASED, None, None, None
        row.look, row.look_bands = None, None
        row.save(update_fields=["status", "lon", "lat", "gap_m", "look", "look_bands"])
        data = {"file": str(row.pk), "sha256": row.sha256, "rule": rule}
        append(f"case:{row.case_code}", "evidence_erased", data, viewer, case=row.case_code)
    if not File.objects.filter(sha256=row.sha256).exclude(status=File.Status.ERASED).exists():
        blobs.drop(row.sha256)
