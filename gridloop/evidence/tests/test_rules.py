"""What a file really is: known formats pass, everything else is refused kindly, hostile bytes never crash."""

from __future__ import annotations

import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gridloop.evidence import rules
from gridloop.evidence.tests.pictures import picture, with_gps
from gridloop.kernel.errors import Fault, Invalid, TooMuch

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF\n"


@pytest.mark.parametrize(
    ("content", "mime"),
    [
        (picture("JPEG"), "image/jpeg"),
        (picture("PNG"), "image/png"),
        (picture("PNG", mode="RGBA"), "image/png"),
        (picture("PNG", mode="1"), "image/png"),
        (picture("PNG", mode="I;16"), "image/png"),
        (picture("WEBP"), "image/webp"),
        (picture("GIF", mode="P"), "image/gif"),
        (picture("AVIF"), "image/avif"),
        (picture("JPEG", mode="CMYK"), "image/jpeg"),
    ],
)
def test_pictures_pass_and_become_clean_jpegs(content: bytes, mime: str) -> None:
    checked = rules.check(content)
    assert (checked.mime, checked.width, checked.height) == (mime, 640, 480)
    for copy in (checked.view, checked.thumb):
        assert copy is not None
        with Image.open(io.BytesIO(copy)) as shown:
            assert shown.format == "JPEG"
            assert not shown.getexif()


def test_a_document_passes_without_copies() -> None:
    checked = rules.check(PDF)
    assert (checked.mime, checked.view) == ("application/pdf", None)


def test_camera_data_stays_inside() -> None:
    content = with_gps(120.5, 30.25, orientation=6)
    assert b"SecretPhoneMaker" in content
    checked = rules.check(content)
    assert (checked.taken_lon, checked.taken_lat, checked.taken_at) == (120.5, 30.25, "2026:05:01 08:30:00")
    assert checked.view is not None
    assert b"SecretPhoneMaker" not in checked.view
    with Image.open(io.BytesIO(checked.view)) as shown:
        assert shown.size == (32, 64), "turned upright"
        assert not shown.getexif()


def test_southern_and_western_places_keep_their_sign() -> None:
    checked = rules.check(with_gps(-70.5, -33.25))
    assert (checked.taken_lon, checked.taken_lat) == (-70.5, -33.25)


def test_a_large_phone_picture_is_reduced() -> None:
    checked = rules.check(picture(size=(6000, 4000)))
    assert checked.view is not None
    assert checked.thumb is not None
    with Image.open(io.BytesIO(checked.view)) as shown:
        assert max(shown.size) == rules.VIEW_SIDE
    with Image.open(io.BytesIO(checked.thumb)) as shown:
        assert max(shown.size) == rules.THUMB_SIDE


def _png(width: int, height: int, rows: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (b"", "evidence.empty"),
        (b"hello", "evidence.not_a_picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "evidence.not_a_picture"),
        (b"<!doctype html><script>alert(1)</script>", "evidence.not_a_picture"),
        (b"MZ\x90\x00" + bytes(200), "evidence.not_a_picture"),
        (b"PK\x03\x04" + bytes(200), "evidence.not_a_picture"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(200), "evidence.not_a_picture"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(200), "evidence.heic"),
        (b"\xff\xd8\xff\xe0" + bytes(2000), "evidence.broken_picture"),
        (picture("JPEG")[:-400], "evidence.broken_picture"),
        (picture("PNG")[:60], "evidence.broken_picture"),
        (_png(640, 480), "evidence.broken_picture"),
        (_png(100_000, 100_000), "evidence.too_many_pixels"),
        (_png(8000, 8000, bytes(1000)), "evidence.too_many_pixels"),
        (b"GIF89a\xff\xff\xff\xff" + bytes(20), "evidence.broken_picture"),
        (b"RIFF\x10\x00\x00\x00WEBPVP8 " + bytes(30), "evidence.broken_picture"),
    ],
)
def test_everything_else_is_refused_by_its_reason(content: bytes, key: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check(content)
    assert refused.value.key == key
    assert refused.value.errors[0].pointer == "/file"


def test_a_bomb_of_text_in_a_png_is_refused() -> None:
    text = b"comment\x00\x00" + zlib.compress(bytes(80 * 2**20))
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    content = picture("PNG")
    with pytest.raises(Invalid) as refused:
        rules.check(content[:33] + chunk + content[33:])
    assert refused.value.key == "evidence.broken_picture"


def test_too_large_is_said_before_anything_is_opened() -> None:
    with pytest.raises(TooMuch) as refused:
        rules.check(bytes(rules.MAX_BYTES + 1))
    assert refused.value.params["limit"] == 25


def test_the_said_hash_is_checked() -> None:
    content = picture()
    checked = rules.check(content)
    assert rules.check(content, checked.sha256.upper()).sha256 == checked.sha256
    with pytest.raises(Invalid) as refused:
        rules.check(content, "0" * 64)
    assert refused.value.key == "evidence.hash_differs"
    assert refused.value.errors[0].pointer == "/sha256"


@pytest.mark.parametrize(("given", "kind"), [("", ""), ("before", "before"), ("report", "scene"), ("document", "document")])
def test_kinds(given: str, kind: str) -> None:
    assert rules.kind_of(given) == kind


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(Invalid):
        rules.kind_of("selfie")


HEADS = [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\x00\x10\x00\x00WEBP", b"\x00\x00\x00\x1cftypavif", b"%PDF-", b""]
GOOD = [picture("JPEG", (40, 30)), picture("PNG", (40, 30)), picture("WEBP", (40, 30)), with_gps(1, 2)]


def verdict(content: bytes) -> str:
    """The type of a file that passes, or the key of the fault it is refused with; any other exception fails the test."""
    try:
        checked = rules.check(content)
    except Fault as fault:
        return fault.key
    return "leak" if checked.view and b"SecretPhoneMaker" in checked.view else checked.mime


KNOWN = {
    *rules.PICTURES,
    rules.PDF,
    "evidence.heic",
    "evidence.not_a_picture",
    "evidence.broken_picture",
    "evidence.too_many_pixels",
    "evidence.empty",
}


@settings(max_examples=150)
@given(st.sampled_from(HEADS), st.binary(max_size=400))
def test_hostile_bytes_are_a_fault_never_a_crash(head: bytes, rest: bytes) -> None:
    assert verdict(head + rest) in KNOWN


@settings(max_examples=150)
@given(st.sampled_from(GOOD), st.data())
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_damaged_picture_is_refused_or_shown_clean(content: bytes, data: st.DataObject) -> None:
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    assert verdict(bytes(damaged)) in KNOWN
