"""Publishing activities: a document in, an immutable version out."""

from __future__ import annotations

from app.deps import Deps
from app.flows import tenancy
from app.learning import document
from app.learning.estimate import parameters_of
from app.store import activities, audit
from app.store.activities import Published
from app.store.sql import exclusive


def publish(deps: Deps, tenant_slug: str, text: str | bytes) -> Published:
    """Import an activity document (format `ostiary.activity/1`); its slug says which activity it is.

    The same content as the present version changes nothing; other content is the next version, on
    which new attempts start. Attempts under way stay on theirs. Raises ContentInvalid or NotFound.
    """
    made = document.load(text)
    tenant = tenancy.of_slug(deps, tenant_slug)
    now = deps.clock()
    with deps.db.tx(tenant.id) as tx:
        exclusive(tx.conn, tenant.id, "activity", made.slug)
        before = activities.by_slug(tx, made.slug)
        if before and activities.digest_of(tx, before.id, before.version) == made.digest:
            return before
        activity_id = before.id if before else deps.ids.new()
        version = before.version + 1 if before else 1
        if before is None:
            activities.add(tx, activity_id, made.slug, made.title, now)
        activities.publish(tx, activity_id, version, made, parameters_of(made), now)
        audit.record(
            tx, deps.ids.new(), now, "operator", "activity.published", activity_id,
            slug=made.slug, version=version, digest=made.digest,
        )  # fmt: skip
    return Published(activity_id, made.slug, made.title, version)


def listed(deps: Deps, tenant_slug: str) -> list[Published]:
    """Return a tenant's activities by title; raises NotFound."""
    tenant = tenancy.of_slug(deps, tenant_slug)
    with deps.db.read(tenant.id) as read:
        return activities.listed(read)
