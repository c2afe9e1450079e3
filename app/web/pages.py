"""The front page: what this is and where to go."""

from __future__ import annotations

from flask import Blueprint, render_template

from app.store import people
from app.web import guard, here

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def front() -> str:
    """Greet a visitor; whoever is signed in sees their own doors."""
    session = guard.session()
    practice = here.deps().settings.insecure_neighbours
    if session is None:
        return render_template("front.html", session=None, practice=practice)
    with here.deps().db.read(session.tenant.id) as read:
        administrator = "administrator" in people.roles(read, session.person.id)
    return render_template(
        "front.html", session=session, administrator=administrator, practice=practice,
        tenant=session.tenant, person=session.person,
        sign_out_csrf=guard.csrf_token(session.id),
    )  # fmt: skip
