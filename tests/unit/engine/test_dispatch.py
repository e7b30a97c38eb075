"""Tool calls: checked, allowed, clipped; whatever goes wrong is a result the model reads."""

from __future__ import annotations

import base64

import pytest

from cloutagent_ext.engine.ports import Decision, EndExecution, ToolError
from cloutagent_ext.schema.events import DisplayPart, FilePart, ImagePart, TextPart
from tests.support.messages_api import Call, Calls, MessagesApi, Say

from .harness import Approvals, Echo, live

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


async def one_call(tmp_path, tool, arguments, **agent):
    """Content of the one tool result, as the model got it, and the bench."""
    script = [Call(tool.name if tool else "ghost", arguments, id="c"), Say("end")]
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        if "approvals" in agent:
            bench.approvals = agent.pop("approvals")
        definition = {"agent": {"tools": [tool.name] if tool else [], **agent}}
        outcome = await bench.run(definition, tools=[tool] if tool else [])
    assert outcome.status == "completed", outcome
    return api.requests[1]["messages"][-1]["content"][0], bench


def failing(error):
    def action(arguments, context):
        raise error

    return Echo(action=action)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        (None, {}, "There is no tool called ghost"),
        (Echo(), {"text": 3}, "text: 3 is not of type 'string'"),
        (Echo(), {"wrong": "x"}, "'wrong' was unexpected"),
        (failing(ToolError("no such file")), {}, "no such file"),
        (failing(ZeroDivisionError("division by zero")), {}, "ZeroDivisionError: division by zero"),
        (failing(TimeoutError()), {}, "TimeoutError"),
    ],
)
async def test_what_goes_wrong_is_an_error_result(tmp_path, tool, arguments, said):
    result, bench = await one_call(tmp_path, tool, arguments)
    assert result["is_error"] is True
    assert said in result["content"][0]["text"]
    assert bench.log.of("tool_result")[0]["is_error"]


async def test_a_tool_whose_runtime_cannot_start_ends_the_execution(tmp_path):
    tool = failing(EndExecution("TOOL_ERROR", "no kernel", tool="python"))
    async with MessagesApi([Call("echo", {})]) as api, live(api.url, tmp_path) as bench:
        outcome = await bench.run({"agent": {"tools": ["echo"]}}, tools=[tool])
    assert (outcome.code, outcome.message, outcome.details) == ("TOOL_ERROR", "no kernel", {"tool": "python"})


async def test_a_denied_call_does_not_run(tmp_path):
    tool = Echo(default="allow")
    result, bench = await one_call(tmp_path, tool, {"command": "rm x"}, permissions={"echo(rm *)": "deny"})
    assert result["is_error"]
    assert "rm *" in result["content"][0]["text"]
    assert tool.calls == []
    assert "tool_started" not in bench.journal.kinds()


async def test_a_call_that_must_ask_gets_the_decision(tmp_path):
    tool = Echo(default="ask")
    result, bench = await one_call(tmp_path, tool, {"text": "a"})
    assert bench.approvals.asked == ["echo"]
    assert result["content"][0]["text"] == "Nobody can answer here."
    assert tool.calls == []

    changed = Approvals(Decision(allow=True, by="ada", arguments={"text": "b"}))
    result, bench = await one_call(tmp_path, tool, {"text": "a"}, approvals=changed)
    assert tool.calls == [{"text": "b"}]
    wrong = Approvals(Decision(allow=True, by="ada", arguments={"nope": 1}))
    result, bench = await one_call(tmp_path, tool, {"text": "a"}, approvals=wrong)
    assert result["is_error"]


async def test_waiting_for_a_person_stops_the_clock(tmp_path):
    async with MessagesApi([Call("echo", {}), Say("end")]) as api, live(api.url, tmp_path) as bench:

        class Slow(Approvals):
            async def decide(self, question):
                await bench.clock.sleep(3_000)  # longer than it may run
                return Decision(allow=True, by="ada")

        bench.approvals = Slow()
        outcome = await bench.run(
            {"agent": {"tools": ["echo"]}, "limits": {"timeout_s": 600}}, tools=[Echo(default="ask")]
        )
    assert outcome.status == "completed"
    assert bench.log.of("cost_update")[-1]["percent_of_limit"]["time"] < 80


async def test_long_output_is_clipped_before_it_enters_the_transcript(tmp_path):
    tool = Echo(action=lambda arguments, context: "a" * 100_000 + "ENDE")
    result, bench = await one_call(tmp_path, tool, {})
    text = result["content"][0]["text"]
    assert len(text.encode()) <= 32 * 1024
    assert text.startswith("aaa")
    assert text.endswith("ENDE")
    assert "bytes left out" in text
    assert bench.log.of("tool_result")[0]["output"][0]["text"] == text


async def test_output_that_no_encoder_takes_is_cleaned(tmp_path):
    tool = Echo(action=lambda arguments, context: "a\ud800b \ud83d\ude00")
    result, _ = await one_call(tmp_path, tool, {})
    assert result["content"][0]["text"] == "a\ufffdb 😀"


async def test_pictures_files_and_displays_reach_the_model_as_it_can_take_them(tmp_path):
    (tmp_path / "chart.png").write_bytes(PIXEL)
    parts = [
        TextPart(text="head", path="all.txt"),
        ImagePart(media_type="image/png", path="chart.png"),
        ImagePart(media_type="image/png", path="gone.png"),
        ImagePart(media_type="image/png", path="../outside.png"),
        FilePart(path="report.md", media_type="text/markdown", size=12),
        DisplayPart(data={"text/html": "<b>1</b>", "text/plain": "table"}),
        TextPart(text=""),
    ]
    result, _ = await one_call(tmp_path, Echo(action=lambda arguments, context: parts), {})
    content = result["content"]
    assert "all of it is in the file all.txt" in content[0]["text"]
    assert content[1]["source"] == {
        "type": "base64",
        "media_type": "image/png",
        "data": base64.b64encode(PIXEL).decode(),
    }
    assert "gone.png" in content[2]["text"]
    assert "outside the workspace" in content[3]["text"]
    assert "report.md" in content[4]["text"]
    assert content[5]["text"] == "table"
    assert len(content) == 6


async def test_a_tool_without_a_word_gives_a_block_that_is_not_empty(tmp_path):
    result, _ = await one_call(tmp_path, Echo(action=lambda arguments, context: []), {})
    assert result["content"] == [{"type": "text", "text": "(no output)"}]


async def test_a_failing_call_leaves_its_neighbours_alone(tmp_path):
    script = [Calls([("bad", {}), ("echo", {"text": "fine"})]), Say("end")]
    bad = failing(ToolError("no"))
    bad.name = "bad"
    async with MessagesApi(script) as api, live(api.url, tmp_path) as bench:
        await bench.run({"agent": {"tools": ["bad", "echo"]}}, tools=[bad, Echo()])
    first, second = api.requests[1]["messages"][-1]["content"]
    assert first["is_error"]
    assert second["content"][0]["text"] == "fine"


async def test_a_tool_knows_where_it_is(tmp_path):
    tool = Echo()
    _, bench = await one_call(tmp_path, tool, {}, network=True)
    context = tool.contexts[0]
    assert (context.agent, context.call_id, context.span, context.network) == ("main", "c", "main/1/c", True)
    assert context.workspace == tmp_path
    await context.warn("NOT_ISOLATED", "careful")
    assert bench.log.events[-1]["span"] == "main/1/c"
