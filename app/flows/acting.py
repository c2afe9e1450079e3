"""Who acts on a tenant, the operator or an administrator, with the write transaction to do it in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from app.deps import Deps
from app.flows import console, tenancy
from app.kernel.credential import Credential
from app.store.db import Tx

Acting = AbstractContextManager[tuple[Tx, str]]
"""A write transaction, and the id of who acts in it."""


@contextmanager
def operator(deps: Deps, slug: str) -> Iterator[tuple[Tx, str]]:
    """Act as the operator on a tenant; raises NotFound."""
    tenant = tenancy.of_slug(deps, slug)
    with deps.db.tx(tenant.id) as tx:
        yield tx, "operator"


@contextmanager
def administrator(deps: Deps, presented: Credential) -> Iterator[tuple[Tx, str]]:
    """Act as an administrator, judged again inside the transaction; raises Unauthenticated or Refused."""
    with console.acting(deps, presented) as (tx, session):
        yield tx, session.person.id
