"""The console's pages about deliveries and record stores. Who may come here, the console has judged."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import cast
from urllib.parse import urlencode
from uuid import UUID

from flask import Blueprint, g, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.flows import redeliver
from app.flows.redeliver import Acting
from app.kernel.credential import Credential
from app.kernel.delivery import POLLED, PUSHED, STATEMENTS
from app.kernel.errors import Invalid, NotFound
from app.store import deliveries, destinations
from app.web import guard, here

blueprint = Blueprint("outbox", __name__)

_PAGE = 50
_AT_ONCE = 200
_LONGEST_NAME = 200
_SHOWN = {
    "": ("Waiting and given up", ("waiting", "dead")),
    "waiting": ("Waiting", ("waiting",)),
    "dead": ("Given up", ("dead",)),
    "delivered": ("Delivered", ("delivered",)),
    "superseded": ("Superseded", ("superseded",)),
    "all": ("Everything", ()),
}
_KINDS = {
    STATEMENTS: "Record store (xAPI)",
    PUSHED: "Receiver of SCIM events, sent to it",
    POLLED: "Receiver of SCIM events, which comes for them",
}


@blueprint.get("/outbox")
def outbox_page() -> str:
    """Show how each destination fares, and what waits and what was given up, or everything."""
    show = request.args.get("show", "")
    if show not in _SHOWN:
        show = ""
    wanted = _named(request.args.get("destination", ""))
    before = request.args.get("before", type=int)
    deps = here.deps()
    with deps.db.read(g.session.tenant.id) as read:
        rows = deliveries.page(
            read, deps.clock(), _PAGE + 1, _SHOWN[show][1],
            destination=wanted or None, before=before and min(max(before, 0), 2**62),
        )  # fmt: skip
        lines, stores = deliveries.fares(read), destinations.listed(read)
    return render_template(
        "admin/outbox.html", rows=rows[:_PAGE], lines=lines, shown=_SHOWN, show=show, wanted=wanted,
        behind=[row for row in stores if row["behind_since"]], paged=before,
        more=rows[_PAGE - 1]["seq"] if len(rows) > _PAGE else None, needless=_count("needless"),
        left=_count("left"),
    )  # fmt: skip


@blueprint.get("/outbox/<uuid:delivery_id>")
def delivery_page(delivery_id: UUID) -> str:
    """Show one delivery with every try."""
    deps = here.deps()
    with deps.db.read(g.session.tenant.id) as read:
        row = deliveries.one(read, str(delivery_id), deps.clock())
    if row is None:
        raise NotFound("There is no such delivery.")
    return render_template("admin/delivery.html", row=row)


@blueprint.post("/outbox/replay")
def replay() -> AnyResponse:
    """Try dead deliveries again: the chosen ones, or all of a destination."""
    ids = [str(one) for one in request.form.getlist("id", type=UUID)][:_AT_ONCE]
    wanted = _named(request.form.get("destination", ""))
    if not ids and not wanted:
        raise Invalid("Choose at least one delivery.")
    done = redeliver.replay(here.deps(), _acting(), ids or None, destination=wanted or None)
    told = {"done": done.waiting, "needless": done.superseded, "left": int(done.more)}
    kept = {name: count for name, count in told.items() if count or name == "done"}
    return redirect(f"/admin/outbox?{urlencode(kept)}", 303)


@blueprint.post("/outbox/try")
def try_now() -> AnyResponse:
    """End a destination's pause."""
    redeliver.try_now(here.deps(), _acting(), _named(request.form.get("destination", "")))
    return redirect("/admin/outbox", 303)


@blueprint.get("/destinations")
def destinations_page() -> str:
    """List where statements go, and who hears of SCIM events."""
    with here.deps().db.read(g.session.tenant.id) as read:
        rows = destinations.listed(read)
    return render_template("admin/destinations.html", rows=rows, kinds=_KINDS)


@blueprint.post("/destinations/<uuid:destination_id>/<any(enable, disable):what>")
def switch(destination_id: UUID, what: str) -> AnyResponse:
    """Switch a destination on or off."""
    redeliver.switch(here.deps(), _acting(), str(destination_id), enabled=what == "enable")
    return redirect("/admin/destinations", 303)


@blueprint.post("/destinations/<uuid:destination_id>/rewind")
def rewind(destination_id: UUID) -> AnyResponse:
    """Send a record store everything again from an instant on."""
    try:
        since = datetime.fromisoformat(request.form.get("since", ""))
        since = since.astimezone(UTC) if since.tzinfo else since.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Invalid("Say from when on, as a date and a time.") from None
    count = redeliver.rewind(here.deps(), _acting(), str(destination_id), since)
    return redirect(f"/admin/destinations?done={count}", 303)


def _acting() -> Acting:
    # The guard has found the session by it.
    return redeliver.administrator(here.deps(), cast(Credential, guard.presented_session()))


def _named(destination: str) -> str:
    """A destination's name as a form or an address says it; what can't be one is none."""
    fits = destination.isprintable() and len(destination) <= _LONGEST_NAME
    return destination if fits else ""


def _count(name: str) -> int:
    return request.args.get(name, 0, type=int)
