"""A guard: agents delete nothing, and ask before anything leaves the machine."""

import json
import sys

told = json.load(sys.stdin)
command = told["tool_input"].get("command", "")
if "rm " in command:
    print("Deleting is a person's business here.", file=sys.stderr)
    sys.exit(2)
if "git push" in command:
    answer = {
        "hookEventName": "PreToolUse",
        "permissionDecision": "ask",
        "permissionDecisionReason": "this leaves the machine",
    }
    print(json.dumps({"hookSpecificOutput": answer}))
