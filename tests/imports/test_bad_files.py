"""Hostile tables: bombs, wrong encodings, NUL bytes, swapped places, formulas. Each is told by row; the good rows are kept."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import resource
import zipfile
from collections import deque
from pathlib import Path

import openpyxl
import pytest

from gridloop.doors.cli import sheets
from gridloop.doors.cli.imports import SOME_REFUSED
from gridloop.doors.cli.sheets import SheetFault, read_sheet
from gridloop.journal.actions import scoped
from gridloop.kernel.formulas import quoted, unquoted
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.tests import cast as county
from gridloop.registry.models import Device, Person
from tests.imports.test_import import rejects, run, write


def _book(*rows: list[object]) -> bytes:
    book, out = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    book.save(out)
    return out.getvalue()


def _bomb() -> bytes:
    """A workbook whose sheet unpacks to more than may be: 600 MB of blanks in 600 kB."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_book(["a"]))) as good, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as bad:
        for part in good.infolist():
            bad.writestr(part.filename, good.read(part))
        with bad.open("xl/media/blank.bin", "w", force_zip64=True) as blank:
            for _ in range(600):
                blank.write(bytes(2**20))
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("t.xlsx", _bomb),
        ("t.csv.gz", lambda: gzip.compress(b"a,b\n" + b"x" * 2**22, 1)),
        ("t.csv.xz", lambda: lzma.compress(b"a,b\n" + (b"1," + b"2" * 1000 + b"\n") * 2**12, preset=0)),
        ("t.geojson.gz", lambda: gzip.compress(b'{"features": [' + b" " * 2**22, 1)),
    ],
)
def test_a_bomb_is_refused_in_one_line_without_being_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, make: object
) -> None:
    assert callable(make)
    if name != "t.xlsx":
        monkeypatch.setattr(sheets, "MOST_UNPACKED", 2**21)
    path = tmp_path / name
    path.write_bytes(make())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SheetFault, match=r"when unpacked.*解压后超过") as fault:
        deque(read_sheet(path), maxlen=0)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 2**10, "kilobytes"
    assert "\n" not in str(fault.value)


