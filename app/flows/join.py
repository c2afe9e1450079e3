"""Who is this? From an identity that was just verified to the person it means, by an administrator's rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.deps import Deps
from app.kernel.errors import Refused
from app.kernel.person import Person, told
from app.store import audit, people
from app.store.db import Tx
from app.store.people import Identity
from app.store.sql import exclusive


@dataclass(frozen=True, slots=True)
class Stranger:
    """A verified identity, what its source says of the person, and by which values to look for them.

    `source` is oidc, saml or lti; `issuer` the connection's or registration's id. `candidates` are
    (SCIM attribute, value) pairs from the rule that an administrator set; none means no rule.
    `begun_at`: when this login was begun; whose access ended since then begins anew.
    """

    source: str
    issuer: str
    subject: str
    said: Mapping[str, Any]
    begun_at: datetime
    candidates: Sequence[tuple[str, str]] = ()
    may_create: bool = True


def admit(deps: Deps, tx: Tx, stranger: Stranger, now: datetime) -> tuple[Identity, Person]:
    """Return the identity and its person, joined or made where the rule allows; Refused otherwise.

    A person who is inactive or deleted stays outside, and is never made anew.
    """
    exclusive(tx.conn, tx.tenant, stranger.source, stranger.issuer, stranger.subject)
    known = people.identified(tx, stranger.source, stranger.issuer, stranger.subject)
    if known is None:
        return _first_time(deps, tx, stranger, now)
    identity, found = known
    person = people.lock(tx, found.id)
    return identity, _told(tx, _entering(person, stranger), stranger, now)


def _first_time(deps: Deps, tx: Tx, stranger: Stranger, now: datetime) -> tuple[Identity, Person]:
    for attribute, value in stranger.candidates:
        found = people.matching(tx, attribute, value)
        if len(found) > 1:
            raise Refused(
                f"Several people here have this {attribute}. Ask your administrator to tell them apart.",
                code="ambiguous_person",
            )
        if found:
            person = _entering(people.lock(tx, found[0].id), stranger)
            return _point(deps, tx, stranger, person, attribute, now), _told(
                tx, person, stranger, now
            )
    if not stranger.may_create:
        raise Refused(
            "There is no account for you here yet. Ask your administrator to add you.",
            code="no_account",
        )
    person = told(Person(id=deps.ids.new()), dict(stranger.said), stranger.source, now)
    if person.user_name and people.by_user_name(tx, person.user_name):
        # The name is someone else's, and no rule says that they are the same person.
        person = told(
            Person(id=person.id), {**stranger.said, "user_name": None}, stranger.source, now
        )
    people.add(tx, person, now)
    return _point(deps, tx, stranger, person, "new", now), person


def _point(
    deps: Deps, tx: Tx, stranger: Stranger, person: Person, rule: str, now: datetime
) -> Identity:
    identity = Identity(
        deps.ids.new(), person.id, stranger.source, stranger.issuer, stranger.subject
    )
    people.identify(tx, identity, rule, now)
    audit.record(
        tx, deps.ids.new(), now, f"{stranger.source}:{stranger.issuer}", "identity.joined", person.id,
        identity=identity.id, rule=rule,
    )  # fmt: skip
    return identity


def _entering(person: Person | None, stranger: Stranger) -> Person:
    if person is None or not person.may_enter:
        raise Refused(
            "This account is switched off. Ask your administrator.", code="person_inactive"
        )
    if person.cut_at is not None and stranger.begun_at < person.cut_at:
        raise Refused("Your access was ended meanwhile. Please start again.", code="begun_before")
    return person


def _told(tx: Tx, person: Person, stranger: Stranger, now: datetime) -> Person:
    after = told(
        person, {k: v for k, v in stranger.said.items() if k != "user_name"}, stranger.source, now
    )
    if after is not person:
        people.save(tx, after, now)
    return after
