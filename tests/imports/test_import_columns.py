"""Rows read in columns against the same rows read one by one: what columns take the row reader makes, too, and plain rows are taken."""

from __future__ import annotations

import csv
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gridloop.cases.history import columns_of
from gridloop.cases.tests.kit import EAST, build
from gridloop.doors.cli.case_columns import Columns
from gridloop.doors.cli.import_cases import CasesImporter, Part
from gridloop.doors.cli.import_kinds import KINDS, BadCell
from gridloop.doors.cli.imports import Plan
from gridloop.doors.cli.sheets import Block, Line, read_blocks, read_sheet

pytestmark = pytest.mark.django_db
GRID = f"{EAST}200001001"
PLAIN = {
    "类型": ["28002", "01037"],
    "网格编码": [GRID],
    "上报时间": [
        "2026-03-01 08:00",
        "2026-03-01T08:00:00.5+08:00",
        "2026/03/01",
        "2026-03-01",
        "2025-12-31 23:59:59",
        "1986-06-01 12:00:00",
    ],
    "状态": ["办结", "作废", "closed", ""],
    "办结时间": ["", "2026-03-04T00:00:00Z", "2026-03-04"],
    "标题": ["", "路灯不亮", "　两边有空格 "],
    "等级": ["", "1", "4", "2.0"],
    "地址": ["", "中山路12号", "大学路，'引号'"],
    "内容": ["", "路灯坏了\n两行", '他说"不行"', "电话 13812345678"],
    "主办单位": ["", "MUNICIPAL"],
    "来源": ["", "热线", "hotline"],
    "经度": ["", "121.6", "-0.5"],
    "纬度": ["", "29.2"],
}
ODD = {
    "类型": ["路灯", "99999", "", "28002 "],
    "网格编码": ["", "880101001001001", f"'{GRID}"],
    "上报时间": ["", "昨天", "2126-03-01", "2026-02-30", "20260301", "2026-03-01 08:00:60", "2026-03-01T08:00Z", "2026-03-01T08"],
    "状态": ["处理中", "CLOSED"],
    "办结时间": ["2026-02-01", "x", "2126-01-01"],
    "标题": ["长" * 201, "'=1+1"],
    "等级": ["0", "5", "x", "1.5", "1,0"],
    "地址": ["长" * 301],
    "内容": ["长" * 5001],
    "主办单位": ["NOBODY"],
    "来源": ["Hot Line"],
    "经度": ["181", "x", "1e2", "nan"],
    "纬度": ["91", "29,2"],
}


def write(path: Path, odd: float, count: int = 400) -> Path:
    chance = random.Random(5)
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        table = csv.writer(out)
        table.writerow(["案件编号", *PLAIN])
        for n in range(count):
            code = chance.choice(["x", "有字", f"H-{chance.randrange(count):05d}"]) if chance.random() < odd else f"H-{n:05d}"
            table.writerow([code, *(chance.choice(ODD[f] if chance.random() < odd / 5 else PLAIN[f]) for f in PLAIN)])
    return path


def importer(file: Path, plan: Plan | None = None) -> CasesImporter:
    made = CasesImporter(KINDS["cases"], file, plan or Plan())
    made._remember()  # a run's beginning, without a run
    return made


def by_rows(made: CasesImporter, lines: list[Line]) -> dict[int, dict[str, object]]:
    """The rows that the row reader takes: line → what is kept of it."""
    part = Part(None, [])
    kept = {}
    made._columns = made._find_columns(lines[0])
    for line in lines:
        try:
            part.lines[:] = [(line, made._cells(line))]
            made._look_up(part)
            kept[line.number] = columns_of([made._case(part.lines[0][1])]).to_pylist()[0]
        except BadCell:
            continue
    return kept


