"""The console's pages for who watches over it: departures held back, and the audit log."""

from __future__ import annotations

from uuid import UUID

from flask import g, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.flows import console as acts
from app.kernel.errors import NotFound
from app.store import audit
from app.store import guard as guarded
from app.web import here
from app.web.admin import blueprint, presented

__all__ = ["blueprint"]

_PAGE = 100


@blueprint.get("/departures")
def departures_page() -> str:
    """List what waits, and what was decided before."""
    with here.deps().db.read(g.session.tenant.id) as read:
        shown = [(one, guarded.progress(read, one.id)) for one in guarded.listed(read)]
    return render_template("admin/departures.html", shown=shown)


@blueprint.get("/departures/<uuid:hold_id>")
def departure_page(hold_id: UUID) -> str:
    """Show who left, and let an administrator decide."""
    page = max(1, min(request.args.get("page", 1, type=int), 10_000))
    with here.deps().db.read(g.session.tenant.id) as read:
        hold = guarded.get(read, str(hold_id))
        if hold is None:
            raise NotFound("There is no such hold.")
        rows = guarded.people_of(read, hold.id, _PAGE + 1, (page - 1) * _PAGE)
        progress = guarded.progress(read, hold.id)
    return render_template(
        "admin/departure.html", hold=hold, rows=rows[:_PAGE], progress=progress, page=page,
        more=len(rows) > _PAGE,
    )  # fmt: skip


@blueprint.post("/departures/<uuid:hold_id>/<any(approve, restore):what>")
def decide(hold_id: UUID, what: str) -> AnyResponse:
    """Let it happen, or bring everyone back."""
    acts.decide_departures(
        here.deps(), presented(), str(hold_id), what, and_next_hour="and_next_hour" in request.form
    )
    return redirect(f"/admin/departures/{hold_id}", 303)


@blueprint.get("/log")
def log_page() -> str:
    """Show the audit log, newest first, and where its chain ends."""
    before = request.args.get("before", type=int)
    before = before if before is not None and 0 < before < 2**63 else None
    with here.deps().db.read(g.session.tenant.id) as read:
        rows = audit.page(read, before, _PAGE)
        end = audit.end(read)
    return render_template("admin/log.html", rows=rows, end=end, before=before)
