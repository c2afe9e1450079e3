"""Knows whether this thread holds a database transaction, so that no HTTP call is made inside one."""

from __future__ import annotations

from contextvars import ContextVar

_open: ContextVar[int] = ContextVar("open_transactions", default=0)


def enter() -> None:
    """Note that a transaction is open; `leave` ends it."""
    _open.set(_open.get() + 1)


def leave() -> None:
    """Note that one is over. Counted down, not set back: they need not end in the order in which they began."""
    _open.set(_open.get() - 1)


def is_open() -> bool:
    """Tell whether a transaction is open here."""
    return _open.get() > 0
