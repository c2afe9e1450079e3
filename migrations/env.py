"""Alembic's environment: runs the revisions on the connection that `app.store.migrate` hands over."""

from alembic import context

from app.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    transaction_per_migration=False,
    compare_type=False,
)
with context.begin_transaction():
    context.run_migrations()
