"""Tables and lists are made of all pages that a server has, and of no more rows than were asked for."""

from __future__ import annotations

import pytest

from cloutagent_ext.client import connect
from cloutagent_ext.schema.query import MAX_ROWS
from tests.support.scripted_http import Answer, Request, ScriptedHttp

from .conftest import API, PROJECT, RUN, event, page, state

EVENTS = f"GET {API}/executions/{RUN}/events"
EXECUTIONS = f"GET {API}/executions"


def test_a_log_of_several_pages_is_one_table_and_comes_page_by_page(server: ScriptedHttp) -> None:
    def asked(request: Request) -> Answer:
        if "cursor=second" in request.query:
            return page(event(4), event(5, "complete"))
        return page(event(2), event(3), next_cursor="second")

    server.routes[EVENTS] = asked
    with connect(server.url) as client:
        run = client.execution(RUN)
        assert list(run.events_df(from_event=2)["id"]) == [2, 3, 4, 5]
        assert [r.query for r in server.asked(EVENTS)] == ["from_event=2", "from_event=2&cursor=second"]
        pages = run.event_pages()
        assert [each["id"] for each in next(pages)] == [2, 3]
        assert len(server.asked(EVENTS)) == 3, "the next page is asked for when somebody wants it"
        pages.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("limit", "rows", "asked_for"), [(1000, 5, 3), (3, 3, 2), (2, 2, 1)])
def test_a_table_of_executions_has_the_rows_that_were_asked_for_from_as_many_pages_as_that_takes(
    server: ScriptedHttp, limit: int, rows: int, asked_for: int
) -> None:
    made = [state(execution_id=f"{n:08d}-1111-4111-8111-111111111111") for n in range(5)]
    server.routes[EXECUTIONS] = [
        page(*made[:2], next_cursor="a"), page(*made[2:4], next_cursor="b"), page(made[4])
    ]  # fmt: skip
    with connect(server.url) as client:
        table = client["Sales analyst"].executions_df(limit=limit)
    assert list(table["execution_id"]) == [each["execution_id"] for each in made[:rows]]
    asked = server.asked(EXECUTIONS)
    assert len(asked) == asked_for
    assert all(f"project={PROJECT}" in request.query for request in asked)
    assert f"limit={min(limit, MAX_ROWS)}" in asked[0].query
