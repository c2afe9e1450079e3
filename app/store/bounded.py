"""A bound on how long reading may take, so that one question can't keep a reader from the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import bindparam, func, select, true
from sqlalchemy.exc import DBAPIError

from app.kernel.errors import Unavailable
from app.store.db import Read
from app.store.prepared import Prepared

_STEPS: Final = 50_000
"""After so many steps of SQLite's, about a millisecond, the time is looked at."""
_SQLITE_INTERRUPT: Final = 9
_QUERY_CANCELED: Final = "57014"
_BOUND = Prepared(select(func.set_config("statement_timeout", bindparam("bound"), true())))


class TooLong(Unavailable):
    """What was read took longer than it may. The transaction is over, the connection as good as before."""


@contextmanager
def within(read: Read, seconds: float) -> Iterator[None]:
    """Raise TooLong once what is read inside takes longer: on PostgreSQL one statement, on SQLite all of it."""
    driver: Any = read.conn.connection.driver_connection
    sqlite = read.conn.dialect.name == "sqlite"
    if sqlite:
        until = time.monotonic() + seconds
        driver.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    else:
        # As long as the transaction lasts; 0 would be no bound.
        _BOUND.scalar(read.conn, {"bound": f"{max(1, round(seconds * 1000))}ms"})
    try:
        yield
    except Exception as error:
        # The driver's own too: rows are still being found while they are fetched.
        if _is_over(error):
            raise TooLong("This takes too long.") from error
        raise
    finally:
        if sqlite:
            driver.set_progress_handler(None, 0)


def _is_over(error: Exception) -> bool:
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    return code == _SQLITE_INTERRUPT or getattr(cause, "sqlstate", None) == _QUERY_CANCELED
