"""The list as a file."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from gridloop.cases import actions
from gridloop.cases.export import COLUMNS, case_csv
from gridloop.cases.messages import Report
from gridloop.cases.selectors import CaseFilter
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.kernel import clock
from gridloop.kernel.formulas import unquoted
from gridloop.kernel.viewer import PUBLIC, Viewer

pytestmark = pytest.mark.django_db


def rows_of(viewer: Viewer) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(case_csv(viewer, CaseFilter())).removeprefix("\ufeff"))))


def test_the_file_holds_what_the_list_holds(cast: Cast) -> None:
    code = actions.report(PUBLIC, Report(text="路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1], address="滨河路27号")).case
    head, row = rows_of(cast.operator)
    assert len(head) == len(COLUMNS)
    assert head[0] == "编号"
    assert (row[0].strip(), row[7]) == (code, "滨河路27号")


def test_a_spreadsheet_loses_no_digit_and_shows_the_time_of_the_screens(cast: Cast) -> None:
    """Numbers of more than 15 digits end in zeros there, 01037 becomes 1037, and 02:04 UTC is 10:04 on the wall."""
    at = actions.report(PUBLIC, Report(text="路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1]))
    (_, row) = rows_of(cast.operator)
    assert (row[0], row[2]) == (f"{at.case}\t", "01037\t")
    there = clock.now().astimezone(ZoneInfo("Asia/Shanghai"))
    assert datetime.strptime(row[9], "%Y-%m-%d %H:%M:%S").replace(tzinfo=ZoneInfo("Asia/Shanghai")) == there.replace(microsecond=0)
    assert unquoted(row[0].strip()) == at.case


def test_another_territory_gets_an_empty_file(cast: Cast) -> None:
    actions.report(PUBLIC, Report(text="路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1]))
    assert len(rows_of(cast.west_operator)) == 1


def test_a_formula_in_a_reporters_words_stays_text(cast: Cast) -> None:
    actions.report(PUBLIC, Report(text="路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1], address='=HYPERLINK("http://x")'))
    assert rows_of(cast.operator)[1][7] == '\'=HYPERLINK("http://x")'
