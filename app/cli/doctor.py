"""`ostiary doctor`: is this installation fit to serve?"""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from app import config
from app.cli.common import json_option, show
from app.config import Settings
from app.deps import Deps, assemble
from app.flows import rings
from app.kernel.errors import OstiaryError
from app.store import guard, outbox, tenants
from app.store.migrate import SchemaUnfit, require_current
from keys.errors import KeysError


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check settings, database, secrets and outbox; exit code 1 when something needs mending."""
    deps = assemble(config.load())
    checks: list[tuple[str, Callable[[Deps], str]]] = [
        ("database", _database),
        ("secret keys", _secrets),
        ("outbox", _outbox),
        ("departures", _departures),
        ("address", lambda deps: _address(deps.settings)),
    ]
    found = [{"check": name, **_run(check, deps)} for name, check in checks]
    show(found, as_json=as_json)
    sys.exit(0 if all(row["ok"] for row in found) else 1)


def _run(check: Callable[[Deps], str], deps: Deps) -> dict[str, object]:
    try:
        return {"ok": True, "detail": check(deps)}
    except (OstiaryError, SchemaUnfit, Unfit) as error:
        return {"ok": False, "detail": str(error)}


class Unfit(Exception):  # noqa: N818 - a finding
    """A check's finding that needs mending."""


def _database(deps: Deps) -> str:
    require_current(deps.db)
    return "reachable, and at this version's revision"


def _secrets(deps: Deps) -> str:
    with deps.db.system() as system:
        slugs = [tenant.slug for tenant in tenants.listed(system)]
    for slug in slugs:
        try:
            rings.signing_key(deps, slug)
        except KeysError as error:
            raise Unfit(
                f"The signing key of {slug} can't be opened: is a key missing from OSTIARY_SECRET_KEYS?"
            ) from error
    return f"open the signing keys of {len(slugs)} tenants"


def _outbox(deps: Deps) -> str:
    with deps.db.system() as system:
        counts = outbox.counts(system)
    if counts.get("dead"):
        raise Unfit(f"{counts['dead']} deliveries were given up; see `ostiary outbox list`.")
    return f"{counts.get('waiting', 0)} waiting"


def _departures(deps: Deps) -> str:
    with deps.db.system() as system:
        waiting = guard.open_holds(system)
    if waiting:
        raise Unfit(f"{waiting} decisions about departures wait; see `ostiary guard list`.")
    return "nothing is held back"


def _address(settings: Settings) -> str:
    if not settings.secure:
        raise Unfit("OSTIARY_BASE_URL is http: good for practice on loopback only.")
    if settings.insecure_neighbours:
        raise Unfit("OSTIARY_INSECURE_NEIGHBOURS is on: http and loopback neighbours are allowed.")
    return f"{settings.base_url}, secure cookies"


COMMANDS = [doctor]
