"""PreToolUse guard: refuses commands that delete folders, publish, or change permissions.

Gets the call as JSON on standard input. Exit code 2 refuses it, and what stands on standard
error is the reason that the model reads. If this script fails, the call is refused too.
"""

import json
import re
import sys

REFUSED = {
    r"\brm\s+(-\w+\s+)*-\w*[rR]": "deletes folders",
    r"\bgit\s+(push|reset\s+--hard|clean)\b": "publishes or throws work away",
    r"\b(chmod|chown)\b": "changes permissions",
}

call = json.load(sys.stdin)
command = call["tool_input"].get("command", "")
for pattern, why in REFUSED.items():
    if re.search(pattern, command):
        print(f"The guard refuses this command: it {why}. A review only reads and mends.", file=sys.stderr)
        sys.exit(2)
