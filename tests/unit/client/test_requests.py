"""Requests: what is sent, what is sent again, and what a refusal becomes."""

from __future__ import annotations

import asyncio
import json
import re

import pytest

from cloutagent_ext.client import aconnect, connect
from cloutagent_ext.client.display import prose
from cloutagent_ext.errors import (
    Conflict,
    ExecutionFailed,
    Forbidden,
    InvalidRequest,
    MissingVariable,
    NotFound,
    PreconditionFailed,
    RateLimited,
    Unauthorized,
    Unavailable,
    Unreachable,
)
from tests.support.scripted_http import Answer, ScriptedHttp, Stream

from .conftest import API, NOW, PROJECT, RUN, event, page, refusal, row, state

EXECUTE = f"POST {API}/projects/{PROJECT}/execute"
CANCEL = f"POST {API}/executions/{RUN}/cancel"


def test_a_run_sends_prompt_variables_limits_and_where_it_comes_from(server: ScriptedHttp) -> None:
    with connect(server.url, token="t0ken") as client:
        run = client["Sales analyst"].run("Look", limits={"max_cost_usd": 0.2}, file="a.csv", n=3, deep=True)

    sent = server.asked(EXECUTE)[0]
    assert sent.json() == {
        "prompt": "Look",
        "variables": {"file": "a.csv", "n": "3", "deep": "true"},
        "limits": {"max_cost_usd": 0.2},
    }
    assert sent.headers["x-cloutagent-origin"] == "notebook"
    assert sent.headers["authorization"] == "token t0ken"
    assert "x-api-key" not in sent.headers
    assert run.id == RUN


def test_a_key_goes_into_its_header_and_no_token_rides_along(server: ScriptedHttp) -> None:
    with connect(server.url, api_key="ca_x_y") as client:
        client.projects()
    sent = server.requests[-1].headers
    assert sent["x-api-key"] == "ca_x_y"
    assert "authorization" not in sent


def test_variables_named_like_parameters_can_still_be_given(server: ScriptedHttp) -> None:
    with connect(server.url) as client:
        client["Sales analyst"].run(values={"wait": "yes", "prompt": "p"})
    assert server.asked(EXECUTE)[0].json()["variables"] == {"wait": "yes", "prompt": "p"}


def test_a_lost_answer_to_execute_is_asked_for_again_under_the_same_key(server: ScriptedHttp) -> None:
    server.routes[EXECUTE] = [Answer(cut=True), server.routes[EXECUTE]]
    with connect(server.url) as client:
        client["Sales analyst"].run()
    keys = [r.headers["idempotency-key"] for r in server.asked(EXECUTE)]
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_lost_answer_to_cancel_is_not_sent_twice(server: ScriptedHttp) -> None:
    server.routes[CANCEL] = Answer(cut=True)
    with connect(server.url) as client, pytest.raises(Unreachable):
        client.execution(RUN).cancel()
    assert len(server.asked(CANCEL)) == 1


def test_a_lost_answer_to_a_read_is_asked_for_again(server: ScriptedHttp) -> None:
    route = f"GET {API}/projects"
    server.routes[route] = [Answer(cut=True), page(row())]
    with connect(server.url) as client:
        assert [p.name for p in client.projects()] == ["Sales analyst"]


def test_a_short_rate_limit_is_waited_for_and_a_long_one_is_raised(server: ScriptedHttp) -> None:
    route = f"GET {API}/projects"
    slow_down = {"Retry-After": "0"}
    server.routes[route] = [refusal(429, "RATE_LIMITED", "Slow down.", **slow_down), page(row())]
    with connect(server.url) as client:
        assert client.projects()
        server.routes[route] = refusal(429, "RATE_LIMITED", "Slow down.", **{"Retry-After": "60"})
        with pytest.raises(RateLimited, match=r"Slow down\."):
            client.projects()
    assert len(server.asked(route)) == 3


def test_a_full_queue_is_the_callers_decision(server: ScriptedHttp) -> None:
    server.routes[EXECUTE] = refusal(503, "QUEUE_FULL", "50 wait already.", **{"Retry-After": "1"})
    with connect(server.url) as client, pytest.raises(Unavailable) as caught:
        client["Sales analyst"].run()
    assert caught.value.error_code == "QUEUE_FULL"
    assert len(server.asked(EXECUTE)) == 1


@pytest.mark.parametrize(
    ("status", "code", "cls"),
    [
        (400, "MISSING_VARIABLE", MissingVariable),
        (400, "SOMETHING_NEW", InvalidRequest),
        (409, "CONFLICT", Conflict),
        (412, "PRECONDITION_FAILED", PreconditionFailed),
        (401, "INVALID_API_KEY", Unauthorized),
    ],
)
def test_an_error_keeps_code_sentence_and_details(server, status, code, cls) -> None:
    body = {"error": {"code": code, "message": "Say file=….", "details": {"code": "x", "message": "y"}}}
    server.routes[EXECUTE] = Answer(status, body)
    with connect(server.url) as client, pytest.raises(cls) as caught:
        client["Sales analyst"].run()
    error = caught.value
    assert (error.error_code, error.message, error.details) == (
        code,
        "Say file=….",
        {"code": "x", "message": "y"},
    )


