"""One trace from a sender's signal to what somebody does at the screen, collected from four processes over OTLP/HTTP."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.house.product import command, first_start_done, running, until
from tests.live.conftest import SCALE, Live
from tests.live.test_stream import Screen

pytestmark = pytest.mark.server
TRACE = "0af7651916cd43dd8448eb211c80319c"


class Collector:
    """A small OTLP/HTTP collector: every span as (process, name, trace, span, parent)."""

    def __init__(self) -> None:
        self.spans: dict[str, tuple[str, str, str, str]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            named = {a.key: a.value.string_value for a in resource.resource.attributes}
            for scope in resource.scope_spans:
                for s in scope.spans:
                    self.spans[s.span_id.hex()] = (named["service.name"], s.name, s.trace_id.hex(), s.parent_span_id.hex())

    def line(self, span: str) -> list[tuple[str, str]]:
        """(process, name) from a span up to the first whose parent nobody has sent."""
        found = []
        while span in self.spans:
            process, name, _, parent = self.spans[span]
            found.append((process, name))
            span = parent
        return found


@pytest.fixture(scope="module")
def traced() -> Iterator[tuple[Live, Collector]]:
    collector = Collector()
    with TemporaryDirectory(prefix="gl-trace-") as name:
        Path(name).chmod(0o711)
        endpoint = f"http://127.0.0.1:{collector.server.server_port}"
        scale = {"GRIDLOOP_SAMPLE_SCALE": str(SCALE)}
        first_start_done(Path(name) / "data", **scale)
        settings = scale | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "300"}
        with running(Path(name) / "data", **settings) as product:
            yield Live(product, Path(name) / "data"), collector
    collector.server.shutdown()


def test_one_trace_from_signal_to_screen(traced: tuple[Live, Collector]) -> None:
    live, collector = traced
    screen = Screen(live, "operator")
    camera = live.get("/api/v1/devices", "admin", kind="camera", limit=1)["items"][0]
    now = datetime.now(UTC).isoformat()
    item = {"id": "traced-1", "source": "traced", "device": camera["code"], "kind": "vehicle_stopped", "at": now, "value": 900}
    item |= {"place": camera["place"], "data": {"plate": "浙J0T0T0"}}
    sent = f"00-{TRACE}-b7ad6b7169203331-01"
    answer = live.call("POST", "/api/v1/signals", "admin", json=item, headers={"traceparent": sent})
    assert answer.status_code == 202, answer.text
    assert until(lambda: any("traceparent" in data for _, _, data, _ in list(screen.events)), 30)
    frame = next(data for _, _, data, _ in screen.events if "traceparent" in data)
    assert frame["traceparent"].split("-")[1] == TRACE, "the sender's trace goes on"
    done = live.call("POST", f"/api/v1/cases/{frame['code']}/accept", "operator", json={}, headers={"traceparent": frame["traceparent"]})
    assert done.status_code in (200, 409), done.text  # severe alarms are filed by themselves: the try is a span all the same
    web = ("gridloop-web", "POST /api/v1/cases/<code>/accept")
    assert until(lambda: any(span[:2] == web for span in list(collector.spans.values())), 20)
    last = next(key for key, span in collector.spans.items() if span[:2] == web)
    line = collector.line(last)
    assert [process for process, _ in line] == [
        "gridloop-web",
        "gridloop-push",
        "gridloop-worker",
        "gridloop-worker",
        "gridloop-ingest",
        "gridloop-ingest",
    ]
    assert line[1][1].startswith("push ")
    assert line[2][1].startswith("fact ")
    assert line[3][1] == "signal effect"
    assert line[4:] == [("gridloop-ingest", "signal log append"), ("gridloop-ingest", "POST /api/v1/signals")]
    assert {collector.spans[key][2] for key in collector.spans if collector.line(key)[-1] == line[-1]} == {TRACE}
    screen.close()
    verified = command("verify", "--data-dir", str(live.folder))
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_place_that_is_none_begins_a_new_trace(traced: tuple[Live, Collector]) -> None:
    live, collector = traced
    for wrong in ("nonsense", f"00-{'0' * 32}-b7ad6b7169203331-01"):
        assert live.call("GET", "/api/v1/case-types", headers={"traceparent": wrong}).status_code == 200
    name = "GET /api/v1/case-types"

    def seen() -> list[tuple[str, str, str, str]]:
        return [span for span in list(collector.spans.values()) if span[1] == name]

    assert until(lambda: len(seen()) == 2, 20)
    assert all(parent == "" and trace != "0" * 32 for _, _, trace, parent in seen())
