"""CPU time of a process and all its descendants, from the operating system."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cpu:
    """User and system time in seconds, and the resident memory of all processes in bytes."""

    user: float
    system: float
    memory: int
    by_process: dict[int, float]

    def since(self, before: Cpu) -> Cpu:
        spent = {p: t - before.by_process.get(p, 0.0) for p, t in self.by_process.items()}
        return Cpu(self.user - before.user, self.system - before.system, self.memory, spent)


def _stat(pid: int) -> tuple[int, float, float, int] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    rest = text[text.rindex(")") + 2 :].split()
    ppid, utime, stime, rss = int(rest[1]), int(rest[11]), int(rest[12]), int(rest[21])
    return ppid, utime / TICK, stime / TICK, rss * os.sysconf("SC_PAGE_SIZE")


def tree(root: int) -> Cpu:
    """What root and its descendants have used so far. Children that ended are not counted."""
    stats = {int(p): s for p in os.listdir("/proc") if p.isdigit() and (s := _stat(int(p)))}
    members, grew = {root}, True
    while grew:
        more = {p for p, s in stats.items() if s[0] in members} - members
        members |= more
        grew = bool(more)
    mine = {p: stats[p] for p in members if p in stats}
    return Cpu(
        sum(s[1] for s in mine.values()),
        sum(s[2] for s in mine.values()),
        sum(s[3] for s in mine.values()),
        {p: s[1] + s[2] for p, s in mine.items()},
    )
