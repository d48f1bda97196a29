"""use of laptops by day: how much they were used and how they were kept"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "use_days",
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False, comment="when the day was over"),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="JSON UseDay: what the laptop says of that day"),
        sa.PrimaryKeyConstraint("device_id", "day"),
        comment="What each device says of whole days: counts of use, of how it was kept, of its input.",
    )
    with op.batch_alter_table("use_days", schema=None) as batch_op:
        batch_op.create_index("use_days_by_time", ["last_ms"], unique=False)
