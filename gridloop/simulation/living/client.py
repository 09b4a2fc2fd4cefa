"""The simulator's hands: public HTTP with the token of whoever acts."""

from __future__ import annotations

import io
import uuid
from collections.abc import Callable
from random import Random
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
        """Take a picture of what ``label`` names (drawn) and send it as evidence; returns its id."""
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
    """A street scene of its own for each case: houses, trees and what lies about; green when mended, brown when not."""
    random = Random(label)
    sky, ground = ((176, 206, 232), (98, 140, 92)) if good else ((190, 196, 200), (132, 112, 88))
    image = Image.new("RGB", (640, 420), sky)
    draw = ImageDraw.Draw(image)
    line = random.randint(200, 300)
    draw.rectangle((0, line, 640, 420), fill=ground)
    middle = random.randint(200, 440)
    draw.polygon([(middle - 60, line), (middle + 60, line), (middle + 240, 420), (middle - 240, 420)], fill=(92, 96, 102))
    for _ in range(random.randint(4, 9)):
        left, width, height = random.randint(-40, 600), random.randint(50, 170), random.randint(40, 190)
        grey = random.randint(120, 225)
        draw.rectangle((left, line - height, left + width, line), fill=(grey, grey - 8, grey - 20), outline=(70, 70, 70))
        for x in range(left + 10, left + width - 14, 26):
            draw.rectangle((x, line - height + 12, x + 12, line - height + 28), fill=(70, 88, 110))
    for _ in range(random.randint(2, 7)):
        x, y, size = random.randint(0, 640), line + random.randint(-30, 60), random.randint(24, 70)
        draw.ellipse((x - size, y - size, x + size, y + size // 2), fill=(40, random.randint(80, 130), 50))
    if not good:
        x, y = random.randint(60, 520), random.randint(line + 20, 360)
        draw.ellipse((x, y, x + random.randint(50, 120), y + random.randint(24, 50)), fill=(70, 52, 40))
    draw.rectangle((0, 392, 640, 420), fill=(16, 24, 32))
    draw.text((10, 399), f"{label}  {at[:19]}", fill=(235, 240, 245))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=82)
    return out.getvalue()
