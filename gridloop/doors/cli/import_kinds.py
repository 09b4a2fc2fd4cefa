"""What a table of each kind may hold: the fields, the column names people use for them, and how a row becomes a record."""

from __future__ import annotations

import dataclasses
import re
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import numpy as np
import shapely

from gridloop.cases.messages import HistoricCase
from gridloop.kernel import geo
from gridloop.kernel.errors import FieldFault
from gridloop.kernel.formulas import unquoted
from gridloop.orgs import messages as orgs
from gridloop.orgs.rules import significant
from gridloop.registry import messages as registry
from gridloop.registry.rules import citizen_id_birth, citizen_id_sex, clean_citizen_id, valid_citizen_id

ZONE = ZoneInfo("Asia/Shanghai")
_LIST = re.compile(r"[、,，;；|\s]+")
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%Y.%m.%d", "%Y年%m月%d日")
_PLACE = {"lon": ("经度", "longitude", "lng", "x"), "lat": ("纬度", "latitude", "y")}
_SEX = {"男": "M", "女": "F", "1": "M", "2": "F", "male": "M", "female": "F", "m": "M", "f": "F", "未知": "U"}
_DEVICE_KINDS = {
    "摄像头": "camera",
    "摄像机": "camera",
    "监控": "camera",
    "烟感": "smoke",
    "烟雾探测器": "smoke",
    "门磁": "door",
    "红外": "motion",
    "人体感应": "motion",
    "水表": "water_meter",
    "电表": "electricity_meter",
    "燃气表": "gas_meter",
    "热成像": "thermal",
    "水位计": "water_level",
    "雨量计": "rain",
    "喇叭": "loudspeaker",
    "音柱": "loudspeaker",
    "定位器": "gps",
}
_PRESENCE = {"常驻": "resident", "轮驻": "rotating", "随驻": "on_call", "随叫随驻": "on_call"}


class BadCell(Exception):
    """A cell that is not what its field needs."""

    def __init__(self, fault: FieldFault) -> None:
        super().__init__(fault.key)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of table: the record it makes, column names beside the fields' own, words to translate, a last touch."""

    record: type
    room: str  # orgs | registry
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    finish: Callable[[dict[str, Any]], dict[str, Any]] | None = None


def _finish_person(values: dict[str, Any]) -> dict[str, Any]:
    """Birth and sex stand in a valid citizen id."""
    number = clean_citizen_id(values.get("citizen_id_no", ""))
    if valid_citizen_id(number):
        values.setdefault("birth", citizen_id_birth(number))
        values.setdefault("sex", citizen_id_sex(number))
    return values


