"""Probes for the machines that run us, and Prometheus's page."""

from __future__ import annotations

import hmac

from flask import Flask, Response, jsonify, request

from app.kernel.errors import Refused, Unavailable
from app.store import guard, outbox
from app.store.migrate import SchemaAhead, SchemaUnfit, require_current
from app.web import here, logs, metrics


def install(app: Flask) -> None:
    """Add /healthz, /readyz and /metrics."""
    app.add_url_rule("/healthz", view_func=alive)
    app.add_url_rule("/readyz", view_func=ready)
    app.add_url_rule("/metrics", view_func=exposed)


def alive() -> Response:
    """This process answers."""
    return jsonify(status="ok")


def ready() -> Response:
    """The database answers and has tables that this version can work on."""
    try:
        require_current(here.deps().db)
    except SchemaUnfit as error:
        code = "schema_ahead" if isinstance(error, SchemaAhead) else "schema_behind"
        raise Unavailable(str(error), code=code) from error
    return jsonify(status="ready")


def exposed() -> Response:
    """Counters for Prometheus: to the metrics token's bearer, or to loopback where none is set."""
    wanted = here.deps().settings.metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    allowed = (
        hmac.compare_digest(given.encode(), wanted.encode())
        if wanted
        else request.remote_addr in {"127.0.0.1", "::1"}
    )
    if not allowed:
        raise Refused("Metrics need the bearer token of OSTIARY_METRICS_TOKEN.")
    logs.flush()
    with here.deps().db.system() as system:
        body, kind = metrics.exposition(outbox.counts(system), guard.open_holds(system))
    return Response(body, content_type=kind)
