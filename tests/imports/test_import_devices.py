"""Many devices by a table over HTTP: checked first, kept as the one who sends them, what does not fit told row by row."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import Workbook

from gridloop.access.actions import create_user, grant_role, issue_token
from gridloop.journal.actions import scoped
from gridloop.journal.models import Fact
from gridloop.journal.selectors import verify
from gridloop.kernel.viewer import SYSTEM
from gridloop.orgs.tests import cast as county
from gridloop.registry.models import Device
from gridloop.registry.tests import cast

pytestmark = pytest.mark.django_db
HERE = f"{county.WEST + 0.001},{county.SOUTH + 0.001}"
HEADER = "设备编码,类型,名称,经度,纬度,所属单位,场所编码,覆盖半径,上报间隔"
Send = Callable[..., Any]


@pytest.fixture
def send() -> Send:
    cast.settle()
    clients = {}
    for lang in ("zh", "en"):
        account = create_user(SYSTEM, f"keeper-{lang}", "设备管理员", lang=lang)
        grant_role(SYSTEM, account, "admin", region=county.GRID)
        clients[lang] = Client(headers={"Authorization": f"Bearer {issue_token(SYSTEM, account, name='test')}"})

    def post(content: bytes | str, expect: int = 200, *, name: str = "设备.csv", lang: str = "zh", **form: str) -> Any:
        data = content.encode() if isinstance(content, str) else content
        answer = clients[lang].post("/api/v1/devices/import", {"file": SimpleUploadedFile(name, data), **form})
        assert answer.status_code == expect, answer.content.decode()
        return answer.json()

    post.client = clients["zh"]  # type: ignore[attr-defined]
    return post


def codes() -> set[str]:
    with scoped(SYSTEM):
        return set(Device.objects.values_list("code", flat=True))


def test_a_table_is_kept_and_a_dry_run_is_not(send: Send) -> None:
    table = f"{HEADER}\ncam-1,摄像头,东门路口,{HERE},town,K1,80,300\nsmoke-9,烟感,,{HERE},,,,\n"
    told = send(table, dry_run="true")
    assert (told["rows"], told["kept"], told["refused"]) == (2, 2, 0)
    assert codes() == {"smoke-1", "level-1"}
    assert send(table)["kept"] == 2
    with scoped(SYSTEM):
        one, two = Device.objects.select_related("place").filter(code__in=("cam-1", "smoke-9")).order_by("code")
        assert (one.kind, one.name, one.coverage, one.interval_seconds, one.region_code) == ("camera", "东门路口", 80, 300, county.MICRO)
        assert one.place is not None
        assert (one.place.code, one.status, two.kind, two.interval_seconds) == ("K1", "unproved", "smoke", 3600)
    assert send(f"{HEADER}\ncam-1,摄像头,改了名,{HERE},,,,\n")["kept"] == 1
    with scoped(SYSTEM):
        assert Device.objects.get(code="cam-1").name == "改了名"
        assert Device.objects.get(code="cam-1").coverage == 80, "an empty cell changes nothing"


def test_devices_of_a_table_tell_the_trace_what_those_put_in_by_hand_do(send: Send) -> None:
    def told() -> list[tuple[str, str]]:
        with scoped(SYSTEM):
            return sorted(Fact.objects.filter(action__in=("device_added", "device_changed")).values_list("chain", "action"))

    before = told()
    table = f"{HEADER}\ncam-1,摄像头,东门路口,{HERE},town,K1,80,300\nsmoke-9,烟感,张三家,{HERE},,,,\n"
    send(table, dry_run="true")
    assert told() == before
    send(table)
    assert [one for one in told() if one not in before] == [("device:cam-1", "device_added"), ("device:smoke-9", "device_added")]
    with scoped(SYSTEM):
        fact = Fact.objects.get(chain="device:cam-1")
        unit = Device.objects.get(code="cam-1").owner_unit_id
        assert fact.data == {"device": "cam-1", "kind": "camera", "region": county.MICRO, "unit": unit, "interval": 300}
        assert "张三" not in str(Fact.objects.get(chain="device:smoke-9").data)
    send(table)
    send(f"{HEADER}\ncam-1,摄像头,改了名,{HERE},,,,\nsmoke-9,烟感,张三家,{HERE},,,,\n")
    assert [one for one in told() if one[1] == "device_changed"] == [("device:cam-1", "device_changed")], "what is as it was is no change"
    assert verify(SYSTEM)[1] is None


def test_a_text_that_is_too_long_takes_its_own_row_alone_away(send: Send) -> None:
    told = send(f"编号,类别,名称,经度,纬度\nlong-1,摄像头,{'长' * 5000},{HERE}\ngood-1,摄像头,<script>😀,{HERE}\n")
    assert [(r["row"], r["reason"]) for r in told["rows_refused"]] == [(2, "“名称”超过 128 字")]
    assert codes() == {"smoke-1", "level-1", "good-1"}


def test_what_a_device_says_itself_is_not_taken_from_a_table(send: Send) -> None:
    table = f"code,kind,lon,lat,status,last_seen,last_value\ncam-1,camera,{HERE},online,2099-01-01T00:00:00+08:00,7\n"
    assert send(table)["kept"] == 1
    with scoped(SYSTEM):
        one = Device.objects.get(code="cam-1")
    assert (one.status, one.last_seen, one.last_value) == ("unproved", None, None), "else it would never be silent"


def test_rows_that_do_not_fit_are_told_one_by_one_and_the_others_kept(send: Send) -> None:
    outside = f"{county.WEST + 0.022},{county.SOUTH + 0.002}"
    table = (
        f"{HEADER}\ngood-1,smoke,,{HERE},,,,\nfar-1,smoke,,0,0,,,,\nforeign-1,smoke,,{outside},,,,\nlevel-1,rain,,{HERE},,,,\n"
        f"kind-1,Ünknown!,,{HERE},,,,\nplace-1,smoke,,{HERE},,K99,,\ngood-1,smoke,,{HERE},,,,\nnum-1,smoke,,{HERE},,,weit,\n,smoke,,{HERE},,,,\n"
    )
    told = send(table)
    assert (told["rows"], told["kept"], told["refused"]) == (9, 1, 8)
    assert codes() == {"smoke-1", "level-1", "good-1"}
    by_row = {r["row"]: r["reason"] for r in told["rows_refused"]}
    assert by_row[4] == "这个位置不归您管理"
    assert by_row[5] == "编号“level-1”已被别处的设备使用"
    assert by_row[7] == "“场所编码”所指的“K99”不存在"
    assert list(by_row) == [3, 4, 5, 6, 7, 8, 9, 10]
    assert next(r for r in told["rows_refused"] if r["row"] == 4)["values"]["设备编码"] == "foreign-1"
    english = send(table, lang="en", dry_run="true")
    assert {r["reason"] for r in english["rows_refused"] if r["row"] == 4} == {"This place is not yours to manage"}


def test_a_region_of_ones_own_does_not_bring_a_device_into_another_s(send: Send) -> None:
    outside = f"{county.WEST + 0.022},{county.SOUTH + 0.002}"
    told = send(f"code,kind,lon,lat,region\nin-1,smoke,{HERE},{county.GRID}\nout-1,smoke,{outside},{county.GRID}\n")
    assert (told["kept"], [r["reason"] for r in told["rows_refused"]]) == (1, ["这个位置不归您管理"])
    assert "out-1" not in codes()


def test_excel_is_read_too(send: Send) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(HEADER.split(","))
    sheet.append(["cam-2", "摄像头", "西街", county.WEST + 0.001, county.SOUTH + 0.001, "town", None, 60, 300])
    out = io.BytesIO()
    book.save(out)
    assert send(out.getvalue(), name="设备.XLSX")["kept"] == 1
    assert "cam-2" in codes()


def test_what_is_no_table_is_said_so(send: Send) -> None:
    assert send("x", 422, name="x.pdf")["errors"][0]["pointer"] == "/file"
    assert (
        "表格读不出来：缺少列：code (编号、编码、代码); kind (类型、设备类型、类别)；表格里有：甲, 乙"
        in send("甲,乙\n1,2\n", 422)["detail"]
    )
    told = send("甲,乙\n1,2\n", 422, lang="en")["detail"]
    assert "no column for code" in told
    assert "缺少列" not in told, "one language at a time"
    assert send(b"PK\x03\x04 no zip", 422, name="a.xlsx")["type"].endswith("doors.table_bad")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as bomb:
        for n in range(6):
            bomb.writestr(f"xl/worksheets/sheet{n}.xml", bytes(100_000_000))
    assert send(packed.getvalue(), 422, name="bomb.xlsx")["type"].endswith("doors.table_bad")
    assert send("", 422)["status"] == 422
    assert codes() == {"smoke-1", "level-1"}


def test_the_template_is_a_table_that_is_taken(send: Send) -> None:
    answer = send.client.get("/api/v1/devices/import/template")  # type: ignore[attr-defined]
    assert answer.status_code == 200
    assert "attachment" in answer["Content-Disposition"]
    told = send(answer.content, dry_run="true")
    assert (told["rows"], told["kept"]) == (1, 0), "the example stands nowhere yet"
    assert told["rows_refused"][0]["values"]["设备编码"] == "camera-0001"
