"""What the campus remembers: JSON values by (kind, id) in one SQLite file, in order of arrival."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any

Json = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS kept (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
    UNIQUE (kind, id))
"""


class Store:
    """Thread-safe; a value survives the process from the moment `put` or `change` returns."""

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        self._depth = 0
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(_SCHEMA)

    @contextmanager
    def change(self) -> Iterator[None]:
        """Several reads and writes as one: no other thread between them, all or nothing."""
        with self._lock:
            self._depth += 1
            try:
                if self._depth == 1:
                    self._db.execute("BEGIN IMMEDIATE")
                yield
                if self._depth == 1:
                    self._db.execute("COMMIT")
            except BaseException:
                if self._depth == 1:
                    self._db.execute("ROLLBACK")
                raise
            finally:
                self._depth -= 1

    def put(self, kind: str, key: str, value: Json) -> None:
        """Keep or replace; a replaced value stays at its place in the order."""
        with self._lock:
            self._db.execute(
                "INSERT INTO kept (kind, id, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                (kind, key, json.dumps(value)),
            )

    def get(self, kind: str, key: str) -> Json | None:
        with self._lock:
            row = self._db.execute(
                "SELECT body FROM kept WHERE kind = ? AND id = ?", (kind, key)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def pop(self, kind: str, key: str) -> Json | None:
        """Take it away; of two callers at once only one gets it."""
        with self._lock:
            row = self._db.execute(
                "DELETE FROM kept WHERE kind = ? AND id = ? RETURNING body", (kind, key)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def all(self, kind: str) -> list[Json]:
        """Every value of a kind, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM kept WHERE kind = ? ORDER BY n", (kind,)
            ).fetchall()
        return [json.loads(body) for (body,) in rows]

    def latest(self, kind: str, limit: int) -> list[Json]:
        """The newest values of a kind, newest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM kept WHERE kind = ? ORDER BY n DESC LIMIT ?", (kind, limit)
            ).fetchall()
        return [json.loads(body) for (body,) in rows]

    def count(self, kind: str) -> int:
        with self._lock:
            row = self._db.execute("SELECT count(*) FROM kept WHERE kind = ?", (kind,)).fetchone()
        return int(row[0])

    def claim(self, kind: str, key: str, until: float, now: float) -> bool:
        """True the first time, False while an earlier claim lasts; forgets those that are over."""
        with self._lock:
            self._db.execute(
                "DELETE FROM kept WHERE kind = ? AND json_extract(body, '$.until') < ?", (kind, now)
            )
            cursor = self._db.execute(
                "INSERT INTO kept (kind, id, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (kind, key, json.dumps({"until": until})),
            )
        return cursor.rowcount == 1

    def forget(self, now: float) -> None:
        """Drop every value whose `until` has passed."""
        with self._lock:
            self._db.execute("DELETE FROM kept WHERE json_extract(body, '$.until') < ?", (now,))

    def close(self) -> None:
        with self._lock:
            self._db.close()
