"""What a test of an MCP server answers. Not here: how a server is defined (`schema.project`)."""

from __future__ import annotations

from .base import JsonObject, Model, Slug


class McpToolRow(Model):
    """A tool that a server offers."""

    name: str
    """What the server calls it: what `enabled_tools` lists."""
    called: str
    """What a model calls it, and permissions name: `mcp__<id>__<name>`, where necessary shortened."""
    description: str
    """What the model reads."""
    read_only: bool
    """The server's own word that it changes nothing; such a tool does not ask by default."""
    input_schema: JsonObject


class McpTest(Model):
    """A server that was connected, asked for its tools, and let go."""

    server: Slug
    """Its id inside the project."""
    name: str
    """What it calls itself; empty where it does not say."""
    version: str
    protocol_version: str
    """Version of the Model Context Protocol that it speaks."""
    instructions: str
    """What it asks of the model that uses it. Nobody is told: put it into the prompt where it is right."""
    tools: list[McpToolRow]
    """All its tools that a model can be told, those that `enabled_tools` leaves out included."""
    left_out: list[str]
    """Those that it cannot be told, each with the reason."""
    stderr: list[str]
    """The last lines it wrote to its standard error."""
    duration_ms: int
    """From the start until its tools were listed."""
