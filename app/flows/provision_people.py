"""A SCIM User and the person that it is: arriving, changing, leaving, coming back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from app.flows import cutoff, guard, provision_events
from app.flows.guard import Left
from app.flows.provision_act import Act
from app.kernel.person import Person, told
from app.store import groups, memberships, people, scim, scim_gone
from app.store.db import Read
from app.store.memberships import Gone
from app.store.scim import Stored
from scim.attributes import ResourceType
from scim.errors import InvalidValue, Uniqueness
from scim.schemas import USER
from scim.text import fold

MAX_NAME: Final = 255
MAX_EMAIL: Final = 320
_SIGNED_IN: Final = frozenset({"oidc", "saml", "local"})


def arrive(act: Act, body: Mapping[str, Any]) -> Stored:
    """Make a User; raises Uniqueness when the userName is taken.

    Whom this client deleted under the same externalId comes back as the same person; userNames are
    reused, so that one alone brings nobody back. A person who came by sign-in, bears this userName and
    was never provisioned is the one meant (docs/decisions/0007). Everybody else is new.
    """
    check(body)
    gone = _gone(act, body)
    if gone is not None:
        return _come_back(act, *gone, body)
    bearer = _bearer(act, body["userName"])
    if bearer is None:
        person = person_of(Person(act.deps.ids.new()), body, act)
        people.add(act.tx, person, act.now)
    else:
        person = _adopted(act, bearer, body)
    (made,) = scim.add(act.tx, act.client, act.types.user, {person.id: body}, act.now)
    provision_events.created(act, act.types.user, [made])
    if bearer is not None and not person.active:
        _shut_out(act, person)
        guard.note(act, [Left(person.id, "deactivated")])
    act.note("person.provisioned" if bearer is None else "person.adopted", person.id)
    return made


def newcomers(read: Read, client: str, bodies: Mapping[int, Mapping[str, Any]]) -> set[int]:
    """Return which of these Users nobody knows yet, by userName or as one who was deleted.

    Of several with one userName the first is.
    """
    named = {fold(bodies[key]["userName"]): key for key in sorted(bodies, reverse=True)}
    external = [body["externalId"] for body in bodies.values() if "externalId" in body]
    gone = scim_gone.bearing(read, client, USER, external)
    taken = people.bearing(read, named)
    return {
        key
        for name, key in named.items()
        if name not in taken and bodies[key].get("externalId") not in gone
    }


def sent_before(read: Read, client: str, of: ResourceType, body: Mapping[str, Any]) -> str | None:
    """Return the id of the User who is there with the very userName and externalId of a body, or None.

    Without an externalId nobody is known again: userNames are reused.
    """
    external = body.get("externalId")
    bearer = people.by_user_name(read, body["userName"]) if external else None
    stored = scim.get(read, client, of, bearer.id) if bearer else None
    return stored.id if stored and stored.external_id == external else None


def arrive_all(act: Act, bodies: Mapping[str, Mapping[str, Any]]) -> list[Stored]:
    """Make Users by id who are `newcomers`, and return them so; raises Uniqueness when one of them came meanwhile."""
    for body in bodies.values():
        check(body)
    arrived = [person_of(Person(key), body, act) for key, body in bodies.items()]
    # In one order, so that two loads of the same people wait for each other, and not both for both.
    arrived.sort(key=lambda one: fold(one.user_name or ""))
    people.add_all(act.tx, arrived, act.now)
    made = scim.add(act.tx, act.client, act.types.user, bodies, act.now)
    provision_events.created(act, act.types.user, made)
    return made


def change(act: Act, person: Person, before: Stored, body: Mapping[str, Any]) -> Stored:
    """Give a User another body; one that became inactive is shut out in the same transaction.

    Raises Uniqueness when another User bears the userName.
    """
    if body == before.body:
        return before
    check(body)
    after = person_of(person, body, act)
    if fold(after.user_name or "") != fold(person.user_name or ""):
        _take_name(act, after)
    if after != person:
        people.save(act.tx, after, act.now)
    stored = scim.save(act.tx, act.client, act.types.user, before, body, act.now)
    provision_events.changed(
        act, act.types.user, before, stored, request=act.request, turned=_turned(person, after)
    )
    if person.active and not after.active:
        _shut_out(act, person)
        guard.note(act, [Left(person.id, "deactivated")])
    elif after.active and not person.active:
        # What was dropped when they left, as far as their groups still give it.
        groups.assign(act.tx, act.now, person_ids=[person.id])
        act.note("person.reactivated", person.id)
    return stored


def leave(act: Act, person: Person, gone: Stored) -> list[Gone]:
    """Delete a User softly: what the person learned stays, nobody of that name gets in.

    Returns the memberships that end by it.
    """
    people.save(act.tx, replace(person, deleted_at=act.now), act.now)
    left = memberships.forget(act.tx, person.id)
    scim.remove(act.tx, act.types.user, gone, act.now)
    provision_events.deleted(act, act.types.user, gone)
    _shut_out(act, person)
    roles = people.own_roles(act.tx, person.id)
    # Who comes back under the same externalId comes back without the keys to the house.
    if people.revoke_roles(act.tx, person.id):
        act.note("roles.revoked", person.id, count=len(roles))
    before = {"roles": sorted(roles), "groups": sorted(one.group_id for one in left)}
    guard.note(act, [
        Left(person.id, "deleted" if person.active else "removed", before=before),
    ])  # fmt: skip
    return left


def person_of(person: Person, body: Mapping[str, Any], act: Act) -> Person:
    """The person as the User's body tells."""
    sources = person.sources or {}
    email = _email(body)
    name = body.get("name", {})
    said: dict[str, Any] = {
        "user_name": body["userName"],
        "display_name": body.get("displayName") or name.get("formatted"),
        "given_name": name.get("givenName"),
        "family_name": name.get("familyName"),
        "email": email,
        "locale": body.get("locale") or body.get("preferredLanguage"),
    }
    if person.email_verified and fold(email or "") != fold(person.email or ""):
        said["email_verified"] = False
    # Silence takes back only what provisioning itself has said.
    said = {
        key: value
        for key, value in said.items()
        if value is not None or sources.get(key, {}).get("source", "").startswith("scim")
    }
    return replace(told(person, said, act.source, act.now), active=body.get("active", False))


