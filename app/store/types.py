"""Column types that behave alike on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Column, DateTime, Dialect, ForeignKeyConstraint, MetaData, Table, Text
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeDecorator, UserDefinedType

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Str = Text().with_variant(Text(collation="C"), "postgresql")
"""Text compared byte by byte on both databases."""

Json = JSON(none_as_null=True)
"""A document; never searched inside, what is searched has rows of its own."""


class JsonText(UserDefinedType[str]):
    """A document's text, bound as it is where a Json column takes it."""

    cache_ok = True

    def get_col_spec(self, **_: Any) -> str:
        return "JSON"


class Time(TypeDecorator[datetime]):
    """An aware instant in UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime can't be stored")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        # SQLite gives what was written, a naive text; SQLAlchemy's own way to it takes thrice as long.
        if dialect.name == "sqlite":
            return _of_text
        return super().result_processor(dialect, coltype)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _of_text(text: str | None) -> datetime | None:
    if text is None:
        return None
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def tenant_table(name: str, *items: SchemaItem, row_id: bool = True, **options: Any) -> Table:
    """Define a table of tenants' rows, keyed by (tenant_id, id) or by (tenant_id, its own key columns)."""
    keys: list[SchemaItem] = [Column("tenant_id", Str, primary_key=True)]
    if row_id:
        keys.append(Column("id", Str, primary_key=True))
    owner = ForeignKeyConstraint(["tenant_id"], ["tenant.id"], ondelete="CASCADE")
    return Table(name, metadata, *keys, *items, owner, **options)


def to(target: str, *columns: str) -> ForeignKeyConstraint:
    """Refer to a row of the same tenant: `to("person", "person_id")`."""
    return ForeignKeyConstraint(
        ["tenant_id", *columns], [f"{target}.tenant_id", f"{target}.id"], ondelete="CASCADE"
    )
