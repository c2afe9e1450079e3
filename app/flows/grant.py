"""Access tokens for OAuth clients (RFC 6749 §4.4), who are known by a secret or by what they sign (RFC 7523).

Who fails is bounded by client and network address, so that nobody can use up the tries of a client
elsewhere; who succeeds is bounded by client.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.deps import Deps
from app.flows import clients, documents, throttle, tries
from app.kernel import credential
from app.kernel.errors import Throttled, Unauthenticated, Unavailable
from app.store import oauth_clients, once, tokens
from app.store.db import Tx
from app.store.oauth_clients import OAuthClient
from keys import jwk, jwt
from keys.errors import BadKey, BadSignature, TokenRefused, UnknownKid
from keys.jwt import VerifiedClaims

LIFE = timedelta(hours=1)
"""Of an access token; and so far ahead may an assertion's `exp` lie."""

ALGORITHMS = ("RS256", "PS256", "ES256")
SCOPES = {"read": ("scim.read",), "write": ("scim.read", "scim.write")}
"""What a client that may read or write can ask for."""

_TRIES, _WINDOW = 10, timedelta(minutes=1)
_EACH_SECOND = 10
_LEEWAY = timedelta(seconds=60)
_LONGEST_ID = 255
_REPLAYED = "This assertion was used before."


@dataclass(frozen=True, slots=True)
class Proof:
    """An assertion that holds and is yet to be claimed: its `jti`, and until when it could be used again."""

    jti: str
    until: datetime


def find(deps: Deps, client_id: str, address: str | None) -> OAuthClient | None:
    """Find a client that stands by its public id; raises Throttled after too many failures from there."""
    at, now = credential.unscoped(client_id), deps.clock()
    if at is None:
        return None
    with deps.db.read(at[0]) as read:
        found = oauth_clients.standing(read, at[1])
        failures = once.standing(read, _failures(found, address), now) if found else 0
    if failures >= _TRIES:
        raise Throttled(
            "Too many failed tries for this client. Wait a minute.",
            code="too_many_tries", retry_after=int(_WINDOW.total_seconds()),
        )  # fmt: skip
    return found


def failed(deps: Deps, of: OAuthClient, address: str | None) -> None:
    """Count a try that failed."""
    with deps.db.tx(of.tenant_id) as tx:
        once.claim(tx, _failures(of, address), deps.ids.new(), deps.clock() + _WINDOW)


def secret_matches(of: OAuthClient, text: str) -> bool:
    """Tell whether this is the client's secret (RFC 6749 §2.3.1)."""
    presented = credential.parse(clients.SECRET, text)
    if presented is None or of.digest is None:
        return False
    same = (presented.tenant, presented.id) == (of.tenant_id, of.id)
    return same and credential.matches(presented, of.digest)


def claimed_by(assertion: str) -> str:
    """Return whose an assertion says that it is, which nobody vouches for yet; empty where it can't be read."""
    try:
        subject = jwt.unverified(assertion).claims.get("sub")
    except TokenRefused:
        return ""
    return subject if isinstance(subject, str) else ""


def verified(deps: Deps, of: OAuthClient, assertion: str) -> Proof:
    """Verify an assertion by which a client says who it is (RFC 7523 §3).

    Raises Unauthenticated, and Unavailable while the client's keys can't be fetched.
    """
    try:
        claims = _signed(deps, of, assertion)
    except TokenRefused as error:
        raise Unauthenticated(error.message) from error
    return _proof(deps, of, claims)


