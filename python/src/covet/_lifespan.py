"""What runs before the first request and after the last."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, contextmanager
from typing import Any

from covet._state import State

__all__ = ["Lifespan", "run_lifespan"]

Lifespan = Callable[
    [Any],
    AbstractAsyncContextManager[Any] | AsyncGenerator[Any, None] | Generator[Any, None, None] | AsyncIterator[Any],
]
"""``lifespan(app)``: an async context manager, or a generator function that yields once."""


@asynccontextmanager
async def run_lifespan(
    app: Any,
    state: State,
    lifespan: Lifespan | None,
    startup: Sequence[Callable[[], Any]],
    shutdown: Sequence[Callable[[], Any]],
) -> AsyncGenerator[None, None]:
    """Enters the lifespan, runs the start-up functions in order; afterwards the shut-down functions in order.

    Every shut-down function runs, even when another one failed; so does the lifespan's own end.
    """
    app._loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        if lifespan is not None:
            given = await _enter(stack, lifespan, app)
            if isinstance(given, Mapping):
                for name, value in given.items():
                    setattr(state, name, value)
        # A stack unwinds from its end.
        for function in reversed(shutdown):
            stack.push_async_callback(_call, function)
        for function in startup:
            await _call(function)
        yield


async def _enter(stack: AsyncExitStack, lifespan: Lifespan, app: Any) -> Any:
    if inspect.isasyncgenfunction(lifespan):
        manager: Any = asynccontextmanager(lifespan)(app)
    elif inspect.isgeneratorfunction(lifespan):
        manager = contextmanager(lifespan)(app)
    else:
        manager = lifespan(app)
    if hasattr(manager, "__aenter__"):
        return await stack.enter_async_context(manager)
    if hasattr(manager, "__enter__"):
        return stack.enter_context(manager)
    raise TypeError(f"lifespan(app) gave {type(manager).__name__}, not an async context manager")


async def _call(function: Callable[[], Any]) -> None:
    result = function()
    if inspect.isawaitable(result):
        await result
