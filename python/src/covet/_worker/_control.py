"""The control channel: JSON objects, one a line, beside the rings."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

import msgspec

__all__ = ["MAX_LINE", "Control"]

MAX_LINE = 4 << 20


class Control:
    """The worker's end of the channel. Sends block (messages are few and small); reads come through the event loop."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray()

    def send(self, kind: str, **keys: Any) -> None:
        """Sends one message. OSError when the engine is gone; ValueError for one that is too long."""
        line = memoryview(msgspec.json.encode({"type": kind, **keys}) + b"\n")
        if len(line) > MAX_LINE:
            raise ValueError(f"the message {kind!r} is {len(line)} bytes, more than {MAX_LINE}")
        while line:
            line = line[os.write(self._fd, line) :]

    def listen(self, loop: asyncio.AbstractEventLoop, on_message: Callable[[dict[str, Any] | None], None]) -> None:
        """Calls on_message for every message, and with None once the engine is gone or speaks nonsense."""

        def readable() -> None:
            # One read: it does not block after the loop has said that there is something.
            try:
                data = os.read(self._fd, 65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            self._buffer += data
            if not data or len(self._buffer) > MAX_LINE:
                loop.remove_reader(self._fd)
                on_message(None)
                return
            *lines, rest = bytes(self._buffer).split(b"\n")
            self._buffer[:] = rest
            for line in lines:
                try:
                    message = msgspec.json.decode(line, type=dict[str, Any])
                except msgspec.MsgspecError:
                    loop.remove_reader(self._fd)
                    on_message(None)
                    return
                on_message(message)

        loop.add_reader(self._fd, readable)

    def ignore(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ends what listen began."""
        loop.remove_reader(self._fd)
