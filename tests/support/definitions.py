"""A project definition with one of everything, for tests that need something whole."""

from __future__ import annotations

from cloutagent_ext.schema.project import Definition


def whole(**changes: object) -> Definition:
    """Agent, two subagents, two hooks, two MCP servers, a variable, a note; `changes` on top."""
    return Definition.model_validate(
        {
            "name": "Sales analyst",
            "description": "Looks at sales",
            "agent": {
                "system_prompt": "You study {{topic}}.\nCarefully.",
                "task": "Summarise {{file}}.",
                "tools": ["bash", "python"],
                "permissions": {"bash": "ask", "bash(git *)": "allow"},
                "folders": [{"path": "data", "mode": "read"}, {"path": "out", "mode": "write"}],
                "env": {"LANG": "C.UTF-8"},
            },
            "subagents": [
                {"id": "writer", "name": "Writer", "prompt": "Write.", "tools": ["view"]},
                {"id": "checker", "name": "Prüferin", "prompt": "Prüfe ✓", "limits": {"max_turns": 3}},
            ],
            "hooks": [
                {
                    "id": "guard",
                    "name": "No deletes",
                    "event": "PreToolUse",
                    "action": {"type": "command", "command": ["python", "guard.py"]},
                },
                {
                    "id": "audit",
                    "name": "Audit",
                    "event": "Stop",
                    "action": {"type": "http", "url": "http://127.0.0.1/"},
                },
            ],
            "mcps": [
                {
                    "id": "time",
                    "name": "Time",
                    "command": "mcp-server-time",
                    "credentials": {"TOKEN": "TIME_TOKEN"},
                },
                {"id": "docs", "name": "Docs", "transport": "http", "url": "https://example.org/mcp"},
            ],
            "variables": {"topic": {"default": "sales"}, "file": {"required": True}},
            "ui": {
                "nodes": [{"id": "agent", "position": {"x": 0, "y": 0}}],
                "notes": [{"id": "n1", "text": "Remember"}],
                "viewport": {"x": 1, "y": 2, "zoom": 0.5},
            },
            **changes,
        }
    )
