"""Frozen settings from `OSTIARY_*`. What is wrong, missing or unknown stops the boot with a sentence."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_SHORTEST_KEY = 32
_ELSEWHERE = {"OSTIARY_DATA", "OSTIARY_TEST_POSTGRES_URL", "OSTIARY_FAULT_SEED"}
"""Variables of the benchmarks and the tests."""


class SettingsError(RuntimeError):
    """The environment does not make a configuration; the message lists every fault."""


class Settings(BaseModel):
    """The gateway's settings. Each is read from `OSTIARY_` and its name in capitals."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str
    """The address that browsers and platforms use, e.g. `https://learn.example.org`; never taken from a Host header."""

    secret_keys: Annotated[tuple[str, ...], Field(repr=False)]
    """Comma-separated, at least 32 characters each. The first seals, all of them open."""

    database_url: str = Field("sqlite:///ostiary.db", repr=False)
    """`sqlite:///PATH`, or `postgresql://…` for the application role."""

    database_system_url: str | None = Field(None, repr=False)
    """PostgreSQL: the role for look-ups across tenants and for the worker."""

    database_owner_url: str | None = Field(None, repr=False)
    """PostgreSQL: the role that owns the tables and runs `ostiary db upgrade`."""

    bind: str = "127.0.0.1:8000"
    web_processes: Annotated[int, Field(ge=1, le=64)] = 1
    web_threads: Annotated[int, Field(ge=1, le=128)] = 8

    trusted_proxies: Annotated[int, Field(ge=0, le=5)] = 0
    """How many proxies in front set X-Forwarded-For; the client's address is read that many hops back."""

    insecure_neighbours: bool = False
    """Allows http and loopback addresses for platforms, identity providers and record stores: practice only."""

    session_hours: Annotated[int, Field(ge=1, le=72)] = 12
    launch_hours: Annotated[int, Field(ge=1, le=24)] = 6
    clock_leeway_seconds: Annotated[int, Field(ge=0, le=60)] = 30
    key_overlap_hours: Annotated[int, Field(ge=1, le=720)] = 48
    """How long a new signing key is published before it signs, and an old one after it signed last."""

    guard_percent: Annotated[int, Field(ge=0, le=100)] = 10
    """How many of its people a provisioning client may make leave within an hour before what can't be
    undone waits for an administrator; 0 switches the guard off."""

    guard_minimum: Annotated[int, Field(ge=1, le=100_000)] = 5
    """As many may leave in any case."""

    scim_rate: Annotated[int, Field(ge=0, le=100_000)] = 200
    """SCIM requests a second for each tenant, over all processes; 0 is no limit."""

    scim_query_seconds: Annotated[int, Field(ge=1, le=300)] = 10
    """How long a SCIM query may take before it is refused."""

    delivered_days: Annotated[int, Field(ge=1, le=3650)] = 30
    """How long deliveries that have arrived, or that a newer one made needless, can be looked up and replayed."""

    deleted_days: Annotated[int, Field(ge=1, le=3650)] = 90
    """How long a User or Group that was deleted over SCIM can come back as the same one."""

    trace_days: Annotated[int, Field(ge=0, le=3650)] = 30
    """How long an administrator can see what each provisioning request asked for and did; 0 keeps none."""

    metrics_token: str | None = Field(None, repr=False)
    """Where set, `/metrics` wants it as a bearer token; without it only loopback may read."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("secret_keys")
    @classmethod
    def _long_enough(cls, keys: tuple[str, ...]) -> tuple[str, ...]:
        if not keys or any(len(key) < _SHORTEST_KEY for key in keys):
            raise ValueError(
                f"needs at least one key, and every key at least {_SHORTEST_KEY} characters"
            )
        return keys

    @field_validator("base_url")
    @classmethod
    def _origin_only(cls, url: str) -> str:
        parts = urlsplit(url.rstrip("/"))
        if (
            parts.scheme not in {"http", "https"}
            or not parts.hostname
            or parts.path
            or parts.query
            or parts.fragment
        ):
            raise ValueError("must be an origin such as https://learn.example.org, without a path")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("must be https, except on loopback")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _roles(self) -> Self:
        if not self.database_url.startswith(
            ("sqlite:", "postgres:", "postgresql:", "postgresql+psycopg:")
        ):
            raise ValueError("OSTIARY_DATABASE_URL must begin with sqlite: or postgresql:")
        if not self.database_url.startswith("sqlite:") and not (
            self.database_system_url and self.database_owner_url
        ):
            raise ValueError(
                "PostgreSQL needs three roles: also set OSTIARY_DATABASE_SYSTEM_URL and OSTIARY_DATABASE_OWNER_URL"
            )
        return self

    @property
    def secure(self) -> bool:
        """Tell whether browsers reach us over https, so that cookies can be Secure and Partitioned."""
        return self.base_url.startswith("https:")


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings; raises SettingsError that names every wrong, missing or unknown one."""
    found = {
        name.removeprefix("OSTIARY_").lower(): value
        for name, value in (os.environ if environ is None else environ).items()
        if name.startswith("OSTIARY_") and name not in _ELSEWHERE
    }
    try:
        return Settings(**found)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [_sentence(fault["loc"], fault["type"], fault["msg"]) for fault in error.errors()]
        raise SettingsError("These settings stop the start:\n  " + "\n  ".join(lines)) from None


def _sentence(where: tuple[int | str, ...], kind: str, message: str) -> str:
    name = "OSTIARY_" + str(where[0]).upper() if where else "settings"
    if kind == "extra_forbidden":
        return f"{name}: there is no such setting"
    return (
        f"{name}: is required"
        if kind == "missing"
        else f"{name}: {message.removeprefix('Value error, ')}"
    )
