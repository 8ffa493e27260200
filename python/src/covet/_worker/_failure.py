"""A start that fails: the stage, one sentence, what to do about it."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import traceback
from types import TracebackType

__all__ = ["StartError", "own_frames", "readable"]

_MACHINERY = (
    os.path.dirname(os.path.dirname(__file__)),
    os.path.dirname(asyncio.__file__),
    contextlib.__file__,
    importlib.__file__,
    "<frozen importlib",
)
"""Where frames come from that say nothing about the application: ours, and those that run lifespans and imports."""


class StartError(Exception):
    """A worker cannot start. It becomes the ``failed`` message."""

    def __init__(self, stage: str, message: str, hint: str = "", traceback: str = "") -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message
        self.hint = hint
        self.traceback = traceback


def own_frames(trace: TracebackType | None) -> TracebackType | None:
    """The traceback from the application's first frame on; None when it has none."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_MACHINERY):
        trace = trace.tb_next
    return trace


def readable(error: BaseException) -> str:
    """The traceback as text, without our frames and those of the machinery above the application's."""
    return "".join(traceback.format_exception(type(error), error, own_frames(error.__traceback__)))
