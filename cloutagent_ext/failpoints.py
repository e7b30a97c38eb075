"""Named places at which a test may end this process, to see what a death there leaves behind.

A call costs one comparison and does nothing, unless both the environment variable
CLOUTAGENT_FAILPOINT and the interpreter's option `-X cloutagent_failpoints` are set (an
environment alone, which may be anybody's, is not enough), or a test has called `arm` in
its own process. Not here: what a crash means (the tests in `tests/crash`).
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter

VARIABLE = "CLOUTAGENT_FAILPOINT"
"""`<name>` or `<name>:<n>`: die there, or when it is passed for the n-th time; with `@SIGTERM` (or another
name of a signal) behind it, get that signal there instead and go on."""
OPTION = "cloutagent_failpoints"

POINTS: dict[str, str] = {
    # Files that must survive (`durable`)
    "save.begun": "nothing of a save is written",
    "save.written": "one file's bytes are written, not synced",
    "save.files_synced": "all files are on the disk, their names are not",
    "save.renamed": "a name points to the new file, its folder is not synced",
    "save.synced": "all is on the disk",
    # Acceptance
    "accept.checked": "every check has passed, nothing is written",
    "accept.copied": "the workspace of the execution that it begins from is copied",
    "accept.placed": "the folder is on the disk, no event yet",
    "accept.queued": "the first event is written, not synced",
    "accept.synced": "the first event is on the disk, the caller has no answer",
    # The worker
    "run.claimed": "it has its slot",
    "run.past_read": "what earlier sittings left is read",
    "run.begun": "`start` or `resumed` is said",
    "run.workspace_ready": "the workspace is there",
    "run.agent_begun": "`agent_start` is said",
    "run.conversation": "the first message is journalled",
    "run.restored": "the conversation stands where an earlier sitting left it",
    # A model call
    "model.reserved": "money is held, nothing is recorded",
    "model.recorded": "the call is journalled, not sent",
    "model.first_event": "the first event of the reply has come",
    "model.half": "a piece of the reply has come",
    "model.complete": "the reply is complete, not paid for",
    "model.settled": "the payment is journalled, not told",
    "model.told": "`cost_update` is said, the reply is in no journal",
    "model.journalled": "the reply is in the journal",
    # Tools
    "tool.announced": "`tool_call` is said",
    "tool.allowed": "the call may run, nothing is recorded",
    "tool.recorded": "the start is on the disk, nothing runs",
    "tool.spawned": "a process runs",
    "tool.exited": "the process has ended, its result is not read",
    "tool.ran": "the result is there, in no journal",
    "tool.journalled": "the result is in the journal, not told",
    "tool.told": "`tool_result` is said",
    "tool.answered": "all results of the turn are journalled as one message",
    # Hooks
    "hook.begun": "a hook is about to be asked",
    "hook.ended": "a hook has answered, nothing is said of it",
    # Subagents
    "subagent.placed": "an instance has its place",
    "subagent.named": "it has its number",
    "subagent.answered": "it has answered, its caller does not know",
    # Compaction
    "compaction.begun": "the beginning of a compaction is journalled",
    "compaction.summarised": "there is a summary, in no journal",
    "compaction.done": "the new segment is journalled",
    # Cancelling and ending
    "cancel.asked": "somebody wants it to stop",
    "cancel.delivered": "the run has been told",
    "end.processes_gone": "nothing of it runs any more",
    "end.error_written": "`error.json` is written, the log does not know",
    "end.told": "the ending event is written, not synced",
    "end.synced": "the ending event is on the disk",
    "end.state_written": "`state.json` shows the end",
    "end.released": "nobody owns it any more",
    "end.slot_free": "its slot is free",
    # Retention
    "expire.kept": "the ledger has its summary for good, its files are still there",
    "expire.removed": "its folder is gone, its workspace is not",
    # What another server left
    "recovery.taken": "an execution without an owner is owned",
    "recovery.swept": "processes that its server left are gone",
    "recovery.interrupted": "`interrupted` is said",
    "recovery.waiting": "it waits for its turn to go on",
}
"""Name → what has happened when it is passed."""

_armed: str | None = None
_left = 0
_signal = signal.SIGKILL
_seen: Counter[str] | None = None


def failpoint(name: str) -> None:
    """Die here if a test wants it."""
    if _armed is not None or _seen is not None:
        _pass(name)


def arm(wish: str) -> None:
    """Do what `wish` (as `VARIABLE` has it) says. Raises ValueError for a name that is none."""
    global _armed, _left, _signal
    point, _, sent = wish.partition("@")
    name, _, number = point.partition(":")
    if name not in POINTS:
        raise ValueError(f"there is no failpoint {name!r}")
    _armed, _left, _signal = name, int(number or 1), signal.Signals[sent or "SIGKILL"]


def watch() -> Counter[str]:
    """Count what is passed from now on, and die nowhere."""
    global _seen
    _seen = Counter()
    return _seen


def _pass(name: str) -> None:
    global _left
    if name not in POINTS:
        raise ValueError(f"there is no failpoint {name!r}")
    if _seen is not None:
        _seen[name] += 1
    if name == _armed:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), _signal)
            if _signal == signal.SIGKILL:
                time.sleep(60)


if OPTION in sys._xoptions and os.environ.get(VARIABLE):
    arm(os.environ[VARIABLE])
