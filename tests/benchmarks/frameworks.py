"""The same conversation by two frameworks, as their documentation has it: streamed, one tool.

Installed by `make bench` only (the extra `bench`). Not here: what is measured and how (`runner`, `turns`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

Converse = Callable[[], Awaitable[None]]
Prompt = Callable[[], str]


async def by_pydantic_ai(url: str, folder: Path, *, model: str, prompt: Prompt) -> Converse:
    """pydantic-ai's agent with its own loop and event stream."""
    import anthropic
    from pydantic_ai import Agent
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider
    from pydantic_ai.settings import ModelSettings

    client = anthropic.AsyncAnthropic(api_key="test-key", base_url=url, max_retries=0)
    agent = Agent(
        AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client)),
        model_settings=ModelSettings(max_tokens=1024),
    )

    @agent.tool_plain
    def view(path: str) -> str:
        """Show a file."""
        return (folder / path).read_text()

    async def read(_: Any, events: Any) -> None:
        async for _event in events:
            pass

    async def converse() -> None:
        await agent.run(prompt(), event_stream_handler=read)

    return converse


async def by_langchain(url: str, folder: Path, *, model: str, prompt: Prompt) -> Converse:
    """LangChain's chat model, streamed, with the loop around it written by hand."""
    from langchain_anthropic import ChatAnthropic
    from langchain_core.messages import HumanMessage
    from langchain_core.tools import tool

    @tool
    def view(path: str) -> str:
        """Show a file."""
        return (folder / path).read_text()

    chat = ChatAnthropic(
        model_name=model, max_tokens_to_sample=1024, anthropic_api_key="test-key", base_url=url, max_retries=0
    ).bind_tools([view])

    async def converse() -> None:
        messages: list[Any] = [HumanMessage(prompt())]
        while True:
            whole: Any = None
            async for chunk in chat.astream(messages):
                whole = chunk if whole is None else whole + chunk
            messages.append(whole)
            if not whole.tool_calls:
                return
            messages += [await view.ainvoke(call) for call in whole.tool_calls]

    return converse
