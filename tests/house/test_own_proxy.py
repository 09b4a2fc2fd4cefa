"""An administrator's own proxy with HTTPS before our port: forms are taken, links lead to its address, the caller's address is believed."""

from __future__ import annotations

import http.client
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from gridloop.doors.cli.deployment import _origins
from gridloop.doors.cli.edge import Edge
from gridloop.doors.cli.up import Options
from tests.house.product import command, first_start_done, running


def test_address_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    options = Options(8000, "127.0.0.1", lan=False, empty=True, simulate=0)
    assert options.url == options.local_url == "http://127.0.0.1:8000"
    monkeypatch.setenv("GRIDLOOP_PUBLIC_URL", "https://grid.city.example/")
    assert options.url == "https://grid.city.example"
    assert options.local_url == "http://127.0.0.1:8000"
    assert "grid.city.example" in options.hosts
    assert "https://grid.city.example" in _origins(options.url, options.hosts)


def test_only_then_a_proxy_is_believed(tmp_path: Path) -> None:
    assert "trusted_proxies" not in Edge(8000, "127.0.0.1", tmp_path, tmp_path).text()
    assert "trusted_proxies static private_ranges" in Edge(8000, "127.0.0.1", tmp_path, tmp_path, behind_proxy=True).text()


@pytest.mark.server
def test_forms_are_taken_through_the_proxy(tmp_path: Path) -> None:
    first_start_done(tmp_path / "d", "--empty")
    with running(tmp_path / "d", "--empty", GRIDLOOP_PUBLIC_URL="https://grid.city.example", GRIDLOOP_PROXIES="2") as product:
        host = product.url.partition("://")[2]
        head = {"Host": "grid.city.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}

        def ask(method: str, body: str = "", **more: str) -> http.client.HTTPResponse:
            line = http.client.HTTPConnection(host, timeout=20)
            line.request(method, "/login/", body or None, head | more)
            return line.getresponse()

        page = ask("GET")
        cookie = next(v for k, v in page.getheaders() if k.lower() == "set-cookie" and v.startswith("csrftoken"))
        assert "Secure" in cookie
        token = cookie.partition("=")[2].partition(";")[0]
        form = urlencode({"csrfmiddlewaretoken": token, "login": "nobody", "password": "wrong wrong wrong"})
        more = {"Cookie": f"csrftoken={token}", "Origin": "https://grid.city.example", "Content-Type": "application/x-www-form-urlencoded"}
        assert ask("POST", form, **more).status == 200, "a wrong password is told on the page; 403 would be the form refused"
        assert ask("POST", form, **(more | {"Origin": "https://other.example"})).status == 403
        for far in (
            "203.0.113.9",
            "10.0.0.1, 203.0.113.9",
            "192.168.1.7",
            "127.0.0.1",
        ):  # the second: a caller who wrote an address of his own before the proxy's
            assert httpx.get(f"{product.url}/metrics", headers={"X-Forwarded-For": far}).status_code == 403
        assert httpx.get(f"{product.url}/metrics").status_code == 200
        token = command("token", "admin", "--data-dir", str(product.folder)).stdout.strip()
        for passed in ({}, {"X-Forwarded-For": "192.168.1.7"}):  # past the proxy: fewer addresses are told than proxies trusted
            answer = httpx.get(f"{product.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"} | passed)
            assert (answer.status_code, answer.json()["user"]) == (200, "admin")
