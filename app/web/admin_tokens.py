"""The console's page about credentials of provisioning: tokens and OAuth clients."""

from __future__ import annotations

from datetime import timedelta
from typing import cast
from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.flows import acting, bearers, clients
from app.flows import console as acts
from app.flows.acting import Acting
from app.flows.clients import Made
from app.kernel.credential import Credential
from app.kernel.errors import Invalid
from app.store import oauth_clients, people, tokens
from app.web import guard, here

blueprint = Blueprint("tokens", __name__)

_MOST = 200
_LIVES = {"30": "30 days", "90": "90 days", "365": "a year", "": "no end"}


@blueprint.get("/tokens")
def tokens_page() -> str:
    """List tokens and clients, with forms for new ones."""
    return _page()


@blueprint.post("/tokens")
def issue() -> tuple[str, int]:
    """Issue a token and show it, this once."""
    form = request.form
    days = form.get("days", "")
    if days not in _LIVES:
        raise Invalid("Choose when the token ends.")
    wanted = bearers.Wanted(
        form.get("name", ""), client=form.get("client", ""), scope=form.get("scope", ""),
        life=timedelta(days=int(days)) if days else None,
    )  # fmt: skip
    return _page(token=acts.issue_token(here.deps(), _presented(), wanted)), 201


@blueprint.post("/tokens/<uuid:token_id>/revoke")
def revoke(token_id: UUID) -> AnyResponse:
    """Revoke a token."""
    acts.revoke_token(here.deps(), _presented(), str(token_id))
    return redirect("/admin/tokens", 303)


@blueprint.post("/tokens/clients")
def add_client() -> tuple[str, int]:
    """Make a client and show its secret, this once."""
    form = request.form
    wanted = clients.Wanted(
        form.get("name", ""), form.get("client", ""), form.get("scope", ""), form.get("keys", "")
    )
    return _page(made=clients.add(here.deps(), _acting(), wanted)), 201


@blueprint.post("/tokens/clients/<uuid:row>/<any(enable, disable):what>")
def switch_client(row: UUID, what: str) -> AnyResponse:
    """Switch a client on or off."""
    clients.switch(here.deps(), _acting(), str(row), enabled=what == "enable")
    return redirect("/admin/tokens", 303)


@blueprint.post("/tokens/clients/<uuid:row>/secret")
def new_secret(row: UUID) -> str:
    """Give a client a new secret and show it, this once."""
    return _page(made=clients.rotate_secret(here.deps(), _acting(), str(row)))


def _page(token: str | None = None, made: Made | None = None) -> str:
    deps = here.deps()
    with deps.db.read(g.session.tenant.id) as read:
        rows = tokens.listed(read, deps.clock(), _MOST)
        listed = oauth_clients.listed(read)
        makers = {one.created_by for one in listed} - {"operator"}
        found = [people.get(read, maker) for maker in makers]
    by = {one.id: one.label for one in found if one is not None}
    shown = [
        (one, clients.client_id(one), by.get(one.created_by, one.created_by)) for one in listed
    ]
    names = sorted({row["client"] for row in rows} | {one.client for one in listed})
    return render_template(
        "admin/tokens.html", rows=rows, shown=shown, token=token, made=made, lives=_LIVES,
        names=names, token_url=clients.token_url(deps), scim_url=f"{deps.settings.base_url}/scim/v2",
    )  # fmt: skip


def _presented() -> Credential:
    # The guard has found the session by it.
    return cast(Credential, guard.presented_session())


def _acting() -> Acting:
    return acting.administrator(here.deps(), _presented())
