"""The first tables: forecast log, scoreboard, alerts, job runs and findings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

#: Tables whose rows are never changed or removed once written.
APPEND_ONLY = ("forecast_runs", "forecasts", "forecast_details")

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables, and the triggers that keep the forecast log append-only."""
    op.create_table(
        "forecast_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("made_at", MOMENT, nullable=False),
        sa.Column("model_name", sa.String(), nullable=False),
        sa.Column("model_version", sa.String(), nullable=False),
        sa.Column("data", sa.String(), nullable=False),
        sa.Column("records_checksum", sa.String(), nullable=False),
        sa.Column("code_version", sa.String(), nullable=False),
        sa.Column("drugs", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_forecast_runs"),
        sa.UniqueConstraint(
            "as_of",
            "model_name",
            "model_version",
            "records_checksum",
            name="uq_forecast_runs_key",
        ),
        sa.CheckConstraint("data IN ('real', 'simulated')", name="ck_forecast_runs_data"),
    )
    op.create_table(
        "forecasts",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("drug_id", sa.String(), nullable=False),
        sa.Column("horizon_months", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "drug_id", "horizon_months", name="pk_forecasts"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["forecast_runs.id"], name="fk_forecasts_run_id_forecast_runs"
        ),
        sa.UniqueConstraint("run_id", "horizon_months", "rank", name="uq_forecasts_rank"),
        sa.CheckConstraint("score >= 0 AND score <= 1", name="ck_forecasts_score"),
    )
    op.create_table(
        "forecast_details",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("drug_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("form_group", sa.String(), nullable=False),
        sa.Column("in_shortage", sa.Boolean(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("completeness", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "drug_id", name="pk_forecast_details"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["forecast_runs.id"], name="fk_forecast_details_run_id_forecast_runs"
        ),
    )
    op.create_table(
        "scoreboard",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("horizon_months", sa.Integer(), nullable=False),
        sa.Column("records_checksum", sa.String(), nullable=False),
        sa.Column("scored_at", MOMENT, nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint(
            "run_id", "horizon_months", "records_checksum", name="pk_scoreboard"
        ),
        sa.ForeignKeyConstraint(
            ["run_id"], ["forecast_runs.id"], name="fk_scoreboard_run_id_forecast_runs"
        ),
    )
    op.create_table(
        "alerts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("drug_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("rank", sa.Integer(), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.ForeignKeyConstraint(
            ["run_id"], ["forecast_runs.id"], name="fk_alerts_run_id_forecast_runs"
        ),
        sa.UniqueConstraint(
            "drug_id", "kind", "opened_on", name="uq_alerts_drug_id_kind_opened_on"
        ),
    )
    op.create_table(
        "job_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("inputs", sa.JSON(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("process", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_job_runs"),
        sa.CheckConstraint(
            "outcome IN ('running', 'ok', 'failed', 'killed')", name="ck_job_runs_outcome"
        ),
    )
    op.create_index("ix_job_runs_job_day", "job_runs", ["job", "day"])
    once = sa.text("due_at IS NOT NULL AND outcome IN ('running', 'ok')")
    op.create_index(
        "uq_job_runs_once_a_day",
        "job_runs",
        ["job", "day"],
        unique=True,
        sqlite_where=once,
        postgresql_where=once,
    )
    op.create_table(
        "findings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("seen_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_findings"),
        sa.CheckConstraint("severity IN ('warning', 'alarm')", name="ck_findings_severity"),
    )
    standing = sa.text("closed_on IS NULL")
    op.create_index(
        "uq_findings_open",
        "findings",
        ["kind", "subject"],
        unique=True,
        sqlite_where=standing,
        postgresql_where=standing,
    )
    for table in APPEND_ONLY:
        _forbid_changes(table)


def _forbid_changes(table: str) -> None:
    message = "the forecast log is append-only"
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def downgrade() -> None:
    """Refuse: the forecast log is never dropped by a migration."""
    raise NotImplementedError(
        "The first tables hold the forecast log, which is append-only; to start over, use "
        "another SHORTCAST_HOME or another database."
    )
