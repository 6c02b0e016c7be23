"""What is kept: hold on alerts, from when their age counts, the log of deletions, the storage's marker."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from api.db.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("held_at", UtcDateTime(), nullable=True))
    op.add_column("alerts", sa.Column("held_by", sa.String(length=64), nullable=True))
    op.add_column("alerts", sa.Column("kept_from", UtcDateTime(), nullable=True))
    op.create_index("ix_alerts_kept_from", "alerts", ["kept_from"], unique=False)
    op.create_table(
        "deletions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("bytes", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deletions")),
    )
    op.create_index(op.f("ix_deletions_alert_id"), "deletions", ["alert_id"], unique=False)
    op.create_table(
        "storage",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("marker", sa.Uuid(), nullable=False),
        sa.Column("placed", sa.Boolean(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_storage")),
    )


def downgrade() -> None:
    op.drop_table("storage")
    op.drop_index(op.f("ix_deletions_alert_id"), table_name="deletions")
    op.drop_table("deletions")
    op.drop_index("ix_alerts_kept_from", table_name="alerts")
    op.drop_column("alerts", "kept_from")
    op.drop_column("alerts", "held_by")
    op.drop_column("alerts", "held_at")
