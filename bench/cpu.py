"""CPU time and memory of a process and all its descendants, from the operating system."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)
PEAK = re.compile(r"^VmHWM:\s+(\d+) kB", re.MULTILINE)


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
    # Children that ended and were waited for count with their parent.
    user, system = int(rest[11]) + int(rest[13]), int(rest[12]) + int(rest[14])
    return int(rest[1]), user / TICK, system / TICK, int(rest[21]) * os.sysconf("SC_PAGE_SIZE")


def _members(root: int) -> dict[int, tuple[int, float, float, int]]:
    stats = {int(p): s for p in os.listdir("/proc") if p.isdigit() and (s := _stat(int(p)))}
    members, grew = {root}, True
    while grew:
        more = {p for p, s in stats.items() if s[0] in members} - members
        members |= more
        grew = bool(more)
    return {p: stats[p] for p in members if p in stats}


def tree(root: int) -> Cpu:
    """What root and its descendants have used so far."""
    mine = _members(root)
    return Cpu(
        sum(s[1] for s in mine.values()),
        sum(s[2] for s in mine.values()),
        sum(s[3] for s in mine.values()),
        {p: s[1] + s[2] for p, s in mine.items()},
    )


def _sum(root: int, file: str, pattern: re.Pattern[str]) -> int:
    total = 0
    for pid in _members(root):
        try:
            found = pattern.search(Path(f"/proc/{pid}/{file}").read_text())
        except OSError:
            continue
        total += int(found[1]) * 1024 if found else 0
    return total


def proportional(root: int) -> int:
    """The memory of the tree in bytes, pages that several processes share counted once (PSS)."""
    return _sum(root, "smaps_rollup", PSS)


def peak(root: int) -> int:
    """The most that each process of the tree has ever had resident, added up, in bytes."""
    return _sum(root, "status", PEAK)
