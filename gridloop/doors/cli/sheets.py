"""Reading tables that people keep: CSV in any usual encoding, Excel, GeoJSON; plain or packed. Pure, no database."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TextIO
from xml.parsers import expat

if TYPE_CHECKING:
    import pyarrow as pa

ENCODINGS = ("utf-8-sig", "gb18030")  # Excel in China saves CSV as GBK
_PROBE = 1 << 20
MOST_UNPACKED = 512 * 2**20  # bytes; the list of every village of the country has a tenth of it


class SheetFault(Exception):
    """A file that cannot be read, in one line a person can act on; ``said``: the same in one language, without the file's name."""

    def __init__(self, file: object, en: str, zh: str) -> None:
        super().__init__(f"{file}: {en} / {zh}")
        self.said = {"en": en, "zh": zh}


def unread(path: Path, kind: str, error: Exception) -> SheetFault:
    why = " ".join(str(error).split())[:200]
    return SheetFault(path.name, f"cannot be read as {kind}: {why}", f"无法按 {kind} 读取：{why}")


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its number as the person sees it (the header is row 1; in GeoJSON the first feature is 1) and its cells."""

    number: int
    cells: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Block:
    """Many plain rows of a CSV as columns of text; ``number`` is the first one's."""

    number: int
    cells: pa.Table

    def header(self) -> Line:
        """The first row, for its columns."""
        return Line(self.number, dict.fromkeys(self.cells.column_names, ""))

    def lines(self, which: Any) -> list[Line]:
        """The rows at these places, as ``read_sheet`` gives them; those without any cell left out."""
        import pyarrow as pa

        rows = self.cells.take(pa.array(which, pa.int64())).to_pylist()
        return [
            Line(self.number + int(at), {name: cell.strip() for name, cell in row.items()})
            for at, row in zip(which, rows, strict=True)
            if any(cell.strip() for cell in row.values())
        ]


def kind_of(path: Path) -> str:
    """``csv``, ``xlsx`` or ``geojson`` by the name, packing left aside."""
    name = path.name.lower()
    for packed in (".gz", ".xz"):
        name = name.removesuffix(packed)
    for kind, endings in (("csv", (".csv", ".tsv", ".txt")), ("xlsx", (".xlsx", ".xlsm")), ("geojson", (".geojson", ".json"))):
        if name.endswith(endings):
            return kind
    raise SheetFault(path.name, "only .csv, .tsv, .xlsx and .geojson (plain, .gz or .xz) can be read", "只支持 CSV、Excel 和 GeoJSON")


class _Unpacked(io.RawIOBase):
    """A packed file that is read no further than ``MOST_UNPACKED``: a few kilobytes may hold terabytes."""

    def __init__(self, packed: Any, name: str) -> None:
        self._packed, self._name, self._left = packed, name, MOST_UNPACKED

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = int(self._packed.readinto(buffer))
        self._left -= count
        if self._left < 0:
            raise _too_large(self._name)
        return count

    def close(self) -> None:
        self._packed.close()
        super().close()


def _too_large(name: str) -> SheetFault:
    most = MOST_UNPACKED // 2**20
    return SheetFault(name, f"larger than {most} MB when unpacked; split it", f"解压后超过 {most} MB，请拆分后再导入")


def open_packed(path: Path) -> Any:
    """The bytes of a file, unpacked where its name says so."""
    if path.suffix not in (".gz", ".xz"):
        return path.open("rb")
    packed: Any = gzip.open(path) if path.suffix == ".gz" else lzma.open(path)  # noqa: SIM115  # closed with the reader around it
    return io.BufferedReader(_Unpacked(packed, path.name))


def read_sheet(path: Path) -> Iterator[Line]:
    """Every row of the file; SheetFault when it cannot be read at all."""
    kind = kind_of(path)
    with _told(path, kind):
        if kind == "csv":
            yield from _csv(path)
        elif kind == "xlsx":
            yield from _xlsx(path)
        else:
            yield from _geojson(path)


