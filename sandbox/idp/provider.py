"""The provider's endpoints and its sign-in page."""

from __future__ import annotations

import hmac
import secrets

from flask import Blueprint, Response, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from sandbox.campus import Campus, here
from sandbox.errors import Refused
from sandbox.idp import authorize, clients, sessions, tokens
from sandbox.people import PASSWORD, Person
from sandbox.store import Json
from sandbox.web import own_pages_only, with_query

provider = Blueprint("idp", __name__, url_prefix="/idp")


@provider.get("/.well-known/openid-configuration")
def discovery() -> Response:
    issuer = here().issuer("idp")
    return jsonify(
        issuer=issuer,
        authorization_endpoint=f"{issuer}/authorize",
        token_endpoint=f"{issuer}/token",
        userinfo_endpoint=f"{issuer}/userinfo",
        jwks_uri=f"{issuer}/jwks",
        end_session_endpoint=f"{issuer}/logout",
        response_types_supported=["code"],
        response_modes_supported=["query"],
        grant_types_supported=["authorization_code"],
        subject_types_supported=["pairwise"],
        id_token_signing_alg_values_supported=["RS256"],
        scopes_supported=list(authorize.SCOPES),
        token_endpoint_auth_methods_supported=["client_secret_basic", "client_secret_post"],
        claims_supported=["sub", "oid", "name", "preferred_username", "email", "email_verified"],
        code_challenge_methods_supported=["S256"],
        authorization_response_iss_parameter_supported=True,
        request_parameter_supported=False,
        request_uri_parameter_supported=False,
    )


@provider.get("/jwks")
def jwks() -> Response:
    return jsonify(here().keys["idp"].jwks())


@provider.route("/authorize", methods=["GET", "POST"])
def authorization() -> AnyResponse:
    campus = here()
    browser = request.cookies.get(sessions.COOKIE)
    try:
        asked = authorize.check(campus, request.values)
        found = sessions.current(campus, browser)
        needed = authorize.must_sign_in(campus, asked, found[1] if found else None)
        if found and not needed:
            return redirect(authorize.code_url(campus, asked, *found), 302)
    except authorize.SendBack as back:
        return redirect(back.url, 302)
    browser = browser or secrets.token_urlsafe(24)
    name = authorize.ticket(campus, asked, browser)
    response = make_response(_sign_in_page(campus, asked, name))
    _remember(response, browser)
    return response


@provider.post("/sign-in")
def sign_in() -> AnyResponse:
    own_pages_only()
    campus = here()
    browser = request.cookies.get(sessions.COOKIE)
    name = request.form.get("ticket", "")
    asked = authorize.read_ticket(campus, name, browser)
    person = _by_password(campus)
    if person is None or not person.active:
        trouble = "That e-mail and password do not belong together."
        if person is not None:
            trouble = "This account is switched off. Ask your administrator."
        page = _sign_in_page(campus, asked, name, trouble)
        return make_response(page, 401)
    campus.store.pop("ticket", name)
    session = sessions.begin(campus, person, browser)
    response = redirect(authorize.code_url(campus, asked, person, session), 303)
    _remember(response, session["browser"])
    return response


@provider.post("/token")
def token() -> Response:
    campus = here()
    header = request.headers.get("Authorization", "")
    return jsonify(
        tokens.redeem(campus, clients.authenticate(campus, header, request.form), request.form)
    )


@provider.route("/userinfo", methods=["GET", "POST"])
def userinfo() -> Response:
    return jsonify(tokens.userinfo(here(), request.headers.get("Authorization", "")))


@provider.route("/logout", methods=["GET", "POST"])
def logout() -> AnyResponse:
    """RP-initiated logout: at once with a good id_token_hint, else after a question (§2-§3)."""
    campus = here()
    asked = request.values
    browser = request.cookies.get(sessions.COOKIE)
    found = sessions.current(campus, browser)
    hint = campus.keys["idp"].verify(asked["id_token_hint"]) if "id_token_hint" in asked else None
    target = _logout_target(campus, asked.get("post_logout_redirect_uri"), hint)
    sure = hint is not None and found is not None and hint.get("sid") == found[1]["sid"]
    if request.method == "POST" and asked.get("answer") == "yes":
        own_pages_only()
        sure = True
    if found and not sure:
        return make_response(render_template("idp_logout.html", asked=asked, person=found[0]))
    if browser:
        campus.store.pop("idp_session", browser)
    if target is None:
        return make_response(render_template("idp_bye.html"))
    return redirect(with_query(target, {"state": asked["state"]}) if "state" in asked else target)


def _logout_target(campus: Campus, wanted: str | None, hint: Json | None) -> str | None:
    if wanted is None:
        return None
    client_id = hint["aud"] if hint else request.values.get("client_id", "")
    if wanted not in clients.find(campus, client_id)["post_logout_redirect_uris"]:
        raise Refused(400, "invalid_request", "that post_logout_redirect_uri is not registered")
    return wanted


def _by_password(campus: Campus) -> Person | None:
    password = request.form.get("password", "")
    if not hmac.compare_digest(password.encode(), PASSWORD.encode()):
        return None
    return campus.people.by_email(request.form.get("email", ""))


def _sign_in_page(campus: Campus, asked: Json, name: str, trouble: str = "") -> str:
    return render_template(
        "idp_sign_in.html",
        client=clients.find(campus, asked["client_id"]),
        ticket=name,
        email=request.form.get("email", asked["login_hint"]),
        trouble=trouble,
        password=PASSWORD,
        people=campus.people.all(),
    )


def _remember(response: AnyResponse, browser: str) -> None:
    response.set_cookie(sessions.COOKIE, browser, httponly=True, samesite="Lax", path="/idp")
