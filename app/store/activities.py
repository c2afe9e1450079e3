"""Activities: their immutable versions, and the engine's parameters for each."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import insert, select, update

from app.learning import document
from app.learning.content import Activity
from app.learning.estimate import Parameters
from app.learning.state import Level
from app.store.db import Read, Tx
from app.store.tables.learning import activity, activity_version, parameters

T = TypeVar("T")
_KEPT = 128


@dataclass(frozen=True, slots=True)
class Published:
    """An activity as it is offered: `version` is the one that new attempts start on."""

    id: str
    slug: str
    title: str
    version: int


class _Kept(Generic[T]):
    """The last few immutable values of this process; a key must say all that the value depends on."""

    def __init__(self) -> None:
        self._values: OrderedDict[tuple[str, ...], T] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, ...]) -> T | None:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: tuple[str, ...], value: T) -> T:
        with self._lock:
            self._values[key] = value
            if len(self._values) > _KEPT:
                self._values.popitem(last=False)
        return value


_contents: _Kept[Activity] = _Kept()
_parameters: _Kept[Parameters] = _Kept()


def by_slug(read: Read, slug: str) -> Published | None:
    """Find an activity by its slug."""
    return _one(read, activity.c.slug == slug)


def get(read: Read, activity_id: str) -> Published | None:
    """Find an activity by its id."""
    return _one(read, activity.c.id == activity_id)


def listed(read: Read) -> list[Published]:
    """Return the tenant's activities by title."""
    rows = read.conn.execute(
        select(*_COLUMNS)
        .where(activity.c.tenant_id == read.tenant)
        .order_by(activity.c.title, activity.c.slug)
    )
    return [Published(*row) for row in rows]


def content(read: Read, activity_id: str, version: int) -> Activity:
    """Return one version's content, parsed once in each process. The version must exist."""
    digest = digest_of(read, activity_id, version)
    # The digest says it all: a version that was never committed can't be mistaken for another.
    key = (read.tenant, digest)
    kept = _contents.get(key)
    if kept is not None:
        return kept
    row = select(activity_version.c.content).where(*_version(read, activity_id, version))
    return _contents.put(key, document.parse(read.conn.execute(row).scalar_one()))


def digest_of(read: Read, activity_id: str, version: int) -> str:
    """Return the SHA-256 of a version's content. The version must exist."""
    row = select(activity_version.c.digest).where(*_version(read, activity_id, version))
    return str(read.conn.execute(row).scalar_one())


def newest_parameters(read: Read, activity_id: str, content_version: int) -> str:
    """Return the version of the parameters that new attempts on this content start with."""
    return str(
        read.conn.execute(
            select(parameters.c.version)
            .where(*_parameters_of(read, activity_id, content_version))
            .order_by(parameters.c.created_at.desc(), parameters.c.version.desc())
            .limit(1)
        ).scalar_one()
    )


def parameters_at(read: Read, activity_id: str, content_version: int, version: str) -> Parameters:
    """Return the engine's parameters at a version, read once in each process. They must exist."""
    key = (read.tenant, activity_id, digest_of(read, activity_id, content_version), version)
    kept = _parameters.get(key)
    if kept is not None:
        return kept
    row = select(parameters.c.levels).where(
        *_parameters_of(read, activity_id, content_version), parameters.c.version == version
    )
    levels = read.conn.execute(row).scalar_one()
    skills, items = (
        {name: Level(value, n) for name, (value, n) in levels[part].items()}
        for part in ("skills", "items")
    )
    return _parameters.put(key, Parameters(version, skills, items))


def add(tx: Tx, activity_id: str, slug: str, title: str, now: datetime) -> None:
    """Insert an activity, still without a version; `publish` gives it one in this transaction."""
    tx.conn.execute(
        insert(activity).values(
            tenant_id=tx.tenant, id=activity_id, slug=slug, title=title, version=0,
            created_at=now, updated_at=now,
        )
    )  # fmt: skip


def publish(
    tx: Tx, activity_id: str, version: int, made: Activity, start: Parameters, now: datetime
) -> None:
    """Add a version with its first parameters; new attempts start on it."""
    key = {"tenant_id": tx.tenant, "activity_id": activity_id}
    tx.conn.execute(insert(activity_version).values(
        **key, version=version, content=made.to_json(), digest=made.digest, created_at=now,
    ))  # fmt: skip
    tx.conn.execute(insert(parameters).values(
        **key, content_version=version, version=start.version, levels=_levels(start), created_at=now,
    ))  # fmt: skip
    tx.conn.execute(
        update(activity)
        .where(activity.c.tenant_id == tx.tenant, activity.c.id == activity_id)
        .values(title=made.title, version=version, updated_at=now)
    )


_COLUMNS = (activity.c.id, activity.c.slug, activity.c.title, activity.c.version)


def _one(read: Read, condition: Any) -> Published | None:
    mine = select(*_COLUMNS).where(activity.c.tenant_id == read.tenant, condition)
    row = read.conn.execute(mine).first()
    return None if row is None else Published(*row)


def _version(read: Read, activity_id: str, version: int) -> tuple[Any, ...]:
    columns = activity_version.c
    return (
        columns.tenant_id == read.tenant,
        columns.activity_id == activity_id,
        columns.version == version,
    )


def _parameters_of(read: Read, activity_id: str, content_version: int) -> tuple[Any, ...]:
    columns = parameters.c
    return (
        columns.tenant_id == read.tenant,
        columns.activity_id == activity_id,
        columns.content_version == content_version,
    )


def _levels(of: Parameters) -> dict[str, dict[str, list[float]]]:
    return {
        "skills": {key: [level.value, level.n] for key, level in of.skills.items()},
        "items": {key: [level.value, level.n] for key, level in of.items.items()},
    }
