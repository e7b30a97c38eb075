"""What load balancers see."""

from __future__ import annotations

from cloutagent_ext import __version__

from .caller import Caller, code


async def test_health_needs_no_proof_and_names_the_version(server: Caller) -> None:
    response = await server.call("GET", "/cloutagent/api/health", nobody=True)
    assert response.status_code == 200
    assert response.json() == {"status": "ok", "version": __version__}


async def test_health_turns_away_work_while_the_server_shuts_down(server: Caller) -> None:
    server.extension.context.closing.set()
    response = await server.call("GET", "/cloutagent/api/health", nobody=True)
    assert response.status_code == 503
    assert response.json()["reason"] == "shutting down"
    refused = await server.call("GET", "projects")
    assert (refused.status_code, code(refused)) == (503, "SHUTTING_DOWN")
    assert int(refused.headers["Retry-After"]) > 0


async def test_an_address_that_does_not_exist_answers_in_the_envelope(server: Caller) -> None:
    for path in ("nonsense", "projects/", "/cloutagent", "/cloutagent/api/v2/projects", "executions/x/pin/y"):
        response = await server.call("GET", path)
        assert (response.status_code, code(response)) == (404, "NOT_FOUND"), path


async def test_a_method_that_an_address_does_not_take_is_named_with_those_it_does(server: Caller) -> None:
    response = await server.call("PATCH", "projects")
    assert (response.status_code, code(response)) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == "GET, POST"
