"""echo by day: how long answers of laptops took against the round trip of their connections"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "echo_days",
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False, comment="when its figures changed last"),
        sa.Column(
            "body", sa.LargeBinary(), nullable=False, comment="JSON EchoDay: the series with the least difference"
        ),
        sa.PrimaryKeyConstraint("device_id", "day"),
        comment="How long each device took to answer, and how far its connection went, as the collector measured it.",
    )
    with op.batch_alter_table("echo_days", schema=None) as batch_op:
        batch_op.create_index("echo_days_by_time", ["last_ms"], unique=False)
