"""windows of session timing: what waits to be estimated, and what was estimated"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "timing_windows",
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="16 bytes of SHA-256 of the window"),
        sa.Column("at_ms", sa.BigInteger(), nullable=False, comment="when the window began"),
        sa.Column(
            "version", sa.Integer(), nullable=False, comment="of the estimators that answered: 0 waits, -1 given up"
        ),
        sa.Column("window", sa.LargeBinary(), nullable=False, comment="JSON TimingWindow"),
        sa.Column("timed", sa.LargeBinary(), nullable=True, comment="JSON TimedWindow: what was estimated"),
        sa.PrimaryKeyConstraint("device_id", "digest"),
        comment="Windows of session timing: a queue for the estimators, and their answers.",
    )
    with op.batch_alter_table("timing_windows", schema=None) as batch_op:
        batch_op.create_index("timing_windows_by_version", ["version", "at_ms"], unique=False)
        batch_op.create_index("timing_windows_by_time", ["at_ms"], unique=False)
