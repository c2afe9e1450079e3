"""The practice organization: made once, kept in the folder, and introduced to its campus at each start."""

from __future__ import annotations

from contextlib import suppress
from importlib.resources import files
from typing import Any

from app.cli.demo.campus import Campus
from app.cli.demo.memory import Memory
from app.deps import Deps
from app.flows import activities, connections, local, platforms, provision, tenancy
from app.kernel.errors import Conflict, NotFound
from lti.registration import Registration

SLUG = "harbour"
NAME = "Harbour & Vale"
DOMAIN = "campus.example"
ADMINISTRATOR = "admin@campus.example"
_CLIENT = "ostiary"
_DEPLOYMENT = "1"
_LINK = "product-update"


def set_up(deps: Deps, memory: Memory, campus: Campus | None, users: int) -> dict[str, Any]:
    """Make what is missing; returns what `demo.json` says."""
    base = deps.settings.base_url
    password = memory.secret("admin_password")
    activity = _found(deps, password)
    if memory.get("scim_token") is None:
        memory.put("scim_token", tenancy.issue_token(deps, SLUG, "scim")[1])
    note: dict[str, Any] = {
        "base_url": base,
        "tenant": SLUG,
        "scim": {"url": f"{base}/scim/v2", "token": memory.get("scim_token")},
        "admin": {"url": f"{base}/admin", "email": ADMINISTRATOR, "password": password},
        "lti": {
            "login_url": f"{base}/lti/login",
            "launch_url": f"{base}/lti/launch",
            "jwks_url": f"{base}/lti/jwks/{SLUG}",
        },
    }
    if users:
        _populate(deps, memory, users)
    return note | (_introduce(deps, memory, campus, note, activity) if campus else {})


def where_to_click(note: dict[str, Any]) -> str:
    """Tell a newcomer what to open, in the order of the walk."""
    admin, base = note["admin"], note["base_url"]
    steps = [("The console", f"{admin['url']}   as {admin['email']}, password {admin['password']}")]
    if "campus" in note:
        lms, idp, lrs = (note["campus"][name] for name in ("lms", "idp", "lrs"))
        learner = note["learner"]
        steps = [
            ("A joiner arrives", f"{idp}/   press Provision beside Ada"),
            ("Ada learns", f"{lms}/   open the activity as Ada"),
            ("The grade", f"{lms}/gradebook"),
            ("The record", f"{lrs.removesuffix('/xapi')}/"),
            (
                "Single sign-on",
                f"{base}/learn   as {learner['email']}, password {learner['password']}",
            ),
            ("A leaver goes", f"{idp}/   press Deactivate: her next click is refused"),
            *steps,
        ]
    told = [f"  {number}  {what:<17} {where}" for number, (what, where) in enumerate(steps, 1)]
    warning = (
        "  For practice: it speaks http on this machine only. Ctrl-C stops it; the data stays."
    )
    return "\n".join(["", "  Ostiary is ready.", "", *told, "", warning, ""])


def _found(deps: Deps, password: str) -> str:
    """Found the tenant with its domain, activity and administrator; returns the activity's slug."""
    try:
        tenancy.of_slug(deps, SLUG)
    except NotFound:
        tenancy.found(deps, SLUG, NAME)
    tenancy.vouch_for_domain(deps, SLUG, DOMAIN, verified=True)
    text = files("app.learning").joinpath("seed/product_update.json").read_bytes()
    activity = activities.publish(deps, SLUG, text)
    with suppress(Conflict):  # made at an earlier start
        local.create_administrator(deps, SLUG, ADMINISTRATOR, password)
    return activity.slug


def _introduce(
    deps: Deps, memory: Memory, campus: Campus, note: dict[str, Any], activity: str
) -> dict[str, Any]:
    lms, idp, lrs = campus.urls["lms"], campus.urls["idp"], campus.urls["lrs"]
    _register_platform(deps, memory, lms)
    campus.put("lms/tool", {
        **{name: note["lti"][name] for name in ("login_url", "launch_url", "jwks_url")},
        "client_id": _CLIENT, "deployment_id": _DEPLOYMENT, "name": "Ostiary",
    })  # fmt: skip
    campus.put(f"lms/links/{_LINK}", {
        "title": "Product update", "description": "An adaptive activity.", "custom": {"activity": activity},
    })  # fmt: skip
    login = _connect(deps, memory, campus, idp)
    campus.put("idp/scim", {**note["scim"], "dialect": "entra"})
    held = campus.get("lrs/credentials")
    if memory.get("destination") != lrs:
        tenancy.add_record_store(deps, SLUG, lrs, held["key"], held["secret"])
        memory.put("destination", lrs)
    return {
        "learner": {"email": f"ada@{DOMAIN}", "password": "open-sesame"},
        "oidc": {"login_url": login},
        "campus": {"lms": lms, "idp": idp, "lrs": lrs},
    }


def _register_platform(deps: Deps, memory: Memory, lms: str) -> None:
    if memory.get("platform") == lms:
        return
    registration = Registration(
        id=deps.ids.new(), issuer=lms, client_id=_CLIENT,
        auth_login_url=f"{lms}/auth", auth_token_url=f"{lms}/token", jwks_url=f"{lms}/jwks",
    )  # fmt: skip
    platforms.add(deps, SLUG, "Campus LMS", registration, _DEPLOYMENT, "sourcedid")
    memory.put("platform", lms)


def _connect(deps: Deps, memory: Memory, campus: Campus, idp: str) -> str:
    """Trust the campus's identity provider; returns the address at which a sign-in begins."""
    held = memory.get("connection")
    secret = memory.secret("oidc_secret")
    if held is None or held["issuer"] != idp:
        made = connections.add_oidc(
            deps, SLUG, issuer=idp, client_id=_CLIENT, client_secret=secret, name="Campus",
            post_logout_redirect=True,
        )  # fmt: skip
        held = memory.put("connection", {"issuer": idp, "id": made.id})
    ours = connections.addresses(deps, held["id"])
    campus.put(f"idp/clients/{_CLIENT}", {
        "redirect_uris": [ours.redirect_uri], "secret": secret, "name": "Ostiary",
        "post_logout_redirect_uris": [ours.post_logout_redirect_uri],
    })  # fmt: skip
    return ours.login_url


def _populate(deps: Deps, memory: Memory, users: int) -> None:
    """Provision people until there are as many as asked for."""
    made = int(memory.get("users") or 0)
    while made < users:
        upto = min(users, made + 5_000)
        provision.create_many(deps, tenancy.of_slug(deps, SLUG).id, "default", (
            _someone(number) for number in range(made, upto)
        ))  # fmt: skip
        made = memory.put("users", upto)


def _someone(number: int) -> dict[str, Any]:
    name = f"person{number:07d}"
    return {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": f"{name}@{DOMAIN}",
        "externalId": f"X{number:07d}",
        "name": {"givenName": "Person", "familyName": f"{number:07d}"},
        "displayName": f"Person {number:07d}",
        "emails": [{"type": "work", "value": f"{name}@{DOMAIN}", "primary": True}],
        "active": True,
    }
