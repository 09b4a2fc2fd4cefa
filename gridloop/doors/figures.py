"""Figures of the processes for Prometheus. Labels are words of the program (route, job, channel), never a code, a name or an id.

Each process writes its figures into files of ``run/metrics/<host>/`` (the library's multi-process mode); whoever is asked for
``/metrics`` adds them up. A folder per host, because process numbers repeat where several containers share a data folder.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import psutil
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("gridloop_http_requests_total", "Requests answered", ["route", "method", "status"])
SECONDS = Histogram(
    "gridloop_http_request_seconds",
    "Time to the answer's head",
    ["route", "method"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
SHED = Counter("gridloop_http_shed_total", "Requests refused with 429 because they had waited too long for a free hand")
CONSOLES = Gauge("gridloop_push_consoles", "Open live screens", multiprocess_mode="livesum")
FRAMES = Counter("gridloop_push_frames_total", "Chunks sent to live screens, heartbeats not counted")
PUSH_LAG = Histogram(
    "gridloop_push_lag_seconds", "From a fact's time to its reading for screens", buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 120)
)
OVERRUNS = Counter("gridloop_push_overruns_total", "Screens too slow, told to read afresh")
JOB_RUNS = Counter("gridloop_job_runs_total", "Turns of background jobs", ["job", "outcome"])
JOB_SECONDS = Histogram("gridloop_job_seconds", "One turn of a job", ["job"], buckets=(0.01, 0.05, 0.25, 1, 5, 30, 120, 600))
JOB_PROCESSOR = Counter("gridloop_job_processor_seconds_total", "Processor time of a job's own thread", ["job"])
JOB_LAST = Gauge("gridloop_job_last_success_timestamp_seconds", "When a job last ended well", ["job"], multiprocess_mode="max")


class _AllHosts(MultiProcessCollector):
    """Adds up the files of every host's folder; live gauges of processes that ended here do not count."""

    def collect(self) -> Iterable[Metric]:
        here = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
        for path in here.glob("gauge_live*.db"):
            if not psutil.pid_exists(int(path.stem.rpartition("_")[2])):
                path.unlink(missing_ok=True)
        metrics: Iterable[Metric] = self.merge([str(path) for path in here.parent.glob("*/*.db")], accumulate=True)  # type: ignore[no-untyped-call]
        return metrics


def registry() -> CollectorRegistry:
    """All processes' figures, or this one's alone when no folder is shared (tests, a process without a deployment)."""
    if not os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        return REGISTRY
    found = CollectorRegistry()
    with contextlib.suppress(FileNotFoundError):
        _AllHosts(found, os.environ["PROMETHEUS_MULTIPROC_DIR"])  # type: ignore[no-untyped-call]
    return found
