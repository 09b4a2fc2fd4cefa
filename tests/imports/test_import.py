"""``gridloop import`` end to end: a real county's divisions, people and things from ordinary tables, rejects with reasons."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from click.testing import CliRunner, Result

from conftest import shared_data
from gridloop.doors.cli.imports import SOME_REFUSED
from gridloop.doors.cli.main import cli
from gridloop.journal.actions import scoped
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs import selectors
from gridloop.orgs.models import Region, Unit
from gridloop.orgs.tests import cast as county
from gridloop.registry import selectors as registry
from gridloop.registry.models import Person
from gridloop.registry.tests import cast

pytestmark = pytest.mark.django_db
DATA = Path(__file__).parent.parent / "data" / "import"


def run(kind: str, file: Path, *options: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["import", kind, str(file), *options])
    assert result.exit_code == code, result.output
    return result


def rejects(file: Path) -> list[dict[str, str]]:
    with file.with_name(file.name + ".rejects.csv").open(encoding="utf-8-sig") as text:
        return list(csv.DictReader(text))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_real_county(tmp_path: Path) -> None:
    for name in ("daishan_levels.csv", "daishan_villages.csv", "daishan_outline.geojson"):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    run("regions", tmp_path / "daishan_levels.csv")
    run("regions", tmp_path / "daishan_villages.csv")
    outline = tmp_path / "daishan_outline.geojson"
    run("regions", outline, "--map", str(write(tmp_path / "map.yaml", "columns: {code: adcode}\ncoordinates: gcj02\n")))
    view = selectors.region(SYSTEM, "330921")
    assert (view.full_name, view.boundary is not None, len(view.children)) == ("浙江省 · 舟山市 · 岱山县", True, 7)
    assert selectors.region_at(SYSTEM, 122.20, 30.25) == "330921"
    villages = selectors.regions(SYSTEM, region="330921", level="village", limit=200).items
    with (DATA / "daishan_villages.csv").open(encoding="utf-8") as text:
        assert len(villages) == sum(1 for _ in text) - 1
    assert all(v.parent_code == v.code[:9] for v in villages)
    run("regions", tmp_path / "daishan_levels.csv")  # again: the outline stays
    assert Region.objects.get(code="330921").boundary is not None
    assert not list(tmp_path.glob("*.rejects.csv"))


@pytest.mark.shared_data
def test_one_county_out_of_the_national_list(tmp_path: Path) -> None:
    folder = shared_data() / "china_divisions"
    for name in ("levels1-4_national.csv.gz", "villages_national.csv.xz"):
        copy = tmp_path / name
        copy.symlink_to(folder / name)
        run("regions", copy, "--only", "330212")
    assert {r.code for r in selectors.regions(SYSTEM, region="33", limit=3).items} == {"33", "3302", "330212"}
    with (folder / "villages_seed_counties.csv").open(encoding="utf-8") as text:
        wanted = {row["code"]: row["name"] for row in csv.DictReader(text) if row["areaCode"] == "330212"}
    assert dict(Region.objects.filter(level_id="village").values_list("code", "name")) == wanted
    assert Region.objects.filter(level_id="town").count() == len({code[:9] for code in wanted})


@pytest.mark.shared_data
def test_real_enterprises_by_a_map(tmp_path: Path) -> None:
    folder = shared_data()
    levels = tmp_path / "levels1-4_national.csv.gz"
    levels.symlink_to(folder / "china_divisions" / levels.name)
    run("regions", levels, "--only", "330921")
    file = tmp_path / "e.csv.gz"
    file.symlink_to(folder / "enterprises" / "enterprises_seed_counties.csv.gz")
    words = "columns: {region_code: county, industry: 企业类型}\nwords: {region_code: {岱山县: '330921', 鄞州区: '330212'}}\n"
    run("enterprises", file, "--map", str(write(tmp_path / "map.yaml", words)), code=SOME_REFUSED)
    page = registry.enterprises(SYSTEM, region="330921", limit=200)
    assert len(page.items) == 184
    bad = rejects(file)
    assert len(bad) == 8013 - 184
    assert all("统一社会信用代码" in r["reason"] or "区划" in r["reason"] for r in bad)


def test_people_with_rejects(tmp_path: Path) -> None:
    county.settle()
    file = tmp_path / "people.csv"
    lines = [
        "人员编号,姓名,身份证号,手机号,网格编码,标签",
        f"P1,王建国,{cast.WANG_ID},13800000011,{county.GRID},独居老人、低保",
        f"P2,李四,11010519491231002Y,13800000012,{county.GRID},",
        "P3,无处,,,,",
        f",无号,,,{county.GRID},",
        f"P1,重复,,,{county.GRID},",
        "P6,远方,,,880101001001001,",
    ]
    file.write_bytes("\r\n".join(lines).encode("gb18030"))
    result = run("people", file, code=SOME_REFUSED)
    assert "1 imported / 已导入, 5 refused / 未导入" in result.output
    with scoped(SYSTEM):
        person = Person.objects.get(code="P1")
        assert (person.name, person.sex, str(person.birth), person.tags) == ("王建国", "M", "1950-03-07", ["独居老人", "低保"])
    assert [(r["row"], r["姓名"], r["reason"].split(" / ")[0]) for r in sorted(rejects(file), key=lambda r: int(r["row"]))] == [
        ("3", "李四", "公民身份号码不正确（18 位、出生日期或校验位有误）"),
        ("4", "无处", "没有区划代码，也没有可以推定区划的上级记录"),
        ("5", "无号", "缺少“人员编号”"),
        ("6", "重复", "与前面的记录重复：P1"),
        ("7", "远方", "没有代码为“880101001001001”的区划"),
    ]


def test_devices_find_their_region_by_coordinates(tmp_path: Path) -> None:
    county.settle()
    text = "设备编号,设备类型,经度,纬度,上报间隔\n"
    text += f"d1,smoke,{county.WEST + 0.001},{county.SOUTH + 0.001},60\nd2,smoke,0,0,60\nd3,smoke,far,0,60\n"
    text += f"d4,飞碟,{county.WEST + 0.001},{county.SOUTH + 0.001},60\n"  # no word of the house: no rule would ever know it
    file = write(tmp_path / "devices.csv", text)
    run("devices", file, code=SOME_REFUSED)
    assert registry.device(SYSTEM, "d1").region_code == county.MICRO
    assert [r["reason"].split(" / ")[0].partition("；")[0] for r in rejects(file)] == [
        "“经度”应为数字，不是“far”",  # by the table's name for it
        "没有区划代码，坐标也不在任何网格内",
        "设备种类应为小写字母、数字和 _，例如 smoke",
    ]


def test_units_from_excel_and_a_dry_run(tmp_path: Path) -> None:
    county.settle()
    book = openpyxl.Workbook()
    assert book.active is not None
    rows: list[list[Any]] = [
        ["单位编码", "单位名称", "单位类型", "区划代码", "上级单位", "进驻方式"],
        ["u1", "新单位", "department", 990101, "county", "随叫随驻"],
        ["u2", "新科室", "team", "990101", "u1", None],
    ]
    for row in rows:
        book.active.append(row)
    file = tmp_path / "units.xlsx"
    book.save(file)
    assert "2 would be imported" in run("units", file, "--dry-run").output
    assert not Unit.objects.filter(code__in=["u1", "u2"]).exists()
    run("units", file)
    unit = Unit.objects.get(code="u2")
    assert unit.parent is not None
    assert (unit.parent.code, unit.parent.presence) == ("u1", "on_call")


def test_rows_that_end_early_have_all_columns_and_columns_that_nobody_reads_are_told(tmp_path: Path) -> None:
    """Of the first row that is short a column was said to be missing, and the file of refused rows lost it for all."""
    county.settle()
    book = openpyxl.Workbook()
    assert book.active is not None
    rows: list[list[Any]] = [
        ["名称", "区划代码", "备注", "编号", "类型", "上级单位"],
        ["无类型站", 990101, None, "U-91"],
        ["好站", 990101, "x", "U-92", "street_office"],
        ["错站", 990101, None, "U-93", "street_office", "没有的单位"],
    ]
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "units.xlsx")
    result = run("units", tmp_path / "units.xlsx", code=SOME_REFUSED)
    assert "未读取的列: 备注" in result.output
    refused = {row["编号"]: row for row in rejects(tmp_path / "units.xlsx")}
    assert refused.keys() == {"U-91", "U-93"}
    assert refused["U-93"]["上级单位"] == "没有的单位"
    short = write(tmp_path / "short.csv", "编号,名称,区划代码,类型\nU-94,站,990101\nU-95,站,990101,street_office\n")
    run("units", short, code=SOME_REFUSED)
    assert [row["row"] for row in rejects(short)] == ["2"]


def test_codes_filled_up_with_zeros_and_levels_by_any_word(tmp_path: Path) -> None:
    rows = ["330000000000,浙江省,", "330200000000,宁波市,2", "330212000000,鄞州区,县（区）", "330212001000,下应街道,town"]
    text = "\n".join(["区划代码,名称,级别", *rows, "441900,东莞市,3", "33021,短,"])
    file = write(tmp_path / "r.csv", text)
    run("regions", file, code=SOME_REFUSED)
    found = {r.code: r.level for r in selectors.regions(SYSTEM, limit=200).items}
    assert found == {"33": "province", "3302": "city", "330212": "county", "330212001": "town", "441900": "county"}
    assert rejects(file)[0]["row"] == "7"


@pytest.mark.parametrize(
    ("text", "map_text", "says"),
    [
        ("名称,级别\n甲,3\n", None, "缺少列：code (编号、编码、代码)；表格里有：名称, 级别"),
        ("code,name\n33,浙江省\n", "colums: {}", "unknown key 'colums'"),
        ("code,name\n33,浙江省\n", "columns: {shape: a}", "columns.shape: no such field"),
        ("code,name\n33,浙江省\n", "columns: {code: 代码}", "the map names the column '代码'"),
        ("code,name\n33,浙江省\n", "coordinates: mars", "coordinates must be"),
        ("code,name\n33,浙江省\n", "[]", "a mapping with"),
        ("code,name\n33,浙江省\n", "a: [", "map.yaml"),
        ("", None, "names no columns"),
    ],
)
def test_errors_are_one_clear_line(tmp_path: Path, text: str, map_text: str | None, says: str) -> None:
    options = [] if map_text is None else ["--map", str(write(tmp_path / "map.yaml", map_text))]
    result = run("regions", write(tmp_path / "r.csv", text), *options, code=1)
    assert says in result.output
    assert result.output.count("\n") == 1


def test_a_missing_file_and_an_unknown_kind(tmp_path: Path) -> None:
    assert "no such file" in run("regions", tmp_path / "none.csv", code=1).output
    assert "invalid" in run("dragons", tmp_path / "none.csv", code=2).output.lower()


def test_nothing_imported_is_an_error(tmp_path: Path) -> None:
    file = write(tmp_path / "r.csv", "code,name\n33021,短\n")
    assert "0 imported" in run("regions", file, code=1).output
