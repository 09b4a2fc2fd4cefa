"""The only reads of evidence. A file is seen with its case (row security) or by the person who sent it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.utils.module_loading import import_string

from gridloop.evidence import blobs
from gridloop.evidence.messages import Alike, Camera, Content, EvidenceRow, OutwardRow
from gridloop.evidence.models import File
from gridloop.evidence.rules import PDF, PICTURES, SAME_LOOK, bands_near, bits_between
from gridloop.journal.selectors import reading, scoped, unseal
from gridloop.kernel.errors import Forbidden, NotFound
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.sdk.scanners import ScannerError

COMPARED = 20_000  # pictures that share a band with one, the newest: of a million some four thousand do by chance
PASS_SECONDS = 86_400  # a link on the reporter's page works for a day; the page makes new ones
_SALT = "gridloop.evidence"


def _address(row: File, part: str = "") -> str:
    return f"/api/v1/evidence/{row.pk}{part}"


def _row(row: File) -> EvidenceRow:
    return EvidenceRow(
        id=row.pk,
        sha256=row.sha256,
        mime=row.mime,
        size=row.size,
        width=row.width,
        height=row.height,
        kind=row.kind or "scene",
        at=row.at,
        lon=row.lon,
        lat=row.lat,
        gap_m=row.gap_m,
        by=row.uploaded_by.name if row.uploaded_by else "",
        task=row.task,
        seq=row.seq,
        status=row.status,
        url=_address(row),
        thumb=_address(row, "/thumb") if row.mime in PICTURES else "",
    )


def of_case(viewer: Viewer, code: str) -> list[EvidenceRow]:
    """Evidence of a case the viewer may see, in the order of the case's chain; empty for a case that is hidden."""
    if not viewer.can("evidence.read"):
        raise Forbidden("access.forbidden", permission="evidence.read")
    with scoped(viewer.within("evidence.read")):
        return [_row(r) for r in File.objects.filter(case_code=code).select_related("uploaded_by").order_by("seq")]


def _find(viewer: Viewer, file_id: UUID) -> File:
    with scoped(viewer.within("evidence.read")):
        row = File.objects.filter(pk=file_id).first()
    own = row is not None and viewer.user_id is not None and row.uploaded_by_id == viewer.user_id and viewer.can("evidence.add")
    if row is None or not (own or viewer.can("evidence.read")):
        raise NotFound("evidence.not_there")
    if row.status == File.Status.ERASED:
        raise NotFound("evidence.erased")
    return row


def _content(row: File, suffix: str) -> Content:
    if row.mime == PDF:
        if suffix == blobs.THUMB:
            raise NotFound("evidence.no_picture")
        return Content(str(blobs.path_of(row.sha256)), PDF, f"evidence-{row.pk}.pdf", inline=False)
    return Content(str(blobs.path_of(row.sha256, suffix)), "image/jpeg", f"evidence-{row.pk}.jpg", inline=True)


@reading
def view(viewer: Viewer, file_id: UUID, *, thumb: bool = False) -> Content:
    """The clean copy (pictures without camera data; documents as they are, for download)."""
    return _content(_find(viewer, file_id), blobs.THUMB if thumb else blobs.VIEW)


@reading
def original(viewer: Viewer, file_id: UUID) -> Content:
    """The file as it was sent; only ``actions.open_original`` may hand it to a person."""
    row = _find(viewer, file_id)
    return Content(str(blobs.path_of(row.sha256)), row.mime, f"evidence-{row.pk}-original", inline=False)


@reading
def check_stored(viewer: Viewer, file_id: UUID) -> tuple[str, bool]:
    """The hash in the trace and whether the stored bytes still have it."""
    row = _find(viewer, file_id)
    return row.sha256, blobs.intact(row.sha256)


@reading
def new_pictures(viewer: Viewer, case: str, task: str, ids: Sequence[str]) -> int:
    """How many of the files are pictures that came for this task: sent after it was opened, and their bytes nowhere else in the case.

    Identifiers tell what came first: they grow with real time, while the deployment's clock may have been moved.
    """
    elsewhere = File.objects.filter(case_code=case).exclude(task=task) | File.objects.filter(case_code=case, task=None)
    files = File.objects.filter(pk__in=ids, case_code=case, task=task, mime__in=PICTURES, pk__gt=task)
    return files.exclude(sha256__in=elsewhere.values("sha256")).count()


