"""The provider's admin page: the directory, buttons that push, and what each push said."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from sandbox.campus import here
from sandbox.errors import Refused
from sandbox.idp.dialects import DIALECTS
from sandbox.idp.push import ACTIONS, push
from sandbox.web import own_pages_only

admin = Blueprint("idp_admin", __name__, url_prefix="/idp")


@admin.get("/")
def directory() -> str:
    campus = here()
    return render_template(
        "idp_admin.html",
        people=campus.people.all(),
        target=campus.store.get("scim_target", "target"),
        exchanges=campus.store.latest("exchange", 30),
        dialects=list(DIALECTS),
        did=request.args.get("did", ""),
    )


@admin.post("/push")
def push_one() -> AnyResponse:
    own_pages_only()
    campus = here()
    person = campus.people.get(request.form.get("person", ""))
    action = request.form.get("action", "")
    dialect = request.form.get("dialect", "entra")
    if person is None or action not in ACTIONS or dialect not in DIALECTS:
        raise Refused(400, "invalid_request", "choose a person, an action and a dialect")
    last = push(campus, action, person, dialect=dialect)[-1]
    said = "no answer" if last["status"] == 0 else str(last["status"])
    did = f"{person.given}: {action.replace('_', ' ')} → {said}"
    return redirect(url_for("idp_admin.directory", did=did), 303)
