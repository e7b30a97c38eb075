"""The monitor and the magic in a real kernel: what is shown meanwhile, and what a saved notebook keeps."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient

from cloutagent_ext.client import Client, pieces
from cloutagent_ext.client.picture import Picture
from cloutagent_ext.client.stream import read_event
from tests.support.live_server import LiveServer
from tests.support.notebook_kernel import blocking_kernel, execute


def played(server: LiveServer, folder: Path, *cells: str) -> list[list[Any]]:
    """Outputs of the cells, run in a kernel that finds the server as in life."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    execute(book, folder, env=server.env)
    return [cell.outputs for cell in book.cells]


@pytest.fixture(scope="module", autouse=True)
def small(server: LiveServer) -> None:
    """A project that asks before its only tool, and plays a script."""
    made = server.create_project("Roofer", template="empty")
    made["agent"]["task"], made["variables"] = "Look at {{what}}", {"what": {}}
    made.pop("api_key")
    status, answer = server.request("PUT", f"projects/{made['id']}", made)
    assert status == 200, answer
    made = server.create_project("Asker", template="empty")
    turns = [
        {"text": "I look.\n", "tools": [{"name": "bash", "input": {"command": "echo '<b>one</b>'"}}]},
        {"text": "It said <script>alert(1)</script>."},
    ]
    server.put_file(made["id"], "scenario.json", {"schema_version": 1, "agents": {"main": turns}})
    made["agent"] |= {"task": "Look at {{what}}", "tools": ["bash"], "permissions": {"bash": "ask"}}
    made["variables"] = {"what": {"description": "what to look at"}}
    made.pop("api_key")
    status, answer = server.request("PUT", f"projects/{made['id']}", made)
    assert status == 200, answer


def shown(outputs: list[Any], kind: str = "text/html") -> str:
    found = [each for each in outputs if each.output_type == "display_data"]
    assert len(found) == 1, outputs
    return str(found[0]["data"][kind])


@pytest.mark.parametrize("widgets", [True, False])
def test_a_saved_notebook_keeps_a_still_picture_without_buttons(
    server: LiveServer, tmp_path: Path, widgets: bool
) -> None:
    setup = "import sys\n" + ("" if widgets else "sys.modules['ipywidgets'] = None\n")
    _, watched = played(
        server,
        tmp_path,
        f"{setup}from cloutagent_ext import connect\nagents = connect()",
        "run = agents['Asker'].run('Look', values={'what': 'x'}, limits={'max_turns': 5}, attended=False)\n"
        "monitor = run.monitor()\nassert monitor.picture.ended",
    )
    html = shown(watched)
    assert "widget-view" not in str(watched)
    assert "<button" not in html
    assert "completed" in html
    assert "<script>" not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 1, "nobody reads an answer twice"
    assert html.startswith('<div class="mathjax_ignore"'), "two sums of dollars would be a formula"
    assert "nobody can give it here" in html, "what the tool was refused for"
    assert "tokens:" in html
    assert "time:" in html
    assert "completed" in shown(watched, "text/plain")