@reading
def alike(viewer: Viewer, case: str, task: str, ids: Sequence[str]) -> list[Alike]:
    """Those of a task's pictures that show what an earlier picture of another case, or of another step of this one, showed."""
    found = []
    for row in File.objects.filter(pk__in=ids, case_code=case, task=task, look__isnull=False).order_by("pk"):
        look = bytes(row.look or b"")
        earlier = File.objects.filter(look_bands__overlap=bands_near(look), case_code__isnull=False, received_at__lte=row.received_at)
        others = earlier.exclude(pk=row.pk).exclude(case_code=case, task=task).order_by("-received_at")[:COMPARED]
        near = [(bits_between(look, bytes(one.look or b"")), one.case_code or "", one.pk) for one in others.only("case_code", "look")]
        if near and (best := min(near))[0] <= SAME_LOOK:
            found.append(Alike(row.pk, best[1], best[2], best[0]))
    return found


@reading
def cameras(viewer: Viewer, case: str, task: str, ids: Sequence[str]) -> list[Camera]:
    """When and where a task's pictures were made, by the words of the sender and of the camera, as far as those are not erased."""
    rows = list(File.objects.filter(pk__in=ids, case_code=case, task=task, mime__in=PICTURES).order_by("pk"))
    sealed = {row.pk: row.origin["sealed"] for row in rows if row.origin}
    values = unseal(SYSTEM, list(sealed.values())) if sealed else {}
    return [_camera(row, values.get(sealed.get(row.pk, "")) or {}) for row in rows]


def _camera(row: File, told: dict[str, Any]) -> Camera:
    return Camera(row.pk, row.at, row.lon, row.lat, told.get("at") or "", told.get("lon"), told.get("lat"))


def outward_of(viewer: Viewer, case: str) -> list[OutwardRow]:
    """Pictures of the result for the reporter's page, whose key the caller has checked."""
    with scoped(SYSTEM):
        rows = File.objects.filter(case_code=case, kind="after", mime__in=PICTURES).exclude(status=File.Status.ERASED).order_by("seq")
        return [OutwardRow(r.pk, f"{_address(r)}?pass={signing.dumps(str(r.pk), salt=_SALT)}", r.kind) for r in rows]


def view_by_pass(file_id: UUID, given: str, *, thumb: bool = False) -> Content:
    """The clean copy for the holder of a link of the reporter's page; NotFound when it is not this file's or is over."""
    try:
        named = signing.loads(given, salt=_SALT, max_age=PASS_SECONDS)
    except signing.BadSignature as fault:
        raise NotFound("evidence.not_there") from fault
    if named != str(file_id):
        raise NotFound("evidence.not_there")
    return view(SYSTEM, file_id, thumb=thumb)


@reading
def broken_files(viewer: Viewer) -> tuple[int, list[str]]:
    """Every file that should be there, read and hashed anew: how many, and the ids of those missing or changed."""
    rows = File.objects.exclude(status=File.Status.ERASED).order_by("pk").values_list("pk", "sha256")
    count, wrong = 0, []
    for number, sha256 in rows.iterator(chunk_size=2000):
        count += 1
        if not blobs.intact(sha256):
            wrong.append(str(number))
    return count, wrong


def doctor(viewer: Viewer) -> list[tuple[str, str, str, dict[str, Any]]]:
    """A line for ``gridloop doctor`` where a scanner of uploads is named: whether it answers."""
    scanner = import_string(settings.GRIDLOOP_SCANNER_BOOK)()
    if scanner is None:
        return []
    try:
        scanner.look(b"gridloop doctor")
    except ScannerError as fault:
        return [("BAD", "scanner", "evidence.doctor_scanner_down", {"why": str(fault)})]
    return [("ok", "scanner", "evidence.doctor_scanner", {})]
