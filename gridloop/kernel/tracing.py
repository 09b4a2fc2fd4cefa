"""OpenTelemetry traces, off unless ``OTEL_EXPORTER_OTLP_ENDPOINT`` is set; off, nothing is imported and a span costs a comparison.

A place in a trace is a W3C ``traceparent``: 55 characters, ``00-<32 hex>-<16 hex>-<2 hex>``, or '' for none. It says nothing of
anybody: random numbers only.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

log = logging.getLogger(__name__)
_PLACE = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_NOTHING = nullcontext(None)
_tracer: Any = None
_KINDS = ("internal", "server", "client", "producer", "consumer")


def wanted() -> bool:
    """Whether the administrator has named a collector."""
    return bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))


def on() -> bool:
    """Whether this process traces."""
    return _tracer is not None


def set_up(process: str) -> None:
    """Once in each process that works (after a fork, not before): spans leave in batches over OTLP/HTTP, dropped when nobody takes them."""
    global _tracer
    if not wanted():
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        log.error("OTEL_EXPORTER_OTLP_ENDPOINT is set but the packages are missing: pip install --require-hashes -r requirements/otel.txt")
        return
    named: dict[str, str | int] = {"service.name": f"gridloop-{process}", "service.namespace": "gridloop", "process.pid": os.getpid()}
    provider = TracerProvider(resource=Resource.create({**named}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = provider.get_tracer("gridloop")


def span(name: str, parent: str = "", kind: str = "internal", **attributes: str | int) -> AbstractContextManager[Any]:
    """A span around a piece of work: below ``parent`` when that is a traceparent, else below the span that is open here.

    Yields the span, or None when tracing is off.
    """
    return _NOTHING if _tracer is None else _span(name, parent, kind, attributes)


@contextmanager
def _span(name: str, parent: str, kind: str, attributes: dict[str, str | int]) -> Iterator[Any]:
    from opentelemetry.trace import SpanKind

    context = _context(parent) if _PLACE.fullmatch(parent) else None
    said = {f"gridloop.{key}": value for key, value in attributes.items() if value != ""}
    # a fault's text may quote what people wrote: its kind alone is told
    with _tracer.start_as_current_span(
        name, context=context, kind=SpanKind(_KINDS.index(kind)), attributes=said, record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except Exception as fault:
            opened.set_attribute("error.type", type(fault).__name__)
            raise


def _context(parent: str) -> Any:
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract({"traceparent": parent})


def here() -> str:
    """The traceparent of the span that is open here, '' when there is none."""
    if _tracer is None:
        return ""
    from opentelemetry.trace import get_current_span

    context = get_current_span().get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}" if context.is_valid else ""
