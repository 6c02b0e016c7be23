"""Targets outside, what waits for each and how each try went; indexes that counting over alerts needs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from api.db.tables import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TARGET = "outbound_targets.id"


def upgrade() -> None:
    op.create_index("ix_alerts_camera_id_rule_phase", "alerts", ["camera_id", "rule", "phase"], unique=False)
    op.create_index("ix_alerts_opened_at", "alerts", ["opened_at"], unique=False)
    op.create_table(
        "outbound_targets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("wants", sa.JSON(), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("secrets", sa.JSON(), nullable=False),
        sa.Column("made_by", sa.String(length=64), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("n_dropped", sa.Integer(), nullable=False),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("problem", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbound_targets")),
        sa.UniqueConstraint("name", name=op.f("uq_outbound_targets_name")),
    )
    op.create_table(
        "outbound_queue",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("phase", sa.String(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["target_id"], [_TARGET], name=op.f("fk_outbound_queue_target_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbound_queue")),
    )
    op.create_index(
        "ix_outbound_queue_target_id_due_at", "outbound_queue", ["target_id", "due_at"], unique=False
    )
    op.create_table(
        "outbound_log",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target_id", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=True),
        sa.Column("phase", sa.String(length=16), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("words", sa.String(length=500), nullable=False),
        sa.Column("took_ms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["target_id"], [_TARGET], name=op.f("fk_outbound_log_target_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbound_log")),
    )
    op.create_index("ix_outbound_log_target_id_id", "outbound_log", ["target_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("outbound_log")
    op.drop_table("outbound_queue")
    op.drop_table("outbound_targets")
    op.drop_index("ix_alerts_opened_at", table_name="alerts")
    op.drop_index("ix_alerts_camera_id_rule_phase", table_name="alerts")
