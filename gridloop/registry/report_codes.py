"""QR codes that lead a citizen to the report of a place: drawn as SVG, so that they print sharp at any size. Pure."""

from __future__ import annotations

from functools import lru_cache
from urllib.parse import quote

import qrcode
from qrcode.constants import ERROR_CORRECT_M
from qrcode.image.svg import SvgPathImage


def report_url(base: str, lon: float, lat: float, words: str) -> str:
    """The page of a report with its place filled in, as ``web/mobile`` reads it."""
    return f"{base.rstrip('/')}/m/report?place={quote(f'{lon:.5f},{lat:.5f},{words}', safe=',')}"


@lru_cache(500)
def drawn(url: str) -> str:
    """An SVG document; a seventh of it may be dirty or torn (level M). Kept, because finding the best mask takes 10 to 100 ms."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=4, box_size=10)
    code.add_data(url)
    code.make(fit=True)
    return str(code.make_image(image_factory=SvgPathImage).to_string(encoding="unicode"))
