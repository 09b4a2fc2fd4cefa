"""Every parser of bytes from outside, with what it may answer besides a value and where to begin from. One table.

A target gets any bytes; whatever it raises that is not a named refusal is a crash.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from uuid import UUID

import openpyxl
import orjson
from ninja.errors import ValidationError

from gridloop.cases.api import _bbox, _validated
from gridloop.cases.schemas import ActIn, ReportIn
from gridloop.cases.selectors import _moment, read_cursor
from gridloop.doors.cli.import_kinds import KINDS, BadCell, fields_of, point_and_outline, region_code_and_level, value_of
from gridloop.doors.cli.sheets import SheetFault, read_sheet
from gridloop.doors.ingest import body as bodies
from gridloop.doors.ingest.app import language
from gridloop.doors.ingest.auth import _basic
from gridloop.doors.ingest.callout import subject_of
from gridloop.doors.ingest.mqtt import MqttDoor
from gridloop.evidence.rules import check
from gridloop.flow.diagram import Reader
from gridloop.flow.rules import ProcessFault
from gridloop.kernel.bodies import read_json, refuse_nul
from gridloop.kernel.durations import parse_duration
from gridloop.kernel.errors import Fault
from gridloop.kernel.expressions import Expression, ExpressionFault
from gridloop.kernel.geo import gcj02_to_wgs84
from gridloop.kernel.hanzi import clean
from gridloop.registry.addresses import parse as parse_address
from gridloop.registry.rules import clean_citizen_id, clean_plate, valid_citizen_id, valid_organisation_code, valid_plate, valid_uscc
from gridloop.scenes.loading import Known, check_detect
from gridloop.scenes.strict_yaml import read as read_yaml
from gridloop.sdk.signals import pack, unpack
from gridloop.signals.rules import ItemFault, parse_item
from gridloop.simulation.replay.mapping import count_rows, load_mapping, read_records

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data"
NOW = datetime(2026, 5, 1, 8, tzinfo=UTC)
ITEM = b'{"id": "1", "source": "meters", "device": "d1", "kind": "rain", "at": "2026-05-01T07:59:00Z", "value": 3, "place": {"lon": 120.5, "lat": 30.1}, "data": {"a": [1, "\xe9\x9b\xa8"]}}'  # noqa: E501


@dataclass(frozen=True)
class Target:
    run: Callable[[bytes], object]
    seeds: Callable[[], list[bytes]]
    refusals: tuple[type[Exception], ...] = (Fault,)


def text_of(data: bytes) -> str:
    return data.decode("utf-8", "replace")


# ---- signals ---------------------------------------------------------------------------------------------------------


def _items(found: list[object]) -> None:
    """What is taken can be stored and read again; what is not, is refused alone."""
    for raw in found:
        if isinstance(raw, ItemFault):
            continue
        try:
            signal = parse_item(raw, NOW)
        except ItemFault:
            continue
        assert unpack(pack([signal])) == (signal,)


def signals_json(data: bytes) -> None:
    _items(bodies.items(data, ndjson=False))


def signals_lines(data: bytes) -> None:
    _items(bodies.items(data, ndjson=True))


def signals_gzip(data: bytes) -> None:
    _items(bodies.items(bodies.unpack(data, "gzip"), ndjson=False))


@cache
def _door() -> MqttDoor:
    return MqttDoor("nats://gridloop:fuzz@127.0.0.1:1", None, None)  # type: ignore[arg-type]  # it reads only


def mqtt(data: bytes) -> None:
    topic, _, payload = data.partition(b"\n")
    device, _, kind = text_of(topic).replace(".", "//").partition("/")
    _door()._signals(f"gridloop.v1.{device}.{kind.replace('/', '') or 'rain'}", payload, None)


def log_ins(data: bytes) -> None:
    language(data.decode("latin-1"))
    subject_of(text_of(data))
    _basic(data.decode("latin-1"))


# ---- people's words and numbers --------------------------------------------------------------------------------------


def addresses(data: bytes) -> None:
    text = text_of(data)
    parse_address(text)
    parse_address(clean(text))


def identifiers(data: bytes) -> None:
    text = text_of(data)
    valid_plate(clean_plate(text))
    valid_citizen_id(clean_citizen_id(text))
    valid_uscc(text)
    valid_organisation_code(text)


def durations(data: bytes) -> None:
    parse_duration(text_of(data))


def queries(data: bytes) -> None:
    words = text_of(data)
    for read in (
        lambda d, i: (datetime.fromisoformat(d), int(i)),
        lambda s, d, i: (int(s), _moment(d), int(i)),
        lambda d, i: (_moment(d), UUID(i)),
    ):
        with contextlib.suppress(Fault):
            read_cursor(words, read)
    _bbox(words)


def request_bodies(data: bytes) -> None:
    value = read_json(data)
    refuse_nul(value)
    if isinstance(value, dict):
        for schema in (ReportIn, ActIn):
            with contextlib.suppress(ValidationError):
                _validated(lambda shape=schema: shape.model_validate(value))  # type: ignore[misc]


def conditions(data: bytes) -> None:
    made = Expression(text_of(data))
    made.value({"a": 1, "b": ["x"], "c": {"d": None}})


def coordinates(data: bytes) -> None:
    if len(data) >= 16:
        lon, lat = struct.unpack("<dd", data[:16])
        if abs(lon) <= 180 and abs(lat) <= 90:
            moved = gcj02_to_wgs84(lon, lat)
            assert math.isfinite(moved[0])
            assert math.isfinite(moved[1])


# ---- files -----------------------------------------------------------------------------------------------------------


@cache
def _folder() -> Path:
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="gl-fuzz-", dir=memory if memory.is_dir() else None))


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


LEVELS = {"county": 6, "town": 9}


def _sheet(name: str, data: bytes) -> None:
    for line in read_sheet(_file(name, data)):
        cells = list(line.cells.values())
        for kind in ("people", "devices"):
            for (field, wanted), cell in zip(fields_of(KINDS[kind].record).items(), cells, strict=False):
                try:
                    value_of(field, wanted, cell)
                except BadCell:
                    continue
        try:
            point_and_outline(line.cells.get("geometry"), gcj02=True)
            region_code_and_level(str(line.cells.get("code", "")), "", LEVELS, {})
        except BadCell:
            continue


def import_csv(data: bytes) -> None:
    _sheet("t.csv", data)


def import_excel(data: bytes) -> None:
    _sheet("t.xlsx", data)


def import_geojson(data: bytes) -> None:
    _sheet("t.geojson", data)


def replay_rows(data: bytes) -> None:
    path = _file("r.csv", data)
    count_rows(path)  # as the command does, before anything is sent
    for _ in read_records(path, load_mapping("tainan_1999")):
        pass


def pictures(data: bytes) -> None:
    checked = check(data)
    assert checked.view is None or b"Exif" not in checked.view[:64]


def pack_files(data: bytes) -> None:
    read_yaml(text_of(data), "pack.yaml")


@cache
def _known() -> Known:
    return Known.of()


def detectors(data: bytes) -> None:
    document = read_yaml(text_of(data), "detect.yaml")
    check_detect(document, _known())
    for wrong in document.wrongs:
        assert wrong.said("zh") != wrong.said("en")


def diagrams(data: bytes) -> None:
    Reader(data, "small.bpmn").read()


# ---- where to begin --------------------------------------------------------------------------------------------------


def _lines(*texts: str) -> Callable[[], list[bytes]]:
    return lambda: [text.encode() for text in texts]


def _files(*patterns: str) -> Callable[[], list[bytes]]:
    """The beginnings of files of the checkout."""
    return lambda: [path.read_bytes()[:20_000] for pattern in patterns for path in sorted(ROOT.glob(pattern))[:8]]


def _pictures() -> list[bytes]:
    from gridloop.evidence.tests.pictures import picture, with_gps

    small = [picture(kind, (24, 16)) for kind in ("JPEG", "PNG", "WEBP", "GIF", "AVIF")]
    return [*small, with_gps(121.5, 29.2), b"%PDF-1.7\n%%EOF"]


def _diagrams() -> list[bytes]:
    from gridloop.flow.tests.diagrams import TASK, line

    ask = f'<bpmn:userTask id="ask" name="问" {TASK} />'
    timer = '<bpmn:timerEventDefinition><bpmn:timeDuration>"4wh"</bpmn:timeDuration></bpmn:timerEventDefinition>'
    wait = f'<bpmn:intermediateCatchEvent id="wait">{timer}</bpmn:intermediateCatchEvent>'
    return [line(ask), line(ask, wait), line('<bpmn:serviceTask id="tell" gridloop:operation="notify" />')]


def _excel() -> list[bytes]:
    book, out = openpyxl.Workbook(), io.BytesIO()
    assert book.active is not None
    book.active.append(["编号", "名称", "出生日期"])
    book.active.append([990101.0, "=1+1", datetime(1950, 3, 7)])  # noqa: DTZ001
    book.save(out)
    return [out.getvalue()]


def _geojson() -> list[bytes]:
    square = [[[121, 29], [121.1, 29], [121.1, 29.1], [121, 29]]]
    shapes = [{"type": "Point", "coordinates": [121, 29]}, {"type": "Polygon", "coordinates": square}]
    features = [{"type": "Feature", "id": n, "properties": {"code": "990101"}, "geometry": shape} for n, shape in enumerate(shapes)]
    return [orjson.dumps({"type": "FeatureCollection", "features": features})]


_ITEMS = [ITEM, b"[" + ITEM + b"," + ITEM + b"]", ITEM + b"\n" + ITEM, b"3.5", b'{"value": true}']
_CURSOR = "MjAyNi0wNS0wMVQwODowMDowMCswMDowMHw3"

TARGETS: dict[str, Target] = {
    "signals_json": Target(signals_json, lambda: _ITEMS),
    "signals_lines": Target(signals_lines, lambda: _ITEMS),
    "signals_gzip": Target(signals_gzip, lambda: [gzip.compress(item, mtime=0) for item in _ITEMS]),
    "mqtt": Target(mqtt, lambda: [b"cam-1/rain\n" + item for item in _ITEMS]),
    "log_ins": Target(log_ins, _lines("en-GB,en;q=0.9", "Y2FtLTE6c2VjcmV0", "cam-1.x*")),
    "addresses": Target(addresses, _lines("滨河路27号", "鄞州区下应街道河东巷5弄12号", "中山東路二段一百二十三號", "东门路与兴华路口")),
    "identifiers": Target(identifiers, _lines("浙B12345", "浙AD12345", "11010519491231002X", "91330200MA2XXXXX0K", "D2143569-X")),
    "durations": Target(durations, _lines("4wh", "7d", "30min", "2wd")),
    "queries": Target(queries, _lines(_CURSOR, "1,2,3,4", "121.1,29.0,121.9,29.5", "nan,inf,-inf,1e999")),
    "request_bodies": Target(
        request_bodies, _lines('{"text": "灯", "place": {"lon": 121, "lat": 29}, "evidence": ["x"]}', '{"note": "a\\u0000"}')
    ),
    "conditions": Target(
        conditions, _lines("a > 1 && b.exists(x, x == 'y')", "has(c.d) ? 1 : size(b)", "duration('3s')"), (Fault, ExpressionFault)
    ),
    "coordinates": Target(coordinates, lambda: [struct.pack("<dd", 121.5, 29.2), struct.pack("<dd", -0.0, 90.0)]),
    "import_csv": Target(import_csv, _files("tests/data/import/*.csv", "tests/data/merge_pairs.csv"), (SheetFault,)),
    "import_excel": Target(import_excel, _excel, (SheetFault,)),
    "import_geojson": Target(import_geojson, _geojson, (SheetFault,)),
    "replay_rows": Target(replay_rows, _files("tests/data/tainan_extract.csv")),
    "pictures": Target(pictures, _pictures),
    "detectors": Target(detectors, _files("packs/*/detect.yaml", "packs/*/pack.yaml")),
    "pack_files": Target(pack_files, _files("packs/*/pack.yaml", "packs/*/detect.yaml", "packs/*/limits.yaml")),
    "diagrams": Target(diagrams, _diagrams, (ProcessFault,)),
}


def run(name: str, data: bytes) -> None:
    """One input to one target; returns when it was taken or refused by name."""
    target = TARGETS[name]
    try:
        target.run(data)
    except target.refusals:
        return
