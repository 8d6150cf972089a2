"""Traces: a thin layer over OpenTelemetry, cheap enough for every event (ADR 5).

Each client frame starts a root trace; its `traceparent` travels in message headers. Spans are recorded and sent by
OTLP only when a standard `OTEL_EXPORTER_OTLP_…ENDPOINT` variable says where; ids exist in any case.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    set_span_in_context,
)

from warren import __version__
from warren.envelope import TRACEPARENT, Event

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_tracer = trace.get_tracer("warren", __version__)
_trace_id = contextvars.ContextVar("trace_id", default=0)


class _Ids(RandomIdGenerator):
    """Random ids, but for a trace whose id was chosen."""

    def generate_trace_id(self) -> int:
        return _trace_id.get() or super().generate_trace_id()


@functools.cache
def exporting() -> bool:
    """Whether spans are recorded and sent."""
    return any(os.environ.get(name) for name in _ENDPOINTS)


def configure(service: str, instance: str) -> TracerProvider:
    """Set up traces for this process; returns the provider, to be shut down at the end."""
    resource = Resource.create(
        {
            "service.namespace": "warren",
            "service.name": os.environ.get("OTEL_SERVICE_NAME", service),
            "service.instance.id": instance,
            "service.version": __version__,
        }
    )
    if exporting():
        # Here, for it takes a tenth of a start-up and 10 MB.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        provider = TracerProvider(resource=resource, id_generator=_Ids())
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    else:
        provider = TracerProvider(resource=resource, sampler=ALWAYS_OFF)
    trace.set_tracer_provider(provider)
    return provider


@contextlib.contextmanager
def root_span(name: str, **attributes: str) -> Iterator[str]:
    """Start a new trace, whatever is current; yields its `traceparent`.

    Where nothing is exported, it is an id and no more: 2 µs instead of 25.
    """
    if not exporting():
        yield f"00-{random.getrandbits(128) or 1:032x}-{random.getrandbits(64) or 1:016x}-00"
        return
    with _tracer.start_as_current_span(
        name,
        context=trace.set_span_in_context(trace.INVALID_SPAN),
        kind=SpanKind.SERVER,
        attributes=attributes,
    ) as span:
        yield traceparent(span)


@contextlib.contextmanager
def linked_span(name: str, trace_id: str, origin: Mapping[str, Any], **attributes: str) -> Iterator[str]:
    """Start a new trace of a chosen id (32 hex digits), linked to the one of the headers `origin`.

    Yields its `traceparent`. Records nothing where nothing is exported.
    """
    number = int(trace_id, 16) or 1  # 0 is no trace
    if not exporting():
        yield f"00-{number:032x}-{random.getrandbits(64) or 1:016x}-00"
        return
    before = _remote(origin)
    chosen = _trace_id.set(number)
    try:
        span = _tracer.start_span(
            name,
            context=trace.set_span_in_context(trace.INVALID_SPAN),
            kind=SpanKind.PRODUCER,
            attributes=attributes,
            links=[Link(before)] if before else [],
        )
    finally:
        _trace_id.reset(chosen)
    try:
        yield traceparent(span)
    finally:
        span.end()


@contextlib.contextmanager
def event_spans(name: str, events: Sequence[Event]) -> Iterator[None]:
    """Record one consumer span per event, each in its own trace; costs nothing when nothing is exported."""
    spans: list[Span] = []
    for event in events:
        parent = _remote(event.headers)
        if parent is None or not parent.trace_flags.sampled:
            continue
        spans.append(
            _tracer.start_span(
                f"{name} {event.type}",
                context=set_span_in_context(NonRecordingSpan(parent)),
                kind=SpanKind.CONSUMER,
                attributes={
                    "messaging.system": "rabbitmq",
                    "messaging.operation.type": "process",
                    "messaging.message.id": event.id,
                    "messaging.rabbitmq.destination.routing_key": event.routing_key,
                },
            )
        )
    try:
        yield
    except Exception as e:
        for span in spans:
            span.record_exception(e)
        raise
    finally:
        for span in spans:
            span.end()


def traceparent(span: Span) -> str:
    """Write a span's context as a W3C `traceparent`."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def current_headers() -> dict[str, str]:
    """Headers that carry the current trace to a neighbour, by HTTP."""
    span = trace.get_current_span()
    return {TRACEPARENT: traceparent(span)} if span.get_span_context().is_valid else {}


def _remote(headers: Mapping[str, Any]) -> SpanContext | None:
    parts = str(headers.get(TRACEPARENT, "")).split("-")
    try:
        _, trace_id, span_id, flags = parts
        return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    except ValueError:
        return None
