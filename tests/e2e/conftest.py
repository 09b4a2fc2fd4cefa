"""The whole product in real browsers: one deployment with the sample county, a desk and phones for the people of it.

``GRIDLOOP_E2E=<data folder>`` uses a deployment that is already running (quick while writing tests).
"""

from __future__ import annotations

import itertools
import json
import logging
import math
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from gridloop.evidence.tests.pictures import scene
from tests.e2e.people import Api, Desk, Phone, Spot
from tests.house.product import Product, first_start_done, tokens_about
from tests.live.conftest import SCALE

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("GRIDLOOP_CHROMIUM") or next(
    (p for p in ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium", "/usr/bin/google-chrome") if Path(p).exists()), None
)
START_SECONDS = 300  # the sample county is made at first start, and other tests share the machine
STEP_MS = 20_000
expect.set_options(timeout=STEP_MS)  # its own five seconds are not enough beside another worker's products
APART_M = 65  # reports of one kind within 50 m are one matter
BESIDE = 0.0008  # degrees eastwards, 78 m


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marked before the root's hook groups them: every test here shares one deployment, so that one worker runs them all."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.server)


class Deployment:
    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.sessions: dict[str, Any] = {}  # cookies of who has logged in on a screen
        self._apis: dict[str, Api] = {}

    def api(self, user: str) -> Api:
        """HTTP as this sample log-in, by a token of its own."""
        if user not in self._apis:
            for name, token in tokens_about(self.folder, user).items():
                self._apis[name] = Api(httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {token}"}, timeout=30))
        return self._apis[user]


def running_deployment(folder: Path) -> Deployment:
    return Deployment(folder, json.loads((folder / "run.json").read_text())["url"])


@pytest.fixture(scope="package")
def deployment() -> Iterator[Deployment]:
    assert (ROOT / "web" / "dist" / "m" / "index.html").exists(), "the front end is not built: make install, or cd web && npm run build"
    if given := os.environ.get("GRIDLOOP_E2E"):
        kept = running_deployment(Path(given))
        for case in kept.api("operator").get("/api/v1/cases", box="open", limit=200)["items"]:
            kept.api("operator").post(f"/api/v1/cases/{case['code']}/void", {"note": "left by an earlier run"})
        yield kept
        return
    above = Path(tempfile.mkdtemp(prefix="gl-e2e-"))  # another account (PostgreSQL's) must be able to traverse it
    first_start_done(above / "d", GRIDLOOP_SAMPLE_SCALE=str(SCALE))
    product = Product(above / "d", GRIDLOOP_SAMPLE_SCALE=str(SCALE))
    try:
        product.wait_ready(START_SECONDS)
        yield Deployment(above / "d", product.url)
    finally:
        product.stop()
        shutil.rmtree(above, ignore_errors=True)


@pytest.fixture(scope="package")  # its loop runs in the test process: no test of other folders may find it there
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="package")
def home(deployment: Deployment) -> list[Spot]:
    """The middles of the micro-grids of the sample grid worker."""
    grid = deployment.api("worker").get("/api/v1/me")["region"]["code"]
    return [(r["lon"], r["lat"]) for r in deployment.api("operator").get(f"/api/v1/regions/{grid}")["below"]]


def _apart(home: list[Spot]) -> Iterator[Spot]:
    given = [home[0]]
    steps = (0, 1, -1, 2, -2)
    for dx, dy, (lon, lat) in itertools.chain(itertools.product(steps, steps, home), itertools.product(steps, (3, -3, 4, -4), home)):
        new = (round(lon + dx * 2 * BESIDE, 6), round(lat + dy * 0.0007, 6))
        if all(
            math.hypot((one[0] - old[0]) * 97_000, (one[1] - old[1]) * 111_000) > APART_M for old in given for one in (new, beside(new))
        ):
            given += [new, beside(new)]
            yield new


def beside(spot: Spot) -> Spot:
    """A second place of the same test, near enough for its people to walk to; it is nobody else's either."""
    return round(spot[0] + BESIDE, 6), spot[1]


@pytest.fixture(scope="package")
def spots(home: list[Spot]) -> Iterator[Spot]:
    """Places around the worker's grid, none within 50 m of another: reports of two tests must not become one case."""
    return _apart(home)


@pytest.fixture
def worker_spot(home: list[Spot]) -> Spot:
    """Certainly in the worker's own grid."""
    return home[0]


@pytest.fixture
def spot(spots: Iterator[Spot]) -> Spot:
    return next(spots)


@pytest.fixture(scope="session")
def photo() -> dict[str, Any]:
    """A picture as large as a phone's camera makes them."""
    return _taken()


@pytest.fixture
def photo_after() -> dict[str, Any]:
    """Another one: a picture that the case has seen before proves no work."""
    return _taken()


def _taken() -> dict[str, Any]:
    return {"name": "camera.jpg", "mimeType": "image/jpeg", "buffer": scene(random.getrandbits(32), (3000, 2250), quality=88)}


_TELL_VIOLATION = """document.addEventListener("securitypolicyviolation",
    e => console.error(`content policy: ${e.effectiveDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`))"""


class Errors(list[str]):
    """What a page complained about; a failed request is listed by its own checks."""

    def watch(self, page: Page) -> None:
        page.add_init_script(_TELL_VIOLATION)  # of every document, also where the browser's own line would be lost
        page.on("pageerror", lambda error: self.append(f"{page.url}: {error}"))
        page.on("console", self._console)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.append(message.text)


@pytest.fixture
def errors() -> Iterator[Errors]:
    found = Errors()
    yield found
    assert found == []


@pytest.fixture
def contexts(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Callable[..., BrowserContext]]:
    opened: list[BrowserContext] = []
    failed_before = request.session.testsfailed

    def make(**options: Any) -> BrowserContext:
        context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", **options)
        context.set_default_timeout(STEP_MS)
        opened.append(context)
        return context

    yield make
    for context in opened:
        if request.session.testsfailed > failed_before:  # what stood on the screens says more than the locator that was not found
            for page in context.pages:
                logging.getLogger("screens").error("%s\n%s", page.url, page.locator("body").inner_text()[:2000])
        context.close()


@pytest.fixture
def phone(deployment: Deployment, contexts: Callable[..., BrowserContext], errors: Errors) -> Callable[..., Phone]:
    """A phone of 390 px for a sample log-in (None = nobody logged in), standing at ``at`` (None = position refused)."""

    def make(user: str | None, at: Spot | None = None, width: int = 390) -> Phone:
        place: dict[str, Any] = {}
        if at:
            place = {"geolocation": {"longitude": at[0], "latitude": at[1], "accuracy": 8}, "permissions": ["geolocation"]}
        context = contexts(viewport={"width": width, "height": 844}, device_scale_factor=2, is_mobile=True, has_touch=True, **place)
        page = context.new_page()
        errors.watch(page)
        return Phone(page, deployment.url, user, deployment.sessions)

    return make


@pytest.fixture
def desk(deployment: Deployment, contexts: Callable[..., BrowserContext], errors: Errors) -> Callable[..., Desk]:
    def make(user: str, width: int = 1440, height: int = 900) -> Desk:
        page = contexts(viewport={"width": width, "height": height}).new_page()
        errors.watch(page)
        return Desk(page, deployment.url, user, deployment.sessions)

    return make
