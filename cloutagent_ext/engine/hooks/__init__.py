"""Hooks: programs and addresses that are told, or asked, when something happens in an execution.

Claude Code's events and JSON, so that its hook scripts work here. `moments`: what a hook is
told. `actions` (and `http`, `scripts`): how it is run, always outside of this process. `answers`:
what it said means. `runner.Hooks`: the hooks of one execution, as the rest of the engine calls
them. `matchers`: which calls a hook is for.

Rules that hold for all of them:

- deny beats ask beats allow, whatever the order. A hook's "allow" answers only the question that a
  tool asks by default: `deny` and `ask` rules of the project still hold.
- The hooks of one tool call run one after another, in the project's order: any of them may
  rewrite, and each sees what the one before it left. Those of other events run side by side.
- A hook that fails blocks where `on_failure` says so (the default for PreToolUse), and is passed
  over elsewhere. Where an event cannot be blocked, blocking it is a failure.
- `continue: false` ends the execution with HOOK_BLOCKED when the step it spoke in is done. A tool
  call that it spoke before does not run.
- What a hook adds for the model enters the transcript by appending, never by editing.
- A cancelled execution starts no hook any more.
"""

from __future__ import annotations
