"""A gateway with a crowd in it: sessions by the hundred thousand, put into the tables by the gateway's own store."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Table, insert, update

from app.config import load
from app.deps import Deps, assemble
from app.flows import local, platforms, tenancy
from app.kernel import credential
from app.kernel.credential import Credential
from app.kernel.person import Person
from app.kernel.tenant import Tenant
from app.store import connections, courses, launches, people, scim, sessions
from app.store import platforms as stored
from app.store.connections import Connection
from app.store.people import Identity
from app.store.tables.access import session
from bench.gateway import TENANT, Gateway
from lti.registration import Registration
from scim.schemas import USER

EACH = 50
"""Sessions that one person of the crowd has."""

_CHUNK = 5_000
_LIFE = timedelta(hours=12)
_BROWSER = "b" * 48


class Crowd:
    """The rows behind a running gateway, and the cookies that they stand for."""

    def __init__(self, gateway: Gateway) -> None:
        self.deps: Deps = assemble(load(gateway.environ))
        self.tenant: Tenant = tenancy.of_slug(self.deps, TENANT)
        self.scim_token = tenancy.issue_token(self.deps, TENANT, "scim")[1]
        self.connection = self._connection()
        self.registration, self.deployment = self._platform()
        root = local.create_administrator(
            self.deps, TENANT, "root@bench.example", "a password of the bench"
        )
        self.root = self.signs_in(root.id)

    def arrive(self, count: int, prefix: str) -> list[str]:
        """Provision people; returns their ids."""
        deps, now = self.deps, self.deps.clock()
        bodies = {
            deps.ids.new(): {"userName": f"{prefix}{number}", "active": True}
            for number in range(count)
        }
        with deps.db.tx(self.tenant.id) as tx:
            made = [
                Person(key, user_name=body["userName"], display_name=body["userName"])
                for key, body in bodies.items()
            ]
            people.add_all(tx, made, now)
            scim.add(tx, "default", USER, bodies, now)
        return list(bodies)

    def fill(self, count: int) -> list[str]:
        """Let people sign in until so many sessions stand; returns some of their cookies."""
        crowd, deps, now = self.arrive(count // EACH, "crowd"), self.deps, self.deps.clock()
        shown: list[str] = []
        for start in range(0, count, _CHUNK):
            rows = []
            for number in range(start, min(count, start + _CHUNK)):
                key, secret = deps.ids.new(), deps.ids.secret()
                rows.append({
                    "tenant_id": self.tenant.id, "id": key, "person_id": crowd[number % len(crowd)],
                    "via": "local", "digest": credential.digest(secret), "created_at": now,
                    "expires_at": now + _LIFE, "seen_at": now, "tenant_epoch": 0, "connection_epoch": 0,
                    "connection_id": self.connection if number % 2 else None,
                })  # fmt: skip
                if number % 500 == 0:
                    shown.append(credential.mint("", self.tenant.id, key, secret))
            with deps.db.tx(self.tenant.id) as tx:
                tx.conn.execute(insert(session), rows)
        return shown

    def signs_in(self, person_id: str, connection: str | None = None) -> Credential:
        """Begin one session."""
        deps, now = self.deps, self.deps.clock()
        key, secret = deps.ids.new(), deps.ids.secret()
        with deps.db.tx(self.tenant.id) as tx:
            sessions.add(
                tx, key, person_id, secret, "oidc" if connection else "local", now, now + _LIFE,
                connection_id=connection,
            )  # fmt: skip
        return Credential(self.tenant.id, key, secret)

    def launches(self, person_id: str) -> str:
        """Begin one launch; returns its public id. It stands in the browser of `browser_cookie`."""
        deps, now, launch_id = self.deps, self.deps.clock(), self.deps.ids.new()
        seen = courses.Seen(self.registration, self.deployment, "link-1", context_id="course-1")
        with deps.db.tx(self.tenant.id) as tx:
            identity = Identity(deps.ids.new(), person_id, "lti", self.registration, person_id)
            people.identify(tx, identity, "new", now)
            known = people.identified(tx, "lti", self.registration, person_id)
            assert known is not None
            place = courses.settle(tx, seen, deps.ids.new, now)
            launches.add(
                tx, launch_id, now, now + _LIFE, registration_id=self.registration,
                deployment_id=self.deployment, person_id=person_id, identity_id=known[0].id,
                context_id=place.context_id, resource_link_id=place.resource_link_id,
                line_item_id=None, activity_id=None, user_id=person_id, roles=["Learner"],
                browser_digest=credential.digest(_BROWSER.encode()), return_url=None,
            )  # fmt: skip
        return credential.scoped(self.tenant.id, launch_id)

    def cookie(self, presented: Credential) -> str:
        """The Cookie header of a session."""
        text = credential.mint("", presented.tenant, presented.id, presented.secret)
        return f"ostiary_session={text}"

    @property
    def browser_cookie(self) -> str:
        """The Cookie header of the browser that holds the launches."""
        return f"ostiary_browser={_BROWSER}"

    def csrf(self) -> str:
        """The token of the administrator's forms."""
        return self.deps.seal.mac("csrf", self.root.id.encode())

    def close_tenant(self) -> None:
        """Close the tenant, as `ostiary tenant disable` does."""
        tenancy.enable(self.deps, TENANT, enabled=False)

    def revive(self, table: Table, key: str) -> None:
        """Undo a switching off as nothing in the gateway can, so that each trial has the whole crowd to end."""
        back = update(table).where(table.c.id == key)
        with self.deps.db.system(write=True) as system:
            system.conn.execute(back.values(enabled=True, epoch=table.c.epoch - 1, cut_at=None))

    def _connection(self) -> str:
        made = self.deps.ids.new()
        with self.deps.db.tx(self.tenant.id) as tx:
            connections.add(tx, Connection(
                self.tenant, made, "oidc", "IdP", "https://idp.example", {}, None, "userName",
                jit=True, enabled=True, created_at=self.deps.clock(),
            ))  # fmt: skip
        return made

    def _platform(self) -> tuple[str, str]:
        at, made = "https://lms.example", self.deps.ids.new()
        of = Registration(made, at, "bench", f"{at}/auth", f"{at}/token", f"{at}/jwks")
        platforms.add(self.deps, TENANT, "LMS", of, "1")
        with self.deps.db.system() as system:
            return made, stored.deployments(system, made)[0].id