_BIT = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
DOCTYPES = {
    "a file of this machine": (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file://%s">]>', b"&e;"),
    "a thousand million laughs": (b'<!DOCTYPE x [<!ENTITY l0 "ha">' + _BIT + b"]>", b"&l9;"),
}


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml"])
@pytest.mark.parametrize(("head", "call"), DOCTYPES.values(), ids=DOCTYPES)
def test_a_workbook_that_calls_for_what_is_outside_gets_nothing(tmp_path: Path, part: str, head: bytes, call: bytes) -> None:
    """What the words of a part stand for is neither read from this machine nor unfolded."""
    secret, out = tmp_path / "secret", io.BytesIO()
    secret.write_text("not for senders")
    marked = {"xl/worksheets/sheet1.xml": b"MARKED", "xl/workbook.xml": b"Sheet"}[part]
    with zipfile.ZipFile(io.BytesIO(_book(["code"], ["MARKED"]))) as good, zipfile.ZipFile(out, "w") as made:
        for one in good.infolist():
            data = good.read(one)
            if one.filename == part:
                assert marked in data
                body = data.partition(b"?>")[2] if data.startswith(b"<?xml") else data
                data = (head % str(secret).encode() if b"%s" in head else head) + body.replace(marked, call)
            made.writestr(one, data)
        assert part in made.namelist()
    path = tmp_path / "t.xlsx"
    path.write_bytes(out.getvalue())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(SheetFault, match=r"DOCTYPE.*DOCTYPE") as fault:
        deque(read_sheet(path), maxlen=0)
    assert "not for senders" not in str(fault.value)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 2**10, "kilobytes"


def test_a_sheet_that_claims_to_be_endless_is_read_to_its_cells(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(_book(["code", "name"], ["1", "甲"]))) as good, zipfile.ZipFile(out, "w") as made:
        for part in good.infolist():
            data = good.read(part)
            made.writestr(part.filename, data.replace(b'ref="A1:B2"', b'ref="A1:XFD1048576"'))
    path = tmp_path / "t.xlsx"
    path.write_bytes(out.getvalue())
    assert [line.cells for line in read_sheet(path)] == [{"code": "1", "name": "甲"}]


@pytest.mark.django_db
def test_bad_rows_of_every_sort_lose_only_themselves(tmp_path: Path) -> None:
    county.settle()
    lon, lat = county.WEST + 0.001, county.SOUTH + 0.001
    rows = [
        "设备编号,设备类型,名称,经度,纬度,上报间隔",
        f"d1,smoke,𠮷祥小区😀,{lon},{lat},60",
        f"d2,smoke,写反,{lat},{lon},60",
        "d3,smoke,辖区外,10,10,60",
        f"d4,smoke,a\x00b,{lon},{lat},60",
        f"d5,smoke,长间隔,{lon},{lat},1e99",
        f"../../etc/passwd,smoke,路径,{lon},{lat},60",
        f"d7,smoke,越界,181,{lat},60",
        f"d8,smoke,末行,{lon},{lat},60",
    ]
    file = write(tmp_path / "devices.csv", "\n".join(rows) + "\n")
    run("devices", file, code=SOME_REFUSED)
    with scoped(SYSTEM):
        kept = dict(Device.objects.values_list("code", "name"))
    assert kept["d1"] == "𠮷祥小区😀"
    assert kept["d8"] == "末行"
    assert kept.get("d4", "ab") == "ab", "what no column can keep is taken out"
    told = {r["row"]: r["reason"] for r in rejects(file)}
    assert {"3", "4", "6", "8"} <= set(told), told
    assert all(" / " in reason for reason in told.values()), "in both languages"
    assert not list(tmp_path.parent.rglob("passwd")), "a name is never a path"


@pytest.mark.django_db
def test_a_file_half_in_another_encoding_is_one_line(tmp_path: Path) -> None:
    county.settle()
    file = tmp_path / "people.csv"
    good = f"人员编号,姓名,网格编码\nP1,甲,{county.GRID}\n".encode()
    file.write_bytes(good + b"P2,\xff\xff\xff," + county.GRID.encode() + b"\n")
    result = run("people", file, code=1)
    assert "UTF-8" in result.output
    assert result.output.count("\n") == 1


@pytest.mark.django_db
def test_geojson_with_bad_shapes_keeps_the_good_ones(tmp_path: Path) -> None:
    county.settle()
    here = [county.WEST + 0.001, county.SOUTH + 0.001]
    shapes: list[object] = [
        {"type": "Point", "coordinates": here},
        {"type": "Point", "coordinates": ["east", None]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1e308, 1e308], [0, 0]]]},
        {"type": "Dragon"},
        "text",
        {"type": "Point", "coordinates": here},
    ]
    features = [{"properties": {"code": f"g{n}", "kind": "smoke"}, "geometry": shape} for n, shape in enumerate(shapes)]
    file = write(tmp_path / "devices.geojson", json.dumps({"type": "FeatureCollection", "features": features}))
    run("devices", file, code=SOME_REFUSED)
    with scoped(SYSTEM):
        assert set(Device.objects.values_list("code", flat=True)) >= {"g0", "g5"}
    assert [r["row"] for r in rejects(file)] == ["2", "3", "4", "5"]


@pytest.mark.django_db
def test_formulas_among_the_rejects_are_text_and_come_back_as_they_were(tmp_path: Path) -> None:
    county.settle()
    file = write(
        tmp_path / "people.csv",
        f"人员编号,姓名,手机号,网格编码\nP1,\"=cmd|'/c calc'!A1\",+8610012345678,880101\nP2,好人,+8610012345679,{county.GRID}\n",
    )
    run("people", file, code=SOME_REFUSED)
    (told,) = rejects(file)
    assert told["姓名"] == "'=cmd|'/c calc'!A1"
    path = tmp_path / "people.csv.rejects.csv"
    again = write(tmp_path / "again.csv", path.read_text("utf-8-sig").replace("880101", county.GRID))
    run("people", again, "--map", str(write(tmp_path / "m.yaml", "columns: {code: 人员编号}\n")))
    with scoped(SYSTEM):
        assert set(Person.objects.filter(code__in=["P1", "P2"]).values_list("name", flat=True)) == {"=cmd|'/c calc'!A1", "好人"}


@pytest.mark.parametrize("text", ["=1+1", "+cmd|x", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1+1"])
def test_what_would_run_is_quoted_and_unquoted_again(text: str) -> None:
    assert quoted(text) == f"'{text}"
    assert unquoted(quoted(text)) == text


@pytest.mark.parametrize("text", ["", "-3.5", "+86", "路灯", "1=1", "'引号"])
def test_what_would_not_run_stays_as_it_is(text: str) -> None:
    assert quoted(text) == text
    assert unquoted(text) == text
