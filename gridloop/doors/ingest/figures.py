"""What the ingest door tells about itself."""

from __future__ import annotations

import structlog
from prometheus_client import Counter, Gauge, Histogram

LOG = structlog.get_logger("ingest")
ACCEPTED = Counter("gridloop_signals_accepted_total", "Signals now durable in the log", ["door"])
DUPLICATES = Counter("gridloop_signals_duplicates_total", "Repeats seen within ten minutes", ["door"])
REJECTED = Counter("gridloop_signals_rejected_total", "Items refused", ["door"])
REFUSED = Counter("gridloop_signals_requests_refused_total", "Requests answered 429 because too much was waiting")
WAITING = Gauge("gridloop_signals_waiting", "Signals received and not yet durable", multiprocess_mode="livesum")
APPEND_SECONDS = Histogram(
    "gridloop_signals_append_seconds", "One group commit", buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2, 5)
)
