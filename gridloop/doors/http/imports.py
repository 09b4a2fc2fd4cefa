"""Tables sent over HTTP: read and checked like those of ``gridloop import``, kept as the one who sends them."""

from __future__ import annotations

import csv
import io
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from ninja import Field, File, Form, Router
from ninja.files import UploadedFile

from gridloop.access.api import need, signed_in
from gridloop.doors.cli.import_kinds import KINDS, text_of
from gridloop.doors.cli.imports import Importer, Plan, Rejects
from gridloop.doors.cli.sheets import Line, SheetFault
from gridloop.doors.http.problems import language
from gridloop.journal.shapes import Schema
from gridloop.kernel.errors import FieldFault, Invalid
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import Viewer
from gridloop.orgs.loading import Loaded
from gridloop.registry.actions import load_devices

router = Router(tags=["registry"], auth=signed_in)
MOST_BYTES: Final = 10_000_000  # tens of thousands of devices; more than that is the work of ``gridloop import``
MOST_TOLD: Final = 200  # refused rows that are told one by one
SUFFIXES: Final = (".csv", ".xlsx")
SAID: Final = ("status", "last_seen", "last_value")  # a device tells these by what it sends, nobody by a table
EXAMPLE: Final = {"code": "camera-0001", "kind": "camera", "name": "东门路口", "coverage": "80", "interval_seconds": "300"}


class ImportForm(Schema):
    """``dry_run``: everything is checked, nothing is kept."""

    dry_run: bool = False


class RefusedRow(Schema):
    """``row``: as the file counts them, the header being 1."""

    row: int
    reason: str
    values: dict[str, str]


class ImportOut(Schema):
    """``kept``: rows added or changed, or that would be; ``refused``: all rows left out, the first 200 of them in ``rows_refused``."""

    rows: int
    kept: int
    refused: int
    rows_refused: list[RefusedRow] = Field(max_length=MOST_TOLD)


class Refused(Rejects):
    """Rows left out, kept for the screen instead of a file."""

    def __init__(self, source: Path, lang: str) -> None:
        super().__init__(source)
        self.rows, self._lang = list[dict[str, Any]](), lang
        self.columns: Mapping[str, str] = {}  # field → column of the table

    def add(self, line: Line, fault: FieldFault) -> None:
        self.count += 1
        if len(self.rows) < MOST_TOLD:
            params = {**fault.params}
            if params.get("field") in self.columns:  # in the words of the table, not in ours
                params["field"] = self.columns[params["field"]]
            values = {name: text_of(cell)[:200] for name, cell in line.cells.items()}
            self.rows.append({"row": line.number, "reason": say(fault.key, self._lang, **params), "values": values})


class DevicesImporter(Importer):
    def __init__(self, source: Path, viewer: Viewer, lang: str) -> None:
        super().__init__(KINDS["devices"], source, Plan(), viewer=viewer)
        self.refused = Refused(source, lang)
        self.rejects = self.refused

    def _find_columns(self, line: Line) -> dict[str, str]:
        found = {name: column for name, column in super()._find_columns(line).items() if name not in SAID}
        self.refused.columns = found
        return found

    def _load(self) -> Callable[..., Loaded]:
        return load_devices

    def _show(self, what: str) -> None:
        """Nobody looks at a terminal."""


@router.post("/devices/import", response=ImportOut, summary="Add or change many devices by a table (CSV or Excel)")
def import_devices(request: HttpRequest, form: Form[ImportForm], file: File[UploadedFile]) -> dict[str, Any]:
    viewer = need(request, "device.edit")
    suffix = Path(file.name or "").suffix.lower()
    if suffix not in SUFFIXES:
        raise Invalid("doors.table_kind", errors=(FieldFault("/file", "doors.table_kind"),))
    if (file.size or 0) > MOST_BYTES:
        raise Invalid(
            "doors.table_large", errors=(FieldFault("/file", "doors.table_large", {"most": MOST_BYTES // 10**6}),), most=MOST_BYTES // 10**6
        )
    with tempfile.TemporaryDirectory(prefix="gl-table-") as folder:
        table = Path(folder) / f"table{suffix}"
        with table.open("wb") as out:
            for chunk in file.chunks():
                out.write(chunk)
        importer = DevicesImporter(table, viewer, language(request))
        try:
            kept = importer.run(form.dry_run)
        except SheetFault as fault:
            what = fault.said["en" if language(request) == "en" else "zh"]
            raise Invalid("doors.table_bad", errors=(FieldFault("/file", "doors.table_bad", {"what": what}),), what=what) from fault
    return {
        "rows": importer.rows,
        "kept": kept,
        "refused": importer.refused.count,
        "rows_refused": sorted(importer.refused.rows, key=lambda r: r["row"]),
    }


@router.get("/devices/import/template", summary="An empty table of devices with one example, as CSV")
def template(request: HttpRequest) -> HttpResponse:
    need(request, "device.edit")
    kind = KINDS["devices"]
    out = io.StringIO()
    table = csv.writer(out)
    table.writerow([names[-1] if name in ("code",) else names[0] for name, names in kind.names.items()])
    table.writerow([EXAMPLE.get(name, "") for name in kind.names])
    response = HttpResponse("\ufeff" + out.getvalue(), content_type="text/csv; charset=utf-8")  # Excel reads UTF-8 by its mark only
    response["Content-Disposition"] = 'attachment; filename="devices.csv"'
    return response
