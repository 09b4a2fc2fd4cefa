"""The simulator's hands: public HTTP with the token of whoever acts."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from typing import Any

import httpx
from PIL import Image, ImageDraw

from gridloop.kernel import clock

RETRY = (429, 502, 503, 504)


class Client:
    """One connection pool; ``token_of`` gives the bearer token of a log-in name."""

    def __init__(self, url: str, token_of: Callable[[str], str]) -> None:
        self.http = httpx.Client(base_url=url, timeout=20, trust_env=False)
        self.token_of = token_of
        self.failed = 0

    def get(self, path: str, user: str, **query: Any) -> Any:
        """JSON of a read, or None when the deployment did not answer."""
        try:
            answer = self.http.get(path, params=query, headers=self._who(user))
        except httpx.TransportError:
            self.failed += 1
            return None
        return answer.json() if answer.status_code == 200 else None

    def post(self, path: str, user: str, body: Any, key: str = "") -> Any:
        """JSON of a write, or None when it was refused; the same key is sent again on overload."""
        headers = {**self._who(user), "Idempotency-Key": key or uuid.uuid4().hex}
        for _ in range(3):
            try:
                answer = self.http.post(path, json=body, headers=headers)
            except httpx.TransportError:
                continue
            if answer.status_code not in RETRY:
                if answer.status_code >= 300:
                    self.failed += 1
                    return None
                return answer.json() if answer.content else {}
        self.failed += 1
        return None

    def photo(self, user: str, label: str, lon: float, lat: float, good: bool) -> str | None:
        """Take a picture (drawn: green when mended, brown when not) and send it as evidence; returns its id."""
        at = clock.now().isoformat()
        form = {"at": at, "place": f'{{"lon": {lon:.6f}, "lat": {lat:.6f}}}', "kind": "after" if good else "before"}
        files = {"file": ("photo.jpg", _picture(label, at, good), "image/jpeg")}
        try:
            answer = self.http.post("/api/v1/evidence", data=form, files=files, headers=self._who(user))
        except httpx.TransportError:
            return None
        return str(answer.json()["id"]) if answer.status_code == 201 else None

    def _who(self, user: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token_of(user)}"} if user else {}


def _picture(label: str, at: str, good: bool) -> bytes:
    """A small street scene: enough to look at, different every time."""
    sky, ground = ((176, 206, 232), (98, 140, 92)) if good else ((190, 196, 200), (132, 112, 88))
    image = Image.new("RGB", (640, 420), sky)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 260, 640, 420), fill=ground)
    draw.polygon([(250, 260), (390, 260), (560, 420), (80, 420)], fill=(92, 96, 102))
    draw.rectangle((60, 120, 190, 262), fill=(214, 206, 190))
    draw.rectangle((450, 90, 590, 262), fill=(198, 190, 182))
    if not good:
        draw.ellipse((285, 325, 375, 375), fill=(70, 52, 40))
    draw.rectangle((0, 392, 640, 420), fill=(16, 24, 32))
    draw.text((10, 399), f"{label}  {at[:19]}", fill=(235, 240, 245))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    return out.getvalue()
