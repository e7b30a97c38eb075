"""PostToolUse observer: notes each change and each command in audit.jsonl, for whoever reads the review."""

import json
import sys
from pathlib import Path

call = json.load(sys.stdin)
given = call["tool_input"]
line = {"tool": call["tool_name"], "what": given.get("command") or given.get("path")}
with Path("audit.jsonl").open("a") as audit:
    audit.write(json.dumps(line) + "\n")