def test_a_terminal_gets_lines_and_how_to_answer(server: LiveServer, client: Client) -> None:
    code = (
        "import threading\n"
        "from cloutagent_ext import connect\n"
        "run = connect()['Asker'].run('Look', values={'what': 'x'}, attended=True)\n"
        "run.wait(60)\n"
        "monitor = run.monitor(wait=False)\n"
        "run.allow(run.approvals()[0])\n"
        "assert monitor.wait(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=server.env, capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1:3] == ["I look.", "  → bash echo '<b>one</b>'"]
    assert any(line.startswith("  ✓ bash") for line in lines)
    assert lines[-2] == "It said <script>alert(1)</script>."
    assert lines[-1].startswith("Asker: completed")


def test_the_magic_runs_a_cell_with_the_notebooks_variables(server: LiveServer, tmp_path: Path) -> None:
    outputs = played(
        server,
        tmp_path,
        "%load_ext cloutagent_ext\n%load_ext cloutagent_ext\nwhat = 'the roof'\nfloor = 3",
        "%%cloutagent Roofer --into mine --max-cost 0.25\nFloor {{floor}}, {{what}} and {{neither}}",
        "import json\nevents = list(mine)\n"
        "[(e.prompt) for e in events if e.type == 'agent_start'], mine.state.limits.max_cost_usd",
        "%cloutagent Roofer what=attic --quiet",
        "next(e.prompt for e in run if e.type == 'agent_start')",
    )
    assert "Roofer" in shown(outputs[1])
    assert outputs[2][0]["data"]["text/plain"] == "(['Floor 3, the roof and {{neither}}'], 0.25)"
    assert outputs[4][0]["data"]["text/plain"] == "'Look at attic'"


@pytest.fixture(scope="module")
def kernel(server: LiveServer) -> Iterator[BlockingKernelClient]:
    with blocking_kernel(server.env) as client:
        code = "%load_ext cloutagent_ext\ndef orders() -> int:\n    'Orders.'\n"
        code += "def ordinary() -> int:\n    return 1"
        client.execute_interactive(code, timeout=60)
        yield client


def offered(kernel: BlockingKernelClient, code: str) -> dict[str, str]:
    """What Tab makes of `code`, each offer in its place, and whose it is: IPython has others beside ours."""
    answer = kernel.complete(code, reply=True, timeout=60)["content"]
    return {
        code[: each["start"]] + each["text"] + code[each["end"] :]: each["type"]
        for each in answer["metadata"]["_jupyter_types_experimental"]
    }


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("%%cloutagent As", "%%cloutagent Asker"),
        ("%%cloutagent Sales an", "%%cloutagent Sales analyst"),
        ("%cloutagent Sales analyst fi", "%cloutagent Sales analyst file="),
        ("%%cloutagent Asker --ma", "%%cloutagent Asker --max-cost"),
        ("%%cloutagent Asker --tools ord", "%%cloutagent Asker --tools orders"),
        ("%%cloutagent Asker --tools best,ord", "%%cloutagent Asker --tools best,orders"),
        ("%%cloutagent Sales analyst\nStudy {{fi", "%%cloutagent Sales analyst\nStudy {{file}}"),
    ],
)
def test_tab_completes_projects_variables_and_options(
    kernel: BlockingKernelClient, typed: str, wanted: str
) -> None:
    assert wanted in offered(kernel, typed)


def test_a_function_without_a_docstring_cannot_be_a_tool_and_is_not_offered(
    kernel: BlockingKernelClient,
) -> None:
    """`ordinary` has none; it is offered nowhere, `orders` beside it is."""
    found = offered(kernel, "%%cloutagent Asker --tools ord")
    ours = [line for line, whose in found.items() if whose == "cloutagent"]
    assert ours == ["%%cloutagent Asker --tools orders"]
    assert "cloutagent" not in offered(kernel, "%%cloutagent Asker --tools ordi").values()


def test_a_kernel_that_ends_in_the_middle_of_a_run_says_no_last_word(
    server: LiveServer, client: Client
) -> None:
    """Whoever restarts one has forgotten its widgets: closing them is an error in the browser's console."""
    code = (
        # Runs last of all: what the monitor has to say when its client is closed, it has the time to say.
        "import atexit, time\natexit.register(time.sleep, 2)\n"
        "from cloutagent_ext import connect\nfrom cloutagent_ext.client.monitor import Monitor\n"
        "class Face:\n"
        "    def show(self, picture): pass\n"
        "    def end(self, picture): print('last word', flush=True)\n"
        "run = connect()['Asker'].run(values={'what': 'x'}, attended=True)\nprint(run.id, flush=True)\n"
        "monitor = Monitor(run, face=Face())\n"
        "while not monitor.picture.asked: time.sleep(0.01)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=server.env, capture_output=True, text=True, timeout=100, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    client.execution(done.stdout.splitlines()[0]).cancel()
    assert "last word" not in done.stdout


def test_everything_an_execution_says_is_escaped(client: Client) -> None:
    run = client["Asker"].run("Look", values={"what": "x"}, attended=True)
    run.wait(60)
    picture = Picture(run.id, "<i>Asker</i>")
    for page in run.event_pages():
        for event in page:
            picture.apply(read_event(json.dumps(event)))
    html = pieces.page(picture, lambda path: None, 0.0, live=True)
    assert "&lt;i&gt;Asker&lt;/i&gt;" in html
    assert "<b>one" not in html
    assert html.count("<button") == 3, "Stop, Allow, Deny"
    run.cancel()
