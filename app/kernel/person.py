"""A person of one tenant, and whose word about them counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from app.kernel.clock import iso

SAID = (
    "user_name",
    "display_name",
    "given_name",
    "family_name",
    "email",
    "email_verified",
    "locale",
)
"""The attributes that a source can say."""

_AUTHORITY = {"lti": 1, "local": 2, "oidc": 3, "saml": 3, "scim": 4}
"""Who has the last word: provisioning, then sign-in, then a launch."""


@dataclass(frozen=True, slots=True)
class Person:
    """One human being as one tenant knows them. `sources` is {attribute: {"source", "at"}}.

    `blocked_at`: an administrator keeps them out · `cut_at`: when access last ended
    """

    id: str
    user_name: str | None = None
    display_name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    email_verified: bool = False
    locale: str | None = None
    active: bool = True
    deleted_at: datetime | None = None
    blocked_at: datetime | None = None
    cut_at: datetime | None = None
    version: int = 1
    sources: dict[str, dict[str, str]] | None = None

    @property
    def may_enter(self) -> bool:
        """Tell whether sign-in and launch are open to this person."""
        return self.active and self.deleted_at is None and self.blocked_at is None

    @property
    def label(self) -> str:
        """What a page calls this person."""
        full = " ".join(filter(None, (self.given_name, self.family_name)))
        return self.display_name or full or self.user_name or self.email or "Learner"


def told(person: Person, said: dict[str, Any], source: str, now: datetime) -> Person:
    """Take in what a source says, except where a source of more authority has spoken.

    `source` is a kind (`scim`, `oidc`, `saml`, `lti`, `local`), or a kind and a name (`scim:default`).
    A lesser source's silence (None) says nothing; SCIM's removes the value that SCIM itself had set.
    """
    sources = dict(person.sources or {})
    changed: dict[str, Any] = {}
    at = iso(now)
    for name in SAID:
        if name not in said or (said[name] is None and not source.startswith("scim")):
            continue
        before = sources.get(name)
        if before and _authority(before["source"]) > _authority(source):
            continue
        if said[name] is None and before is None:
            continue
        if getattr(person, name) != said[name] or before is None or before["source"] != source:
            sources[name] = {"source": source, "at": at}
            changed[name] = said[name]
    return replace(person, sources=sources, **changed) if changed else person


def _authority(source: str) -> int:
    return _AUTHORITY.get(source.partition(":")[0], 0)
