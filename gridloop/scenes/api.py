"""Thin HTTP of scene packs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router, Status

from gridloop.access.api import need, signed_in, viewer_for_request
from gridloop.kernel.viewer import Viewer
from gridloop.scenes import actions, selectors
from gridloop.scenes.book import BOOK
from gridloop.scenes.models import Rehearsal
from gridloop.scenes.schemas import (
    DetectCheckOut,
    DetectTextIn,
    DetectTextOut,
    DetectTextQuery,
    PackOut,
    PackPage,
    RehearsalDetailOut,
    RehearsalIn,
    RehearsalOut,
    RehearsalPage,
    SwitchIn,
)
from gridloop.scenes.selectors import Installed

router = Router(tags=["packs"], auth=signed_in)


def _out(one: Installed) -> dict[str, Any]:
    part = one.pack.pack
    return {
        "name": one.name,
        "version": one.version,
        "title_zh": part.title.zh,
        "title_en": part.title.en,
        "tier": one.tier,
        "type": part.case_type,
        "process": part.process,
        "needs": [one.model_dump() for one in part.needs],
        "legal_zh": part.legal_basis.zh if part.legal_basis else "",
        "legal_en": part.legal_basis.en if part.legal_basis else "",
        "bases": sorted(set(one.bases.values())),
        "detectors": [asdict(detector) for detector in selectors.told(one.version_id)],
        **selectors.enabled(one),
    }


@router.get("/packs", response=PackPage, summary="Installed scene packs")
def packs(request: HttpRequest) -> dict[str, Any]:
    return {"items": [_out(one) for one in selectors.packs(need(request, "pack.read"))], "next": None}


@router.post("/packs/{name}/switch", response=PackOut, summary="Switch a pack on or off, everywhere or for one unit")
def switch(request: HttpRequest, name: str, body: SwitchIn) -> dict[str, Any]:
    viewer = viewer_for_request(request)
    actions.switch(viewer, name, body.on, body.unit, body.basis)
    BOOK.forget()
    return next(_out(one) for one in selectors.packs(viewer) if one.name == name)


@router.get("/packs/{name}/detect", response=DetectTextOut, summary="A pack's detectors as they are written")
def detect_text(request: HttpRequest, name: str, query: Query[DetectTextQuery]) -> Any:
    return selectors.detect_page(need(request, "pack.read"), name[:100], query.detector, query.limit)


@router.post("/packs/{name}/detect/check", response=DetectCheckOut, summary="Read detectors as they are typed: faults by line or sentences")
def check_detect(request: HttpRequest, name: str, body: DetectTextIn) -> dict[str, Any]:
    faults, made, gone = selectors.check_text(need(request, "pack.read"), name[:100], body.text)
    return {
        "faults": [{"line": line, "text_zh": zh, "text_en": en} for line, zh, en in faults],
        "detectors": [{**asdict(one), "state": state} for one, state in made],
        "gone": gone,
    }


def _rehearsal(row: Rehearsal) -> dict[str, Any]:
    share = row.hours_done / row.hours if row.hours else float(row.finished_at is not None)
    names = ("pack", "status", "readings", "since", "until", "asked_at", "finished_at", "fault")
    return {"id": row.pk, "share": round(share, 4), **{name: getattr(row, name) for name in names}}


def _detail(viewer: Viewer, rehearsal_id: int) -> dict[str, Any]:
    row = selectors.rehearsal(viewer, rehearsal_id)
    ready = row.status == Rehearsal.Status.DONE and bool(row.text)
    ready = ready and selectors.detect_page(viewer, row.pack).version_id == row.base_id
    return {**_rehearsal(row), "text": row.text, "may_publish": ready, "report": selectors.rehearsal_report(viewer, row)}


@router.get("/packs/{name}/rehearsals", response=RehearsalPage, summary="Rehearsals of a pack's detectors, newest first")
def rehearsals(request: HttpRequest, name: str) -> dict[str, Any]:
    return {"items": [_rehearsal(row) for row in selectors.rehearsals(need(request, "pack.read"), name[:100])]}


@router.post("/packs/{name}/rehearsals", response={201: RehearsalOut}, summary="Rehearse a pack's detectors over the last days")
def ask_rehearsal(request: HttpRequest, name: str, body: RehearsalIn) -> Any:
    viewer = viewer_for_request(request)
    made = actions.ask_rehearsal(viewer, name[:100], body.text, body.days)
    return Status(201, _rehearsal(selectors.rehearsal(viewer, made)))


@router.get("/rehearsals/{rehearsal_id}", response=RehearsalDetailOut, summary="What a rehearsal found")
def rehearsal(request: HttpRequest, rehearsal_id: int) -> dict[str, Any]:
    return _detail(need(request, "pack.read"), rehearsal_id)


@router.post("/rehearsals/{rehearsal_id}/cancel", response=RehearsalOut, summary="End a rehearsal that is not wanted any more")
def cancel_rehearsal(request: HttpRequest, rehearsal_id: int) -> dict[str, Any]:
    viewer = viewer_for_request(request)
    actions.cancel_rehearsal(viewer, rehearsal_id)
    return _rehearsal(selectors.rehearsal(viewer, rehearsal_id))


@router.post("/rehearsals/{rehearsal_id}/publish", response=PackOut, summary="Put rehearsed detectors to work as the pack's new version")
def publish_rehearsal(request: HttpRequest, rehearsal_id: int) -> dict[str, Any]:
    viewer = viewer_for_request(request)
    made = actions.publish_detectors(viewer, rehearsal_id)
    BOOK.forget()
    return next(_out(one) for one in selectors.packs(viewer) if one.version_id == made)
