"""One JSON line a request, with its id; neither query strings nor headers, since those hold secrets."""

from __future__ import annotations

import atexit
import json
import logging
import re
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache, partial
from json.encoder import encode_basestring_ascii
from random import getrandbits
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import structlog
from flask import Flask, request

from app.kernel.clock import Clock, instant
from app.web import here, metrics
from app.web.lines import Gathered, Lines, joined

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_STAMP = structlog.processors.TimeStamper(fmt="iso", utc=True)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# By default a traceback lists each frame's local variables: passwords, tokens, keys.
_TRACEBACKS = structlog.processors.ExceptionRenderer(
    structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
)


class _Answered(NamedTuple):
    """One request as its line tells of it. `took` in seconds."""

    at: datetime
    took: float
    method: str
    route: str
    status: int
    client: str | None
    fields: dict[str, str]
    told: bool


_writer = cache(Lines)
_gathered: Gathered[_Answered] | None = None


def _lines(stream: TextIO, *_: object) -> Lines:
    return _writer(stream)


def gather() -> None:
    """From now on this process counts and tells requests together, a moment later; `flush` at its end."""
    global _gathered  # noqa: PLW0603 - a process has one log
    _gathered = Gathered(_tell)
    atexit.register(flush)


def flush() -> None:
    """Tell what has been gathered."""
    if _gathered is not None:
        _gathered.flush()


def configure(level: str) -> None:
    """Send structlog and the standard library's loggers to standard error as JSON lines."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _STAMP,
    ]
    structlog.configure(
        processors=[
            *shared,
            _TRACEBACKS,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=partial(_lines, sys.stderr),
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=shared,
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)


def install(app: Flask) -> None:
    """Log every request once it is answered."""
    deps = app.extensions["ostiary"]
    configure(deps.settings.log_level)
    told = logging.getLevelNamesMapping()[deps.settings.log_level.upper()] <= logging.INFO
    app.wsgi_app = _Logged(app.wsgi_app, deps.clock, told=told)  # type: ignore[method-assign]


class _Logged:
    """Gives each request its id, and counts and tells what became of it: below Flask, whose hooks cost more."""

    def __init__(self, app: WSGIApplication, clock: Clock, *, told: bool) -> None:
        self._app, self._clock, self._told = app, clock, told

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        started = time.monotonic()
        given = environ.get("HTTP_X_REQUEST_ID", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else f"{getrandbits(64):016x}"
        fields = environ[here.LINE] = {"request_id": request_id}

        def start(status: str, said: list[tuple[str, str]], *error: Any) -> Any:
            rule = request.url_rule
            one = _Answered(
                self._clock(), time.monotonic() - started, environ["REQUEST_METHOD"],
                rule.rule if rule else "unmatched", int(status[:3]), environ.get("REMOTE_ADDR"), fields,
                self._told,
            )  # fmt: skip
            if _gathered is None:
                _tell([one])
            else:
                _gathered(one)
            return start_response(status, [*said, ("X-Request-Id", request_id)], *error)

        return self._app(environ, start)


def _tell(answered: Sequence[_Answered]) -> None:
    """Count requests, and write their lines where structlog writes, in a fifth of its own way's time."""
    for one in answered:
        with suppress(Exception):  # its files may lie on a full disk, or be torn
            metrics.observe(one.method, one.route, one.status, one.took)
    lines = structlog.get_config()["logger_factory"]()
    for text in joined(_line(one) for one in answered if one.told):
        lines.msg(text)


def _line(one: _Answered) -> str:
    said = {
        "method": one.method, "route": one.route, "status": one.status, "ms": round(one.took * 1000, 1),
        "client": one.client, **one.fields, "event": "request", "level": "info",
        "timestamp": instant(one.at).replace("+00:00", "Z"),
    }  # fmt: skip
    return "{" + ", ".join([f'"{name}": {_json(value)}' for name, value in said.items()]) + "}"


def _json(value: object) -> str:
    return encode_basestring_ascii(value) if isinstance(value, str) else json.dumps(value)
