"""Signing in and out by single sign-on: home realm, login, callback, back-channel logout, sign-out."""

from __future__ import annotations

from urllib.parse import quote
from uuid import UUID

from flask import Blueprint, Response, g, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.flows import signin, signout
from app.kernel.errors import OstiaryError
from app.store import connections, tenants
from app.store.connections import Connection
from app.web import guard, headers, here
from sso.errors import SignInRefused
from sso.linking import email_address
from sso.state import local_path

blueprint = Blueprint("sso", __name__, url_prefix="/sso")


@blueprint.get("")
def home() -> str:
    """Ask for an e-mail address, to find the person's own identity provider."""
    return _home_page(request.args.get("return_to"))


@blueprint.post("")
def find() -> AnyResponse:
    """Send the browser to the provider of the address's domain; says nothing about the account."""
    wanted, hint = (
        request.form.get("return_to"),
        email_address(request.form.get("email", "").strip()),
    )
    if hint is None:
        return make_response(_home_page(wanted, "Write an e-mail address, such as ada@example.org."), 400)  # fmt: skip
    found = _of_domain(hint.rpartition("@")[2])
    if not found:
        sentence = (
            "No organization signs in here with this kind of address. Is it the one from your work?"
        )
        return make_response(_home_page(wanted, sentence), 404)
    if len(found) == 1:
        return _go(found[0].id, wanted, hint)
    return make_response(
        render_template("sso_choose.html", found=found, return_to=local_path(wanted, ""))
    )


@blueprint.get("/<uuid:connection_id>/login")
def login(connection_id: UUID) -> AnyResponse:
    """Begin a sign-in at this connection's provider."""
    wanted = request.args.get("return_to")
    _offer_another_try(connection_id, wanted)
    return _go(str(connection_id), wanted, None)


@blueprint.get("/<uuid:connection_id>/callback")
def callback(connection_id: UUID) -> AnyResponse:
    """Take the provider's answer (RFC 6749 §4.1.2) and begin the session."""
    _offer_another_try(connection_id, None)
    entered = signin.finish(
        here.deps(), str(connection_id), list(request.args.items(multi=True)),
        guard.known_browser(), guard.presented_session(),
    )  # fmt: skip
    here.note(person=entered.person.id, connection=str(connection_id))
    response = redirect(entered.return_to, 303)
    guard.keep_session(response, entered.text)
    return response


@blueprint.post("/<uuid:connection_id>/backchannel-logout")
def backchannel_logout(connection_id: UUID) -> tuple[Response, int]:
    """End sessions on the provider's word; 200 or 400, as Back-Channel Logout 1.0 §2.8 has it."""
    given = request.form.getlist("logout_token")
    if len(given) != 1:
        return _logout_failed("Send exactly one logout_token, form-encoded.")
    try:
        ended = signout.told_by_provider(here.deps(), str(connection_id), given[0])
    except SignInRefused as error:
        return _logout_failed(error.message, error.code)
    except OstiaryError as error:
        return _logout_failed(error.message, error.wire_code)
    here.note(connection=str(connection_id), ended=ended)
    return jsonify(ended=ended), 200


@blueprint.post("/logout")
def logout() -> AnyResponse:
    """Sign out here, then go on to the provider's own sign-out."""
    session = guard.session()
    if session is None:
        response: AnyResponse = redirect("/sso/signed-out", 303)
    else:
        guard.check_csrf(session.id)
        onward = signout.leave(here.deps(), session)
        # Not a redirect: browsers hold a form to its page's own sites, redirects included.
        response = (
            make_response(render_template("signed_out.html", onward=onward))
            if onward
            else redirect("/sso/signed-out", 303)
        )
    guard.drop_session(response)
    return response


@blueprint.get("/signed-out")
def signed_out() -> str:
    """Say that the session is over; providers send browsers back to here."""
    return render_template("signed_out.html", onward=None)


def _go(connection_id: str, wanted: str | None, hint: str | None) -> AnyResponse:
    browser = guard.browser()
    response = redirect(signin.begin(here.deps(), connection_id, browser, wanted, hint), 303)
    guard.keep_browser(response, browser)
    return response


def _of_domain(domain: str) -> list[Connection]:
    deps = here.deps()
    with deps.db.system() as system:
        tenant = tenants.by_domain(system, domain)
    if tenant is None or not tenant.enabled:
        return []
    with deps.db.read(tenant.id) as read:
        return [one for one in connections.listed(read) if one.enabled]


def _home_page(wanted: str | None, trouble: str = "") -> str:
    # The answer to this form redirects to a provider, which we can't know before it is filled in.
    insecure = here.deps().settings.insecure_neighbours
    headers.forms_go_to("https:", *(["http:"] if insecure else []))
    return render_template(
        "sso_home.html", trouble=trouble, return_to=local_path(wanted, ""),
        email=request.form.get("email", ""),
    )  # fmt: skip


def _logout_failed(sentence: str, code: str = "invalid_request") -> tuple[Response, int]:
    here.note(error=code)
    return jsonify(error="invalid_request", error_description=sentence), 400


def _offer_another_try(connection_id: UUID, wanted: str | None) -> None:
    wanted = local_path(wanted, "")
    query = f"?return_to={quote(wanted)}" if wanted else ""
    g.way_out = {"href": f"/sso/{connection_id}/login{query}", "label": "Try again"}
