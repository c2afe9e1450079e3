"""Where the demo keeps its rows: SQLite in its folder, or the PostgreSQL that the environment names."""

from __future__ import annotations

import os
from pathlib import Path

import click

from app.cli.demo.memory import Memory
from app.store.roles import make_roles

_APP, _SYSTEM, _OWNER = (
    "OSTIARY_DATABASE_URL",
    "OSTIARY_DATABASE_SYSTEM_URL",
    "OSTIARY_DATABASE_OWNER_URL",
)


def settings(memory: Memory, directory: Path) -> dict[str, str]:
    """Return the database settings; PostgreSQL's three roles are made where one may make them."""
    given = {name: os.environ[name] for name in (_APP, _SYSTEM, _OWNER) if os.environ.get(name)}
    url = given.get(_APP)
    if url is None:
        return {_APP: f"sqlite:///{directory.resolve() / 'ostiary.db'}"}
    if url.startswith("sqlite:") or len(given) == 3:  # noqa: PLR2004 - the three roles
        return given
    remembered = memory.get("roles")
    if remembered and remembered["from"] == url:
        return dict(remembered["urls"])
    made = make_roles(url)
    if made is None:
        click.echo(
            "Only one PostgreSQL role is given and it can't make others, so row-level security does not "
            "separate tenants here. Good for practice, not for people's data.",
            err=True,
        )
        return dict.fromkeys((_APP, _SYSTEM, _OWNER), url)
    urls = {_APP: made["app"], _SYSTEM: made["system"], _OWNER: made["owner"]}
    memory.put("roles", {"from": url, "urls": urls})
    return urls
