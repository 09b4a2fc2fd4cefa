"""Thin HTTP of processes: the diagram behind a scene, to look at; and leaving, which work in hand forbids."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from ninja import Router, Status

from gridloop.access.api import need, signed_in, viewer_for_request
from gridloop.flow import leaving, selectors
from gridloop.kernel.errors import Forbidden
from gridloop.orgs.schemas import ServiceIn

router = Router(tags=["processes"], auth=signed_in)
_LONGEST = 80

_XML = {"responses": {200: {"description": "BPMN 2.0", "content": {"application/xml": {"schema": {"type": "string"}}}}}}


@router.get("/processes/{name}", openapi_extra=_XML, summary="The newest diagram of a process, BPMN 2.0 XML")
def diagram(request: HttpRequest, name: str) -> HttpResponse:
    """Whoever may read scenes may see the process they run on."""
    viewer = viewer_for_request(request)
    if not (viewer.can("pack.read") or viewer.can("process.read")):
        raise Forbidden("journal.forbidden", permission="process.read")
    return HttpResponse(selectors.diagram(viewer, name[:_LONGEST].replace("\x00", "")), content_type="application/xml; charset=utf-8")


@router.post("/units/{int:unit_id}/active", tags=["organisation"], response={204: None}, summary="Take a unit out of service, or back")
def unit_active(request: HttpRequest, unit_id: int, body: ServiceIn) -> Status[None]:
    leaving.set_unit_active(need(request, "org.edit"), unit_id, body.active)
    return Status(204, None)


@router.post("/staff/{int:staff_id}/active", tags=["organisation"], response={204: None}, summary="Somebody leaves, or comes back")
def staff_active(request: HttpRequest, staff_id: int, body: ServiceIn) -> Status[None]:
    leaving.set_staff_active(need(request, "org.edit"), staff_id, body.active)
    return Status(204, None)
