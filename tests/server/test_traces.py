"""`GET …/trace` over HTTP, and the client's `trace()`."""

from __future__ import annotations

from cloutagent_ext.client.runs import AsyncRun
from cloutagent_ext.client.transport import Transport

from .caller import Caller, code
from .test_executions import BASH, SLEEPS, until_running


async def test_a_key_reads_the_trace_of_its_own_execution_while_it_runs_and_afterwards(
    server: Caller,
) -> None:
    project, other = await server.create(**BASH), await server.create()
    await server.script(project["id"], SLEEPS)
    execution = await server.execute(project["id"])
    await until_running(server, execution)
    path = f"executions/{execution}/trace"
    running = await server.get(path, key=project["api_key"])
    assert running["status"] == "running"
    assert [span["kind"] for span in running["items"]] == ["execution", "agent", "model", "tool"]
    assert [span["status"] for span in running["items"]] == ["running", "running", "ok", "running"]
    refused = await server.call("GET", path, key=other["api_key"])
    assert (refused.status_code, code(refused)) == (403, "FORBIDDEN")
    await server.call("POST", f"executions/{execution}/cancel")
    await server.ended(execution)
    ended = await server.get(path)
    assert ended["trace_id"] == execution.replace("-", "")
    assert {span["status"] for span in ended["items"]} == {"ok", "cancelled"}
    assert all(span["end"] for span in ended["items"])
    page = await server.get(f"{path}?limit=3")
    rest = await server.get(f"{path}?limit=3&cursor={page['next_cursor']}")
    assert page["items"] + rest["items"] == ended["items"]
    wrong = await server.call("GET", f"{path}?cursor=x")
    assert (wrong.status_code, code(wrong)) == (400, "INVALID_REQUEST")


async def test_the_client_gives_the_trace_as_a_model(server: Caller) -> None:
    project = await server.create()
    execution = await server.execute(project["id"])
    await server.ended(execution)
    address = str(server.http.base_url)
    transport = await Transport.open(address, token=server.app.identity_provider.token)
    trace = await AsyncRun(transport, execution).trace()
    await transport.close()
    assert trace.execution_id == execution
    assert trace.items[0].kind == "execution"
    assert trace.items[0].total_cost_usd is not None
