"""From a credential to the tenant and the actor, checked at every request against the rows as they are now."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from flask import g, request
from werkzeug.wrappers import Response

from app.flows import tries
from app.kernel import credential
from app.kernel.errors import Refused, Unauthenticated, Unavailable
from app.kernel.person import Person
from app.kernel.tenant import Tenant, TenantId
from app.store import launches, people, sessions, tokens
from app.store.db import Read
from app.store.launches import Launch
from app.store.sessions import Session
from app.store.tokens import Token
from app.web import headers, here
from keys.errors import SealBroken

_SIGN_IN_FIRST = "Sign in first."
_OPEN_AGAIN = "This activity is no longer open here. Open it again from your course."
_INVALID = "invalid_token"
_LAUNCH_TOKEN = "launch token"  # noqa: S105 - the name of a purpose
_LAUNCH_TOKEN_LIFE = timedelta(hours=1)


def bearer(kind: str) -> Token:
    """Return the request's standing bearer token (RFC 6750 §2.1); raises Unauthenticated."""
    with reading(kind) as (token, _):
        return token


@contextmanager
def reading(kind: str, *, glance: bool = False) -> Iterator[tuple[Token, Read]]:
    """The same, with the snapshot in which it was found, or a mere glance; raises Unauthenticated."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated("Send a bearer token in the Authorization header.")
    presented = credential.parse(f"ost_{kind}_", text.strip())
    if presented is None:
        raise Unauthenticated("The token is not one of ours.", code=_INVALID)
    deps = here.deps()
    now = deps.clock()
    with (deps.db.glance if glance else deps.db.read)(presented.tenant) as read:
        token = tokens.standing(read, presented, kind, now)
        if token is None:
            raise Unauthenticated("The token is unknown, expired or revoked.", code=_INVALID)
        here.note(tenant=token.tenant.id, token=token.id)
        yield token, read
    if token.stale:
        # Who reads is answered also while the database can't be written to.
        with suppress(Unavailable), deps.db.tx(presented.tenant) as tx:
            tokens.touch(tx, token.id, now)


def token_of_person() -> tuple[Person, Tenant]:
    """Return whose api token came with the request; raises Unauthenticated."""
    token = bearer("api")
    with here.deps().db.read(token.tenant.id) as read:
        someone = people.get(read, token.person_id) if token.person_id else None
    if someone is None or not someone.may_enter:
        raise Unauthenticated("The token is unknown, expired or revoked.", code=_INVALID)
    here.note(person=someone.id)
    return someone, token.tenant


def session_cookie_name() -> str:
    """Name of the signed-in session's cookie."""
    return "__Host-ostiary_session" if here.deps().settings.secure else "ostiary_session"


def presented_session() -> credential.Credential | None:
    """Read the session cookie, without believing it yet."""
    return credential.parse("", request.cookies.get(session_cookie_name(), ""))


def session() -> Session | None:
    """Return the signed-in session that stands at this moment, or None."""
    presented = presented_session()
    if presented is None:
        return None
    deps = here.deps()
    now = deps.clock()
    with deps.db.read(presented.tenant) as read:
        found = sessions.standing(read, presented, now)
    if found is not None:
        if found.stale:
            with suppress(Unavailable), deps.db.tx(presented.tenant) as tx:
                sessions.touch(tx, found.id, now)
        here.note(tenant=found.tenant.id, person=found.person.id)
    return found


def signed_in() -> Session:
    """Return the signed-in session; raises Unauthenticated."""
    found = session()
    if found is None:
        raise Unauthenticated(_SIGN_IN_FIRST, code="sign_in_first")
    return found


def administrator() -> Session:
    """Return the session of someone who may use the console; raises Unauthenticated or Refused."""
    found = signed_in()
    with here.deps().db.read(found.tenant.id) as read:
        if "administrator" not in people.roles(read, found.person.id):
            raise Refused("The console is for administrators.", code="not_an_administrator")
    return found


def keep_session(response: Response, text: str) -> None:
    """Give the browser its signed-in session's cookie."""
    settings = here.deps().settings
    response.set_cookie(
        session_cookie_name(), text, max_age=settings.session_hours * 3600,
        secure=settings.secure, httponly=True, samesite="Lax", path="/",
    )  # fmt: skip