def issue(deps: Deps, of: OAuthClient, scope: str, proof: Proof | None) -> str:
    """Give an access token of `scope` read or write.

    The client is judged again inside the transaction, and its assertion claimed. Raises Unauthenticated
    or Throttled.
    """
    throttle.spend(deps, of.tenant_id, f"oauth:{of.id}", _EACH_SECOND)
    now, row, secret = deps.clock(), deps.ids.new(), deps.ids.secret()
    with deps.db.tx(of.tenant_id) as tx:
        still = oauth_clients.keep_standing(tx, of.id)
        if still is None or (still.digest, still.cut_at) != (of.digest, of.cut_at):
            raise Unauthenticated("This client was switched off or changed just now.")
        if proof is not None:
            _claim(tx, of, proof)
        tokens.add(
            tx, row, "scim", secret, now, client=of.client, scope=scope, expires_at=now + LIFE,
            oauth_client_id=of.id,
        )  # fmt: skip
        oauth_clients.touch(tx, still, now)
    return credential.mint("ost_scim_", of.tenant_id, row, secret)


def _signed(deps: Deps, of: OAuthClient, assertion: str) -> VerifiedClaims:
    def attempt(*, newer: bool) -> VerifiedClaims:
        return jwt.verify(
            assertion, _keys(deps, of, newer=newer), algorithms=ALGORITHMS, now=deps.clock(),
            leeway=_LEEWAY, require=("exp",), kid_required=False,
        )  # fmt: skip

    try:
        return attempt(newer=False)
    except (UnknownKid, BadSignature):
        if of.jwks_url is None:
            raise
        # It may have a new key since we last looked, with or without a name.
        return attempt(newer=True)


def _keys(deps: Deps, of: OAuthClient, *, newer: bool) -> jwk.KeySet:
    try:
        if of.jwks is not None:
            return jwk.parse_jwks(of.jwks.encode())
        if of.jwks_url is None:
            raise Unauthenticated("This client has a secret, and signs nothing.")
        url = of.jwks_url
        return jwk.parse_jwks(documents.fetch(deps, url, newer=newer, readable=_is_key_set))
    except BadKey as error:
        raise Unavailable(
            "This client's keys can't be read: their address leads to something else.",
            code="client_keys_unreadable",
        ) from error


def _proof(deps: Deps, of: OAuthClient, claims: VerifiedClaims) -> Proof:
    """Check what an assertion says (RFC 7523 §3): who, for whom, how long, and that it is one of a kind."""
    name, now = clients.client_id(of), deps.clock()
    if claims.get("iss") != name or claims.get("sub") != name:
        raise Unauthenticated("The assertion's iss and sub must both be the client's id.")
    audience = claims.get("aud")
    ours = (clients.token_url(deps), deps.settings.base_url)
    if not any(one in ours for one in (audience if isinstance(audience, list) else [audience])):
        raise Unauthenticated("The assertion's aud must be the token endpoint, or our issuer.")
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 1 <= len(jti) <= _LONGEST_ID:
        raise Unauthenticated("The assertion needs a jti, of at most 255 characters.")
    expires = _seconds(claims["exp"])
    if expires > (now + LIFE + _LEEWAY).timestamp():
        raise Unauthenticated("The assertion lives too long: an hour is enough.")
    if of.cut_at is not None:
        # Without iat the latest moment at which its exp could have been taken before.
        begun = _seconds(claims.get("iat", expires - (LIFE + _LEEWAY).total_seconds()))
        if begun <= of.cut_at.timestamp():
            raise Unauthenticated("The assertion is from before this client was switched off.")
    return Proof(jti, datetime.fromtimestamp(expires, UTC) + _LEEWAY)


def _claim(tx: Tx, of: OAuthClient, proof: Proof) -> None:
    kind, key = f"oauth-jti:{of.id}", hashlib.sha256(proof.jti.encode()).hexdigest()
    if not once.claim(tx, kind, key, proof.until):
        raise Unauthenticated(_REPLAYED)


def _seconds(value: object) -> float:
    # The signature's check has found that times are numbers.
    return float(value) if isinstance(value, int | float) else 0.0


def _is_key_set(body: bytes) -> bool:
    try:
        jwk.parse_jwks(body)
    except BadKey:
        return False
    return True


def _failures(of: OAuthClient, address: str | None) -> str:
    hashed = hashlib.sha256(tries.network(address).encode()).hexdigest()[:32]
    return f"oauth-failed:{of.id}:{hashed}"
