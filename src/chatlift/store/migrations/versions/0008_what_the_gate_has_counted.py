"""What the gate has counted for each account and model, which outlives the versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the step."""
    op.add_column(
        "model_states", sa.Column("look_count", sa.Integer(), server_default="0", nullable=False)
    )
    op.add_column(
        "model_states",
        sa.Column(
            "entities_at_look",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
        ),
    )
    op.add_column(
        "model_states", sa.Column("refresh_gain", sa.Double(), server_default="0", nullable=False)
    )
    op.add_column(
        "model_states",
        sa.Column("refresh_variance", sa.Double(), server_default="0", nullable=False),
    )


def downgrade() -> None:
    """Undo the step."""
    for name in ("refresh_variance", "refresh_gain", "entities_at_look", "look_count"):
        op.drop_column("model_states", name)
