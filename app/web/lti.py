"""The LTI door: login initiation, launch, our JWKS. A refusal is a 4xx page with a code and a way out."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Blueprint, Response, g, jsonify, make_response, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from app.flows import launch as launching
from app.flows import lti_login, rings
from app.flows.lti_login import Begun
from app.web import guard, headers, here, lti_course
from lti import login as lti_messages
from lti.errors import LaunchRefused, Refusal
from lti.login import LoginRequest
from lti.registration import Registration

blueprint = Blueprint("lti", __name__, url_prefix="/lti")
blueprint.register_blueprint(lti_course.blueprint)

_TESTED = "cookies"
_FRAMES = {"iframe", "frame", "embed", "object"}
_LONGEST_WORDS = 300
_JWKS_SECONDS = 3600


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> AnyResponse:
    """Third-party login initiation (Security Framework 1.0 §5.1.1): on to the platform."""
    deps, sent = here.deps(), request.form if request.method == "POST" else request.args
    asked = lti_messages.parse_login(sent.to_dict(flat=False), lti_login.launch_url(deps))
    platform = lti_login.platform_of(deps, asked)
    _framed_by(platform.registration)
    if _keeps_its_cookie_back():
        return redirect(f"/lti/login?{urlencode(_parameters(asked))}", 303)
    browser = guard.browser()
    onward = lti_login.begin(deps, asked, platform, browser)
    framed = request.headers.get("Sec-Fetch-Dest") in _FRAMES
    if framed and guard.known_browser() is None:
        # Does this frame keep cookies? Better asked now than after the platform has used up its hint.
        if _TESTED in request.args:
            return _elsewhere(_parameters(asked), None)
        query = request.query_string.decode("latin-1") if request.method == "GET" else ""
        response = redirect(f"/lti/login?{query}{'&' if query else ''}{_TESTED}=tested", 307)
    else:
        response = redirect(onward, 302)
    guard.keep_browser(response, browser)
    return response


@blueprint.post("/launch")
@blueprint.post("/launch/<path:_rest>")
def launch(_rest: str = "") -> AnyResponse:
    """Take the platform's answer, and open a session (Security Framework 1.0 §5.1.1.3)."""
    deps = here.deps()
    begun = lti_login.begun(deps, _single("state"))
    _framed_by(begun.platform.registration)
    here.note(registration=begun.platform.registration.id)
    _check_error()
    id_token, browser = _single("id_token"), guard.known_browser()
    if browser is None:
        return _without_cookie(begun, id_token)
    verified = launching.verify(deps, begun, id_token, browser)
    back = verified.launch.presentation.return_url
    if back is not None:
        g.way_out = {"href": back, "label": "Back to your course"}
        headers.framed_by_platform(*_addresses(begun.platform.registration), back)
    launched = launching.enter(deps, verified, browser)
    here.note(tenant=launched.tenant, person=launched.person_id)
    page = "/learn/" if launched.activity_id else "/lti/activity/"
    return redirect(page + launched.public_id, 303)


@blueprint.get("/launch")
@blueprint.get("/launch/<path:_rest>")
def no_launch(_rest: str = "") -> AnyResponse:
    """Tell a visitor what this address is for."""
    response = make_response(render_template("lti_address.html"), 405)
    response.headers["Allow"] = "POST"
    return response


@blueprint.get("/jwks/<owner>")
def jwks(owner: str) -> Response:
    """Our public keys, for platforms (RFC 7517 §5). They may keep them for less than an overlap."""
    deps = here.deps()
    response = jsonify(rings.jwks(deps, owner))
    seconds = min(_JWKS_SECONDS, deps.settings.key_overlap_hours * 3600 // 4)
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    return response


def _keeps_its_cookie_back() -> bool:
    """Tell whether a cookie may be there that this request does not show.

    Over plain http it is SameSite=Lax and stays away from another site's form. A new one would take its
    place, and with it the launches that are open in this browser; asked by GET, the browser shows it.
    """
    return (
        request.method == "POST"
        and not here.deps().settings.secure
        and request.headers.get("Sec-Fetch-Site") == "cross-site"
        and request.headers.get("Sec-Fetch-Dest") == "document"
        and guard.known_browser() is None
    )


def _single(name: str) -> str:
    values = request.form.getlist(name)
    if len(values) != 1 or not values[0]:
        code = Refusal.REPEATED_PARAMETER if len(values) > 1 else Refusal.MISSING_PARAMETER
        raise LaunchRefused(code, f"The launch needs exactly one {name}.")
    return values[0]


def _check_error() -> None:
    """Pass on what the platform says in place of a token (OIDC Core §3.1.2.6)."""
    error = request.form.get("error")
    if error:
        words = request.form.get("error_description") or error
        said = "".join(char for char in words[:_LONGEST_WORDS] if char.isprintable())
        raise LaunchRefused(
            "platform_error", f"Your learning platform ended the launch. It said: {said}"
        )


def _without_cookie(begun: Begun, id_token: str) -> AnyResponse:
    """Ask for another way: without its cookie we can't tell whose browser this is.

    Over plain http no browser sends it along with a platform's form; once the form comes from our own
    page, it does. In a frame without cookies only a new window helps.
    """
    again = None if "again" in request.form else {
        "id_token": id_token, "state": _single("state"), "again": "1",
    }  # fmt: skip
    return _elsewhere(begun.again, again)


def _elsewhere(initiation: object, again: object) -> AnyResponse:
    here.note(error="no_cookie")
    page = render_template(
        "lti_elsewhere.html", initiation=initiation, again=again, request_id=here.request_id(),
        framed=request.headers.get("Sec-Fetch-Dest") in _FRAMES,
    )  # fmt: skip
    return make_response(page, 403)


def _parameters(asked: LoginRequest) -> dict[str, str]:
    names = LoginRequest.__slots__
    return {name: value for name in names if (value := getattr(asked, name)) is not None}


def _framed_by(registration: Registration) -> None:
    headers.framed_by_platform(*_addresses(registration))


def _addresses(registration: Registration) -> tuple[str, str]:
    return registration.issuer, registration.auth_login_url
