"""One running product with the sample county for every story told over HTTP."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from gridloop.evidence.tests.pictures import scene
from tests.house.product import Product, first_start_done, tokens_about

SCALE = 0.2  # of the sample county: enough of everything, loaded sooner
RIGHTS_SECONDS = 4  # so soon push looks whether a screen may still see; without the setting 30


@dataclass
class Live:
    """The product and its callers by sample log-in name."""

    product: Product
    folder: Path
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.product.url

    def token(self, user: str) -> str:
        if user not in self.tokens:
            self.tokens = tokens_about(self.folder, user) | self.tokens
        return self.tokens[user]

    def call(self, method: str, path: str, user: str | None = None, **more: Any) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if user:
            headers["Authorization"] = f"Bearer {self.token(user)}"
        return httpx.request(method, f"{self.url}{path}", headers=headers, timeout=30, trust_env=False, **more)

    def get(self, path: str, user: str | None = None, **query: Any) -> Any:
        answer = self.call("GET", path, user, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, user: str | None = None, body: Any = None, status: int = 200, **headers: str) -> Any:
        answer = self.call("POST", path, user, json=body if body is not None else {}, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def report(self, text: str = "路灯不亮", kind: str = "01037", **more: Any) -> tuple[str, str]:
        """A citizen's report at a device's place of the county; returns code and key."""
        place = more.pop("place", None) or self.place()
        answer = self.post("/api/v1/reports", None, {"text": text, "kind": kind, "place": place, **more}, status=201)
        return answer["case"], answer["track_url"].partition("key=")[2]

    _places: list[dict[str, float]] = field(default_factory=list)

    def place(self) -> dict[str, float]:
        """A fresh place inside the county each time, so that reports don't merge."""
        if not self._places:
            for page in range(3):
                found = self.get("/api/v1/devices", "admin", kind="camera", limit=200, after=self._after if page else "")
                self._places += [d["place"] for d in found["items"] if d["place"]]
                self._after = found["next"] or ""
        return self._places.pop()

    _after: str = ""

    def photo(self, user: str, place: dict[str, float] | None = None) -> str:
        """Another street every time: a picture seen before proves nothing."""
        files = {"file": ("now.jpg", scene(random.getrandbits(32), (320, 240)), "image/jpeg")}
        answer = self.call("POST", "/api/v1/evidence", user, files=files)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def task(self, code: str, stage: str) -> dict[str, Any]:
        tasks = self.get(f"/api/v1/cases/{code}/tasks", "commander")["items"]
        return next(t for t in tasks if t["stage"] == stage and t["status"] in ("open", "accepted"))

    def act(self, user: str, code: str, stage: str, verb: str, status: int = 200, **body: Any) -> Any:
        return self.post(f"/api/v1/tasks/{self.task(code, stage)['id']}/{verb}", user, body, status=status)


@pytest.fixture(scope="package")  # what is not asked any more need not run on
def live() -> Iterator[Live]:
    folder = Path(tempfile.mkdtemp(prefix="gl-live-"))
    first_start_done(folder / "data", GRIDLOOP_SAMPLE_SCALE=str(SCALE))
    settings = {"GRIDLOOP_SAMPLE_SCALE": str(SCALE), "GRIDLOOP_LOG_FORMAT": "json", "GRIDLOOP_RIGHTS_SECONDS": str(RIGHTS_SECONDS)}
    product = Product(folder / "data", **settings)
    try:
        product.wait_ready(240)
        yield Live(product, folder / "data")
    finally:
        product.stop()
        shutil.rmtree(folder, ignore_errors=True)
