"""A start that fails: the stage, one sentence, what to do about it."""

from __future__ import annotations

__all__ = ["StartError"]


class StartError(Exception):
    """A worker cannot start. It becomes the ``failed`` message."""

    def __init__(self, stage: str, message: str, hint: str = "", traceback: str = "") -> None:
        super().__init__(message)
        self.stage = stage
        self.message = message
        self.hint = hint
        self.traceback = traceback
