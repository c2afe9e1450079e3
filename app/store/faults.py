"""What goes wrong with a database itself, told truly: what it was, and whether anything was changed.

A fault of our own SQL is not among these; it stays an error of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import structlog
from sqlalchemy import ExceptionContext, exc
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from app.kernel.errors import Unavailable

Fault = DBAPIError | exc.TimeoutError


class Moment(Enum):
    """How far a transaction had come."""

    BEGIN = "begin"
    INSIDE = "inside"
    COMMIT = "commit"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault: its wire code, its sentence, and the seconds after which to try again."""

    code: str
    sentence: str
    retry_after: int


BUSY = Kind("database_busy", "The database is busy.", 2)
CONTESTED = Kind("database_contested", "Another request changed the same at the same moment.", 1)
FULL = Kind("database_full", "The database's disk is full, or fails.", 30)
READ_ONLY = Kind("database_read_only", "The database can't be written to at present.", 30)
DAMAGED = Kind("database_damaged", "The database is damaged; its operator must see to it.", 300)
AWAY = Kind("database_unavailable", "The database can't be reached.", 2)

_SQLITE_FULL = 13
_SQLITE = {
    3: READ_ONLY, 5: BUSY, 6: BUSY, 7: BUSY, 8: READ_ONLY, 10: FULL, 11: DAMAGED, _SQLITE_FULL: FULL,
    14: READ_ONLY, 15: BUSY, 26: DAMAGED,
}  # fmt: skip
"""By primary result code: PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB."""

_POSTGRES = {
    "40001": CONTESTED,  # serialization_failure
    "40P01": CONTESTED,  # deadlock_detected
    "55P03": BUSY,  # lock_not_available
    "57014": BUSY,  # query_canceled: a statement_timeout
    "25P03": BUSY,  # idle_in_transaction_session_timeout
    "25P04": BUSY,  # transaction_timeout
    "53100": FULL,  # disk_full
    "58030": FULL,  # io_error
    "25006": READ_ONLY,  # read_only_sql_transaction: a standby, or default_transaction_read_only
    "XX001": DAMAGED,  # data_corrupted
    "XX002": DAMAGED,  # index_corrupted
}
_POSTGRES_CLASSES = {
    "08": AWAY,  # connection_exception
    "57": AWAY,  # operator_intervention: restarted, shutting down, starting up
    "53": BUSY,  # insufficient_resources: too_many_connections, out_of_memory
}

_UNCHANGED = "Nothing was changed; try again in a moment."
_UNKNOWN = "It is not known whether this was saved; repeating it is safe."


def unavailable(error: Fault, moment: Moment) -> Unavailable | None:
    """Return what a caller is told of a fault of the database; None for a fault of our own."""
    kind = _kind(error, moment)
    if kind is None:
        return None
    cause = error.orig if isinstance(error, DBAPIError) else error
    structlog.get_logger("ostiary.store").warning(
        "database fault",
        code=kind.code,
        moment=moment.value,
        cause=f"{type(cause).__name__}: {cause}",
    )
    known = moment is not Moment.COMMIT or _undone(error, kind)
    sentence = f"{kind.sentence} {_UNCHANGED if known else _UNKNOWN}"
    return Unavailable(sentence, code=kind.code, retry_after=kind.retry_after)


def without_values(context: ExceptionContext) -> None:
    """Take the values of rows out of PostgreSQL's words, which go to the log: people's data is not for it.

    They stand in the DETAIL, and where a value itself is at fault (class 22) in the message too.
    """
    error = context.original_exception
    if strip_values(error) and context.sqlalchemy_exception is not None:
        context.sqlalchemy_exception.args = (f"({type(error).__name__}) {error.args[0]}",)


def strip_values(error: Any) -> bool:
    """The same for an error that came from the driver itself; tells whether it was PostgreSQL's."""
    state = getattr(error, "sqlstate", None)
    if not state:
        return False
    told = state if state.startswith("22") else f"{state} {error.diag.message_primary}"
    error.args = (told,)
    return True


def _kind(error: Fault, moment: Moment) -> Kind | None:
    if isinstance(error, exc.TimeoutError):  # every pooled connection is in use
        return BUSY
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return _SQLITE.get(code & 0xFF)
    state = getattr(error.orig, "sqlstate", None)
    if state:
        return _POSTGRES.get(state) or _POSTGRES_CLASSES.get(state[:2])
    # No word of the server's: it was never reached, or the connection is lost. One that still stands within a
    # transaction never asked it: of more parameters than a statement can have, say.
    unheard = isinstance(error, OperationalError | InterfaceError) and moment is not Moment.INSIDE
    return AWAY if error.connection_invalidated or unheard else None


def _undone(error: Fault, kind: Kind) -> bool:
    """Whether a COMMIT that failed has certainly changed nothing.

    PostgreSQL says so, unless it ended the connection with it. Of SQLite's we believe those that came before
    the last page was written; after an I/O error a crash might still find the transaction whole.
    """
    if kind in {BUSY, CONTESTED, READ_ONLY}:
        return True
    orig = error.orig if isinstance(error, DBAPIError) else None
    code = getattr(orig, "sqlite_errorcode", None)
    return kind is FULL and (code is None or code & 0xFF == _SQLITE_FULL)