@contextmanager
def _told(path: Path, kind: str) -> Iterator[None]:
    """Whatever goes wrong in reading is a SheetFault."""
    try:
        yield
    except (SheetFault, GeneratorExit):
        raise
    except FileNotFoundError:
        raise SheetFault(path, "no such file", "没有此文件") from None
    except (OSError, EOFError, lzma.LZMAError, ValueError, KeyError, csv.Error) as error:
        raise SheetFault(path.name, f"cannot be read as {kind}: {error}", f"无法按 {kind} 读取：{error}") from error
    except Exception as error:  # openpyxl raises whatever a broken archive makes it raise
        raise SheetFault(path.name, f"no sound {kind} file; save it again as such", f"不是完好的 {kind} 文件，请重新另存") from error


def _encoding(path: Path) -> str:
    with open_packed(path) as file:
        head = file.read(_PROBE)
    cut = head.rfind(b"\n") + 1 or len(head)  # a character may be cut in the middle at the end of the probe
    for encoding in ENCODINGS:
        try:
            head[:cut].decode(encoding)
            return encoding
        except UnicodeDecodeError:
            continue
    raise _no_text(path)


def _no_text(path: Path) -> SheetFault:
    return SheetFault(path.name, "neither UTF-8 nor GB18030 text", "编码不是 UTF-8 或 GB18030")


@contextmanager
def opened_text(path: Path) -> Iterator[TextIO]:
    """A small file to be read whole."""
    try:
        with path.open(encoding=_encoding(path), newline="") as file:
            yield file
    except UnicodeDecodeError as fault:  # behind what the encoding was guessed from
        raise _no_text(path) from fault


def read_blocks(path: Path, most: int) -> Iterator[Block | list[Line]]:
    """The rows of the file in file order, about so many at a time: as a block wherever a CSV is plain, else one by one."""
    if kind_of(path) == "csv":
        with _told(path, "csv"):
            yield from _csv_blocks(path, most)
        return
    lines = read_sheet(path)
    while some := list(islice(lines, most)):
        yield some


# a quoted cell from its beginning to its end; what else holds a quote is read cell by cell
_QUOTED = {d: re.compile(rf'(?:(?<=[{d}\n])|\A)"[^"]*(?:""[^"]*)*"(?=[{d}\r\n]|\Z)') for d in ",\t;"}
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")


def _csv_blocks(path: Path, most: int) -> Iterator[Block | list[Line]]:
    encoding, delimiter = _encoding(path), _delimiter(path)
    with io.TextIOWrapper(open_packed(path), encoding=encoding, newline="") as text:
        header = [name.strip() for name in next(csv.reader(text, delimiter=delimiter), [])]
        _check_header(path, header)
        number = 2
        while lines := list(islice(text, most)):
            quotes = "".join(lines).count('"')
            while quotes % 2 and len(lines) < 2 * most and (more := next(text, "")):  # the end is inside a cell of several lines
                lines.append(more)
                quotes += more.count('"')
            cells = _plain("".join(lines), header, delimiter)
            if cells is not None:
                yield Block(number, cells)
                number += cells.num_rows
                continue
            rows, some = csv.reader(chain(lines, text), delimiter=delimiter), []
            for row in rows:
                if any(cell.strip() for cell in row):
                    some.append(_line(number, header, row))
                number += 1
                if rows.line_num >= len(lines):
                    break
            yield some


def _plain(text: str, header: list[str], delimiter: str) -> pa.Table | None:
    """The columns of whole lines that every reader of CSV reads alike; None when there is any doubt."""
    lone = text.count("\r") != text.count("\r\n")
    if lone or "" in header or len(header) < 2 or text[0] in "\r\n" or "\n\n" in text or "\n\r" in text or _CONTROL.search(text):
        return None
    if '"' in text and '"' in _QUOTED[delimiter].sub("", text):
        return None
    import pyarrow as pa  # 38 MB: the web loads this module, and only who imports a table pays them
    import pyarrow.csv as pa_csv

    data = text.encode()
    try:
        return pa_csv.read_csv(
            pa.py_buffer(data),
            pa_csv.ReadOptions(column_names=header, use_threads=False, block_size=len(data) + 1),
            pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values='"' in text),
            pa_csv.ConvertOptions(column_types={name: pa.string() for name in header}, strings_can_be_null=False),
        ).combine_chunks()
    except pa.ArrowInvalid:  # a row with too few cells or too many
        return None


