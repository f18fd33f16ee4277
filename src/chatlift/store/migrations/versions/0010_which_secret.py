"""Which secret the database is used with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step."""
    op.add_column("installation", sa.Column("secret_fingerprint", sa.String(), nullable=True))


def downgrade() -> None:
    """Undo the step."""
    op.drop_column("installation", "secret_fingerprint")
