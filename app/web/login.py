"""Signing in with a password: for local administrators."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.flows import local
from app.flows.tries import Visit
from app.kernel.errors import Refused, Throttled
from app.web import guard, here
from sso.state import local_path

blueprint = Blueprint("login", __name__)


@blueprint.get("/login")
def page() -> AnyResponse:
    """Show the form, bound to this browser."""
    return _form(request.args.get("return_to"))


@blueprint.post("/login")
def sign_in() -> AnyResponse:
    """Check the password and begin a session."""
    form = request.form
    guard.check_csrf(guard.browser())
    wanted = form.get("return_to")
    visit = Visit(guard.browser(), request.remote_addr, guard.presented_session())
    try:
        entered = local.sign_in(
            here.deps(), form.get("organization", ""), form.get("email", ""), form.get("password", ""),
            local_path(wanted, "") or None, visit,
        )  # fmt: skip
    except (Refused, Throttled) as error:
        here.note(error=error.wire_code)
        response = _form(wanted, error.message)
        response.status_code = error.status
        if error.retry_after is not None:
            response.headers["Retry-After"] = str(error.retry_after)
        return response
    response = redirect(entered.return_to, 303)
    guard.keep_session(response, entered.text)
    return response


def _form(wanted: str | None, trouble: str = "") -> AnyResponse:
    browser = guard.browser()
    response = make_response(render_template(
        "login.html", trouble=trouble, csrf=guard.csrf_token(browser), return_to=local_path(wanted, ""),
        organization=request.form.get("organization", ""), email=request.form.get("email", ""),
    ))  # fmt: skip
    guard.keep_browser(response, browser)
    return response
