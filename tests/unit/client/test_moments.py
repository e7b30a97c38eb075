"""Times that people write, as the contract takes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cloutagent_ext.client.answers import moment


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("2026-11-01T00:00:00Z", "2026-11-01T00:00:00.000Z"),
        ("2026-11-01T02:00+02:00", "2026-11-01T00:00:00.000Z"),
        ("2026-11-01T00:00:00.123456Z", "2026-11-01T00:00:00.123Z"),
        (datetime(2026, 11, 1, 2, tzinfo=timezone(timedelta(hours=2))), "2026-11-01T00:00:00.000Z"),
        ("yesterday", "yesterday"),
        (None, None),
    ],
)
def test_a_time_may_be_written_as_people_write_it(written: datetime | str | None, sent: str | None) -> None:
    assert moment(written) == sent


def test_a_date_alone_is_its_beginning_where_one_is() -> None:
    sent = moment("2026-11-01")
    assert sent is not None
    assert datetime.fromisoformat(sent) == datetime(2026, 11, 1).astimezone(UTC)
