"""Take the pictures of the README from the running product: ``.venv/bin/python tools/screenshots.py``.

Starts a deployment of its own with the sample county (or uses ``--data-dir`` of a running one), lets people report and work over HTTP
so that the screens have something to show, and writes docs/pictures/*.png, each under 300 KB. The figures of outcomes need cases that
ended and limits that ran out: they are taken of a running deployment only, best after ``simulate`` and a clock two days later.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter
from playwright.sync_api import Browser, Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.e2e.conftest import CHROMIUM, Deployment, running_deployment  # noqa: E402  # only found once the root is on the path
from tests.e2e.people import Api, Desk, Phone, Spot  # noqa: E402
from tests.house.product import Product  # noqa: E402

TARGET = ROOT / "docs" / "pictures"
MOST_BYTES = 300_000
REPORTS = (
    ("01002", "路口的污水井盖碎了一半，晚上看不见"),
    ("01037", "小区门口两盏路灯不亮"),
    ("09012", "消防通道被面包车堵住"),
    ("06010", "菜场后门垃圾堆了三天"),
    ("09009", "学校门口一排车停在斑马线上"),
    ("06013", "路面塌了一个坑，电动车摔了"),
    ("06028", "夜里十一点还在施工"),
    ("22001", "三楼窗口有烟冒出来"),
    ("25001", "地下通道积水，车过不去"),
    ("10002", "电线垂到人行道上"),
)
CASES = 46


def street(mended: bool) -> dict[str, Any]:
    """A drawn street with a manhole, broken or mended: no real photo has to be shown."""
    rng = random.Random(7)
    image = Image.new("RGB", (1600, 1200), "#8d9196")
    pen = ImageDraw.Draw(image)
    for _ in range(9000):
        x, y, shade = rng.randrange(1600), rng.randrange(1200), rng.randrange(110, 165)
        pen.ellipse((x, y, x + 5, y + 4), fill=(shade, shade, shade + 3))
    pen.polygon([(0, 0), (420, 0), (180, 1200), (0, 1200)], fill="#b9b4a8")
    pen.line([(430, 0), (190, 1200)], fill="#d8d5cc", width=26)
    pen.ellipse((640, 420, 1240, 900), fill="#4b4f54", outline="#2f3236", width=26)
    for i in range(6):
        pen.line([(700 + i * 96, 470), (700 + i * 96, 850)], fill="#3c4045", width=12)
    if not mended:
        pen.polygon([(900, 430), (1235, 640), (1130, 860), (880, 760), (960, 620)], fill="#101214")
        pen.line([(900, 430), (960, 620), (880, 760)], fill="#c9cdd2", width=6)
    out = io.BytesIO()
    image.filter(ImageFilter.GaussianBlur(1.2)).save(out, "JPEG", quality=90)
    return {"name": "street.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def micro_grids(office: Api) -> list[Spot]:
    found: list[Spot] = []
    for town in office.get("/api/v1/regions/990101")["below"]:
        for village in office.get(f"/api/v1/regions/{town['code']}")["below"][:8]:
            found += [(grid["lon"], grid["lat"]) for grid in office.get(f"/api/v1/regions/{village['code']}")["below"]]
    return found


def fill(deployment: Deployment) -> None:
    """Reports from all over the county, most of them already on their way."""
    rng = random.Random(20261122)
    office = deployment.api("operator")
    spots = micro_grids(office)
    rng.shuffle(spots)
    for i, at in enumerate(spots[:CASES]):
        kind, text = REPORTS[i % len(REPORTS)]
        code = office.report(at, text, kind)["case"]
        if i % 4 and "accept" in office.case(code)["verbs"]:
            office.post(f"/api/v1/cases/{code}/accept")


@contextlib.contextmanager
def deployed(folder: str | None) -> Iterator[Deployment]:
    if folder:
        yield running_deployment(Path(folder))
        return
    above = Path(tempfile.mkdtemp(prefix="gl-pictures-"))
    product = Product(above / "d")
    try:
        product.wait_ready(300)
        yield Deployment(above / "d", product.url)
    finally:
        product.stop()
        shutil.rmtree(above, ignore_errors=True)


def keep(page: Page, name: str) -> None:
    """A picture with as many colours as fit into the size."""
    page.wait_for_timeout(1200)
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for colours in (256, 128, 64, 32):
        out = io.BytesIO()
        picture.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        if out.tell() < MOST_BYTES:
            break
    (TARGET / f"{name}.png").write_bytes(out.getvalue())
    sys.stdout.write(f"docs/pictures/{name}.png  {out.tell() // 1000} KB\n")


def map_is_drawn(page: Page) -> None:
    expect(page.locator("canvas.maplibregl-canvas").first).to_be_visible(timeout=30_000)
    page.wait_for_timeout(6000)  # software rendering: tiles and labels come late


def desk_pictures(make: Callable[..., Desk], code: str) -> None:
    wall = make("commander", 1920, 1080)
    wall.open("/cockpit")
    map_is_drawn(wall.page)
    keep(wall.page, "cockpit-1920")
    desk = make("operator", 1440, 900)
    desk.open(f"/console/{code}")
    map_is_drawn(desk.page)
    keep(desk.page, "console-1440")
    for path, name in (("/cases", "cases-1440"), ("/admin/org", "organisation-1440"), ("/admin/packs", "packs-1440")):
        desk = make("admin" if "admin" in path else "operator", 1440, 900)
        desk.open(path)
        desk.page.wait_for_timeout(2000)
        if "org" in path:
            desk.page.get_by_text("云澜县社会治理中心", exact=True).last.click()
        keep(desk.page, name)


def figures_picture(make: Callable[..., Desk]) -> None:
    desk = make("leader", 1440, 900)
    desk.open("/indicators/on_time_closing_rate/numerator")
    keep(desk.page, "indicators-1440")


def phone_pictures(deployment: Deployment, make: Callable[..., Phone], at: Spot) -> None:
    office, broken, mended = deployment.api("operator"), street(mended=False), street(mended=True)
    citizen = make(None, at)
    citizen.open("/m/report")
    citizen.take("report", broken)
    citizen.button("井盖破损").click()
    citizen.page.get_by_label("说明").fill("路口的井盖碎了一半")
    keep(citizen.page, "report-390")
    citizen.button("提交").click()
    expect(citizen.page.locator("[data-state=sent]")).to_be_visible()
    code = citizen.page.locator(".code").inner_text()
    office.post(f"/api/v1/cases/{code}/accept")
    handler = make("handler", at)
    expect(handler.card(code)).to_be_visible()
    keep(handler.page, "tasks-390")
    handler.submit_result(code, mended, before=broken)
    checker = make("supervisor", at)
    checker.card(code).get_by_role("button", name="去核查").click()
    expect(checker.button("核查通过")).to_be_visible()
    checker.page.get_by_role("heading", name="前后对比").scroll_into_view_if_needed()
    keep(checker.page, "check-390")
    checker.button("核查通过").click()
    expect(checker.page.get_by_text("已通过")).to_be_visible()
    citizen.page.get_by_role("link", name="查看进度").click()
    citizen.page.locator(".stars label").nth(4).click()
    keep(citizen.page, "track-390")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", help="a running sample deployment; without it one is started and removed again")
    folder = parser.parse_args().data_dir
    TARGET.mkdir(parents=True, exist_ok=True)
    with deployed(folder) as deployment, sync_playwright() as playwright:
        fill(deployment)
        browser: Browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        office = deployment.api("operator")
        grid = office.get(f"/api/v1/regions/{deployment.api('worker').get('/api/v1/me')['region']['code']}")
        at = (grid["lon"], grid["lat"])

        def desk(user: str, width: int, height: int) -> Desk:
            page = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN").new_page()
            return Desk(page, deployment.url, user, deployment.sessions)

        def phone(user: str | None, where: Spot) -> Phone:
            place: dict[str, Any] = {"longitude": where[0], "latitude": where[1], "accuracy": 8}
            context = browser.new_context(
                viewport={"width": 390, "height": 844},
                device_scale_factor=2,
                is_mobile=True,
                has_touch=True,
                locale="zh-CN",
                geolocation=place,  # type: ignore[arg-type]  # a TypedDict of Playwright's that is not exported
                permissions=["geolocation"],
            )
            return Phone(context.new_page(), deployment.url, user, deployment.sessions)

        waiting = office.get("/api/v1/cases", box="todo", order="urgent", limit=1)["items"]
        desk_pictures(desk, waiting[0]["code"])
        if folder:
            figures_picture(desk)
        phone_pictures(deployment, phone, at)
        browser.close()


if __name__ == "__main__":
    main()
