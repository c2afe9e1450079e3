"""The JSON API. So far: who am I?"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from app.kernel.person import Person
from app.kernel.tenant import Tenant
from app.web import guard

blueprint = Blueprint("api", __name__, url_prefix="/api/v1")


@blueprint.get("/me")
def me() -> Response:
    """Tell whose session this browser holds; 401 once it is gone."""
    session = guard.signed_in()
    return _who(session.person, session.tenant, session.via)


def _who(person: Person, tenant: Tenant, via: str) -> Response:
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