def drop_session(response: Response) -> None:
    """Take the signed-in session's cookie back."""
    settings = here.deps().settings
    response.delete_cookie(
        session_cookie_name(), secure=settings.secure, httponly=True, samesite="Lax", path="/"
    )


def browser_cookie_name() -> str:
    """Name of the cookie that binds logins and launches to one browser."""
    return "__Host-ostiary_browser" if here.deps().settings.secure else "ostiary_browser"


def browser() -> str:
    """Return this browser's secret (48 hex digits), drawing one for a browser that has none."""
    held = request.cookies.get(browser_cookie_name(), "")
    if len(held) == 48 and all(c in "0123456789abcdef" for c in held):  # noqa: PLR2004 - 24 bytes in hex
        return held
    if "new_browser" not in g:
        g.new_browser = here.deps().ids.secret().hex()
    return str(g.new_browser)


def known_browser() -> str | None:
    """Return this browser's secret only if it brought one."""
    found = browser()
    return None if "new_browser" in g else found


def keep_browser(response: Response, secret: str) -> None:
    """Give the browser its binding cookie; framed by an LMS it is partitioned."""
    settings = here.deps().settings
    response.set_cookie(
        browser_cookie_name(), secret, max_age=tries.KNOWN, secure=settings.secure, httponly=True,
        samesite="None" if settings.secure else "Lax", partitioned=settings.secure, path="/",
    )  # fmt: skip


def launched(public_id: str | None) -> Launch:
    """Return the launch of this id, else this browser's newest, if it stands; raises Unauthenticated.

    It stands in the browser that made it, or for a request that carries its launch token. Its
    platform may frame the answer.
    """
    deps = here.deps()
    now = deps.clock()
    secret = known_browser()
    digest = credential.digest(secret.encode()) if secret else None
    at = credential.unscoped(public_id) if public_id else _newest_launch(digest)
    by_token = bool(public_id) and public_id == _launch_of_token(now)
    if at is None:
        raise Unauthenticated(_OPEN_AGAIN, code="launch_over")
    with deps.db.read(at[0]) as read:
        # Also the page that says it is over shows inside the course.
        headers.framed_by_platform(*launches.platform_urls(read, at[1]))
        mine = None if by_token else digest or "none"
        found = launches.standing(read, at[1], mine, now)
    if found is None:
        raise Unauthenticated(_OPEN_AGAIN, code="launch_over")
    here.note(tenant=found.tenant.id, person=found.person.id, launch=found.id)
    return found


def launch_token(launch: Launch) -> str:
    """Return the token that a launch's page carries for an hour, should its frame lose the cookie.

    It belongs in a form field `launch_token` or the header X-Launch-Token, never in an address.
    """
    until = int((here.deps().clock() + _LAUNCH_TOKEN_LIFE).timestamp())
    return here.deps().seal.seal(_LAUNCH_TOKEN, f"{until} {launch.public_id}".encode())


def _launch_of_token(now: datetime) -> str | None:
    given = request.form.get("launch_token", "") or request.headers.get("X-Launch-Token", "")
    if not given:
        return None
    try:
        until, _, public_id = here.deps().seal.open(_LAUNCH_TOKEN, given).decode().partition(" ")
    except SealBroken:
        return None
    return public_id if now.timestamp() < int(until) else None


def _newest_launch(digest: str | None) -> tuple[TenantId, str] | None:
    if digest is None:
        return None
    with here.deps().db.system() as system:
        return launches.newest(system, digest)


def csrf_token(subject: str) -> str:
    """Return the token that forms of this session or launch carry."""
    return here.deps().seal.mac("csrf", subject.encode())


def check_csrf(subject: str) -> None:
    """Refuse a form that our page did not make: its token is wrong, or another site sent it."""
    given = request.form.get("csrf", "") or request.headers.get("X-CSRF-Token", "")
    foreign = request.headers.get("Sec-Fetch-Site", "same-origin") not in {"same-origin", "none"}
    if foreign or not here.deps().seal.mac_matches("csrf", subject.encode(), given):
        raise Refused(
            "This page is out of date. Load it again and repeat what you did.", code="csrf"
        )
