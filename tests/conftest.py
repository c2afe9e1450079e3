"""Fixtures that every test may ask for: databases of both kinds, Deps with a clock of our own, tenants."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.config import Settings, load
from app.deps import Deps, assemble
from app.kernel import transaction
from app.kernel.tenant import Tenant, TenantId
from app.store import migrate, tenants
from tests.postgres import Server

SECRET = "a test secret that is long enough 0123456789"


@dataclass
class TestClock:
    """A clock that stands still until it is moved."""

    __test__ = False
    now: datetime = field(default_factory=lambda: datetime(2026, 3, 2, 9, 0, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@pytest.fixture(autouse=True)
def _no_transaction_is_left_open() -> Iterator[None]:
    """A transaction that a test leaves open in this thread would spoil those after it."""
    yield
    assert not transaction.is_open()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty migrated database, copied for each test."""
    path = tmp_path_factory.mktemp("template") / "ostiary.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def database_environ(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The OSTIARY_DATABASE_* settings of a fresh, migrated database; each test runs on both kinds."""
    if request.param == "sqlite":
        template: Path = request.getfixturevalue("sqlite_template")
        path = tmp_path / "ostiary.db"
        path.write_bytes(template.read_bytes())
        return {"OSTIARY_DATABASE_URL": f"sqlite:///{path}"}
    server: Server = request.getfixturevalue("postgres")
    return server.migrated().environ()


@pytest.fixture
def settings(database_environ: dict[str, str]) -> Settings:
    return load({
        **database_environ,
        "OSTIARY_BASE_URL": "http://127.0.0.1:8000",
        "OSTIARY_SECRET_KEYS": SECRET,
        "OSTIARY_INSECURE_NEIGHBOURS": "true",
        "OSTIARY_SCIM_RATE": "0",  # the clock stands still, and a limit is for each second
    })  # fmt: skip


@pytest.fixture
def clock() -> TestClock:
    return TestClock()


@pytest.fixture
def deps(settings: Settings, clock: TestClock) -> Iterator[Deps]:
    made = assemble(settings, clock)
    yield made
    made.db.close()


@pytest.fixture
def app(deps: Deps):
    """pytest-flask's: the whole application on `deps`."""
    from app.factory import create_app

    made = create_app(deps)
    made.testing = True
    return made


def new_tenant(deps: Deps, slug: str = "acme") -> Tenant:
    tenant_id = TenantId(deps.ids.new())
    home = f"{deps.settings.base_url}/t/{tenant_id}"
    made = Tenant(tenant_id, slug, slug.title(), enabled=True, home_page=home)
    with deps.db.system(write=True) as system:
        tenants.add(system, made, deps.clock())
    return made


@pytest.fixture
def tenant(deps: Deps) -> Tenant:
    return new_tenant(deps)


@pytest.fixture
def other_tenant(deps: Deps) -> Tenant:
    return new_tenant(deps, "globex")
