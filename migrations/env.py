"""Alembic's entry: runs the revisions on the connection that `migrations.runner` hands over, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transaction_per_migration=False)
context.run_migrations()
