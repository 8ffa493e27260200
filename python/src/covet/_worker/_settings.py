"""What the engine tells a worker at its start: the environment variable COVET_WORKER."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

__all__ = ["CONTROL_FD", "DOORBELL_FD", "FIRST_ANSWER_FD", "REGION_FD", "Settings", "read_settings"]

CONTROL_FD = 3
REGION_FD = 4
DOORBELL_FD = 5
FIRST_ANSWER_FD = 6


class Settings(msgspec.Struct, frozen=True):
    """The object in COVET_WORKER. Unknown keys are ignored: the engine may be newer."""

    target: str
    dir: str = ""
    worker: int = 1
    loops: int = 1
    credit: int = 1024
    threads: int = 8
    loop: str = "auto"
    spin_us: int = 0
    sched_batch: bool = False
    dev: bool = False
    describe: bool = False

    @property
    def answer_fds(self) -> list[int]:
        """The doorbells of the I/O loops."""
        return list(range(FIRST_ANSWER_FD, FIRST_ANSWER_FD + self.loops))


def read_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads the variable; ValueError when it is absent or is not what it should be."""
    text = environ.get("COVET_WORKER")
    if text is None:
        raise ValueError("COVET_WORKER is not set: a worker is started by the engine, with `covet run`")
    try:
        settings = msgspec.json.decode(text, type=Settings)
    except msgspec.MsgspecError as e:
        raise ValueError(f"COVET_WORKER is not understood: {e}") from None
    if settings.loops < 1 or settings.credit < 1 or settings.threads < 1:
        raise ValueError("COVET_WORKER: loops, credit and threads are at least 1")
    if settings.loop not in ("auto", "asyncio", "uvloop"):
        raise ValueError(f"COVET_WORKER: the loop is auto, asyncio or uvloop, not {settings.loop!r}")
    return settings
