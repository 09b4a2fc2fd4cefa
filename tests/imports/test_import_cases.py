"""``gridloop import cases``: history that is found, counted and shown, without limits, notices or proposals."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gridloop.cases.models import Case
from gridloop.cases.present import case_detail, trace
from gridloop.cases.selectors import CaseFilter, case_counts, case_page
from gridloop.cases.tests.kit import EAST, Cast, build
from gridloop.doors.cli.imports import SOME_REFUSED
from gridloop.doors.cli.main import cli
from gridloop.flow.models import Limit, Task
from gridloop.journal.actions import scoped
from gridloop.journal.models import Fact, Sealed
from gridloop.journal.selectors import verify
from gridloop.kernel.viewer import SYSTEM

pytestmark = pytest.mark.django_db
GRID = f"{EAST}200001001"
HEADER = "案件编号,类型,网格编码,上报时间,状态,办结时间,地址,内容,主办单位,来源"
GOOD = [
    f"H-0001,28002,{GRID},2026-03-01 08:00,已办结,2026-03-02 09:30,中山路12号,路灯坏了一周没人修，电话13812345678,MUNICIPAL,热线",
    f"H-0002,28002,{GRID},2026-03-02 08:00,作废,,,,,网格员",
    f"H-0003,28002,{GRID},2019-03-02 08:00,closed,,,过了保存期的话,,",
]
BAD = [
    (f"H-0001,28002,{GRID},2026-03-01,,,,,,", "与前面的记录重复：H-0001"),
    (f"x,28002,{GRID},2026-03-01,,,,,,", "编号“x”应为 4 到 40 个字母或数字"),
    (f"H-0011,99999,{GRID},2026-03-01,,,,,,", "事件类型"),
    ("H-0012,28002,880101001001001,2026-03-01,,,,,,", "没有代码为“880101001001001”的区划"),
    (f"H-0013,28002,{GRID},2026-03-01,处理中,,,,,", "历史事件应已结束"),
    (f"H-0014,28002,{GRID},2126-03-01,,,,,,", "“reported_at”在将来"),
    (f"H-0015,28002,{GRID},2026-03-01,,2026-02-01,,,,", "办结时间应在上报之后"),
    (f"H-0016,28002,{GRID},2026-03-01,,,,,NOBODY,", "“unit”所指的“NOBODY”不存在"),
    (f"H-0017,28002,{GRID},昨天,,,,,,", "“reported_at”应为日期"),
    (f"H-0018,28002,{GRID},2026-03-01,,,{'长' * 301},,,", "“address”超过 300 字"),
    ("H-0019,28002,,2026-03-01,,,,,,", "没有区划代码"),
]


@pytest.fixture
def cast(db: None) -> Cast:
    return build()


def run(file: Path, *options: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["import", "cases", str(file), *options])
    assert result.exit_code == code, result.output
    return result


def write(path: Path, lines: list[str]) -> Path:
    path.write_bytes("\r\n".join([HEADER, *lines]).encode("gb18030"))
    return path


def test_history_is_kept_found_and_quiet(cast: Cast, tmp_path: Path) -> None:
    file = write(tmp_path / "old.csv", GOOD + [line for line, _why in BAD])
    output = run(file, code=SOME_REFUSED).output
    assert f"3 imported / 已导入, {len(BAD)} refused / 未导入" in output
    with file.with_name("old.csv.rejects.csv").open(encoding="utf-8-sig") as text:
        reasons = {int(r["row"]): r["reason"] for r in csv.DictReader(text)}
    for number, (_line, why) in enumerate(BAD, start=2 + len(GOOD)):
        assert why in reasons[number], reasons[number]

    rows = case_page(cast.operator, CaseFilter())[0]
    assert [(r.code, r.status) for r in rows] == [("H-0002", "voided"), ("H-0001", "closed"), ("H-0003", "closed")]
    assert [r.code for r in case_page(cast.operator, CaseFilter(q="坏了一周"))[0]] == ["H-0001"]
    assert [r.code for r in case_page(cast.operator, CaseFilter(q="0002"))[0]] == ["H-0002"]
    assert case_page(cast.operator, CaseFilter(q="13812345678"))[0] == []
    assert case_page(cast.operator, CaseFilter(q="过了保存期"))[0] == []
    assert [r.code for r in case_page(cast.handler, CaseFilter())[0]] == ["H-0001"]
    assert case_page(cast.west_operator, CaseFilter())[0] == []
    assert case_counts(cast.operator, CaseFilter())["box"] == {"todo": 0, "doing": 0, "done": 3}
    detail = case_detail(cast.operator, "H-0001")
    assert (detail["text"], detail["tasks"], detail["proposal"]) == ("路灯坏了一周没人修，电话138****5678", [], None)
    assert trace(cast.operator, "H-0001", 0, 10) == []
    with scoped(SYSTEM):
        assert not Task.objects.exists()
        assert not Limit.objects.exists()
        assert Sealed.objects.filter(purpose="case_text").count() == 1
        (fact,) = Fact.objects.filter(action="cases_imported")
        assert (fact.data["rows"], fact.data["known"]) == (3, 0)
        assert verify(SYSTEM)[1] is None


def test_again_nothing_is_changed(cast: Cast, tmp_path: Path) -> None:
    run(write(tmp_path / "old.csv", GOOD[:1]))
    again = GOOD[0].replace("中山路12号", "别的地方")
    assert "1 imported" in run(write(tmp_path / "more.csv", [again, GOOD[1]])).output
    with scoped(SYSTEM):
        assert dict(Case.objects.values_list("code", "address")) == {"H-0001": "中山路12号", "H-0002": ""}
        assert Sealed.objects.filter(purpose="case_text").count() == 1


def test_a_dry_run_keeps_nothing(cast: Cast, tmp_path: Path) -> None:
    assert "2 would be imported" in run(write(tmp_path / "old.csv", GOOD[:2]), "--dry-run").output
    with scoped(SYSTEM):
        assert not Case.objects.exists()
        assert not Sealed.objects.exists()
