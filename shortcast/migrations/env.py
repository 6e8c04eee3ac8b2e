"""Run migrations on the connection that ``shortcast.database.migrate`` hands over.

The scripts are plain table definitions: this file imports no model, so the lowest layer
needs nothing of the layers above it. A test holds that scripts and models agree.
"""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    # All or nothing, on SQLite too: the caller has begun the transaction.
    transactional_ddl=True,
    render_as_batch=connection.dialect.name == "sqlite",
)
with context.begin_transaction():
    context.run_migrations()
