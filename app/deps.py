"""What a flow needs from outside, gathered once by the factory or the worker."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.config import Settings
from app.http import Http
from app.kernel.clock import Clock, system_clock
from app.kernel.ids import Ids
from app.kernel.rate import Shares
from app.store.db import Database
from keys.seal import Seal


@dataclass(frozen=True, slots=True)
class Deps:
    """Settings, time, ids, the database, the outbound client, the seal, and this process's shares of limits."""

    settings: Settings
    clock: Clock
    ids: Ids
    db: Database
    http: Http
    seal: Seal
    shares: Shares = field(default_factory=Shares)


def assemble(settings: Settings, clock: Clock = system_clock) -> Deps:
    """Build the real ones from the settings."""
    seal = Seal(settings.secret_keys)
    return Deps(
        settings=settings,
        clock=clock,
        ids=Ids(clock),
        db=Database(
            settings.database_url,
            seal,
            system_url=settings.database_system_url,
            pool_size=settings.web_threads + 2,
        ),
        http=Http(insecure=settings.insecure_neighbours),
        seal=seal,
    )
