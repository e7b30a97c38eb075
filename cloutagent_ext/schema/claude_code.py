"""Claude Code's names for what has another name here.

For what comes from there (`store.claude_code`) and for hooks, whose matchers may use either.
"""

from __future__ import annotations

TOOLS = {
    "Bash": "bash",
    "Read": "view",
    "Write": "file_create",
    "Edit": "str_replace",
    "MultiEdit": "str_replace",
    "Glob": "glob",
    "Grep": "grep",
    "NotebookEdit": "python",
}
"""Their tools → ours. Where several mean the same, the first is written back."""
