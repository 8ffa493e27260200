"""The hook that sends streamed responses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from covet._bridge import Exchange

__all__ = ["make_stream"]

_OCTETS: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"


def make_stream(response_type: type[Any]) -> Callable[[Exchange, Any], Any]:
    """The ``stream`` hook: items of an iterator, or of a response whose content is None."""

    async def stream(exchange: Exchange, value: Any) -> None:
        head = exchange.request.method == "HEAD"
        status, headers, content_type = exchange.request.plan.status, [], None
        if isinstance(value, response_type):
            status, headers, content_type = value.status, value.headers, value.content_type
        if hasattr(value, "__aiter__"):
            items = value.__aiter__()
        elif hasattr(value, "__iter__"):
            items = _in_threads(iter(value))
        else:
            raise TypeError(f"a result of type {type(value).__name__} cannot be streamed")
        try:
            # The head waits for the first item, so that a failure before it can still be answered properly.
            started = False
            while True:
                try:
                    item: Any = await items.__anext__()
                except StopAsyncIteration:
                    break
                piece = _piece(item)
                if not started:
                    if not isinstance(value, response_type):
                        content_type = _TEXT if isinstance(item, str) else _OCTETS
                    exchange.start(status, headers, content_type, None)
                    started = True
                    # RFC 9110 section 9.3.2: the answer to HEAD has no body. Its items are not made either: an
                    # endless iterator that never waits for its reader would hold the event loop for ever.
                    if head:
                        break
                await exchange.write(piece)
            if not started:
                exchange.start(status, headers, content_type if isinstance(value, response_type) else _OCTETS, None)
            trailers = None if head else getattr(value, "trailers", None)
            exchange.end(False, None if trailers is None else await trailers())
        finally:
            close = getattr(items, "aclose", None)
            if close is not None:
                await close()

    return stream


def _piece(item: Any) -> bytes | bytearray | memoryview:
    if isinstance(item, (bytes, bytearray, memoryview)):
        return item
    if isinstance(item, str):
        return item.encode()
    raise TypeError(f"an item of a stream is bytes or str, not {type(item).__name__}")


async def _in_threads(items: Iterator[Any]) -> AsyncIterator[Any]:
    """Advances a plain iterator in the pool: it may block. One step at a time, closed when the stream ends."""
    from covet._pull import pull

    async for item in pull(items):
        yield item
