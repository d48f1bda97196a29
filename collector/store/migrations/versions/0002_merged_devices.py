"""merged devices, and finding old rows without reading all of them"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MERGED_INTO = "the device that its keys and its past were moved to"
BY_TIME = {
    "reports": "received_ms",
    "quiet_runs": "last_ms",
    "incidents": "at_ms",
    "silences": "to_ms",
    "risk_log": "at_ms",
}


def upgrade() -> None:
    op.add_column("devices", sa.Column("merged_into", sa.Text(), nullable=True, comment=MERGED_INTO))
    op.create_index("devices_by_merge", "devices", ["merged_into"])
    for table, column in BY_TIME.items():
        op.create_index(f"{table}_by_time", table, [column])
