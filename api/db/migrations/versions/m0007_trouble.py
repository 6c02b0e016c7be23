"""What keeps a camera from being seen, as a word."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("cameras", sa.Column("trouble", sa.String(length=16), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("cameras", "trouble")
