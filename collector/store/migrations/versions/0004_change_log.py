"""the change log of risk: coverage, last contact and tombstones; alerts in the order of their opening"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

LOG = "Every change of a device's score, band or findings, in the order of their commits."


def upgrade() -> None:
    with op.batch_alter_table("assessments", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "logged_ms",
                sa.BigInteger(),
                server_default="0",
                nullable=False,
                comment="heard_ms of its newest row in `risk_log`",
            )
        )
    with op.batch_alter_table("risk_log", schema=None) as batch_op:
        batch_op.add_column(sa.Column("known", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("total", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column(
                "heard_ms",
                sa.BigInteger(),
                nullable=True,
                comment="when the device was last heard as the row was written",
            )
        )
        batch_op.add_column(
            sa.Column("gone", sa.Text(), nullable=True, comment="why the device is out of use: retired or merged")
        )
        batch_op.add_column(sa.Column("merged_into", sa.Text(), nullable=True))
        batch_op.alter_column(
            "risk_score",
            existing_type=sa.Integer(),
            nullable=True,
            comment="None once the device is out of use",
        )
        batch_op.alter_column("band", existing_type=sa.Text(), nullable=True)
        batch_op.create_table_comment(LOG, existing_comment=None)
    with op.batch_alter_table("alerts", schema=None) as batch_op:
        batch_op.create_index("alerts_by_opening", ["opened_ms", "alert_id"], unique=False)
