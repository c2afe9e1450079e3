"""Long-lived bearer tokens: issued once, shown once, revoked at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from app.deps import Deps
from app.kernel import credential
from app.kernel.delivery import POLLED
from app.kernel.errors import Invalid, NotFound, Refused
from app.store import audit, event_streams, people, tokens
from app.store.db import Tx

DEFAULT_CLIENT = "default"
SCOPES = ("read", "write")
_LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """A token as somebody wants it. Kind scim speaks for the tenant, kind api for one person.

    Kind set is a receiver's of SCIM events. `client` is the provisioning client, whose externalIds outlive
    the token; of kind set the receiver's id. No `life`, no end.
    """

    name: str = ""
    kind: str = "scim"
    client: str = DEFAULT_CLIENT
    scope: str = "write"
    life: timedelta | None = None
    person_id: str | None = None


def issue(deps: Deps, tx: Tx, by: str, wanted: Wanted) -> tuple[str, str]:
    """Issue a token; returns (id, the token, shown once). A person's ends with that person's access.

    Raises NotFound, Invalid or Refused (the person may not enter).
    """
    if (wanted.kind == tokens.OF_PERSON) != (wanted.person_id is not None):
        raise Invalid("An api token is a person's, every other the organization's.")
    if wanted.scope not in SCOPES:
        raise Invalid("A token may read or write.")
    client, name = named(wanted.client, "A provisioning client's name"), wanted.name.strip()
    name = named(name, "A token's name") if name else client
    token_id, secret, now = deps.ids.new(), deps.ids.secret(), deps.clock()
    if wanted.kind == "set" and not _fetches(tx, client):
        raise NotFound("No receiver of this id comes for its events.")
    if wanted.person_id is not None:
        _check_enters(tx, wanted.person_id)
    tokens.add(
        tx, token_id, wanted.kind, secret, now, client=client, person_id=wanted.person_id,
        scope=wanted.scope, expires_at=now + wanted.life if wanted.life else None, name=name,
        created_by=by,
    )  # fmt: skip
    audit.record(
        tx, deps.ids.new(), now, by, "token.issued", token_id, kind=wanted.kind, client=client,
        scope=wanted.scope,
    )  # fmt: skip
    return token_id, credential.mint(f"ost_{wanted.kind}_", tx.tenant, token_id, secret)


def revoke(deps: Deps, tx: Tx, by: str, token_id: str) -> None:
    """Revoke a token; raises NotFound when there is none that stands."""
    now = deps.clock()
    if not tokens.revoke(tx, token_id, now):
        raise NotFound("There is no such token, or it is revoked already.")
    audit.record(tx, deps.ids.new(), now, by, "token.revoked", token_id)


def named(text: str, what: str) -> str:
    """Return a name without the blanks around it; raises Invalid for one that no page could show."""
    name = text.strip()
    if not 1 <= len(name) <= _LONGEST_NAME or not name.isprintable():
        raise Invalid(f"{what} has 1 to {_LONGEST_NAME} printable characters.")
    return name


def _fetches(tx: Tx, stream_id: str) -> bool:
    stream = event_streams.get(tx, stream_id)
    return stream is not None and stream.kind == POLLED


def _check_enters(tx: Tx, person_id: str) -> None:
    person = people.lock(tx, person_id)
    if person is None:
        raise NotFound("There is no such person.")
    if not person.may_enter:
        raise Refused("This person is switched off.", code="person_inactive")
