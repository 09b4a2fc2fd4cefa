"""What stands in a QR code for citizens."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from gridloop.registry.report_codes import drawn, report_url


@given(st.floats(-180, 180), st.floats(-90, 90), st.text(max_size=60).map(str.strip))
def test_the_page_of_a_report_finds_point_and_words(lon: float, lat: float, words: str) -> None:
    url = urlsplit(report_url("https://gl.example/", lon, lat, words.encode("utf-8", "ignore").decode()))
    assert (url.scheme, url.netloc, url.path) == ("https", "gl.example", "/m/report")
    (place,) = parse_qs(url.query)["place"]
    x, y, *rest = place.split(",")
    assert abs(float(x) - lon) < 1e-5
    assert abs(float(y) - lat) < 1e-5
    assert ",".join(rest) == words.encode("utf-8", "ignore").decode()


def test_a_code_is_a_picture_that_scales() -> None:
    picture = ElementTree.fromstring(drawn(report_url("https://gl.example", 121.605, 29.205, "东镇文昌社区 1 号楼")))
    assert picture.tag == "{http://www.w3.org/2000/svg}svg"
    assert picture.get("viewBox")
    (path,) = picture.iter("{http://www.w3.org/2000/svg}path")
    assert len(path.get("d", "")) > 1000


def test_a_code_is_drawn_once() -> None:
    url = report_url("https://gl.example", 121.605, 29.205, "只画一次")
    assert drawn(url) is drawn(url)
