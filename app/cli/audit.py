"""`ostiary audit`: read the log, and prove that nobody changed it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from app.cli.common import json_option, ready, show, tenant_option
from app.flows import tenancy
from app.kernel.clock import iso
from app.store import audit as store
from app.store import tenants
from app.store.chain import End


@click.group()
def audit() -> None:
    """The audit log: who did what to whom."""


@audit.command("list")
@tenant_option
@click.option("--before", type=int, help="Only entries before this number.")
@click.option("--limit", default=100, type=click.IntRange(1, 10_000))
@json_option
def listed(slug: str, before: int | None, limit: int, as_json: bool) -> None:
    """List entries, newest first."""
    deps = ready()
    with deps.db.read(tenancy.of_slug(deps, slug).id) as read:
        rows = store.page(read, before, limit)
    show([_shown(row) for row in rows], as_json=as_json)


@audit.command("checkpoint")
@tenant_option
@json_option
def checkpoint(slug: str, as_json: bool) -> None:
    """Print where the chain ends. Keep it where nobody with access to the database can change it."""
    deps = ready()
    with deps.db.read(tenancy.of_slug(deps, slug).id) as read:
        end = store.end(read)
    show({"tenant": slug, "entries": end.n, "mac": end.mac}, as_json=as_json)


@audit.command("verify")
@click.option("--tenant", "slug", help="Only this tenant's; by default every tenant's.")
@click.option(
    "--checkpoint", "kept", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with what `audit checkpoint --json` printed; also tells whether the end was moved back.",
)  # fmt: skip
@json_option
def verify(slug: str | None, kept: Path | None, as_json: bool) -> None:
    """Walk the chain; exit code 1 when an entry was changed, added, removed or cut off the end."""
    deps, known = ready(), _checkpoint(kept)
    if known and slug not in {None, known[0]}:
        raise click.ClickException(f"The checkpoint is of the tenant {known[0]!r}.")
    with deps.db.system() as system:
        found = [one for one in tenants.listed(system) if slug in {None, one.slug}]
    for wanted in filter(None, (slug, known and known[0])):
        if wanted not in {one.slug for one in found}:
            raise click.ClickException(f"There is no tenant {wanted!r}.")
    shown, sound = [], True
    for tenant in found:
        seen = known[1] if known and known[0] == tenant.slug else None
        with deps.db.read(tenant.id) as read:
            verdict = store.verify(read, deps.seal, seen)
        sound = sound and not verdict.faults
        shown.append({
            "tenant": tenant.slug, "ok": not verdict.faults, "entries": verdict.entries,
            "before_the_chain": verdict.older, "faults": list(verdict.faults),
        })  # fmt: skip
    show(shown, as_json=as_json)
    sys.exit(0 if sound else 1)


def _checkpoint(path: Path | None) -> tuple[str, End] | None:
    if path is None:
        return None
    try:
        said = json.loads(path.read_text())
        return str(said["tenant"]), End(int(said["entries"]), str(said["mac"]))
    except (ValueError, KeyError, TypeError) as error:
        raise click.ClickException(f"{path} holds no checkpoint.") from error


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    named = {name: row[name] for name in ("n", "actor", "action", "subject", "detail")}
    return {"at": iso(row["at"]), **named}


COMMANDS = [audit]
