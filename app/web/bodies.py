"""The JSON that came with a request, within a bound."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from flask import abort, request
from werkzeug.exceptions import RequestEntityTooLarge

from scim import resource
from scim.errors import PayloadTooLarge


def json_of(media_types: Collection[str], largest: int) -> Any:
    """Read it; the first of the types is the one to send. Raises PayloadTooLarge, InvalidSyntax; 415 for another."""
    if request.mimetype not in {*media_types, ""}:
        abort(415, f"Send {next(iter(media_types))}.")
    if request.mimetype_params.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        abort(415, "Send JSON in UTF-8.")
    # One byte more, since a body that does not say how long it is would be cut off there in silence.
    request.max_content_length = largest + 1
    try:
        sent = request.get_data(cache=False)
    except RequestEntityTooLarge as why:
        raise _too_large(largest) from why
    if len(sent) > largest:
        raise _too_large(largest)
    return resource.decode(sent)


def _too_large(largest: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"A request may have {largest} bytes at most.")
