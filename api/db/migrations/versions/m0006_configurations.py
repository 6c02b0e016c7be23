"""Configurations of cameras, made in the console, and what workers say of them; figures leave silent rules out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from api.db.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_CAMERA = "cameras.camera_id"


_COUNTED = ["opened_at", "camera_id", "rule", "verdict_id", "received_at"]


def upgrade() -> None:
    op.drop_index("ix_alerts_opened_at", table_name="alerts")
    op.create_index("ix_alerts_opened_at", "alerts", [*_COUNTED, "suppressed"], unique=False)
    op.create_table(
        "configurations",
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("note", sa.String(length=2000), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], [_CAMERA], name=op.f("fk_configurations_camera_id")),
        sa.PrimaryKeyConstraint("camera_id", "version", name=op.f("pk_configurations")),
    )
    op.create_table(
        "in_force",
        sa.Column("camera_id", sa.String(length=64), nullable=False),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["camera_id"], [_CAMERA], name=op.f("fk_in_force_camera_id")),
        sa.PrimaryKeyConstraint("camera_id", name=op.f("pk_in_force")),
    )


def downgrade() -> None:
    op.drop_table("in_force")
    op.drop_table("configurations")
    op.drop_index("ix_alerts_opened_at", table_name="alerts")
    op.create_index("ix_alerts_opened_at", "alerts", _COUNTED, unique=False)
