"""Pure rules of evidence: what a file really is, whether it is safe to open, and the clean copy that may be shown.

The name and the declared type of an upload are never believed; the first bytes decide, then the decoder of that one format.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any, Final

import numpy as np
from PIL import ExifTags, Image, ImageOps

from gridloop.evidence.messages import Checked
from gridloop.kernel.errors import FieldFault, Invalid, TooMuch

MAX_BYTES: Final = 25 * 2**20
MAX_PIXELS_JPEG: Final = 89_000_000  # decoded at a reduced size, so large phone pictures are fine
MAX_PIXELS: Final = 30_000_000  # other formats are decoded whole
VIEW_SIDE, THUMB_SIDE = 2560, 320  # pixels of the longer side of the outward copies
KINDS: Final = ("before", "after", "scene", "document")
KIND_ALIASES: Final = {"report": "scene"}

LOOK_SIDE: Final = 16  # of the square of frequencies a look is made from: 256 bits
LOOK_BANDS: Final = 16
SAME_LOOK: Final = 31  # bits that may differ between two copies of one picture: with 16 bands, one band then differs by one bit at most
FEATURES: Final = 2.0  # mean step between neighbours of a 64 × 64 grey copy; below it a picture shows nothing to be known by

PICTURES: Final = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP", "image/gif": "GIF", "image/avif": "AVIF"}
PDF: Final = "application/pdf"


def kind_of(value: str) -> str:
    """A known kind, or '' (decided when the file is attached); Invalid otherwise."""
    kind = KIND_ALIASES.get(value, value)
    if kind and kind not in KINDS:
        raise _wrong("/kind", "evidence.unknown_kind", kind=value, known=", ".join(KINDS))
    return kind


def sniff(content: bytes) -> str:
    """The type by the first bytes: one of PICTURES, PDF, ``image/heic`` or ''."""
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if content[4:8] == b"ftyp":
        return _ftyp(content[8:12])
    return PDF if content.startswith(b"%PDF-") else ""


def _ftyp(brand: bytes) -> str:
    if brand in (b"avif", b"avis"):
        return "image/avif"
    return "image/heic" if brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1") else ""


def check(content: bytes, said_sha256: str = "") -> Checked:
    """What the file is, with clean copies for pictures.

    Faults: TooMuch over 25 MB; Invalid when empty, not a picture or PDF, broken, too many pixels, or not the file the hash was for.
    """
    if len(content) > MAX_BYTES:
        raise TooMuch("evidence.too_large", size=len(content) // 2**20, limit=MAX_BYTES // 2**20)
    if not content:
        raise _wrong("/file", "evidence.empty")
    sha256 = hashlib.sha256(content).hexdigest()
    if said_sha256 and said_sha256.strip().lower() != sha256:
        raise _wrong("/sha256", "evidence.hash_differs", sha256=sha256)
    mime = sniff(content)
    if mime == "image/heic":
        raise _wrong("/file", "evidence.heic")
    if mime == PDF:
        return Checked(mime=mime, sha256=sha256, size=len(content))
    if mime not in PICTURES:
        raise _wrong("/file", "evidence.not_a_picture")
    return _picture(content, mime, sha256)


def _wrong(pointer: str, key: str, **params: Any) -> Invalid:
    return Invalid(key, errors=(FieldFault(pointer, key, params),), **params)


def _picture(content: bytes, mime: str, sha256: str) -> Checked:
    try:
        with Image.open(io.BytesIO(content), formats=[PICTURES[mime]]) as picture:
            width, height = picture.size
            limit = MAX_PIXELS_JPEG if mime == "image/jpeg" else MAX_PIXELS
            if width * height > limit:
                raise _wrong("/file", "evidence.too_many_pixels", pixels=width * height // 10**6, limit=limit // 10**6)
            lon, lat, at = camera_words(picture)
            picture.draft("RGB", (VIEW_SIDE, VIEW_SIDE))
            clean = _clean(picture)
    except Invalid:
        raise
    except Image.DecompressionBombError as fault:  # the library's own limit, met before ours can be
        raise _wrong("/file", "evidence.too_many_pixels", pixels=">178", limit=MAX_PIXELS // 10**6) from fault
    except Exception as fault:  # a decoder fed with hostile bytes raises anything: every failure is the file's, not ours
        raise _wrong("/file", "evidence.broken_picture") from fault
    return Checked(
        mime=mime,
        sha256=sha256,
        size=len(content),
        width=width,
        height=height,
        taken_lon=lon,
        taken_lat=lat,
        taken_at=at,
        view=_jpeg(clean, VIEW_SIDE, 85),
        thumb=_jpeg(clean, THUMB_SIDE, 75),
        look=look_of(clean),
    )


def look_of(picture: Image.Image) -> bytes | None:
    """256 bits of what a picture shows: equal or nearly so for scaled, recompressed, slightly cut or brightened copies of one picture.

    None when there is nothing on it to be known by: two photos of a dark night are no copies of each other.
    """
    import imagehash  # scipy with it: only who looks at pictures pays that

    grey = np.asarray(picture.convert("L").resize((64, 64), Image.Resampling.BILINEAR), dtype=np.float32)
    if (np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()) / 2 < FEATURES:
        return None
    return bytes(np.packbits(imagehash.phash(picture, hash_size=LOOK_SIDE).hash.ravel()))


def bands_of(look: bytes) -> list[int]:
    """The 16 pieces of a look, each with its number in front: what an index can find."""
    return [(number << 16) | int.from_bytes(look[2 * number : 2 * number + 2], "big") for number in range(LOOK_BANDS)]


def bands_near(look: bytes) -> list[int]:
    """Every band that differs by one bit at most: two looks within ``SAME_LOOK`` bits share one of these (16 bands, 31 bits)."""
    return [value for band in bands_of(look) for value in (band, *(band ^ (1 << bit) for bit in range(16)))]


def bits_between(one: bytes, other: bytes) -> int:
    """How many bits of two looks differ."""
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def _clean(picture: Image.Image) -> Image.Image:
    """Turned upright, first frame only, on white, without anything but pixels."""
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        upright = upright.convert("RGBA")
        ground = Image.new("RGB", upright.size, "white")
        ground.paste(upright, mask=upright.getchannel("A"))
        return ground
    return upright.convert("RGB")


def _jpeg(picture: Image.Image, side: int, quality: int) -> bytes:
    copy = picture.copy()
    copy.thumbnail((side, side))
    copy.info.clear()
    out = io.BytesIO()
    copy.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()


def camera_words(picture: Image.Image) -> tuple[float | None, float | None, str]:
    """Longitude, latitude and time the camera wrote into the picture; whatever is missing or nonsense is None or ''."""
    try:
        exif = picture.getexif()
        gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
        taken = str(exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.DateTimeOriginal, ""))[:19]
        lon = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), 180)
        lat = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), 90)
    except Exception:  # damaged camera data is no reason to refuse a good picture
        return None, None, ""
    return (lon, lat, taken) if lon is not None and lat is not None else (None, None, taken)


def _degrees(value: Any, reference: Any, limit: float) -> float | None:
    if not value or len(value) != 3:
        return None
    degrees = float(value[0]) + float(value[1]) / 60 + float(value[2]) / 3600
    signed = -degrees if str(reference).upper() in ("S", "W") else degrees
    return signed if abs(signed) <= limit else None
