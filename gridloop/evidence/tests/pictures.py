"""Pictures for the tests, made on the spot."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import ExifTags, Image, ImageDraw


def picture(format: str = "JPEG", size: tuple[int, int] = (640, 480), mode: str = "RGB", **save: Any) -> bytes:
    image = Image.new(mode, size, "red" if mode in ("RGB", "RGBA") else 1)
    out = io.BytesIO()
    image.save(out, format, **save)
    return out.getvalue()


def with_gps(lon: float, lat: float, taken: str = "2026:05:01 08:30:00", orientation: int = 1) -> bytes:
    return picture(size=(64, 32), exif=camera_data(lon, lat, taken, orientation))


def camera_data(lon: float, lat: float, taken: str = "2026:05:01 08:30:00", orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "SecretPhoneMaker"
    exif[ExifTags.Base.Orientation] = orientation
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = taken
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = ("N" if lat >= 0 else "S"), (abs(lat), 0.0, 0.0)
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = ("E" if lon >= 0 else "W"), (abs(lon), 0.0, 0.0)
    return exif


def scene(seed: int, size: tuple[int, int] = (640, 480), format: str = "JPEG", **save: Any) -> bytes:
    """A street of its own for each number: sky, ground, houses and specks."""
    random = np.random.default_rng(seed)
    image = Image.new("RGB", (640, 480), tuple(int(c) for c in random.integers(90, 255, 3)))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, int(random.integers(200, 350)), 640, 480), fill=tuple(int(c) for c in random.integers(30, 150, 3)))
    for _ in range(30):
        x, y, w, h = (int(v) for v in random.integers((0, 0, 20, 20), (600, 440, 200, 200)))
        shape = draw.ellipse if random.random() < 0.4 else draw.rectangle
        shape((x, y, x + w, y + h), fill=tuple(int(c) for c in random.integers(0, 255, 3)))
    out = io.BytesIO()
    image.resize(size).save(out, format, **save)
    return out.getvalue()


def copy_of(content: bytes, size: tuple[int, int] = (480, 360), quality: int = 60, cut: float = 0.0) -> bytes:
    """The same picture as messengers pass it on: smaller, compressed again, its edges cut by a share."""
    with Image.open(io.BytesIO(content)) as picture:
        width, height = picture.size
        box = (int(width * cut), int(height * cut), int(width * (1 - cut)), int(height * (1 - cut)))
        out = io.BytesIO()
        picture.convert("RGB").crop(box).resize(size).save(out, "JPEG", quality=quality)
        return out.getvalue()
