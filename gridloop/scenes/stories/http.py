"""The HTTP side of live stories: one client per account, faults as the rules raise them, photos made on the spot."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable
from typing import Any

import httpx
from PIL import Image

from gridloop.kernel import clock
from gridloop.kernel.errors import NotNow, Unavailable

RETRIES = 5


class Door:
    """Requests to a deployment under the names of several accounts. ``token`` gives the bearer token of one."""

    def __init__(self, url: str, token: Callable[[str], str]) -> None:
        self._client = httpx.Client(base_url=url.rstrip("/"), timeout=30, verify=False, follow_redirects=True)  # local certificate
        self._token = token
        self._tokens: dict[str, str] = {}

    def close(self) -> None:
        self._client.close()

    def _headers(self, who: str) -> dict[str, str]:
        if not who:
            return {}
        if who not in self._tokens:
            self._tokens[who] = self._token(who)
        return {"Authorization": f"Bearer {self._tokens[who]}"}

    def get(self, who: str, path: str, **query: Any) -> Any:
        return self._send("GET", who, path, params=query)

    def post(self, who: str, path: str, body: Any) -> Any:
        return self._send("POST", who, path, json=body)

    def _send(self, method: str, who: str, path: str, **content: Any) -> Any:
        headers = self._headers(who) | {"Accept": "application/json"}
        for attempt in range(RETRIES):
            answer = self._client.request(method, path, headers=headers, **content)
            if answer.status_code not in (429, 503):
                break
            time.sleep(0.5 * (attempt + 1))
        if answer.status_code >= 500:
            raise Unavailable("scenes.story_http", status=answer.status_code, detail=answer.text[:200])
        if answer.status_code >= 400:
            raise NotNow("scenes.story_http", status=answer.status_code, detail=str(answer.json().get("detail") or answer.text)[:200])
        return answer.json() if answer.content else None

    def photo(self, who: str, place: tuple[float, float]) -> str:
        """Send a small picture that no one has sent before; returns its id."""
        picture = Image.frombytes("RGB", (32, 24), random.randbytes(32 * 24 * 3))
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG")
        form = {"at": clock.now().isoformat(), "place": f'{{"lon": {place[0]}, "lat": {place[1]}}}'}
        files = {"file": ("photo.jpg", buffer.getvalue(), "image/jpeg")}
        answer = self._client.post("/api/v1/evidence", headers=self._headers(who), data=form, files=files)
        if answer.status_code != 201:
            raise NotNow("scenes.story_http", status=answer.status_code, detail=answer.text[:200])
        return str(answer.json()["id"])
