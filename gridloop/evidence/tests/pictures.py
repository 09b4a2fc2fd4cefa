"""Pictures for the tests, made on the spot."""

from __future__ import annotations

import io
from typing import Any

from PIL import ExifTags, Image


def picture(format: str = "JPEG", size: tuple[int, int] = (640, 480), mode: str = "RGB", **save: Any) -> bytes:
    image = Image.new(mode, size, "red" if mode in ("RGB", "RGBA") else 1)
    out = io.BytesIO()
    image.save(out, format, **save)
    return out.getvalue()


def with_gps(lon: float, lat: float, taken: str = "2026:05:01 08:30:00", orientation: int = 1) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "SecretPhoneMaker"
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = ("N" if lat >= 0 else "S"), (abs(lat), 0.0, 0.0)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = ("E" if lon >= 0 else "W"), (abs(lon), 0.0, 0.0)
    return picture(size=(64, 32), exif=exif)