_CODE = ("编号", "编码", "代码")
_REGION = ("区划代码", "行政区划代码", "网格编码", "所属网格编码", "region")
_PHONE = ("电话", "联系电话", "手机", "手机号", "手机号码", "联系方式")
_ADDRESS = ("地址", "详细地址", "注册地址", "住所")
KINDS: dict[str, Kind] = {
    "cases": Kind(
        HistoricCase,
        "cases",
        {
            "code": (*_CODE, "事件编号", "案件编号", "案件号"),
            "type": ("类型", "事件类型", "案件类型", "类型代码"),
            "region_code": _REGION,
            "reported_at": ("上报时间", "受理时间", "登记时间"),
            "status": ("状态", "办理状态"),
            "closed_at": ("办结时间", "结案时间"),
            "title": ("标题", "事件标题"),
            "severity": ("等级", "紧急程度"),
            "address": (*_ADDRESS, "事发地址"),
            "text": ("内容", "问题描述", "诉求内容", "描述"),
            "source": ("来源", "事件来源"),
            "unit": ("主办单位", "主办单位编码", "承办单位编码"),
            **_PLACE,
        },
        {
            "status": {
                "办结": "closed",
                "已办结": "closed",
                "结案": "closed",
                "已结案": "closed",
                "作废": "voided",
                "不予受理": "rejected",
            },
            "source": {"热线": "hotline", "群众": "citizen", "网格员": "grid_worker", "部门": "department", "巡查": "patrol"},
        },
    ),
    "regions": Kind(
        orgs.RegionRow,
        "orgs",
        {
            "code": (*_CODE, "区划代码", "行政区划代码", "adcode", "网格编码"),
            "name": ("名称", "区划名称", "网格名称"),
            "level": ("级别", "层级"),
            "parent_code": ("上级代码", "上级编码", "上级", "上级区划"),
            "households": ("户数",),
            "population": ("人口", "人口数"),
            "pinyin": ("拼音",),
            **_PLACE,
        },
    ),
    "units": Kind(
        orgs.UnitRow,
        "orgs",
        {
            "code": (*_CODE, "单位编码"),
            "name": ("名称", "单位名称", "单位"),
            "kind": ("类型", "单位类型"),
            "region_code": _REGION,
            "department": ("部门", "主管部门"),
            "parent": ("上级单位", "上级编码"),
            "presence": ("驻场方式", "进驻方式"),
            "phone": _PHONE,
        },
        {"presence": _PRESENCE},
    ),
    "staff": Kind(
        orgs.StaffRow,
        "orgs",
        {
            "code": (*_CODE, "工号"),
            "name": ("姓名",),
            "unit": ("单位编码", "单位编号", "所属单位"),
            "phone": _PHONE,
            "employment": ("用工性质",),
            "skills": ("技能", "特长"),
            **_PLACE,
        },
    ),
    "buildings": Kind(
        registry.BuildingRow,
        "registry",
        {
            "code": (*_CODE, "楼栋编码"),
            "region_code": _REGION,
            "name": ("名称", "楼栋名称"),
            "address": _ADDRESS,
            "floors": ("层数", "楼层数"),
            **_PLACE,
        },
    ),
    "houses": Kind(
        registry.HouseRow,
        "registry",
        {
            "code": (*_CODE, "房屋编码"),
            "building": ("楼栋编码", "所属楼栋"),
            "room": ("房号", "室号"),
            "floor": ("楼层",),
            "kind": ("类型", "房屋类型", "用途"),
            "region_code": _REGION,
        },
        {"kind": {"自住": "home", "出租": "rented", "商铺": "shop", "办公": "office", "空置": "vacant"}},
    ),
    "households": Kind(
        registry.HouseholdRow,
        "registry",
        {"code": (*_CODE, "户编号", "户号"), "house": ("房屋编码",), "region_code": _REGION, "doorplate": ("门牌", "门牌号", "门牌编码")},
    ),
    "people": Kind(
        registry.PersonRow,
        "registry",
        {
            "code": (*_CODE, "人员编号"),
            "name": ("姓名",),
            "household": ("户编号", "户号"),
            "region_code": _REGION,
            "sex": ("性别",),
            "birth": ("出生日期", "生日"),
            "citizen_id_no": ("公民身份号码", "身份证号", "身份证号码", "证件号码"),
            "phone": _PHONE,
            "tags": ("标签", "人员类别"),
        },
        {"sex": _SEX},
        _finish_person,
    ),
    "enterprises": Kind(
        registry.EnterpriseRow,
        "registry",
        {
            "uscc": ("统一社会信用代码", "信用代码"),
            "name": ("企业名称", "名称", "单位名称"),
            "region_code": _REGION,
            "address": _ADDRESS,
            "industry": ("行业", "所属行业"),
            "employees": ("从业人数", "员工数"),
            "contact_name": ("联系人", "负责人"),
            "contact_phone": _PHONE,
            "building": ("楼栋编码",),
            **_PLACE,
        },
    ),
    "vehicles": Kind(
        registry.VehicleRow,
        "registry",
        {"plate": ("车牌", "车牌号", "号牌号码"), "region_code": _REGION, "kind": ("类型", "车辆类型"), "person": ("车主编号",)},
    ),
    "places": Kind(
        registry.PlaceRow,
        "registry",
        {
            "code": _CODE,
            "name": ("名称", "场所名称"),
            "kind": ("类型", "场所类型"),
            "region_code": _REGION,
            "address": _ADDRESS,
            "tags": ("标签",),
            **_PLACE,
        },
    ),
    "devices": Kind(
        registry.DeviceRow,
        "registry",
        {
            "code": (*_CODE, "设备编号", "设备编码"),
            "kind": ("类型", "设备类型", "类别", "设备类别"),
            "name": ("名称", "设备名称"),
            "region_code": _REGION,
            "owner_unit": ("所属单位", "单位编码"),
            "place": ("场所编码",),
            "building": ("楼栋编码",),
            "household": ("户编号",),
            "coverage": ("覆盖半径", "覆盖半径（米）"),
            "interval_seconds": ("上报间隔", "间隔秒", "上报间隔（秒）"),
            **_PLACE,
        },
        {"kind": _DEVICE_KINDS},
    ),
}


@cache
def fields_of(record: type) -> dict[str, Any]:
    """The record's fields and the plain type each holds (``float | None`` → float)."""
    hints = get_type_hints(record)
    return {f.name: _plain(hints[f.name]) for f in dataclasses.fields(record)}


