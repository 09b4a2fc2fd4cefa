"""Off, a trace costs next to nothing and its library is not even imported."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from gridloop.kernel import tracing
from gridloop.sdk.signals import Signal, pack, unpack

AT = datetime(2026, 3, 1, tzinfo=UTC)


def test_off_nothing_is_imported() -> None:
    code = "import sys; from gridloop.kernel import tracing; tracing.set_up('web'); assert tracing.here() == ''\n"
    code += "with tracing.span('a') as s: assert s is None\n"
    code += "print([m for m in sys.modules if m.startswith('opentelemetry')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_off_a_span_costs_less_than_microseconds() -> None:
    assert not tracing.on()
    began = time.thread_time()  # our own: others share the machine
    for _ in range(10_000):
        with tracing.span("a", case="b"):
            pass
    assert (time.thread_time() - began) / 10_000 < 20e-6


@pytest.mark.parametrize("trace", ["", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"])
def test_a_batch_keeps_the_place_of_its_signals(trace: str) -> None:
    plain = Signal("1", "s", "d", "smoke", AT, 1.0)
    kept = unpack(pack([plain, Signal("2", "s", "d", "smoke", AT, 0.0, trace=trace)]))
    assert [s.trace for s in kept] == ["", trace]
    assert kept[0] == plain
