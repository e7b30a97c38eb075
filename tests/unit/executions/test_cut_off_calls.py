"""A model call that is cut off before the service has said a word: it may be charged for all the same."""

from __future__ import annotations

import asyncio

from cloutagent_ext.schema.project import Limits
from tests.support.messages_api import MessagesApi, Say

from .conftest import Opens, agent


async def test_a_server_that_stops_in_such_a_call_tells_what_it_may_have_cost_and_holds_it(
    open_office: Opens,
) -> None:
    silence = asyncio.Event()
    async with MessagesApi([Say("Never heard.", hold=silence), Say("Done.")]) as api:
        live = {"base_url": api.url, "api_key": "test-key"}
        office = await open_office(**live)
        project = await office.project(agent=agent(), limits=Limits(max_cost_usd=5.0))
        accepted = await office.accept(project)
        async with asyncio.timeout(90):
            while not api.requests:
                await asyncio.sleep(0.01)
        await office.services.stop(0)
        silence.set()
        office = await open_office(**live)
        async with asyncio.timeout(90):
            state = await office.executions.wait(accepted.execution_id)
    assert state.status == "completed", state.error
    events = await office.events(accepted.execution_id)
    [cut] = [event for event in events if event["type"] == "interrupted"]
    assert 0.01 < cut["unsettled_cost_usd"] < 5, "the most that the first call can have cost"
    [told] = [event for event in events if event.get("code") == "USAGE_LOWER_BOUND"]
    assert f"${cut['unsettled_cost_usd']:.4f} stay taken" in told["message"]
    assert state.total_cost_usd is not None
    assert state.total_cost_usd < cut["unsettled_cost_usd"], "what is not known is not shown as spent"
