"""The case list as a CSV file for a spreadsheet: the same filters, the same scope and the same times of day as the list."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from gridloop.cases import present, selectors
from gridloop.cases.selectors import CaseFilter
from gridloop.kernel.formulas import digits_kept, quoted
from gridloop.kernel.texts import say
from gridloop.kernel.viewer import SYSTEM, Viewer
from gridloop.orgs.selectors import calendar_for

COLUMNS = (
    *("code", "title", "type", "type_name", "severity", "status"),
    *("region_name", "address", "unit", "reported_at", "due_at", "closed_at"),
)
PAGE = 500
MOST = 20_000  # rows; a larger export belongs to the indicators and the history files


def case_csv(viewer: Viewer, wanted: CaseFilter) -> Iterator[str]:
    """The file in pieces, newest case first, with a byte order mark so that spreadsheets read Chinese."""
    yield "\ufeff" + _lines([[say(f"cases.column_{name}", viewer.lang) for name in COLUMNS]])
    after, sent, zone = "", 0, ZoneInfo(calendar_for(SYSTEM).tz)
    while sent < MOST:
        rows, following = selectors.case_page(viewer, wanted, PAGE, after)
        yield _lines([[_cell(value, zone) for value in _row(item, viewer)] for item in present.case_items(viewer, rows)])
        sent += len(rows)
        if following is None:
            return
        after = following


def _row(item: dict[str, Any], viewer: Viewer) -> list[Any]:
    unit, place = item["lead_unit"], item["place"]
    words = item | {
        "status": say(f"cases.status_{item['status']}", viewer.lang),
        "address": place["address"],
        "unit": unit["name"] if unit else "",
    }
    return [words[name] for name in COLUMNS]


def _cell(value: Any, zone: tzinfo) -> str:
    """Text; what a spreadsheet would take for a formula gets a quote in front, because reporters write the words."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")  # what spreadsheets take for a time, and screens show
    return quoted(digits_kept(str(value)))


def _lines(rows: list[list[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
