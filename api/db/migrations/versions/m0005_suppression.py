"""Which alerts are stored without being put before people, and why."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alerts", sa.Column("suppressed", sa.String(length=16), nullable=True))
    op.add_column("alerts", sa.Column("suppressed_by", sa.Uuid(), nullable=True))
    op.create_index("ix_alerts_incident", "alerts", ["camera_id", "rule", "zone", "opened_at"], unique=False)
    op.create_index("ix_alerts_received_at", "alerts", ["received_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_alerts_received_at", table_name="alerts")
    op.drop_index("ix_alerts_incident", table_name="alerts")
    op.drop_column("alerts", "suppressed_by")
    op.drop_column("alerts", "suppressed")
