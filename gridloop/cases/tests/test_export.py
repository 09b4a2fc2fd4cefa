"""The list as a file."""

from __future__ import annotations

import csv
import io

import pytest

from gridloop.cases import actions
from gridloop.cases.export import COLUMNS, case_csv
from gridloop.cases.messages import Report
from gridloop.cases.selectors import CaseFilter
from gridloop.cases.tests.kit import HERE, Cast
from gridloop.kernel.viewer import PUBLIC, Viewer

pytestmark = pytest.mark.django_db


def rows_of(viewer: Viewer) -> list[list[str]]:
    return list(csv.reader(io.StringIO("".join(case_csv(viewer, CaseFilter())).removeprefix("\ufeff"))))


def test_the_file_holds_what_the_list_holds(cast: Cast) -> None:
    code = actions.report(PUBLIC, Report(text="路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1], address="滨河路27号")).case
    head, row = rows_of(cast.operator)
    assert len(head) == len(COLUMNS)
    assert head[0] == "编号"
    assert (row[0], row[7]) == (code, "滨河路27号")


def test_another_territory_gets_an_empty_file(cast: Cast) -> None:
    actions.report(PUBLIC, Report(text="路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1]))
    assert len(rows_of(cast.west_operator)) == 1


def test_a_formula_in_a_reporters_words_stays_text(cast: Cast) -> None:
    actions.report(PUBLIC, Report(text="路灯不亮", kind="01037", lon=HERE[0], lat=HERE[1], address='=HYPERLINK("http://x")'))
    assert rows_of(cast.operator)[1][7] == '\'=HYPERLINK("http://x")'
