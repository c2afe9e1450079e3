"""The JSON API. So far: who am I?"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, request

from app.kernel.errors import Unauthenticated
from app.kernel.person import Person
from app.kernel.tenant import Tenant
from app.web import guard

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


@blueprint.get("/me")
def me() -> Response:
    """Tell whose session this browser holds, or whose token came; 401 once it is gone.

    `?launch=ID` asks for that launch. Otherwise the signed-in session answers, else the newest launch.
    """
    if "Authorization" in request.headers:
        person, tenant = guard.token_of_person()
        return _who(person, tenant, None)
    asked = request.args.get("launch")
    session = guard.session() if asked is None else None
    if session is not None:
        return _who(session.person, session.tenant, session.via)
    try:
        launch = guard.launched(asked)
    except Unauthenticated:
        if asked is not None:
            raise
        raise Unauthenticated("Nobody is signed in here.", code="sign_in_first") from None
    return _who(launch.person, launch.tenant, "lti")


def _who(person: Person, tenant: Tenant, via: str | None) -> Response:
    return jsonify(
        person={
            "id": person.id,
            "userName": person.user_name,
            "displayName": person.display_name,
            "email": person.email,
        },
        tenant=tenant.slug,
        via=via,
    )
