"""Signing in by OpenID Connect: out to the provider, back with its word, in with a new session."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.deps import Deps
from app.flows import connections, join, latecomers, provider
from app.kernel import credential
from app.kernel.credential import Credential
from app.kernel.errors import Refused
from app.kernel.person import Person
from app.store import audit, once, sessions, tenants
from app.store import connections as kept
from app.store.connections import Connection
from app.store.db import Tx
from keys.errors import SealBroken
from sso import oidc
from sso.assertion import VerifiedAssertion
from sso.callback import authorization_code, parse_callback
from sso.claims import assertion, merge_userinfo
from sso.connection import LinkBy, OidcConnection
from sso.discovery import Discovery
from sso.errors import BrowserMismatch, StateInvalid
from sso.id_token import IdTokenClaims
from sso.linking import link_candidates
from sso.state import SignInState, begin_sign_in, local_path
from sso.token_response import TokenResponse, parse_token_response

_STATE = "signin.state"
_ID_TOKEN = "session.id_token"  # noqa: S105 - the name of a purpose
_LONGEST_HINT = 4_000
"""A longer ID token would not fit into the address that a sign-out goes to."""
_WANTED = ("preferred_username", "email", "name")
_HOME = "/learn"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has just begun: its cookie's text, and where the person wanted to go."""

    text: str = field(repr=False)
    return_to: str
    person: Person


def begin(
    deps: Deps, connection_id: str, browser: str, return_to: str | None, login_hint: str | None = None
) -> str:  # fmt: skip
    """Return the provider's address to send this browser to.

    Stores nothing: the sign-in under way is sealed into `state` and bound to the browser's secret.
    """
    connection = connections.opened(deps, connections.find(deps, connection_id))
    sign_in = begin_sign_in(
        connection_id=connection_id,
        browser_cookie=browser,
        nonce=deps.ids.secret().hex(),
        code_verifier=deps.ids.secret().hex(),
        return_to=local_path(return_to, _HOME),
        now=deps.clock(),
    )
    return oidc.authorization_url(
        connection,
        # Asked first, so that a connection that is switched off sends nobody anywhere.
        _discovery(deps, connection),
        sign_in,
        sealed_state=deps.seal.seal(_STATE, sign_in.to_bytes()),
        redirect_uri=connections.addresses(deps, connection_id).redirect_uri,
        login_hint=login_hint,
    )


def finish(
    deps: Deps, connection_id: str, answer: Iterable[tuple[str, str]],
    browser: str | None, previous: Credential | None,
) -> SignedIn:  # fmt: skip
    """End a sign-in: the provider's answer becomes a person and a session.

    `answer` is the callback's query, all pairs; `browser` its secret, if it brought one; `previous`
    the session it had, which ends. Raises sso's SignInRefused, NotFound, Refused or NeighbourFailed.
    """
    trust = connections.find(deps, connection_id)
    callback = parse_callback(answer)
    sign_in = _opened_state(deps, callback.state)
    if browser is None:
        raise BrowserMismatch("This sign-in was begun in another browser, or its cookie is gone.")
    connection = connections.opened(deps, trust)
    discovery = _discovery(deps, connection)
    code = authorization_code(
        callback, sign_in, connection=connection, discovery=discovery,
        browser_cookie=browser, now=deps.clock(),
    )  # fmt: skip
    request = oidc.token_request(
        connection, discovery, sign_in, code=code,
        redirect_uri=connections.addresses(deps, connection_id).redirect_uri,
    )  # fmt: skip
    response = provider.send(deps, request)
    tokens = parse_token_response(response.status, provider.content_type(response), response.body)
    claims = _claims(deps, connection, discovery, sign_in, tokens)
    said = assertion(connection, claims, sign_in)
    return _enter(deps, trust, said, sign_in, tokens.id_token, previous)


def start_session(
    deps: Deps, tx: Tx, person: Person, via: str, now: datetime, previous: Credential | None,
    **by: Any,
) -> str:  # fmt: skip
    """Begin a session in place of the browser's previous one; returns the cookie's text.

    A session never outlives a sign-in: its id and secret are always new, so that a planted one gains
    nothing. `by` as in `sessions.add`.
    """
    if previous is not None and previous.tenant == tx.tenant:
        end_previous(tx, previous, now)
    session_id, secret = deps.ids.new(), deps.ids.secret()
    until = now + timedelta(hours=deps.settings.session_hours)
    sessions.add(tx, session_id, person.id, secret, via, now, until, **by)
    audit.record(
        tx, deps.ids.new(), now, person.id, "session.began", person.id,
        session=session_id, via=via, connection=by.get("connection_id"),
    )  # fmt: skip
    return credential.mint("", tx.tenant, session_id, secret)


