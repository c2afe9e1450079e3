"""The tenant: the organization whose rows, keys and people these are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NewType

TenantId = NewType("TenantId", str)

OPERATOR = "_operator"
"""Owner name of what belongs to the gateway's operator and to no tenant."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One organization. `home_page` is its people's xAPI account home page and never changes.

    `schemas`: how often its own SCIM schemas have changed, where it was read with a token
    """

    id: TenantId
    slug: str
    name: str
    enabled: bool
    home_page: str
    schemas: int = 0
