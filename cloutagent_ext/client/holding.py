"""What the two faces of a project share: functions and tables of the notebook for its executions.

Not here: what a tool is (`kernel_tools`), what a table becomes (`values`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .values import Handle, Values

if TYPE_CHECKING:
    from .kernel_tools import Toolset


class HoldsTools:
    """Something with `tools`."""

    tools: Toolset
    """Functions of this notebook that executions begun from here may call."""

    def tool(
        self,
        function: Any = None,
        *,
        name: str | None = None,
        ask: bool = False,
        read_only: bool = False,
        timeout_s: float = 60.0,
        into: str | None = None,
    ) -> Any:
        """Make a function of this notebook a tool of the executions begun from here: `@project.tool`.

        Its docstring says what it does, its annotations what it takes; a parameter annotated as a
        DataFrame is given as a handle, and a DataFrame that it returns becomes one: see `share`, `values`.
        `ask`: a person allows each call. `read_only`: it has no effect, so a call that a crash broke off is
        made again. `timeout_s`: longest that a call may take. `into`: the notebook's variable that
        takes what it returns. Raises `InvalidRequest` for what no tool can be made of.
        """
        return self.tools.tool(
            function, name=name, ask=ask, read_only=read_only, timeout_s=timeout_s, into=into
        )

    def share(self, value: Any, name: str | None = None) -> Handle:
        """Keep a table (or anything) for the tools, under `name` or a handle; write it into a prompt.

        As text it is the handle with columns, types and the first rows: `f"Study {project.share(df)}"`.
        """
        return self.tools.card(value, name)

    @property
    def values(self) -> Values:
        """What was shared, and what tools have returned, by handle: `values["df#2"]` is the table itself."""
        return self.tools.values
