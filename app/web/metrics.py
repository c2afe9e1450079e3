"""Prometheus counters of this process; several processes share a folder that `serve` makes."""

from __future__ import annotations

import os
from functools import cache

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("ostiary_requests_total", "Requests answered.", ["method", "route", "status"])
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
SECONDS = Histogram("ostiary_request_seconds", "Time to answer.", ["route"])


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one answered request; `route` is the rule, so its values are few."""
    _requests(method if method in _METHODS else "other", route, status).inc()
    _seconds(route).observe(seconds)


# Kept, since looking one up by its labels costs more than counting does; they are as few as the routes.
_requests = cache(REQUESTS.labels)
_seconds = cache(SECONDS.labels)


def exposition(waiting: dict[str, int], held: int) -> tuple[bytes, str]:
    """Render all processes' counters and the outbox gauges; returns (body, content type)."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        body = generate_latest(registry)
    else:
        body = generate_latest()
    lines = [
        "# HELP ostiary_outbox Deliveries that wait, and that were given up.",
        "# TYPE ostiary_outbox gauge",
    ]
    lines += [
        f'ostiary_outbox{{status="{status}"}} {count}' for status, count in sorted(waiting.items())
    ]
    lines += [
        "# HELP ostiary_holds Mass departures that wait for an administrator's decision.",
        "# TYPE ostiary_holds gauge",
        f"ostiary_holds {held}",
    ]
    return body + "\n".join(lines).encode() + b"\n", CONTENT_TYPE_LATEST
