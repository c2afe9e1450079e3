"""The console's page of groups. Who may come here, the console has judged."""

from __future__ import annotations

from typing import cast
from urllib.parse import urlencode

from flask import Blueprint, g, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.flows import groups as flow
from app.flows.console import acting
from app.kernel.credential import Credential
from app.store import activities, groups
from app.web import guard, here
from scim.text import storable

blueprint = Blueprint("groups", __name__)

_PAGE = 50
_LONGEST_ID = 255


@blueprint.get("/groups")
def groups_page() -> str:
    """List groups and what they give."""
    after = request.args.get("after", "")[:_LONGEST_ID]
    after = after if storable(after) else ""
    with here.deps().db.read(g.session.tenant.id) as read:
        found = groups.listed(read, _PAGE + 1, after)
        there_are = {one.id: one for one in activities.listed(read)}
    return render_template(
        "admin/groups.html", rows=found[:_PAGE], more=len(found) > _PAGE, activities=there_are,
        roles=flow.ROLES, after=after,
    )  # fmt: skip


@blueprint.post("/groups/<group_id>/<any(give, take):what>")
def change_group(group_id: str, what: str) -> AnyResponse:
    """Let a group give a role or an activity, or no longer."""
    kind, _, name = request.form.get("grant", "").partition(":")
    deps, change = here.deps(), flow.give if what == "give" else flow.take
    with acting(deps, cast(Credential, guard.presented_session())) as (tx, session):
        grant = flow.role(name) if kind == "role" else flow.activity(tx, name)
        change(deps, tx, group_id, grant, session.person.id)
    return redirect(f"/admin/groups?{urlencode({'after': request.form.get('after', '')})}", 303)