def check(body: Mapping[str, Any]) -> None:
    """Hold names to what an index takes; raises InvalidValue."""
    for name in ("userName", "externalId"):
        if len(body.get(name, "")) > MAX_NAME:
            raise InvalidValue(f"{name} may have {MAX_NAME} characters at most.")


def _gone(act: Act, body: Mapping[str, Any]) -> tuple[Person, Stored] | None:
    external = body.get("externalId")
    gone_id = external and scim.deleted_bearing(act.tx, act.client, act.types.user, external)
    person = people.lock(act.tx, gone_id) if gone_id else None
    # Read again behind the lock: another request may have restored them.
    stored = scim.deleted(act.tx, act.client, act.types.user, person.id) if person else None
    return (person, stored) if person and stored else None


def _come_back(act: Act, person: Person, gone: Stored, body: Mapping[str, Any]) -> Stored:
    after = person_of(replace(person, deleted_at=None), body, act)
    _take_name(act, after)
    people.save(act.tx, after, act.now)
    memberships.forget(act.tx, person.id)
    act.note("person.restored", person.id)
    back = scim.restore(act.tx, act.client, act.types.user, gone, body, act.now)
    provision_events.created(act, act.types.user, [back])
    return back


def _bearer(act: Act, user_name: str) -> Person | None:
    """The person whom a userName means; whoever bears it without anybody's word gives it up.

    Otherwise a sign-in that no rule identifies by this name could keep its owner from arriving.
    """
    found = people.by_user_name(act.tx, user_name)
    person = people.lock(act.tx, found.id) if found else None
    if person is None or scim.is_known(act.tx, person.id) or _came_by_sign_in(act, person):
        return person
    _give_up_name(act, person)
    return None


def _take_name(act: Act, after: Person) -> None:
    """Let whoever bears this person's new userName give it up, unless they are a User: raises Uniqueness.

    Also who came by sign-in under it. That is most likely the same human being, who signed in before the
    provider's next cycle; but this User is somebody already, and the name is theirs by the provider's word.
    """
    found = people.by_user_name(act.tx, after.user_name or "")
    if found is None or found.id == after.id:
        return
    # Asked before they are held. Who holds one whom no client knows never waits for another person with it,
    # so it can't be one who waits for this one.
    if not scim.is_known(act.tx, found.id):
        bearer = people.lock(act.tx, found.id)
        if bearer is None or bearer.user_name is None:
            return  # another request was first; whether it took the name, the index knows
        if not scim.is_known(act.tx, bearer.id):
            _give_up_name(act, bearer, to=after.id)
            return
    raise Uniqueness("Another User bears this userName.")


def _give_up_name(act: Act, person: Person, **detail: str) -> None:
    people.save(act.tx, replace(person, user_name=None), act.now)
    act.note("person.gave_up_user_name", person.id, **detail)


def _adopted(act: Act, person: Person, body: Mapping[str, Any]) -> Person:
    if scim.is_known(act.tx, person.id):
        raise Uniqueness("Another User bears this userName.")
    after = person_of(person, body, act)
    people.save(act.tx, after, act.now)
    return after


def _came_by_sign_in(act: Act, person: Person) -> bool:
    """Whether a sign-in said the userName, by a connection whose rule is that it identifies."""
    said = (person.sources or {}).get("user_name", {}).get("source", "")
    return said.partition(":")[0] in _SIGNED_IN and people.named_by_rule(act.tx, person.id)


def _turned(before: Person, after: Person) -> str | None:
    if before.active == after.active:
        return None
    return "activate" if after.active else "deactivate"


def _shut_out(act: Act, person: Person) -> None:
    cutoff.person(act.deps, act.tx, person.id, act.trigger, "person.deactivated")


def _email(body: Mapping[str, Any]) -> str | None:
    """The primary address, else one for work, else the first."""
    addresses = [one for one in body.get("emails", ()) if "value" in one]
    best = sorted(addresses, key=lambda one: (not one.get("primary"), one.get("type") != "work"))
    return best[0]["value"] if best and len(best[0]["value"]) <= MAX_EMAIL else None
