"""Tables as people keep them: encodings, separators, Excel, packing; and files that are none."""

from __future__ import annotations

import gzip
import lzma
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest

from gridloop.doors.cli.import_kinds import KINDS, BadCell, columns_for, fields_of, point_and_outline, required_of, value_of
from gridloop.doors.cli.sheets import SheetFault, read_sheet

TEXT = '编号,名称\r\nA1,甲\r\n\r\nA2,"乙,丙"\r\n'


def rows(path: Path) -> list[tuple[int, dict[str, object]]]:
    return [(line.number, line.cells) for line in read_sheet(path)]


WANTED = [(2, {"编号": "A1", "名称": "甲"}), (4, {"编号": "A2", "名称": "乙,丙"})]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.csv", TEXT.encode()),
        ("t.csv", TEXT.encode("utf-8-sig")),
        ("t.csv", TEXT.encode("gb18030")),
        ("t.csv.gz", gzip.compress(TEXT.encode(), mtime=0)),
        ("t.csv.xz", lzma.compress(TEXT.encode())),
        ("t.tsv", TEXT.replace("编号,名称", "编号\t名称").replace("A1,", "A1\t").replace("A2,", "A2\t").encode()),
    ],
    ids=["utf-8", "utf-8 with mark", "gb18030", "gzip", "xz", "tabs"],
)
def test_text_tables(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert rows(path) == WANTED


def test_excel(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in (["编号", None, "出生日期"], [990101001.0, "x", datetime(1950, 3, 7)], [None, None, None], ["A2", None, "1988/2/14"]):  # noqa: DTZ001
        book.active.append(row)
    path = tmp_path / "t.xlsx"
    book.save(path)
    (first, one), (second, two) = rows(path)
    assert (first, second) == (2, 4)
    assert value_of("code", str, one["编号"]) == "990101001"
    assert value_of("birth", date, one["出生日期"]) == date(1950, 3, 7)
    assert value_of("birth", date, two["出生日期"]) == date(1988, 2, 14)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("t.pdf", b"", "only .csv"),
        ("t.csv", b"", "names no columns"),
        ("t.csv", b"a,a\n1,2\n", "given twice"),
        ("t.csv", b"\xff\xfe\x81\x00\x81", "neither UTF-8"),
        ("t.csv.gz", b"not packed", "cannot be read"),
        ("t.xlsx", b"not a book", "no sound xlsx file"),
        ("t.geojson", b"{}", "not a GeoJSON"),
        ("t.geojson", b"{", "cannot be read"),
    ],
)
def test_a_file_that_is_none_is_one_clear_line(tmp_path: Path, name: str, data: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(SheetFault, match=says) as fault:
        rows(path)
    assert "\n" not in str(fault.value)
    with pytest.raises(SheetFault, match="no such file"):
        rows(tmp_path / "missing.csv")


def test_columns_are_found_by_the_names_people_use() -> None:
    header = ["姓名", "身份证号", "手机号", "户编号", "性别", "PINYIN", "人员编号"]
    assert columns_for(KINDS["people"], header, {"pinyin": "姓名"}) == {
        "code": "人员编号",
        "name": "姓名",
        "household": "户编号",
        "sex": "性别",
        "citizen_id_no": "身份证号",
        "phone": "手机号",
        "pinyin": "姓名",
    }


@pytest.mark.parametrize(("name", "kind"), [(n, k) for n, k in KINDS.items()])
def test_every_kind_names_only_fields_of_its_record(name: str, kind: object) -> None:
    known = fields_of(KINDS[name].record)
    assert set(KINDS[name].names) <= known.keys()
    assert set(required_of(KINDS[name].record)) <= set(KINDS[name].names)
    assert kind is KINDS[name]


@pytest.mark.parametrize(
    ("kind", "cell"), [(int, "many"), (int, "1.5"), (int, "99999999999"), (float, "nan"), (float, "1e999"), (date, "soon"), (datetime, "x")]
)
def test_cells_that_are_not_what_they_should_be(kind: type, cell: str) -> None:
    with pytest.raises(BadCell) as bad:
        value_of("field", kind, cell)
    assert bad.value.fault.params["value"] == cell


def test_cells() -> None:
    assert value_of("f", int, "1,200") == 1200
    assert value_of("f", tuple, "独居老人、低保；残疾") == ("独居老人", "低保", "残疾")
    assert value_of("f", date, "1950年03月07日") == date(1950, 3, 7)
    assert value_of("f", datetime, "2026-03-02 08:00").utcoffset() is not None
    assert value_of("f", float, "  ") is None


def test_shapes_are_moved_off_the_chinese_offset() -> None:
    point = point_and_outline({"type": "Point", "coordinates": [116.38404722455657, 39.91334545536069]}, gcj02=True)
    assert (round(point["lon"], 6), round(point["lat"], 6)) == (116.377817, 39.911954)
    with pytest.raises(BadCell):
        point_and_outline({"type": "Point", "coordinates": ["east"]}, gcj02=False)
    with pytest.raises(BadCell):
        point_and_outline({"type": "LineString", "coordinates": [[0, 0], [1, 1]]}, gcj02=False)