def test_jupyters_own_refusal_says_what_to_hand_in(server: ScriptedHttp) -> None:
    server.routes[f"GET {API}/projects"] = Answer(403, {"message": "Forbidden", "reason": None})
    with connect(server.url) as client, pytest.raises(Forbidden, match="hand in `token`"):
        client.projects()


def test_a_redirect_is_not_followed_with_credentials(server: ScriptedHttp) -> None:
    server.routes[f"GET {API}/projects"] = Answer(302, b"", {"Location": f"{server.url}elsewhere"})
    with connect(server.url, token="secret") as client, pytest.raises(Unauthorized):
        client.projects()
    assert not server.asked("GET /elsewhere")


def test_another_program_at_the_address_is_recognised(server: ScriptedHttp) -> None:
    server.routes["GET /cloutagent/api/health"] = Answer(404, b"<html>nginx</html>")
    with pytest.raises(NotFound, match="extension enabled"):
        connect(server.url)


def test_an_id_cannot_leave_its_place_in_the_path(server: ScriptedHttp) -> None:
    with connect(server.url) as client, pytest.raises(NotFound):
        client.execution("../projects")
    assert server.requests[-1].path == f"{API}/executions/..%2Fprojects"


def test_projects_of_all_pages_are_listed(server: ScriptedHttp) -> None:
    server.routes[f"GET {API}/projects"] = lambda r: (
        page(row("B", RUN)) if "cursor=c1" in r.query else page(row("A"), next_cursor="c1")
    )
    with connect(server.url) as client:
        assert [p.name for p in client.projects()] == ["A", "B"]


def test_an_unknown_project_is_answered_with_the_names_there_are(server: ScriptedHttp) -> None:
    with connect(server.url) as client, pytest.raises(NotFound, match="“Sales analyst”"):
        client["Sale analyst"]


def test_a_name_that_fits_twice_asks_for_the_id(server: ScriptedHttp) -> None:
    server.routes[f"GET {API}/projects"] = page(row(), row(id=RUN))
    with connect(server.url) as client:
        with pytest.raises(Conflict, match=RUN):
            client["Sales analyst"]
        assert client[RUN].id == RUN


def test_the_only_project_needs_no_name(server: ScriptedHttp) -> None:
    with connect(server.url, api_key="ca_k_s") as client:
        assert client.project().name == "Sales analyst"


def test_connect_can_name_the_project(server: ScriptedHttp) -> None:
    server.routes[f"GET {API}/projects"] = page(row(), row("Other", RUN))
    with connect(server.url, project="Other") as client:
        assert client.project().name == "Other"


def test_a_stale_save_is_refused_by_the_etag_that_was_read(server: ScriptedHttp) -> None:
    path = f"{API}/projects/{PROJECT}"
    stored = {"id": PROJECT, "name": "Sales analyst", "version": 3, "updated_at": NOW}
    server.routes[f"GET {path}"] = Answer(200, stored, {"ETag": '"abc"'})
    server.routes[f"PUT {path}"] = refusal(412, "PRECONDITION_FAILED", "Changed elsewhere.")
    with connect(server.url) as client:
        project = client["Sales analyst"]
        definition = project.definition()
        with pytest.raises(PreconditionFailed):
            project.save(definition)
    assert server.asked(f"PUT {path}")[0].headers["if-match"] == '"abc"'


def test_the_result_waits_for_the_end(server: ScriptedHttp) -> None:
    server.routes[f"GET {API}/executions/{RUN}"] = [Answer(200, state("running")), Answer(200, state())]
    server.routes[f"GET {API}/executions/{RUN}/stream"] = Stream([event(1), event(2, "complete")])
    with connect(server.url) as client:
        assert client["Sales analyst"].run().result.text == "done"


def test_the_result_of_a_failed_run_raises_its_code_and_sentence(server: ScriptedHttp) -> None:
    error = {"code": "COST_LIMIT_EXCEEDED", "message": "The next call may exceed $0.20.", "details": {"a": 1}}
    server.routes[f"GET {API}/executions/{RUN}"] = Answer(200, state("failed", error=error))
    with connect(server.url) as client, pytest.raises(ExecutionFailed) as caught:
        _ = client.execution(RUN).result
    assert caught.value.error_code == "COST_LIMIT_EXCEEDED"
    assert caught.value.details == {"a": 1, "execution_id": RUN}


