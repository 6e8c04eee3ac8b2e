"""What the model behind a run knew: without it, a hindcast passes for a forecast."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; it stays empty for earlier runs, of which nobody noted it."""
    op.add_column("forecast_runs", sa.Column("model_records_end", sa.Date(), nullable=True))


def downgrade() -> None:
    """Refuse: the forecast log only ever grows."""
    raise NotImplementedError(
        "The forecast log is append-only, and what it says of its models is not taken back; use "
        "a copy of the database from before."
    )
