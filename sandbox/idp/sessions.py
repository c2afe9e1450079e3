"""Who is signed in at the provider: one row for each browser."""

from __future__ import annotations

import secrets

from sandbox.campus import Campus
from sandbox.people import Person
from sandbox.store import Json

COOKIE = "campus_idp"
_LIFE_S = 8 * 3600


def current(campus: Campus, browser: str | None) -> tuple[Person, Json] | None:
    """(person, {auth_time, sid, until}) while the session lasts and the person is active."""
    found = campus.store.get("idp_session", browser) if browser else None
    if found is None or found["until"] < campus.clock():
        return None
    person = campus.people.get(found["person"])
    return (person, found) if person and person.active else None


def begin(campus: Campus, person: Person, old: str | None) -> Json:
    """A new session, `browser` its new name, so that one planted before sign-in is worth nothing."""
    if old:
        campus.store.pop("idp_session", old)
    browser = secrets.token_urlsafe(24)
    session = {
        "person": person.key,
        "auth_time": campus.now(),
        "sid": secrets.token_hex(8),
        "until": campus.clock() + _LIFE_S,
        "browser": browser,
    }
    campus.store.put("idp_session", browser, session)
    return session


def end_all(campus: Campus, person: Person) -> None:
    """Sign a person out of every browser."""
    for session in campus.store.all("idp_session"):
        if session["person"] == person.key:
            campus.store.pop("idp_session", session["browser"])
