"""For which roles people are blurred and who saw an alert clear; named cases of alerts; accounts of a provider."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from api.db.tables import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    privacy = op.create_table(
        "privacy",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("blurred", sa.JSON(), nullable=False),
    )
    op.bulk_insert(privacy, [{"id": 1, "blurred": []}])
    op.create_table(
        "reveals",
        sa.Column(
            "session",
            sa.String(length=64),
            sa.ForeignKey("sessions.token_hash", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column(
            "alert_id", sa.Uuid(), sa.ForeignKey("alerts.alert_id", ondelete="CASCADE"), primary_key=True
        ),
    )
    op.create_table(
        "cases",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("note", sa.String(length=2000), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.UniqueConstraint("name", name="uq_cases_name"),
    )
    op.create_table(
        "case_alerts",
        sa.Column("case_id", sa.Integer(), sa.ForeignKey("cases.id", ondelete="CASCADE"), primary_key=True),
        sa.Column(
            "alert_id", sa.Uuid(), sa.ForeignKey("alerts.alert_id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_case_alerts_alert_id", "case_alerts", ["alert_id"], unique=False)
    op.add_column("users", sa.Column("subject", sa.String(length=300), nullable=True))
    op.create_index("ix_users_subject", "users", ["subject"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_users_subject", table_name="users")
    op.drop_column("users", "subject")
    op.drop_index("ix_case_alerts_alert_id", table_name="case_alerts")
    for name in ("case_alerts", "cases", "reveals", "privacy"):
        op.drop_table(name)
