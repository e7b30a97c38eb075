"""The figures that pages promise are those that the code has: whoever changes one, changes both."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloutagent_ext.engine import attachments, budget, conversation, guard, quote, results, retry, text
from cloutagent_ext.engine.hooks import actions, http, runner
from cloutagent_ext.engine.models import anthropic
from cloutagent_ext.engine.tools import (
    commands,
    display,
    isolation,
    kernel,
    mcp_connection,
    mcp_link,
    mcp_listing,
    mcp_process,
    shell,
)
from cloutagent_ext.engine.tools import text as clipped
from cloutagent_ext.executions import inputs, memory, questions, recovery, repeats
from cloutagent_ext.jupyter import channels
from cloutagent_ext.jupyter import kernel as jupyter_kernel
from cloutagent_ext.schema.project import Agent, Hook, McpServer

DOCS = Path(__file__).parents[2] / "docs"
KIB, MIB, DAY_S = 1024, 1024 * 1024, 24 * 3600
WORDS = {2: "twice", 3: "three", 4: "four", 7: "seven"}


def default(model: type[Agent | Hook | McpServer], field: str) -> int:
    return int(model.model_fields[field].default)


SAID: dict[str, list[str]] = {
    "tools.md": [
        f"take {shell.DEFAULT_TIMEOUT_S} s, or as long as the model asks for, up to {shell.MAX_TIMEOUT_S}.",
        f"the model gets up to {text.INLINE_BYTES // KIB} KiB",
        f"a file in the workspace with up to {commands.KEPT_BYTES // MIB} MiB of it",
        f"prints more than {isolation.MAX_OUTPUT_BYTES // MIB} MiB is stopped",
        f"A result or an exception of more than {display.KEPT_CHARACTERS // MIB} MiB",
        f"in one piece of more than {channels.LARGEST // MIB} MiB is not received",
        f"does not stop within {jupyter_kernel.INTERRUPT_S:g} s of being interrupted",
        f"up to {inputs.MAX_BYTES // MIB} MB each",
        f"up to {results.MAX_IMAGE_BYTES / 1e6:g} MB) and PDFs (up to {attachments.MAX_PDF_BYTES // MIB} MB)",
        f"at most {attachments.MAX_SHOWN} and {attachments.MAX_TOGETHER // MIB} MB together",
        f"after {anthropic.FILE_LIFE_S // DAY_S} days by the service",
        f"and has {mcp_connection.START_S:g} s for it",
        f"connected again up to {WORDS[mcp_connection.RESTARTS]} times",
        f"at most {mcp_listing.MAX_TOOLS} tools and {mcp_listing.MAX_ALL_BYTES // KIB} KiB of descriptions",
        f"no answer longer than {mcp_link.MAX_MESSAGE_BYTES // MIB} MiB",
        f"up to {mcp_process.LOG_BYTES // MIB} MiB. Its `instructions`",
        f"{mcp_process.PATIENCE_S:g} s later is told to, and {mcp_process.PATIENCE_S:g} s after that killed",
    ],
    "hooks.md": [
        f"{runner.MAX_STOP_BLOCKS} times at most, then `HOOK_BLOCKED`",
        f"more than {actions.KEPT_BYTES // KIB} KiB of output",
        f"hooks of the end have {runner.LAST_WORDS_S} s",
    ],
    "limits.md": [
        f"At {budget.WARN_AT:.0%} of a limit".replace("%", " %"),
        f"before there are {WORDS[quote.FEWEST]} of them",
        f"the same call {WORDS[guard.SAME_CALLS]} times in a row",
        f"the same two calls in turn {WORDS[guard.ROUNDS]} times",
        f"`stall_s` ({default(Agent, 'stall_s')})",
        f"waiting {guard.NOTICE_AT * default(Agent, 'stall_s'):g} s for",
        f"`compact_at_tokens` ({default(Agent, 'compact_at_tokens'):,})",
        f"at most {memory.MAX_BYTES // MIB} MB together",
        f"sent back at most {WORDS[conversation.MAX_REPAIRS]}",
    ],
    "guide.md": [f"nobody answers in {WORDS[int(questions.PATIENCE_S / DAY_S)]} days"],
    "durability.md": [f"kills its server {WORDS[recovery.MOST_DEATHS]} times"],
    "guarantees.md": [f"at most {retry.MAX_TRIES} times and {retry.MAX_TOTAL_S / 60:g} minutes"],
}


@pytest.mark.parametrize("page", SAID)
def test_a_pages_figures_are_the_codes(page: str) -> None:
    said = " ".join((DOCS / page).read_text().split())
    assert [sentence for sentence in SAID[page] if sentence not in said] == []


def test_what_pages_say_once_holds_in_all_places() -> None:
    """One limit of output, of a hook, of a command, of a day, wherever it is kept to."""
    assert clipped.INLINE_BYTES == text.INLINE_BYTES
    assert (display.KEPT_CHARACTERS, display.STOP_CHARACTERS) == (
        commands.KEPT_BYTES,
        isolation.MAX_OUTPUT_BYTES,
    )
    assert (kernel.DEFAULT_TIMEOUT_S, kernel.MAX_TIMEOUT_S) == (shell.DEFAULT_TIMEOUT_S, shell.MAX_TIMEOUT_S)
    assert http.MAX_ANSWER_BYTES == actions.KEPT_BYTES
    assert inputs.KEPT_S == repeats.KEPT.total_seconds() == DAY_S
    assert default(Hook, "timeout_s") == default(McpServer, "timeout_s") == 60
