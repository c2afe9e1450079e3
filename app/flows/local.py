"""Local accounts: an administrator's e-mail address and password, kept by us."""

from __future__ import annotations

from werkzeug.security import check_password_hash, generate_password_hash

from app.deps import Deps
from app.flows import cutoff, signin, tenancy, tries
from app.flows.cutoff import Trigger
from app.flows.signin import SignedIn
from app.flows.tries import Visit
from app.kernel.errors import Conflict, Invalid, NotFound, Refused
from app.kernel.person import Person, told
from app.kernel.tenant import Tenant
from app.store import audit, passwords, people, tenants
from app.store.db import Tx
from app.store.people import Identity
from app.store.sql import exclusive
from sso.linking import email_address
from sso.state import local_path

SOURCE = "local"
SHORTEST, LONGEST = 12, 200
_HOME = "/admin"
_NOBODY = "scrypt:32768:8:1$wMZ4Y0bq8nJvT2sK$" + "0" * 128
"""No password has this hash; checking it takes as long as checking a real one."""
_WRONG = "The organization, the e-mail address or the password is wrong."


def sign_in(
    deps: Deps, slug: str, email: str, password: str, return_to: str | None, visit: Visit
) -> SignedIn:
    """Sign in with a password; raises Refused or Throttled.

    `slug` may be empty where the address lies in a tenant's verified domain. An unknown account is
    answered like a wrong password, as slowly, and throttled alike.
    """
    begun = deps.clock()
    address = email_address(email.strip())
    tenant = _tenant(deps, slug.strip(), address)
    if tenant is None or address is None or len(password) > LONGEST:
        check_password_hash(_NOBODY, password[:LONGEST])
        raise Refused(_WRONG, code="wrong_password")
    tries.count(deps, tenant, address, visit)
    with deps.db.read(tenant.id) as read:
        known = people.identified(read, SOURCE, SOURCE, address.casefold())
        kept = passwords.get(read, known[1].id) if known else None
    right = check_password_hash(kept or _NOBODY, password)
    if not right or known is None or kept is None:
        raise Refused(_WRONG, code="wrong_password")
    now = deps.clock()
    with deps.db.tx(tenant.id) as tx:
        person = people.lock(tx, known[1].id)
        open_now = tenants.get(tx)  # again: checking a password takes long
        if person is None or not person.may_enter or open_now is None or not open_now.enabled:
            raise Refused(
                "This account is switched off. Ask your administrator.", code="person_inactive"
            )
        if passwords.get(tx, person.id) != kept:
            raise Refused(_WRONG, code="wrong_password")
        tries.succeeded(tx, address, visit, now)
        text = signin.start_session(
            deps, tx, person, "local", now, visit.previous, identity_id=known[0].id,
            begun_at=begun,
        )  # fmt: skip
    signin.leave_other_tenant(deps, visit.previous, tenant.id)
    return SignedIn(text, local_path(return_to, _HOME), person)


def create_administrator(deps: Deps, slug: str, email: str, password: str) -> Person:
    """Make a local account that may use the console; raises NotFound, Invalid, Conflict or Refused.

    Someone already known by this address as user name becomes the administrator; else a new person.
    """
    tenant = tenancy.of_slug(deps, slug)
    address = email_address(email.strip())
    if address is None:
        raise Invalid("That is not an e-mail address.")
    hashed, now = _hash(password), deps.clock()
    with deps.db.tx(tenant.id) as tx:
        exclusive(tx.conn, tenant.id, SOURCE, address.casefold())
        if people.identified(tx, SOURCE, SOURCE, address.casefold()):
            raise Conflict("There is a local account with this address already.")
        person = people.by_user_name(tx, address)
        if person is None:
            said = {"user_name": address, "email": address}
            person = told(Person(id=deps.ids.new()), said, SOURCE, now)
            people.add(tx, person, now)
        elif not person.may_enter:
            raise Refused("This person is switched off.", code="person_inactive")
        elif not _vouched_for(tx, person):
            raise Conflict(
                "Someone who signed in bears this user name, but no rule says that the name identifies them. "
                "Choose another address."
            )
        account = Identity(deps.ids.new(), person.id, SOURCE, SOURCE, address.casefold())
        people.identify(tx, account, "operator", now)
        people.grant(tx, person.id, "administrator", "operator", now)
        passwords.put(tx, person.id, hashed, now)
        audit.record(tx, deps.ids.new(), now, "operator", "administrator.created", person.id)
    return person


def _vouched_for(tx: Tx, person: Person) -> bool:
    said = (person.sources or {}).get("user_name", {}).get("source", "")
    return said.startswith("scim") or people.named_by_rule(tx, person.id)


def set_password(deps: Deps, slug: str, email: str, password: str) -> Person:
    """Give a local account a new password and end its sessions; raises NotFound or Invalid."""
    tenant = tenancy.of_slug(deps, slug)
    hashed, now = _hash(password), deps.clock()
    with deps.db.tx(tenant.id) as tx:
        known = people.identified(tx, SOURCE, SOURCE, email.strip().casefold())
        if known is None:
            raise NotFound("There is no local account with this address.")
        person = known[1]
        # Held, so that a sign-in with the old password comes wholly before, and ends, or after.
        people.lock(tx, person.id)
        passwords.put(tx, person.id, hashed, now)
        tries.forget(tx, email.strip())
        trigger = Trigger("operator", "operator", now)
        cutoff.person(deps, tx, person.id, trigger, "password.changed")
    return person


def _tenant(deps: Deps, slug: str, address: str | None) -> Tenant | None:
    if not slug.isprintable():
        return None
    with deps.db.system() as system:
        if slug:
            return tenants.by_slug(system, slug.lower())
        return tenants.by_domain(system, address.rpartition("@")[2]) if address else None


def _hash(password: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(f"A password has {SHORTEST} to {LONGEST} characters.")
    return generate_password_hash(password)
