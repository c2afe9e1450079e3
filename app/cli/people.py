"""`ostiary admin`: local accounts that may use the console."""

from __future__ import annotations

import sys

import click

from app.cli.common import json_option, ready, show, tenant_option
from app.flows import local


@click.group()
def admin() -> None:
    """Local administrators: they sign in with a password, without an identity provider."""


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))


@admin.command("create")
@tenant_option
@click.option("--email", required=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@json_option
def create(slug: str, email: str, password_stdin: bool, as_json: bool) -> None:
    """Make an account that may use a tenant's console."""
    person = local.create_administrator(ready(), slug, email, _password(password_stdin))
    show({"id": person.id, "email": email, "tenant": slug}, as_json=as_json)


@admin.command("password")
@tenant_option
@click.option("--email", required=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@json_option
def password(slug: str, email: str, password_stdin: bool, as_json: bool) -> None:
    """Set a new password; the account's sessions end."""
    person = local.set_password(ready(), slug, email, _password(password_stdin))
    show({"id": person.id, "email": email, "tenant": slug}, as_json=as_json)


COMMANDS = [admin]