def test_files_come_as_rows_bytes_and_saved(server: ScriptedHttp, tmp_path) -> None:
    base = f"GET {API}/executions/{RUN}/files"
    file = {"path": "out/a b.csv", "size": 3, "modified_at": NOW, "media_type": "text/csv"}
    server.routes[base] = page(file)
    server.routes[f"{base}/out/a%20b.csv"] = Answer(200, b"1,2")
    with connect(server.url) as client:
        run = client.execution(RUN)
        assert [f.path for f in run.files()] == ["out/a b.csv"]
        assert run.download("out/a b.csv") == b"1,2"
        assert run.save("out/a b.csv", tmp_path / "x.csv").read_bytes() == b"1,2"


def test_handles_show_themselves_without_markup_from_outside(server: ScriptedHttp) -> None:
    nasty = state(result={"text": "<script>alert(1)</script>", "data": None}, project_name="<b>")
    server.routes[f"GET {API}/executions/{RUN}"] = Answer(200, nasty)
    with connect(server.url) as client:
        run = client.execution(RUN)
        html = run._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "completed" in repr(run)
    assert "$0.0100" in repr(run)


def test_a_handle_that_still_runs_says_when_it_stood_so(server: ScriptedHttp) -> None:
    """Beside a live canvas the cell's output would look like a contradiction."""
    goes_on = Answer(200, state("running"))
    server.routes[f"GET {API}/executions/{RUN}"] = [goes_on, goes_on, Answer(200, state())]
    with connect(server.url) as client:
        run = client.execution(RUN)
        html = run._repr_html_()
        assert re.search(r"running · .* · as of \d\d:\d\d:\d\d; <code>\.monitor\(\)</code> follows it", html)
        assert re.search(r"as of \d\d:\d\d:\d\d>$", repr(run))
        assert "as of" not in run._repr_html_() + repr(run), "it has ended: nothing changes any more"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("**South** leads by `sum`", "<b>South</b> leads by <code>sum</code>"),
        ("# A head with `code`\n2 ** 3", "<b>A head with <code>code</code></b>\n2 ** 3"),
        ("`**` and **`x`**", "<code>**</code> and <b><code>x</code></b>"),
        ("**<img src=x>**", "<b>&lt;img src=x&gt;</b>"),
        ("`</code><script>`", "<code>&lt;/code&gt;&lt;script&gt;</code>"),
    ],
)
def test_what_a_model_wrote_is_escaped_and_its_marks_are_shown(text: str, shown: str) -> None:
    assert prose(text) == shown


def test_a_project_that_is_there_can_be_taken_in_place_of_a_new_one(server: ScriptedHttp) -> None:
    made = f"POST {API}/projects"
    with connect(server.url) as client:
        assert client.create_project("Sales analyst", exist_ok=True).id == PROJECT
        assert server.asked(made) == []
        server.routes[f"GET {API}/projects"] = page(row("Twice"), row("Twice", RUN))
        with pytest.raises(Conflict):
            client.create_project("Twice", exist_ok=True)
        server.routes[made] = refusal(409, "CONFLICT", "Not today.")
        with pytest.raises(Conflict, match="Not today"):
            client.create_project("New", exist_ok=True)


def test_a_closed_client_says_so(server: ScriptedHttp) -> None:
    client = connect(server.url)
    client.close()
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.projects()


def test_the_plain_face_works_inside_a_running_loop(server: ScriptedHttp) -> None:
    async def cell() -> str:
        with connect(server.url) as client:
            return client["Sales analyst"].run(wait=True).result.text

    assert asyncio.run(cell()) == "done"


async def test_the_async_face_has_the_same_nouns(server: ScriptedHttp) -> None:
    async with await aconnect(server.url) as client:
        run = await (await client.project("Sales analyst")).run(file="x")
        assert (await run.wait()).status == "completed"
        assert (await run.result()).text == "done"


def test_an_interrupted_run_goes_on_as_itself_and_a_failed_one_as_another(server: ScriptedHttp) -> None:
    other = "33333333-3333-4333-8333-333333333333"
    resume, fork = (f"POST {API}/executions/{RUN}/{verb}" for verb in ("resume", "fork"))
    server.routes[f"GET {API}/executions/{RUN}"] = Answer(200, state("interrupted"))
    server.routes[resume] = [Answer(202, {"execution_id": RUN}), Answer(202, {"execution_id": other})]
    server.routes[fork] = Answer(202, {"execution_id": other})
    with connect(server.url) as client:
        run = client.execution(RUN)
        assert run.resume().id == RUN
        assert run.resume(limits={"max_turns": 9}).id == other
        assert run.fork(7, prompt="Again", tool_result=("c1", "ten")).id == other
    assert [json.loads(asked.body or b"{}") for asked in server.asked(resume)] == [
        {},
        {"limits": {"max_turns": 9}},
    ]
    [asked] = server.asked(fork)
    assert json.loads(asked.body) == {
        "from_event": 7,
        "prompt": "Again",
        "tool_result": {"call_id": "c1", "text": "ten"},
    }
