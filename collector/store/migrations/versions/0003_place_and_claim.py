"""public addresses, landmark days, attached hardware, the roster, learnt places"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

FAILING = "failure IN ('crashed', 'denied', 'over_budget', 'timeout')"
_OF_ASSESSMENT = "(SELECT {} FROM assessments WHERE assessments.device_id = devices.device_id)"


def upgrade() -> None:
    op.create_table(
        "attachments",
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("attachment_key", sa.LargeBinary(), nullable=False, comment="16 bytes of SHA-256 of what names it"),
        sa.Column("kind", sa.Text(), nullable=False, comment="usb, display, or brief: gone before it was read"),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("removed_ms", sa.BigInteger(), nullable=True, comment="when a newer measurement no longer had it"),
        sa.Column(
            "body", sa.LargeBinary(), nullable=False, comment="JSON of the wire's UsbDevice, Display or HardwareEvent"
        ),
        sa.PrimaryKeyConstraint("device_id", "attachment_key"),
        comment="What was plugged into each device, and when: also what has been unplugged since.",
    )
    with op.batch_alter_table("attachments", schema=None) as batch_op:
        batch_op.create_index("attachments_by_key", ["attachment_key"], unique=False)
        batch_op.create_index("attachments_by_time", ["removed_ms"], unique=False)

    op.create_table(
        "egresses",
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "last_ms", sa.BigInteger(), nullable=False, comment="up to an hour old while the address stays the same"
        ),
        sa.Column(
            "days",
            sa.BigInteger(),
            nullable=False,
            server_default="1",
            comment="bit per day (UTC) on which it was seen, lowest: of last_ms",
        ),
        sa.Column(
            "located", sa.LargeBinary(), nullable=False, comment="JSON Located: what place data said at first sight"
        ),
        sa.PrimaryKeyConstraint("device_id", "address"),
        comment="Public addresses that reports came from, as the collector saw them.",
    )
    with op.batch_alter_table("egresses", schema=None) as batch_op:
        batch_op.create_index("egresses_by_address", ["address", "last_ms"], unique=False)
        batch_op.create_index("egresses_by_time", ["last_ms"], unique=False)

    op.create_table(
        "landmark_days",
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column("through", sa.Text(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="JSON LandmarkDay: the day's newest figures"),
        sa.PrimaryKeyConstraint("device_id", "day", "through"),
    )
    with op.batch_alter_table("landmark_days", schema=None) as batch_op:
        batch_op.create_index("landmark_days_by_time", ["last_ms"], unique=False)

    op.create_table(
        "learnt_places",
        sa.Column("device_id", sa.Text(), nullable=False),
        sa.Column("learnt_ms", sa.BigInteger(), nullable=False),
        sa.Column("place", sa.LargeBinary(), nullable=False, comment="JSON LearntPlace"),
        sa.PrimaryKeyConstraint("device_id"),
    )
    op.create_table(
        "roster_entries",
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False, comment="as written, spaces around it removed, in capitals"),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("home", sa.LargeBinary(), nullable=True, comment="JSON HomePlace"),
        sa.Column("trips", sa.LargeBinary(), nullable=False, comment="JSON list of Trip"),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("version", "serial"),
        comment="Lines of every roster import that is kept; `roster_versions` says which one holds.",
    )
    with op.batch_alter_table("roster_entries", schema=None) as batch_op:
        batch_op.create_index("roster_entries_by_person", ["version", "person"], unique=False)

    op.create_table(
        "roster_activations",
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("position"),
        comment="Which version held from when on: what replay judges the past by.",
    )
    op.create_table(
        "roster_versions",
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="loading, ready, active, past, dropped or gone"),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("touched_ms", sa.BigInteger(), nullable=False, comment="when its import last wrote"),
        sa.Column("active_ms", sa.BigInteger(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False, comment="name of the file"),
        sa.Column("digest", sa.Text(), nullable=False, comment="of all that its lines say"),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False, comment="serial numbers that the roster before it lacks"),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("compared_with", sa.BigInteger(), nullable=True, comment="version that was active before it"),
        sa.Column(
            "queue_after",
            sa.Text(),
            nullable=True,
            comment="device up to which changes were queued; NULL when all were",
        ),
        sa.PrimaryKeyConstraint("version"),
    )
    with op.batch_alter_table("roster_versions", schema=None) as batch_op:
        batch_op.create_index("roster_versions_by_state", ["state"], unique=False)

    op.create_table(
        "travel",
        sa.Column("travel_id", sa.Text(), nullable=False),
        sa.Column("person", sa.Text(), nullable=False),
        sa.Column("countries", sa.Text(), nullable=False, comment="JSON list of country codes"),
        sa.Column("first_day", sa.Text(), nullable=False),
        sa.Column("last_day", sa.Text(), nullable=False),
        sa.Column("from_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False, comment="who answers for it"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("created_ms", sa.BigInteger(), nullable=False),
        sa.Column("removed_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("travel_id"),
        comment="Travel that was approved outside the roster file.",
    )
    with op.batch_alter_table("travel", schema=None) as batch_op:
        batch_op.create_index("travel_by_end", ["until_ms"], unique=False)
        batch_op.create_index("travel_by_person", ["person", "until_ms"], unique=False)

    with op.batch_alter_table("streams", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "egress", sa.Text(), server_default="", nullable=False, comment="public address of the newest report"
            )
        )
        batch_op.add_column(
            sa.Column(
                "egress_ms",
                sa.BigInteger(),
                server_default="0",
                nullable=False,
                comment="when `egresses` last learnt of it",
            )
        )

    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.add_column(
            sa.Column(
                "heard_ms",
                sa.BigInteger(),
                nullable=True,
                comment="when it was last heard, up to an hour old; `streams` is exact",
            )
        )
        batch_op.add_column(sa.Column("agent_version", sa.Text(), server_default="", nullable=False))
        batch_op.add_column(
            sa.Column(
                "risk_score",
                sa.Integer(),
                nullable=True,
                comment="this and what follows: of the newest assessment, for lists",
            )
        )
        batch_op.add_column(sa.Column("band", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("known", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("total", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(
            sa.Column("country", sa.Text(), server_default="", nullable=False, comment="where its public address leads")
        )
    with op.batch_alter_table("signals", schema=None) as batch_op:
        batch_op.create_index(
            "signals_failing",
            ["kind", "failure"],
            unique=False,
            sqlite_where=sa.text(FAILING),
            postgresql_where=sa.text(FAILING),
        )
    op.execute(
        "UPDATE devices SET heard_ms = (SELECT max(last_ms) FROM streams WHERE streams.device_id = devices.device_id)"
    )
    for column in ("risk_score", "band"):
        op.execute(f"UPDATE devices SET {column} = {_OF_ASSESSMENT.format(column)}")
    for column in ("known", "total"):
        op.execute(f"UPDATE devices SET {column} = coalesce({_OF_ASSESSMENT.format(column)}, 0)")

    # ### end Alembic commands ###
