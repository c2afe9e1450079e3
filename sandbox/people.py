"""The cast. Each system of the campus knows the same person under a name of its own."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import asdict, dataclass, replace
from typing import Any

from sandbox.store import Json, Store

DOMAIN = "campus.example"
PASSWORD = "open-sesame"
"""Everybody's, and written on the sign-in page: nothing here is secret."""

_NAMESPACE = uuid.UUID("8d9a6c1e-0f2b-4c55-9a51-3c1f6f0c7b2a")


@dataclass(frozen=True, slots=True)
class Person:
    """`key` is the campus's own handle; `lms_id`, `oid` and `employee` are the systems' names."""

    key: str
    given: str
    family: str
    lms_id: str
    employee: str
    oid: str
    title: str
    department: str
    teacher: bool = False
    enrolled: bool = True
    active: bool = True
    """Whether the identity provider lets this person in."""
    groups: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.given} {self.family}"

    @property
    def email(self) -> str:
        return f"{self.key}@{DOMAIN}"


_CAST = (
    ("ada", "Ada", "Miller", "Account executive"),
    ("ben", "Ben", "Carter", "Account executive"),
    ("chen", "Chen", "Wu", "Sales engineer"),
    ("dora", "Dora", "Novak", "Inside sales"),
    ("emil", "Emil", "Berg", "Inside sales"),
    ("fatima", "Fatima", "Nasser", "Sales engineer"),
    ("goran", "Goran", "Petrov", "Partner manager"),
)


def make(key: str, given: str, family: str, number: int, **more: Any) -> Person:
    """A person with identifiers derived from the key and a running number."""
    return Person(
        key=key,
        given=given,
        family=family,
        lms_id=str(100 + number),
        employee=f"E{1000 + number}",
        oid=str(uuid.uuid5(_NAMESPACE, key)),
        title=more.pop("title", "Account executive"),
        department=more.pop("department", "Sales"),
        **more,
    )


class People:
    """The directory; kept in the store, filled with the cast at the first start."""

    def __init__(self, store: Store) -> None:
        self._store = store
        if not store.count("person"):
            for number, (key, given, family, title) in enumerate(_CAST, start=1):
                self.save(make(key, given, family, number, title=title))
            self.save(make("ines", "Ines", "Silva", 90, title="Enablement lead", teacher=True))

    def save(self, person: Person) -> None:
        self._store.put("person", person.key, asdict(person))

    def add(self, key: str, given: str, family: str, **more: Any) -> Person:
        """A new joiner; the caller has checked that the key is free."""
        with self._store.change():
            person = make(key, given, family, self._store.count("person") + 100, **more)
            self.save(person)
        return person

    def change(self, key: str, **fields: Any) -> Person:
        """Change some fields of a person who exists."""
        with self._store.change():
            person = replace(self[key], **fields)
            self.save(person)
        return person

    def __getitem__(self, key: str) -> Person:
        person = self.get(key)
        if person is None:
            raise KeyError(key)
        return person

    def get(self, key: str) -> Person | None:
        found = self._store.get("person", key)
        return None if found is None else _from(found)

    def all(self) -> list[Person]:
        return [_from(found) for found in self._store.all("person")]

    def by_lms_id(self, lms_id: str) -> Person | None:
        return next((one for one in self.all() if one.lms_id == lms_id and one.enrolled), None)

    def by_email(self, email: str) -> Person | None:
        wanted = email.strip().casefold()
        return next((one for one in self.all() if one.email == wanted), None)


def members(people: People) -> list[Person]:
    """Those on the course, teachers first."""
    return sorted((one for one in people.all() if one.enrolled), key=lambda one: not one.teacher)


def pairwise_subject(client_id: str, person: Person) -> str:
    """A subject that differs from client to client (OIDC Core §8.1); `oid` is the same for all."""
    digest = hashlib.sha256(f"{client_id}|{person.oid}".encode()).hexdigest()
    return digest[:32]


def _from(found: Json) -> Person:
    return Person(**{**found, "groups": tuple(found["groups"])})
