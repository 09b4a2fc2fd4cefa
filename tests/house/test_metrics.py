"""One address tells of the whole product; the dashboard and the alert rules ask for figures that exist."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import httpx
import pytest
import yaml
from django.http import HttpRequest, HttpResponse
from prometheus_client.parser import text_string_to_metric_families

from gridloop.doors.cli.edge import metrics_from
from gridloop.doors.http.metrics import MetricsMiddleware
from tests.house.product import Product, first_start_done, running, until

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
_NAME = re.compile(r"\bgridloop_[a-z_]+")
_WORD = re.compile(r"[a-z0-9_./<>:+ -]*", re.IGNORECASE)


def names_asked_for() -> set[str]:
    board = json.loads((DEPLOY / "grafana" / "gridloop.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8"))
    asked += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return {name for expression in asked for name in _NAME.findall(expression)}


def scrape(product: Product) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    answer = httpx.get(f"{product.url}/metrics", timeout=20)
    assert answer.status_code == 200
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(answer.text):
        found.setdefault(family.name, {})
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


@pytest.mark.server
def test_one_address_tells_of_every_process(tmp_path: Path) -> None:
    first_start_done(tmp_path / "d", "--empty")
    with running(tmp_path / "d", "--empty") as product:
        for _ in range(20):  # both web workers get some
            assert httpx.get(f"{product.url}/api/v1/cases/YL-no-such-case").status_code == 401
        assert until(lambda: ("job", "notices.deliver") in {k for key in scrape(product)["gridloop_job_runs_total"] for k in key})
        (product.folder / "backup.json").write_text(json.dumps({"at": time.time()}), encoding="utf-8")
        found = scrape(product)
        cases = {k: v for k, v in found["gridloop_http_requests_total"].items() if dict(k)["status"] == "401"}
        assert sum(cases.values()) == 20, "workers' counts are added up"
        assert all("no-such-case" not in dict(k)["route"] and "<" in dict(k)["route"] for k in cases), "the template, never a code"
        assert all(value == 0 for value in found["gridloop_scrape_failed"].values())
        assert {dict(k)["process"] for k in found["gridloop_process_resident_bytes"]} >= {"web", "push", "ingest", "worker", "edge"}
        jobs = {dict(k)["job"]: seconds for k, seconds in found["gridloop_job_processor_seconds_total"].items()}
        assert jobs["notices.deliver"] > 0, "what each job computes is told apart"
        assert found["gridloop_database_connections_max"][()] > sum(found["gridloop_database_connections"].values()) > 3
        # counters of things that have not happened yet have no sample: the families must be declared all the same
        declared = set(found) | {f"{name}{suffix}" for name in found for suffix in ("_total", "_bucket")}
        assert not names_asked_for() - declared - not_yet_happened()
        for name, series in found.items():
            assert all(_WORD.fullmatch(value) for labels in series for _, value in labels), name
        assert httpx.get(f"{product.url}/metrics", headers={"X-Forwarded-For": "127.0.0.1"}).status_code == 403, "an unknown proxy"


def not_yet_happened() -> set[str]:
    """With labels and no event yet, a counter leaves no file: those the source declares."""
    from gridloop.doors import figures
    from gridloop.doors.ingest import figures as ingest
    from gridloop.notices.actions import DELIVERIES

    labelled = (figures.REQUESTS, ingest.ACCEPTED, ingest.REJECTED, ingest.DUPLICATES, DELIVERIES)
    return {f"{family.describe()[0].name}_total" for family in labelled}


def test_who_may_ask_is_said_in_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDLOOP_METRICS_FROM", "10.3.0.0/16, 192.168.1.5")
    assert metrics_from() == ("127.0.0.0/8", "::1/128", "10.3.0.0/16", "192.168.1.5/32")
    monkeypatch.setenv("GRIDLOOP_METRICS_FROM", "everybody")
    with pytest.raises(Exception, match="GRIDLOOP_METRICS_FROM"):
        metrics_from()


def test_counting_a_request_costs_microseconds() -> None:
    middleware = MetricsMiddleware(lambda request: HttpResponse())
    request = HttpRequest()
    request.method = "GET"
    middleware(request)
    began = time.thread_time()  # our own: others share the machine
    for _ in range(2000):
        middleware(request)
    assert (time.thread_time() - began) / 2000 < 200e-6
