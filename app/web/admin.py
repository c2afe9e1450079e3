"""The console: people, sign-in and what waits to be delivered, for administrators of one tenant."""

from __future__ import annotations

from typing import Any, cast
from urllib.parse import quote
from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.flows import connections as trust
from app.flows import console as acts
from app.flows import platforms as tools
from app.kernel.credential import Credential
from app.kernel.errors import NotFound
from app.store import audit, connections, console, destinations, people, platforms
from app.store import guard as guarded
from app.store.sessions import Session
from app.web import admin_groups, admin_outbox, admin_provisioning, admin_tokens, guard, here

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
for part in (admin_outbox, admin_groups, admin_provisioning, admin_tokens):
    blueprint.register_blueprint(part.blueprint)

_PAGE = 50
_LONGEST_SEARCH = 100
_SECTIONS = {
    "/admin": "Overview",
    "/admin/people": "People",
    "/admin/groups": "Groups",
    "/admin/provisioning": "Provisioning",
    "/admin/departures": "Departures",
    "/admin/platforms": "Platforms",
    "/admin/connections": "Sign-in",
    "/admin/tokens": "Tokens",
    "/admin/outbox": "Deliveries",
    "/admin/destinations": "Destinations",
    "/admin/log": "Audit log",
}


@blueprint.before_request
def administrators_only() -> None:
    """Every page and every form of the console passes here."""
    g.way_out = {
        "href": f"/login?return_to={quote(request.path)}",
        "label": "Sign in as administrator",
    }
    g.session = guard.administrator()
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        guard.check_csrf(g.session.id)
    del g.way_out


@blueprint.context_processor
def frame() -> dict[str, Any]:
    """What the frame of each page shows."""
    if "session" not in g:
        return {}  # refused at the door
    session = cast(Session, g.session)
    csrf = guard.csrf_token(session.id)
    here_now = max((href for href in _SECTIONS if request.path.startswith(href)), key=len)
    nav = [
        {"href": href, "label": label, "here": href == here_now}
        for href, label in _SECTIONS.items()
    ]
    with here.deps().db.read(session.tenant.id) as read:
        held = guarded.listed(read, statuses=["open"])
    return {
        "held": held, "tenant": session.tenant, "person": session.person, "nav": nav,
        "csrf": csrf, "sign_out_csrf": csrf, "done": request.args.get("done", type=int),
    }  # fmt: skip


@blueprint.get("")
def overview() -> str:
    """What a person may have to look at."""
    with here.deps().db.read(g.session.tenant.id) as read:
        return render_template(
            "admin/overview.html", tally=console.tally(read), behind=destinations.backlog(read),
            connections=connections.listed(read),
        )  # fmt: skip


@blueprint.get("/people")
def people_page() -> str:
    """Search people by name or e-mail address, a page at a time."""
    words = request.args.get("q", "")[:_LONGEST_SEARCH]
    words = "".join(char if char.isprintable() else " " for char in words)
    after = request.args.get("after", type=UUID)
    with here.deps().db.read(g.session.tenant.id) as read:
        found = console.found(read, words, _PAGE + 1, str(after) if after else "")
    more = found[_PAGE - 1].id if len(found) > _PAGE else None
    return render_template(
        "admin/people.html", found=found[:_PAGE], words=words.strip(), more=more, paged=after
    )


@blueprint.get("/people/<uuid:person_id>")
def person_page(person_id: UUID) -> str:
    """Show one person with everything that belongs to them."""
    deps = here.deps()
    now = deps.clock()
    with deps.db.read(g.session.tenant.id) as read:
        someone = people.get(read, str(person_id))
        if someone is None:
            raise NotFound("There is no such person.")
        return render_template(
            "admin/person.html", someone=someone, log=audit.about(read, someone.id),
            theirs=console.belongings(read, someone.id, now),
        )  # fmt: skip


@blueprint.post("/people/<uuid:person_id>/end-sessions")
def end_sessions(person_id: UUID) -> AnyResponse:
    """End all sessions and launches of one person."""
    ended = acts.end_sessions(here.deps(), presented(), str(person_id))
    return redirect(f"/admin/people/{person_id}?done={ended}", 303)


@blueprint.post("/people/<uuid:person_id>/keep-out")
def keep_out(person_id: UUID) -> AnyResponse:
    """Cut one person off and keep them out."""
    ended = acts.block(here.deps(), presented(), str(person_id))
    return redirect(f"/admin/people/{person_id}?done={ended}", 303)


@blueprint.post("/people/<uuid:person_id>/let-in")
def let_in(person_id: UUID) -> AnyResponse:
    """Let one person in again."""
    acts.unblock(here.deps(), presented(), str(person_id))
    return redirect(f"/admin/people/{person_id}", 303)


@blueprint.get("/platforms")
def platforms_page() -> str:
    """List the learning platforms, and the deployments that wait for approval."""
    deps = here.deps()
    with deps.db.system() as system:
        own = [
            (one, platforms.deployments(system, one.registration.id))
            for one in platforms.listed(system, g.session.tenant.id)
        ]
    with deps.db.read(g.session.tenant.id) as read:
        shared = console.shared_platforms(read)
    shown = [(one, deployments, tools.addresses(deps, one)) for one, deployments in own]
    return render_template("admin/platforms.html", shown=shown, shared=shared)


@blueprint.post("/platforms/<uuid:registration_id>/deployments/<uuid:row_id>/approve")
def approve(registration_id: UUID, row_id: UUID) -> AnyResponse:
    """Let a waiting deployment in."""
    acts.approve_deployment(here.deps(), presented(), str(registration_id), str(row_id))
    return redirect("/admin/platforms", 303)


@blueprint.post("/platforms/<uuid:registration_id>/<any(enable, disable):what>")
def switch_platform(registration_id: UUID, what: str) -> AnyResponse:
    """Switch a platform on or off."""
    acts.enable_platform(here.deps(), presented(), str(registration_id), enabled=what == "enable")
    return redirect("/admin/platforms", 303)


@blueprint.get("/connections")
def connections_page() -> str:
    """List the connections, with what their providers need to know of us."""
    deps = here.deps()
    with deps.db.read(g.session.tenant.id) as read:
        listed = connections.listed(read)
    shown = [(one, trust.addresses(deps, one.id)) for one in listed]
    return render_template("admin/connections.html", shown=shown)


@blueprint.post("/connections/<uuid:connection_id>/<any(enable, disable):what>")
def switch_connection(connection_id: UUID, what: str) -> AnyResponse:
    """Switch a connection on or off."""
    acts.enable_connection(here.deps(), presented(), str(connection_id), enabled=what == "enable")
    return redirect("/admin/connections", 303)


def presented() -> Credential:
    """Return the credential by which the guard has found this request's session."""
    return cast(Credential, guard.presented_session())
