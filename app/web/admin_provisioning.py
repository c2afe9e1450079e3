"""The console's pages about provisioning requests. Who may come here, the console has judged."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from flask import Blueprint, g, render_template, request

from app.flows import provision_trace, provision_try
from app.kernel.errors import NotFound
from app.kernel.person import Person
from app.store import people, scim_moves, scim_trace, tokens
from app.store.db import Read
from app.store.scim_trace import Traced
from app.web import here
from scim.text import storable

blueprint = Blueprint("provisioning", __name__)

_PAGE = 50
_LONGEST_NAME = 255
_MOST_MEANT = 10


@blueprint.get("/provisioning")
def refusals_page() -> str:
    """List what was refused last, or what was asked about a name."""
    name = request.args.get("q", "").strip()[:_LONGEST_NAME]
    name = name if storable(name) else ""
    deps, found = here.deps(), list[Person]()
    with deps.db.read(g.session.tenant.id) as read:
        if name:
            meant = scim_trace.meant(read, name, _MOST_MEANT)
            rows = scim_trace.about(read, [provision_trace.by_name(name), name, *meant], _PAGE)
            found = _people(read, name, meant)
        else:
            rows = scim_trace.refused(read, _PAGE)
    return render_template(
        "admin/provisioning.html", rows=_each_once(rows), name=name, found=found, someone=None,
        moves=(), groups={}, days=deps.settings.trace_days,
    )  # fmt: skip


@blueprint.get("/people/<uuid:person_id>/provisioning")
def history_page(person_id: UUID) -> str:
    """Show what provisioning asked for about one person, request by request."""
    deps = here.deps()
    with deps.db.read(g.session.tenant.id) as read:
        someone = people.get(read, str(person_id))
        if someone is None:
            raise NotFound("There is no such person.")
        about = [someone.id]
        if someone.user_name:
            about.append(provision_trace.by_name(someone.user_name))
        since = deps.clock() - timedelta(days=deps.settings.trace_days)
        moves = scim_moves.of(read, someone.id, since, _PAGE)
        rows = scim_trace.about(read, about, _PAGE)
        rows += scim_moves.requests(read, moves, someone.id, _PAGE)
    rows.sort(key=lambda one: (one.at, one.id), reverse=True)
    return render_template(
        "admin/provisioning.html", rows=_each_once(rows[:_PAGE]), name="", found=[someone],
        someone=someone, moves=moves, groups={one.group_id: one.name for one in moves},
        days=deps.settings.trace_days,
    )  # fmt: skip


@blueprint.route("/provisioning/try", methods=["GET", "POST"])
def try_page() -> str:
    """Show what a pasted request would do."""
    deps, tenant, tried = here.deps(), g.session.tenant.id, None
    said = {
        name: request.form.get(name, default)
        for name, default in (("method", "POST"), ("path", "/Users"), ("body", ""), ("client", ""))
    }
    with deps.db.read(tenant) as read:
        clients = tokens.clients(read, "scim") or ["default"]
    if request.method == "POST":
        client = said["client"] if said["client"] in clients else clients[0]
        tried = provision_try.attempt(
            deps, tenant, client, said["method"], said["path"], said["body"]
        )
    return render_template(
        "admin/provisioning_try.html", said=said, tried=tried, clients=clients,
        methods=provision_try.METHODS, pretty=_pretty,
    )  # fmt: skip


def _people(read: Read, name: str, meant: Sequence[str]) -> list[Person]:
    """Whom a name means, also those who are deleted or bear another by now."""
    bearer = people.by_user_name(read, name)
    ids = dict.fromkeys([*([bearer.id] if bearer else []), *meant])
    return [someone for one in ids if (someone := people.get(read, one)) is not None]


def _each_once(rows: Sequence[Traced]) -> list[dict[str, object]]:
    """Requests as the page shows them; what is kept under several names is one."""
    return [_shown(one) for one in {one.id: one for one in rows}.values()]


def _shown(one: Traced) -> dict[str, object]:
    """A request as the page shows it, its JSON laid out for people."""
    return {
        "at": one.at, "client": one.client, "method": one.method, "status": one.status,
        "refusal": one.refusal, "subject": one.subject, "sent": _pretty(one.sent),
        "before": _pretty(one.before), "after": _pretty(one.after),
        "changed": one.before != one.after,
    }  # fmt: skip


def _pretty(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:  # it was cut
        return text
