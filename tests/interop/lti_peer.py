"""A learning platform whose LTI is `lti1p3platform`'s: we bring it a web server and three people.

It signs the launches, checks our assertions, hands out the tokens, and reads our scores.
"""

from __future__ import annotations

from threading import Thread
from typing import Any

import flask
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from lti1p3platform import service_connector as services
from lti1p3platform.exceptions import LineItemNotFoundException
from lti1p3platform.ltiplatform import LTI1P3PlatformConfAbstract
from lti1p3platform.membership import Context
from lti1p3platform.message_launch import LTIAdvantageMessageLaunchAbstract
from lti1p3platform.oidc_login import OIDCLoginAbstract
from lti1p3platform.registration import Registration
from lti1p3platform.request import Request, TRequest
from lti1p3platform.response import Response
from lti1p3platform.score import UpdateScoreStatus
from werkzeug.serving import WSGIRequestHandler, make_server

_ROLES = "http://purl.imsglobal.org/vocab/lis/v2/membership#"
PEOPLE = {
    "501": ("Noor Haddad", "noor@open.example", "Learner"),
    "502": ("Pia Lund", "pia@open.example", "Learner"),
    "503": ("Tom Teacher", "tom@open.example", "Instructor"),
}
LINE_ITEM = "7"


class _Asked(Request):
    def build_metadata(self, request: flask.Request) -> TRequest:
        return {
            "method": request.method, "form_data": request.form.to_dict(), "get_data": request.args.to_dict(),
            "headers": request.headers, "content_type": request.content_type, "path": request.path,
            "json": request.get_json(force=True, silent=True),
        }  # fmt: skip


class _Platform(LTI1P3PlatformConfAbstract):
    def init_platform_config(self, **kwargs: Any) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )  # fmt: skip
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._registration = Registration().set_iss(kwargs["issuer"])
        self._registration.set_platform_private_key(private.decode())
        self._registration.set_platform_public_key(public.decode())

    def get_registration_by_params(self, **kwargs: Any) -> Registration:
        raise LookupError(kwargs)


class _Login(OIDCLoginAbstract):
    def set_lti_message_hint(self, **kwargs: Any) -> None:
        self._lti_message_hint = kwargs["hint"]

    def get_redirect(self, url: str) -> Any:
        return flask.redirect(url)


class _Launch(LTIAdvantageMessageLaunchAbstract):
    def prepare_launch(self, preflight_response: dict[str, Any]) -> None:
        user, peer = preflight_response["login_hint"], flask.current_app.extensions["peer"]
        name, email, role = PEOPLE[user]
        self.set_user_data(user, [_ROLES + role], full_name=name, email_address=email)
        self.set_resource_link_claim(preflight_response["lti_message_hint"], title="Product update")
        self.set_launch_context_claim("course-9", ["CourseOffering"], context_title="Sales 101")
        self.set_launch_presentation_claim("window", f"{peer.issuer}/course")
        self.set_custom_parameters_claim({"activity": peer.activity})
        self.set_ags(f"{peer.issuer}/lineitems", f"{peer.issuer}/lineitems/{LINE_ITEM}")
        self.set_nrps(f"{peer.issuer}/members")
        self.set_id_token_expiration(peer.token_life)

    def render_launch_form(self, launch_data: dict[str, Any], **_: Any) -> str:
        return flask.render_template_string(
            '<form method="post" action="{{ launch_url }}"><input type="hidden" name="id_token" value="{{ id_token }}">'
            '<input type="hidden" name="state" value="{{ state }}"><button>Open</button></form>', **launch_data,
        )  # fmt: skip


class _Grades(services.AssignmentsGradesService):
    def update_score(self, line_item_id: str, score: dict[str, Any]) -> UpdateScoreStatus:
        kept = flask.current_app.extensions["peer"].scores
        assert line_item_id == LINE_ITEM
        before = [one["timestamp"] for one in kept if one["userId"] == score["userId"]]
        if before and score["timestamp"] <= before[-1]:
            return UpdateScoreStatus.OLD_TIMESTAMP
        kept.append(score)
        return UpdateScoreStatus.SUCCESS if before else UpdateScoreStatus.CREATED

    def _not_kept(self, *_: Any, **__: Any) -> Any:
        raise LineItemNotFoundException

    find_lineitems = find_lineitem = create_lineitem = _not_kept
    update_lineitem = delete_lineitem = get_results = _not_kept


class _Members(services.NamesRoleProvisioningService):
    def get_context_by_id(self) -> Context:
        return Context("course-9", "S101", "Sales 101")

    def is_resource_link_valid(self, context_id: str, resource_link_id: str) -> bool:
        return (context_id, resource_link_id) == ("course-9", "link-3")

    def get_member_data_page(self, **_: Any) -> dict[str, Any]:
        members = [
            {"user_id": user, "name": name, "email": email, "roles": [_ROLES + role]}
            for user, (name, email, role) in PEOPLE.items()
        ]
        return {"content": members, "has_next": False}


class Peer:
    """The platform on loopback: begin a launch at /launch/<user>."""

    def __init__(self) -> None:
        web = flask.Flask("peer")
        web.extensions["peer"] = self
        self._server = make_server("127.0.0.1", 0, web, threaded=True, request_handler=_Quiet)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self.activity, self.token_life = "", 300
        self.granted = 0
        self.scores: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self._platform = _Platform(issuer=self.issuer)
        self._routes(web)
        Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def register(self, tool: dict[str, str], client_id: str, deployment_id: str) -> None:
        held = self._platform.get_registration()
        held.set_client_id(client_id).set_deployment_id(deployment_id)
        held.set_oidc_login_url(tool["login_url"]).set_launch_url(tool["launch_url"])
        held.set_tool_key_set_url(tool["jwks_url"])

    def _routes(self, web: flask.Flask) -> None:
        web.get("/launch/<user>")(self._begin)
        web.get("/auth")(self._auth)
        web.get("/jwks")(self._jwks)
        web.post("/token")(self._token)
        web.route("/lineitems/<item>/scores", methods=["GET", "POST"])(self._score)
        web.get("/members")(self._members)

    def _begin(self, user: str) -> Any:
        login = _Login(None, self._platform)
        login.set_lti_message_hint(hint="link-3")
        return login.initiate_login(user)

    def _auth(self) -> Any:
        return _Launch(_Asked(flask.request), self._platform).lti_launch()

    def _jwks(self) -> Any:
        return flask.jsonify(self._platform.get_jwks())

    def _token(self) -> Any:
        given = self._platform.get_access_token(flask.request.form.to_dict())
        self.granted += 1
        # So short that each score needs a token, and each token an assertion of ours.
        return flask.jsonify({**given, "expires_in": 1})

    def _score(self, item: str) -> Any:
        at = f"{self.issuer}/lineitems"
        service = _Grades(_Asked(flask.request), self._platform, at, f"{at}/{item}")
        return self._answered(service.handle_resp(service.handle_update_score, line_item_id=item))

    def _members(self) -> Any:
        service = _Members(_Asked(flask.request), self._platform, f"{self.issuer}/members")
        return self._answered(service.handle_resp(service.handle_get_members))

    def _answered(self, answer: Response) -> Any:
        if answer.code >= 400:
            self.refused.append(f"{answer.code} {answer.message}")
        made = flask.jsonify(answer.result)
        made.status_code, made.content_type = answer.code, answer.media_type
        return made


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        pass
