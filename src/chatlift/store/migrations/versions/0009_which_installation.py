"""Which installation the database belongs to."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step."""
    installation = op.create_table(
        "installation",
        sa.Column("row_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("installation_id", sa.String(), nullable=False),
        sa.CheckConstraint("row_number = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("row_number", name=op.f("pk_installation")),
    )
    op.bulk_insert(installation, [{"row_number": 1, "installation_id": secrets.token_hex(16)}])


def downgrade() -> None:
    """Undo the step."""
    op.drop_table("installation")
