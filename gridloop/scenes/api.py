"""Thin HTTP of scene packs."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.http import HttpRequest
from ninja import Router

from gridloop.access.api import need, signed_in, viewer_for_request
from gridloop.scenes import actions, selectors
from gridloop.scenes.book import BOOK
from gridloop.scenes.schemas import PackOut, PackPage, SwitchIn
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
        "needs": list(part.needs),
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
