"""A blocking iterator seen from the event loop."""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

__all__ = ["pull"]

_END: Final = object()


async def pull(items: Iterator[Any]) -> AsyncIterator[Any]:
    """The items of a plain iterator, each fetched in a thread of the loop's default executor, which is bounded."""
    loop = asyncio.get_running_loop()
    # Always the same context: a generator's context variables must not change between its steps.
    context = contextvars.copy_context()
    advance = functools.partial(context.run, next, items, _END)
    step: asyncio.Future[Any] | None = None
    try:
        while True:
            step = loop.run_in_executor(None, advance)
            # Shielded: a cancelled future would look done while its thread is still inside the iterator.
            item = await asyncio.shield(step)
            if item is _END:
                return
            yield item
    finally:
        close = getattr(items, "close", None)
        if close is None:
            pass
        elif step is None or step.done():
            await loop.run_in_executor(None, close)
        else:
            step.add_done_callback(lambda done: (done.exception(), loop.run_in_executor(None, close)))
