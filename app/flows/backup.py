"""Backup and restore: everything of one instant into a file, and from it into an empty database.

A restored past must not let anybody back in: see `app.store.archive` for what becomes of its rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from app.deps import Deps
from app.kernel.clock import instant
from app.kernel.errors import Unavailable
from app.kernel.tenant import Tenant
from app.store import archive, archive_file, audit, tenants
from app.store.archive import BadBackup
from app.store.archive_file import Manifest, Reader
from app.store.db import Database, System
from app.store.migrate import SchemaBehind, head

Told = Callable[[str, int], None]
"""Is called after each table with its name and how many rows it has."""


@dataclass(frozen=True, slots=True)
class Made:
    """A backup that lies on the disk under its name. `made_at` is the instant whose state it holds."""

    file: Path
    bytes: int
    rows: int
    made_at: str


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored: the state of `made_at`, of these tenants (slugs)."""

    rows: int
    made_at: str
    tenants: list[str]


def make(deps: Deps, file: Path, told: Told) -> Made:
    """Write a backup while the gateway serves; raises Conflict, Unavailable or SchemaBehind.

    Each tenant's audit log says that it was made, but not where it lies.
    """
    now = (
        deps.clock()
    )  # before the snapshot: nothing that was acknowledged by then is missing from it
    with archive_file.writing(file) as writer, deps.db.snapshot() as system:
        revision, held = _revision(system), tenants.listed(system)
        for table, rows in archive.read(system):
            told(table.name, writer.add(table.name, archive.columns(table), rows))
        manifest = writer.finish(
            deps.seal, program=version("ostiary"), revision=revision, made_at=instant(now)
        )
    _audit_made(deps, held, manifest)
    return Made(file, file.stat().st_size, manifest.rows, manifest.made_at)


def restore(deps: Deps, file: Path, told: Told) -> Restored:
    """Bring a backup into an empty database, all of it or nothing; raises BadBackup or Conflict."""
    with archive_file.reading(file, deps.seal) as reader:
        _require_ours(reader.manifest)
        reader.verify()
        owner = Database(
            deps.settings.database_owner_url or deps.settings.database_url, deps.seal, pool_size=1
        )
        try:
            with owner.system(write=True) as system:
                _revision(system)
                held = _write(deps, system, reader, told)
        finally:
            owner.close()
    manifest = reader.manifest
    return Restored(manifest.rows, manifest.made_at, [tenant.slug for tenant in held])


def _write(deps: Deps, system: System, reader: Reader, told: Told) -> list[Tenant]:
    archive.require_empty(system)
    now = deps.clock()
    for table in archive.TABLES:
        told(table.name, archive.write(system, table, reader.rows(table.name), now))
    archive.go_on(system)
    held = tenants.listed(system)
    for tenant in held:
        audit.record(
            system.within(tenant.id), deps.ids.new(), now, "operator", "backup.restored", tenant.id,
            made_at=reader.manifest.made_at,
        )  # fmt: skip
    return held


def _audit_made(deps: Deps, held: list[Tenant], manifest: Manifest) -> None:
    try:
        with deps.db.system(write=True) as system:
            for tenant in held:
                audit.record(
                    system.within(tenant.id), deps.ids.new(), deps.clock(), "operator", "backup.made",
                    tenant.id, made_at=manifest.made_at,
                )  # fmt: skip
    except Unavailable as error:
        raise Unavailable(
            "The backup is whole, but the audit log could not be told of it. " + error.message
        ) from error


def _revision(system: System) -> str:
    """Return the database's revision, which must be just this version's: no table may be overlooked."""
    found, ours = archive.revision(system), head()
    if found is None or found != ours:
        raise SchemaBehind(
            f"The database is at revision {found or 'none'}, and this version backs up and restores just "
            f"{ours}. Use the version that the database was upgraded with."
        )
    return found


def _require_ours(manifest: Manifest) -> None:
    if manifest.revision != head():
        raise BadBackup(
            f"This backup is of revision {manifest.revision}, and this version restores {head()}. Restore it "
            f"with Ostiary {manifest.program}, then upgrade: `ostiary db upgrade`."
        )
    archive.require_same({table.name: table.columns for table in manifest.tables})