def end_previous(tx: Tx, previous: Credential, now: datetime) -> None:
    """End the session that this browser had, if the cookie proves that it was its own."""
    sessions.end_presented(tx, previous, "signed in again", now)


def leave_other_tenant(deps: Deps, previous: Credential | None, tenant: str) -> None:
    """End the session that this browser had in another tenant."""
    if previous is not None and previous.tenant != tenant:
        with deps.db.tx(previous.tenant) as tx:
            end_previous(tx, previous, deps.clock())


def id_token_hint(deps: Deps, sealed: str | None) -> str | None:
    """Return a session's ID token, for signing out at the provider too."""
    try:
        return deps.seal.open(_ID_TOKEN, sealed).decode() if sealed else None
    except SealBroken:
        return None


def _discovery(deps: Deps, connection: OidcConnection) -> Discovery:
    if not connection.enabled:
        raise Refused("This way of signing in is switched off.", code="connection_disabled")
    return provider.discovery(deps, connection)


def _opened_state(deps: Deps, sealed: str) -> SignInState:
    try:
        return SignInState.from_bytes(deps.seal.open(_STATE, sealed))
    except SealBroken:
        raise StateInvalid("The answer belongs to no sign-in that we began.") from None


def _claims(
    deps: Deps, connection: OidcConnection, discovery: Discovery, sign_in: SignInState,
    tokens: TokenResponse,
) -> IdTokenClaims:  # fmt: skip
    claims = provider.with_keys(deps, discovery, lambda keys: oidc.verify_id_token(
        tokens, connection=connection, discovery=discovery, jwks=keys, sign_in=sign_in, now=deps.clock(),
    ))  # fmt: skip
    ask = oidc.userinfo_request(discovery, tokens)
    if ask is None or all(name in claims for name in _WANTED):
        return claims
    answer = provider.send(deps, ask)
    return merge_userinfo(
        claims, status=answer.status, content_type=provider.content_type(answer), body=answer.body
    )


def _enter(
    deps: Deps, trust: Connection, said: VerifiedAssertion, sign_in: SignInState, id_token: str,
    previous: Credential | None,
) -> SignedIn:  # fmt: skip
    now = deps.clock()
    hint = deps.seal.seal(_ID_TOKEN, id_token.encode()) if len(id_token) <= _LONGEST_HINT else None
    with deps.db.tx(trust.tenant.id) as tx:
        # Read again: it may have been switched off while we spoke with the provider.
        trust = kept.get(tx, trust.id) or trust
        if not (trust.enabled and trust.tenant.enabled):
            raise Refused("This way of signing in is switched off.", code="connection_disabled")
        if trust.cut_at is not None and sign_in.issued_at < trust.cut_at:
            raise Refused(
                "This sign-in was begun too long ago. Please start again.", code="begun_before"
            )
        if not once.claim(tx, f"signin:{trust.id}", said.unique_id, said.claim_until):
            raise Refused("This sign-in was used already. Please start again.", code="replayed")
        if latecomers.is_over(tx, said, sign_in.issued_at):
            raise Refused("Your identity provider has signed you out meanwhile.", code="signed_out")
        domains = tenants.verified_domains(tx)
        candidates = link_candidates(said, LinkBy(trust.link_by), domains)
        identity, person = join.admit(deps, tx, join.Stranger(
            "oidc", trust.id, said.subject, _attributes(said), sign_in.issued_at,
            [(one.attribute, one.value) for one in candidates], may_create=trust.jit,
        ), now)  # fmt: skip
        text = start_session(
            deps, tx, person, "oidc", now, previous, identity_id=identity.id,
            connection_id=trust.id, idp_session=said.session_index, sealed_id_token=hint,
            begun_at=sign_in.issued_at,
        )  # fmt: skip
    leave_other_tenant(deps, previous, trust.tenant.id)
    return SignedIn(text, sign_in.return_to, person)


def _attributes(said: VerifiedAssertion) -> dict[str, Any]:
    # An address that the provider itself calls unverified could be anyone's.
    email = None if said.email_verified is False else said.email
    return {
        "user_name": said.user_name or email,
        "display_name": said.display_name,
        "given_name": said.given_name,
        "family_name": said.family_name,
        "email": email,
        "email_verified": said.email_verified is True if email else None,
    }
