"""Our signing keys: made, published, used and rotated. The policy is `keys/ring.py`'s."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from app.deps import Deps
from app.kernel.errors import NotFound
from app.kernel.tenant import OPERATOR
from app.store import signing_keys, tenants
from app.store.db import System
from app.store.signing_keys import StoredKey
from keys import jwk, ring
from keys.jwk import SigningKey
from keys.ring import KeyRecord

_PURPOSE = "signing key"


def ensure(
    deps: Deps, system: System, owner: str, tenant_id: str | None, fresh: SigningKey
) -> None:
    """Give an owner a first key, which signs at once, unless there is one.

    `fresh` is drawn before the transaction: that takes a moment, and writers wait for each other.
    """
    if not signing_keys.of_owner(system, owner):
        _publish(deps, system, owner, tenant_id, [], fresh)


def rotate(deps: Deps, owner: str) -> KeyRecord:
    """Publish a new key that signs after the overlap; raises RotationPending while one waits its turn.

    Keys that nobody needs any more are erased.
    """
    fresh = jwk.generate()
    with deps.db.system(write=True) as system:
        stored = signing_keys.of_owner(system, owner)
        tenant = None if owner == OPERATOR else tenants.by_slug(system, owner)
        if owner != OPERATOR and tenant is None:
            raise NotFound(f"There is no tenant {owner!r}.")
        return _publish(deps, system, owner, tenant.id if tenant else None, stored, fresh)


def jwks(deps: Deps, owner: str) -> dict[str, Any]:
    """Return the JWK Set that platforms fetch for this owner (RFC 7517 §5)."""
    stored = _stored(deps, owner)
    shown = ring.published_keys([_record(key) for key in stored], deps.clock())
    by_kid = {key.kid: key.public_jwk for key in stored}
    return jwk.jwks(by_kid[record.kid] for record in shown)


def signing_key(deps: Deps, owner: str) -> SigningKey:
    """Return the key that signs for this owner now; its PEM is opened once a process."""
    stored = {key.kid: key for key in _stored(deps, owner)}
    kid = ring.signing_key([_record(key) for key in stored.values()], deps.clock()).kid
    return jwk.held(kid, lambda: deps.seal.open(_PURPOSE, stored[kid].sealed_private))


def _stored(deps: Deps, owner: str) -> Sequence[StoredKey]:
    found: Sequence[StoredKey] = ()
    if owner.isprintable():  # PostgreSQL takes no NUL, and the name comes out of an address
        with deps.db.system() as system:
            found = signing_keys.of_owner(system, owner)
    if not found:
        raise NotFound("There are no keys under this name.")
    return found


def _publish(
    deps: Deps, system: System, owner: str, tenant_id: str | None, stored: Sequence[StoredKey],
    fresh: SigningKey,
) -> KeyRecord:  # fmt: skip
    now, records = deps.clock(), [_record(key) for key in stored]
    overlap = timedelta(hours=deps.settings.key_overlap_hours)
    plan = ring.plan_rotation(records, fresh.kid, now, overlap)
    for gone in ring.gone_keys(records, now):
        signing_keys.erase(system, owner, gone.kid)
    for old in plan.retiring:
        signing_keys.reschedule(
            system, owner, old.kid, retires_at=old.retires_at, gone_at=old.gone_at
        )
    sealed = deps.seal.seal(_PURPOSE, fresh.pem())
    new = StoredKey(
        owner, fresh.kid, dict(fresh.public_jwk()), sealed, now, plan.new.signs_from, None, None
    )
    signing_keys.add(system, new, tenant_id)
    return plan.new


def _record(key: StoredKey) -> KeyRecord:
    return KeyRecord(key.kid, key.published_at, key.signs_from, key.retires_at, key.gone_at)
