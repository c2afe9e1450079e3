"""Alembic's revisions: the way from an empty database to the present tables."""
