"""Knows whether this thread holds a database transaction, so that no HTTP call is made inside one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_open: ContextVar[int] = ContextVar("open_transactions", default=0)


@contextmanager
def entered() -> Iterator[None]:
    """Mark a transaction as open for the duration of the block."""
    _open.set(_open.get() + 1)
    try:
        yield
    finally:
        # Counted down, not set back: blocks need not end in the order in which they were nested.
        _open.set(_open.get() - 1)


def is_open() -> bool:
    """Tell whether a transaction is open here."""
    return _open.get() > 0
