"""``GET /metrics``: every process's figures, and how database, trace, queues and machine stand at this moment.

Who may ask is the front door's matter (``GRIDLOOP_METRICS_FROM``). What cannot be read is left out and told by
``gridloop_scrape_failed``; a scrape takes a few statements, each ended by the database after two seconds.
"""

from __future__ import annotations

import functools
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import psutil
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric

from gridloop import __version__
from gridloop.doors import figures
from gridloop.flow.selectors import overdue_limits
from gridloop.journal.selectors import lag, scoped
from gridloop.kernel import clock
from gridloop.kernel.viewer import SYSTEM
from gridloop.notices.selectors import waiting_now
from gridloop.signals.selectors import detecting, lags

log = logging.getLogger(__name__)
_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"))
_MOST_WAIT = "2s"


class MetricsMiddleware:
    """Counts and times each request by the template of its address."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._known: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self.get_response(request)
        match = request.resolver_match
        route = match.route if match else "none"
        method = request.method if request.method in _METHODS else "other"
        key = (route, str(method), response.status_code)
        series = self._known.get(key)
        if series is None:
            children = figures.REQUESTS.labels(route, method, response.status_code), figures.SECONDS.labels(route, method)
            series = self._known.setdefault(key, children)
        series[0].inc()
        series[1].observe(time.perf_counter() - began)
        return response


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"gridloop_{name}", text, value=value)


def _by(name: str, text: str, label: str, values: dict[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"gridloop_{name}", text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _total_by(name: str, text: str, label: str, values: dict[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"gridloop_{name}", text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _database() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = current_database() GROUP BY 1",
        )
        known = {"web", "push", "worker", "gridloop-ingest", "gridloop-ingest-auth", "gridloop", "simulate"}
        counts: dict[str, float] = {}
        for name, count in cursor.fetchall():
            counts[name if name in known else "other"] = counts.get(name if name in known else "other", 0) + count
        yield _by("database_connections", "Open connections by process", "process", counts)
        cursor.execute(
            "SELECT current_setting('max_connections')::int, pg_database_size(current_database()),"
            " (SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0) FROM pg_stat_activity WHERE xact_start IS NOT NULL)"
        )
        most, size, oldest = cursor.fetchone()
        yield _gauge("database_connections_max", "Connections the server allows", most)
        yield _gauge("database_bytes", "Size of the database", size)
        yield _gauge("database_longest_transaction_seconds", "Oldest open transaction: consumers of the trace wait for it", float(oldest))


def _queues() -> Iterator[Metric]:
    now = clock.now()
    yield _by("consumer_lag_facts", "Facts a consumer of the trace has before it, at most 100000", "consumer", dict(lag(SYSTEM)))
    batches, ages = {}, {}
    for name, found in lags(SYSTEM).items():
        batches[name] = float(found.batches)
        ages[name] = max(0.0, (now - found.since).total_seconds()) if found.since else 0.0
    yield _by("signals_lag_batches", "Batches of the signal log not yet worked through", "consumer", batches)
    yield _by("signals_lag_seconds", "Age of the first of them", "consumer", ages)
    yield from _detectors(now)
    count, since = overdue_limits(SYSTEM, now)
    yield _gauge("limits_due", "Limits that are due and not fired, at most 10000", count)
    yield _gauge("limits_due_seconds", "How long the oldest of them has been due", (now - since).total_seconds() if since else 0.0)
    waiting, first = waiting_now(SYSTEM)
    yield _gauge("deliveries_waiting", "Notices not yet delivered, at most 10000", waiting)
    yield _gauge(
        "deliveries_waiting_seconds", "How long the next of them has been due", max(0.0, (now - first).total_seconds()) if first else 0
    )


def _detectors(now: datetime) -> Iterator[Metric]:
    """As of when what they know was last stored, some 30 s ago; while no detector is on nothing is behind."""
    found = detecting(SYSTEM)
    until = found.until or now
    yield _gauge("detectors_until_timestamp_seconds", "Up to when what was received has gone through the detectors", until.timestamp())
    yield _gauge("detectors_behind_seconds", "How long ago that is", max(0.0, (now - until).total_seconds()))
    passed = {why: float(count) for why, count in found.passed.items()}
    yield _total_by("detectors_irregular_readings", "Readings that took no part, or of odd values (unit, reset)", "why", passed)
    yield _gauge("detectors_held", "Detectors held back because of too many alarms", len(found.held))
    yield _gauge("detectors_aside", "Detectors set aside because they cannot go on", len(found.aside))
    yield _gauge("alarms_hushed", "Alarms of silence that wait for their village to be heard again", found.hushed)


def _machine() -> Iterator[Metric]:
    usage = shutil.disk_usage(settings.DATA_DIR)
    yield _gauge("disk_bytes", "Size of the data folder's disk", usage.total)
    yield _gauge("disk_free_bytes", "Free on it", usage.free)
    beats: dict[str, float] = {}
    for path in (settings.DATA_DIR / "run").glob("worker*.json"):
        beats["worker"] = max(beats.get("worker", 0.0), float(json.loads(path.read_text(encoding="utf-8"))["at"]))
    yield _by("heartbeat_timestamp_seconds", "When a worker last showed that it lives", "process", beats)
    noted = settings.DATA_DIR / "backup.json"
    if noted.exists():
        at = float(json.loads(noted.read_text(encoding="utf-8"))["at"])
        yield _gauge("backup_timestamp_seconds", "When the last backup was completed", at)
    yield from _processes()


def _processes() -> Iterator[Metric]:
    memory = GaugeMetricFamily("gridloop_process_resident_bytes", "Memory of a process with its children", labels=["process"])
    cpu = CounterMetricFamily("gridloop_process_cpu_seconds", "Processor time of a process with its children", labels=["process"])
    note = settings.DATA_DIR / "run.json"
    children = json.loads(note.read_text(encoding="utf-8")).get("children", {}) if note.exists() else {}
    for name, (pid, _) in sorted(children.items()):
        try:
            family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
            memory.add_metric([name], sum(p.memory_info().rss for p in family))
            cpu.add_metric([name], sum(sum(p.cpu_times()[:2]) for p in family))
        except psutil.Error:
            continue
    yield memory
    yield cpu


def _from_database(part: Callable[[], Iterator[Metric]]) -> Callable[[], list[Metric]]:
    @functools.wraps(part)
    def run() -> list[Metric]:
        with scoped(SYSTEM):
            with connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout = '{_MOST_WAIT}'")
            return list(part())

    return run


class _Now:
    """What is read at the moment of asking. Parts that need the database fail alone."""

    def collect(self) -> Iterable[Metric]:
        build = GaugeMetricFamily("gridloop_build_info", "Version that answers", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        failed = {}
        for part in (_machine, _from_database(_database), _from_database(_queues)):
            name = part.__name__.strip("_")
            try:
                found = list(part())
            except Exception as fault:  # a scrape tells what it can, above all when something is wrong
                log.warning("metrics: %s could not be read: %s", name, type(fault).__name__)
                connection.close_if_unusable_or_obsolete()
                found, failed[name] = [], 1.0
            yield from found
            failed.setdefault(name, 0.0)
        yield _by("scrape_failed", "1 for a part that could not be read now", "part", failed)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text: what the processes counted, then what is read now."""
    now = CollectorRegistry()
    now.register(_Now())
    return HttpResponse(generate_latest(figures.registry()) + generate_latest(now), content_type=CONTENT_TYPE_LATEST)
