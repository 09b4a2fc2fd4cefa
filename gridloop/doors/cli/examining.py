"""What ``gridloop doctor`` sees without the database: worker, figures, disk, certificates, backups, retention, clock."""

from __future__ import annotations

import json
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from gridloop.doors.cli.deployment import ROOT, Deployment
from gridloop.doors.cli.findings import BAD, OK, WARN, Line
from gridloop.sdk.channels import real_channels

SILENT = 15.0  # seconds without a heartbeat
BACKUP_HOURS, RETENTION_HOURS = 36, 3
FULL_WARN, FULL_BAD = 14.0, 3.0  # days until the disk is full
CERTIFICATE_DAYS = 14.0
LEAF_HOURS = 2.0  # the edge renews its own short certificates long before


def worker(deployment: Deployment) -> Iterator[Line]:
    for path in sorted(deployment.run.glob("worker*.json")):
        beat: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        age = time.time() - beat["at"]
        yield (OK if age < SILENT else BAD), path.stem, "doors.doctor_heartbeat", {"age": f"{age:.0f}", "jobs": len(beat["jobs"])}
        for name, state in beat["jobs"].items():
            if state["in_a_row"]:
                yield BAD, f"job {name}", "doors.doctor_job", {"count": state["in_a_row"], "error": state["last_error"]}


def metrics(deployment: Deployment) -> Iterator[Line]:
    """Asked at our own port on this machine; a local certificate is not known to the library and not looked at here."""
    url = str(deployment.read("run.json").get("url", ""))
    if not deployment.running() or not url.startswith("http:"):
        return
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
            fine = b"gridloop_build_info" in answer.read()
        yield (OK, "metrics", "doors.doctor_metrics", {}) if fine else (WARN, "metrics", "doors.doctor_metrics_bad", {"why": "?"})
    except OSError as fault:
        yield WARN, "metrics", "doors.doctor_metrics_bad", {"why": str(fault)}


def disk(deployment: Deployment) -> Iterator[Line]:
    usage = shutil.disk_usage(deployment.folder)
    free = usage.free / usage.total
    yield (OK if free > 0.1 else WARN), "disk", "doors.doctor_disk", {"free": f"{usage.free / 1e9:.1f}", "share": f"{free:.0%}"}
    days = days_until_full(deployment.read("disk.json").get("free", ()), usage.free)
    if days is None or days > 365:
        yield OK, "disk forecast", "doors.doctor_forecast_none", {}
    else:
        level = BAD if days < FULL_BAD else WARN if days < FULL_WARN else OK
        yield level, "disk forecast", "doors.doctor_forecast", {"days": f"{days:.0f}"}


def days_until_full(samples: Sequence[Sequence[float]], free: float) -> float | None:
    """By the straight line through hourly samples ``(time in s, free bytes)``; None for less than a day of them or when nothing grows."""
    if len(samples) < 12 or samples[-1][0] - samples[0][0] < 86_400:
        return None
    middle = sum(at for at, _ in samples) / len(samples)
    mean = sum(size for _, size in samples) / len(samples)
    spread = sum((at - middle) ** 2 for at, _ in samples)
    slope = sum((at - middle) * (size - mean) for at, size in samples) / spread
    return free / -slope / 86_400 if slope < 0 else None


def certificates(deployment: Deployment) -> Iterator[Line]:
    """What the edge made for the local network, and that of the devices' door; a proxy's own are its own."""
    devices = deployment.read("run.json").get("environment", {}).get("GRIDLOOP_MQTT_CERT", "")
    for path in [*sorted(deployment.caddy.rglob("*.crt")), *([Path(devices)] if devices else [])]:
        end = x509.load_pem_x509_certificate(path.read_bytes()).not_valid_after_utc
        days = (end - datetime.now(UTC)).total_seconds() / 86_400
        least = CERTIFICATE_DAYS if path.stem == "root" or str(path) == devices else LEAF_HOURS / 24
        level = BAD if days < 0 else WARN if days < least else OK
        yield level, f"certificate {path.stem}", "doors.doctor_certificate", {"days": f"{days:.1f}"}


def backups(deployment: Deployment) -> Iterator[Line]:
    at = deployment.read("backup.json").get("at")
    if at is None:
        sample = deployment.read("deployment.json").get("sample")
        yield (OK if sample else WARN), "backup", "doors.doctor_backup_never", {}
    else:
        hours = (time.time() - float(at)) / 3600
        yield (OK if hours < BACKUP_HOURS else WARN), "backup", "doors.doctor_backup", {"hours": f"{hours:.0f}"}


def retention(deployment: Deployment) -> Iterator[Line]:
    path = deployment.run / "retention.json"
    if not path.exists():
        yield WARN, "retention", "doors.doctor_retention_never", {}
        return
    state = json.loads(path.read_text(encoding="utf-8"))
    hours = (time.time() - state["at"]) / 3600
    late = deployment.running() and hours > RETENTION_HOURS
    yield (WARN if late else OK), "retention", "doors.doctor_retention", {"hours": f"{hours:.1f}"}
    if state["failed"]:
        yield BAD, "retention", "doors.doctor_retention_failed", {"names": ", ".join(sorted(state["failed"]))}


def configured(deployment: Deployment) -> Iterator[Line]:
    built = (ROOT / "web" / "dist" / "index.html").exists()
    yield (OK if built else WARN), "front end", "doors.doctor_front_end" if built else "doors.doctor_front_end_missing", {}
    names = ", ".join(real_channels())
    yield OK, "channels", "doors.doctor_channels" if names else "doors.doctor_channels_none", {"names": names}
    moved = (deployment.folder / "clock.json").exists()
    yield (WARN if moved else OK), "clock", "doors.doctor_clock_moved" if moved else "doors.doctor_clock", {}


MACHINE_CHECKS: tuple[Callable[[Deployment], Iterator[Line]], ...] = (
    worker,
    metrics,
    disk,
    certificates,
    backups,
    retention,
    configured,
)
