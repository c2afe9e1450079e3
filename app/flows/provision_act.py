"""A provisioning client, and one request of it inside its write transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from app.deps import Deps
from app.flows.cutoff import Trigger
from app.kernel.errors import Conflict, Unavailable
from app.kernel.tenant import TenantId
from app.store import audit, scim_schemas
from app.store.db import Read, Tx
from app.store.scim import Stored
from scim.attributes import ResourceType
from scim.custom import Types, may_be_of
from scim.errors import Uniqueness
from scim.quirks import AUTO

ITSELF: Final = "/Me"
"""The name under which a person reads their own User; no provisioning client keeps externalIds under it."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who provisions. externalIds, and the word about a person, are kept under its `name`.

    `types`: those of its tenant · `read`: the snapshot in which it was let in, while that is open · `dry`: what
    it does is undone at once · `idp`: whose dialect its PATCHes are in, one of `scim.quirks.KINDS`
    """

    tenant: TenantId
    name: str
    read: Read | None = None
    dry: bool = False
    types: Types = field(kw_only=True)
    idp: str = AUTO

    def reading(self, deps: Deps) -> AbstractContextManager[Read]:
        """Return the snapshot it was let in with, else open one."""
        return deps.db.read(self.tenant) if self.read is None else nullcontext(self.read)


@dataclass(frozen=True, slots=True)
class Act:
    """What is done at the client's `request`: POST, PUT, PATCH or DELETE."""

    deps: Deps
    tx: Tx
    client: str
    request: str
    received_at: datetime
    now: datetime
    types: Types

    @property
    def trigger(self) -> Trigger:
        """What ends access, where this request does."""
        return Trigger(self.source, f"scim {self.request}", self.received_at)

    @property
    def source(self) -> str:
        """The source of what the client says of a person."""
        return f"scim:{self.client}"

    def note(self, action: str, subject: str, **detail: int | str) -> None:
        """Write into the audit log."""
        audit.record(
            self.tx, self.deps.ids.new(), self.now, self.source, action, subject,
            request=self.request, **detail,
        )  # fmt: skip


@contextmanager
def acting(deps: Deps, client: Client, request: str, *bodies: Any) -> Iterator[Act]:
    """The write transaction of one request with such bodies; raises Uniqueness for a userName that is taken.

    The tenant's schemas stay as they are until it ends. Raises Unavailable where they have changed since the client
    was let in.
    """
    received = deps.clock()
    try:
        with deps.db.tx(client.tenant) as tx, tx.undone() if client.dry else nullcontext():
            # A tenant that has had none is not asked, unless a body may speak of a first one (and `check_known`).
            own = client.types.number or any(map(may_be_of, bodies))
            if own and not scim_schemas.hold(tx, client.types):
                raise _changed()
            yield Act(deps, tx, client.name, request, received, deps.clock(), client.types)
    except Conflict as taken:
        raise Uniqueness("Another User bears this userName.") from taken


def check_known(of: ResourceType, stored: Stored) -> None:
    """Hold a request to knowing all schemas that the resource has values of; raises Unavailable.

    The tenant had none when the request was let in, and a first one and its values have come since: it
    would leave their index rows behind, or take for unsaid what it can't have known.
    """
    known = {one.id for one in of.extensions}
    if any(":" in name and name not in known for name in stored.body):
        raise _changed()


def _changed() -> Unavailable:
    return Unavailable("The schemas have changed at this moment. Send it again.")