def _delimiter(path: Path) -> str:
    with io.TextIOWrapper(open_packed(path), encoding=_encoding(path), newline="") as text:
        return max(",\t;", key=text.readline(_PROBE).count)


def _line(number: int, header: list[str], row: list[str]) -> Line:
    """A short row has all columns: the others are empty."""
    return Line(number, dict(zip(header, (*(c.strip() for c in row), *[""] * (len(header) - len(row))), strict=False)))


def _csv(path: Path) -> Iterator[Line]:
    encoding, delimiter = _encoding(path), _delimiter(path)
    with io.TextIOWrapper(open_packed(path), encoding=encoding, newline="") as text:
        rows = csv.reader(text, delimiter=delimiter)
        header = [name.strip() for name in next(rows, [])]
        _check_header(path, header)
        for number, row in enumerate(rows, start=2):
            if any(cell.strip() for cell in row):
                yield _line(number, header, row)


class _Begun(Exception):
    """The first element: no declaration comes after it."""


def _declares(part: IO[bytes]) -> bool:
    """Whether an XML part has a document type: its entities may stand for a thousand million words, or for files of this machine."""
    found = []

    def declared(*_: object) -> None:
        found.append(True)
        raise _Begun

    def begun(*_: object) -> None:
        raise _Begun

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler, parser.StartElementHandler = declared, begun
    with suppress(_Begun, expat.ExpatError):  # a picture is no XML
        while block := part.read(4096):
            parser.Parse(block)
    return bool(found)


def _xlsx(path: Path) -> Iterator[Line]:
    with open_packed(path) as file:
        book = io.BytesIO(file.read())
        with zipfile.ZipFile(book) as parts:
            if sum(part.file_size for part in parts.infolist()) > MOST_UNPACKED:
                raise _too_large(path.name)
            for part in parts.infolist():
                with parts.open(part) as words:
                    if _declares(words):
                        raise SheetFault(path.name, "has a DOCTYPE, as no spreadsheet writes", "含有 DOCTYPE 声明，不是电子表格软件所存")
        import openpyxl  # a tenth of a second of every start of the web: only who reads a workbook pays it

        sheet = openpyxl.load_workbook(book, read_only=True, data_only=True).worksheets[0]
        sheet.reset_dimensions()  # a sheet of one cell may claim to reach the last corner: rows would be filled up to it
        rows = sheet.iter_rows(values_only=True)
        header = [str(name).strip() if name is not None else "" for name in next(rows, ())]
        _check_header(path, header)
        for number, row in enumerate(rows, start=2):
            if any(cell is not None for cell in row):
                whole = (*row, *[None] * (len(header) - len(row)))  # the library leaves out empty cells at the end
                yield Line(number, {name: cell for name, cell in zip(header, whole, strict=False) if name})


def _check_header(path: Path, header: list[str]) -> None:
    named = [name for name in header if name]
    if not named:
        raise SheetFault(path.name, "the first row names no columns", "第一行没有列名")
    twice = sorted({name for name in named if named.count(name) > 1})
    if twice:
        raise SheetFault(path.name, f"column given twice: {', '.join(twice)}", f"列名重复：{'、'.join(twice)}")


def _geojson(path: Path) -> Iterator[Line]:
    """Features as rows: the properties, and the geometry under ``geometry``."""
    with open_packed(path) as file:
        data = json.load(file)
    features = data.get("features") if isinstance(data, dict) else None
    if not isinstance(features, list):
        raise SheetFault(path.name, "not a GeoJSON FeatureCollection", "不是 GeoJSON 要素集合")
    for number, feature in enumerate(features, start=1):
        properties = feature.get("properties") if isinstance(feature, dict) else None
        cells = dict(properties) if isinstance(properties, dict) else {}
        if isinstance(feature, dict):
            cells.setdefault("id", feature.get("id"))
            cells["geometry"] = feature.get("geometry")
        yield Line(number, cells)