def required_of(record: type) -> list[str]:
    return [f.name for f in dataclasses.fields(record) if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]


def _plain(hint: Any) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        return _plain(next(a for a in get_args(hint) if a is not type(None)))
    return get_origin(hint) or hint


def columns_for(kind: Kind, header: list[str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Field → column: what the map file says, else the field's own name or one that people use, whatever the case."""
    by_name = {name.strip().lower(): name for name in header}
    found: dict[str, str] = {}
    for name in fields_of(kind.record):
        if name in wanted:
            found[name] = wanted[name]
            continue
        for candidate in (name, *kind.names.get(name, ())):
            if candidate.lower() in by_name:
                found[name] = by_name[candidate.lower()]
                break
    return found


def text_of(cell: Any) -> str:
    """A cell as text: a number that Excel made of a code loses its ``.0``, a text the quote that our own files put before it."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return unquoted(str(cell).replace("\x00", "").strip())


def value_of(name: str, kind: Any, cell: Any) -> Any:
    """A cell as the field's type; None when it is empty. BadCell says what was wanted."""
    text = text_of(cell)
    if not text:
        return None
    if kind is str:
        return text
    if kind is tuple:
        return tuple(part for part in _LIST.split(text) if part)
    if kind is datetime:
        return _time(name, cell, text)
    if kind is date:
        return _date(name, cell, text)
    try:
        number = float(text.replace(",", ""))
        if not np.isfinite(number):
            raise ValueError
        if kind is int:
            if not number.is_integer() or abs(number) > 2**31 - 1:
                raise ValueError
            return int(number)
    except ValueError:
        raise BadCell(FieldFault(f"/{name}", "doors.import_number", {"field": name, "value": text[:40]})) from None
    return number


def _date(name: str, cell: Any, text: str) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    if isinstance(cell, date):
        return cell
    for form in _DATES:
        try:
            return datetime.strptime(text[:11], form).date()  # noqa: DTZ007  # a day has no zone
        except ValueError:
            continue
    raise BadCell(FieldFault(f"/{name}", "doors.import_date", {"field": name, "value": text[:40]}))


def _time(name: str, cell: Any, text: str) -> datetime:
    try:
        at = cell if isinstance(cell, datetime) else datetime.fromisoformat(text)
    except ValueError:
        raise BadCell(FieldFault(f"/{name}", "doors.import_date", {"field": name, "value": text[:40]})) from None
    return at if at.tzinfo else at.replace(tzinfo=ZONE)


# --- places ----------------------------------------------------------------------------------------------------------------


def point_and_outline(geometry: Any, gcj02: bool) -> dict[str, Any]:
    """What a GeoJSON geometry says: a point gives lon and lat, an area its outline and a label point."""
    if not geometry:
        return {}
    if isinstance(geometry, dict) and geometry.get("type") == "Point":
        try:
            lon, lat = (float(c) for c in geometry["coordinates"][:2])
        except (KeyError, TypeError, ValueError):
            raise BadCell(FieldFault("/geometry", "doors.import_geometry", {"what": "Point"})) from None
        return dict(zip(("lon", "lat"), to_wgs84(lon, lat, gcj02), strict=True))
    try:
        area = geo.geojson_to_area(geometry)
    except ValueError as error:
        raise BadCell(FieldFault("/geometry", "doors.import_geometry", {"what": str(error)})) from None
    if gcj02:
        area = shapely.transform(area, lambda points: np.array([geo.gcj02_to_wgs84(x, y) for x, y in points]))
    lon, lat = geo.inner_point(area)
    return {"lon": lon, "lat": lat, "boundary": geo.to_wkb(area), "footprint": geo.to_wkb(area)}


def to_wgs84(lon: float, lat: float, gcj02: bool) -> tuple[float, float]:
    return geo.gcj02_to_wgs84(lon, lat) if gcj02 else (lon, lat)


def region_code_and_level(code: str, level: str, levels: Mapping[str, int], words: Mapping[str, str]) -> tuple[str, str]:
    """The code at its level's length, and the level by its code, rank or name; without one the digits tell."""
    known = words.get(level.lower(), level)
    if known in levels and len(code) == levels[known]:
        return code, known
    short = significant(code)
    if not level:
        by_digits = {digits: name for name, digits in levels.items()}
        known = by_digits.get(len(short), "")
        if not known:
            raise BadCell(FieldFault("/code", "doors.import_code_length", {"code": code[:40], "digits": len(short)}))
    return short, known
