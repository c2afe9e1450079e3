"""What the floors write with: one durable SQLite transaction, and nothing that could be left out."""

from __future__ import annotations

import os
import sqlite3
import threading
from functools import cached_property


class Durable:
    """One connection (WAL, synchronous=FULL), one writer at a time."""

    def __init__(self) -> None:
        self._turn = threading.Lock()

    @cached_property
    def _db(self) -> sqlite3.Connection:
        # Opened at the first write: a connection must not go through a fork.
        db = sqlite3.connect(
            os.environ["BENCH_DATABASE"], isolation_level=None, check_same_thread=False, timeout=30
        )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE IF NOT EXISTS kept (key TEXT PRIMARY KEY, value TEXT)")
        return db

    def keep(self, key: str, value: str) -> None:
        """Insert one row and commit."""
        self._run("INSERT INTO kept VALUES (?, ?)", key, value)

    def put(self, key: str, value: str) -> None:
        """Replace one row and commit."""
        self._run("REPLACE INTO kept VALUES (?, ?)", key, value)

    def _run(self, sql: str, key: str, value: str) -> None:
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.execute(sql, (key, value))
            self._db.execute("COMMIT")