@pytest.mark.parametrize("odd", [0.0, 0.2])
def test_both_readers_agree(tmp_path: Path, odd: float) -> None:
    build()
    file = write(tmp_path / "old.csv", odd)
    right = by_rows(importer(file), list(read_sheet(file)))
    made, taken, left = importer(file), {}, set()
    for block in read_blocks(file, 50):
        assert isinstance(block, Block)
        part = made._read(iter([block]))
        assert part is not None
        assert isinstance(part.columns, Columns)
        made._look_up(part)
        table, others = part.columns.rows(made._known)
        left |= {line.number for line in others}
        numbers = [block.number + n for n in range(block.cells.num_rows) if block.number + n not in left]
        taken |= dict(zip(numbers, table.to_pylist(), strict=True))
        made._known.seen.update(  # as the row reader does
            right[number]["code"] for number in left & set(right)
        )
    assert {number: right.get(number) for number in taken} == taken
    assert set(right) - set(taken) <= left
    slow = sum("/" in str(line.cells["上报时间"]) or str(line.cells["上报时间"]).startswith("1986") for line in read_sheet(file))
    assert len(taken) >= (len(right) - slow) * (1 if odd == 0 else 0.8) > 50


@pytest.mark.parametrize(
    "plan",
    [
        Plan(defaults={"status": "voided", "severity": "2", "address": "无"}),
        Plan(words={"type": {"灯": "28002"}, "status": {"": "closed"}}),
    ],
)
def test_defaults_and_words_of_the_map(tmp_path: Path, plan: Plan) -> None:
    build()
    file = tmp_path / "old.csv"
    rows = [
        f"H-{n:04d},{kind},{GRID},2026-03-01 08:00,{status}"
        for n, (kind, status) in enumerate([("灯", ""), ("28002", "办结"), ("28002", "")])
    ]
    file.write_text("\n".join(["案件编号,类型,网格编码,上报时间,状态", *rows]), encoding="utf-8")
    right = by_rows(importer(file, plan), list(read_sheet(file)))
    made = importer(file, plan)
    part = made._read(read_blocks(file, 50))
    assert part is not None
    assert part.columns is not None
    made._look_up(part)
    table, others = part.columns.rows(made._known)
    assert table.to_pylist() == list(right.values())
    assert len(others) == 3 - len(right)


@pytest.mark.parametrize(
    "text",
    [
        "a,b\n1,2\n3,4\n",
        "a,b\r\n1,2\r\n3,4",
        'a,b\n"1,5","2\n2"\n3,4\n',
        'a,b\n1"x,2\n3,4\n',
        'a,b\n"1"x,2\n3,"4""\n5"\n6,7\n',
        "a,b\n\n1,2\n\n\n3,4\n",
        "a,b\n1\n3,4,5\n,\n6,7\n",
        'a;b\n1;"2;3"\n',
        "a\tb\n 1 \t2\n",
        "a,b\r1,2\r3,4\r",
        'a,b\n1,"never closed\n2,3\n4,5\n',
    ],
)
def test_blocks_hold_the_rows_of_the_sheet(tmp_path: Path, text: str) -> None:
    file = tmp_path / "some.csv"
    file.write_bytes(text.encode())
    wanted = [(line.number, line.cells) for line in read_sheet(file)]
    for most in (1, 2, 100):
        found = []
        for block in read_blocks(file, most):
            found += block.lines(range(block.cells.num_rows)) if isinstance(block, Block) else block
        assert [(line.number, line.cells) for line in found] == wanted
    assert wanted


def test_a_moment_is_the_same_in_both(tmp_path: Path) -> None:
    build()
    file = tmp_path / "old.csv"
    file.write_text(f"code,type,region_code,reported_at\nH-0001,28002,{GRID},1992-01-01 00:00\n", encoding="utf-8")
    made = importer(file)
    part = made._read(read_blocks(file, 50))
    assert part is not None
    assert part.columns is not None
    made._look_up(part)
    assert part.columns.rows(made._known)[0]["reported_at"].to_pylist() == [datetime(1991, 12, 31, 16, tzinfo=UTC)]
