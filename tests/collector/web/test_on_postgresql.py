"""The same collector on PostgreSQL: reports are taken and judged, and programs are answered, as on SQLite."""

# ruff: noqa: F401 - imported tests run here again, with this module's `world`
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from collector.store.database import migrate, open_engine
from tests.collector.web import contracted
from tests.collector.web.conftest import browse
from tests.collector.web.test_follow import (
    risk,
    test_a_change_between_two_pages_of_an_export_is_not_missed,
    test_a_laptop_out_of_use_leaves_a_tombstone,
    test_lines_carry_the_same_rows_and_where_to_follow,
    test_what_changes_after_an_export_is_told_once,
    test_who_waited_for_longer_than_the_log_is_kept_starts_again,
)
from tests.collector.web.test_rest import (
    api,
    test_a_change_to_another_version_is_refused,
    test_a_decision_teaches_the_rules,
    test_a_device_is_merged_into_the_older_one_that_it_turned_out_to_be,
    test_alerts_can_be_asked_for_by_status_and_device,
    test_an_enrolment_token_lets_laptops_in_until_it_is_revoked,
    test_devices_can_be_asked_for_by_band_score_and_words,
    test_devices_come_with_the_highest_score_first_page_by_page,
    test_every_write_is_audited_with_who_and_what,
    test_the_risk_of_a_device_tells_the_whole_judgement,
)
from tests.collector.web.test_timeline import (
    test_a_cursor_that_no_answer_gave_is_refused,
    test_a_timeline_is_told_page_by_page,
    test_devices_can_be_asked_for_by_person_and_last_contact,
)
from tests.collector.worlds import World


@pytest.fixture
def world(tmp_path: Path, postgres_tables: str) -> Iterator[World]:
    """A collector without laptops, on PostgreSQL."""
    engine = open_engine(postgres_tables)
    migrate(engine)
    engine.dispose()
    made = World(tmp_path, database=postgres_tables)
    assert made.store.engine.dialect.name == "postgresql"
    with TestClient(
        made.app, base_url=made.config.public_urls[0], follow_redirects=False, raise_server_exceptions=False
    ) as client:
        client.event_hooks = {"response": [contracted.check]}
        made.client = client
        yield made
