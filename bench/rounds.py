"""The rounds of a run: A B C A B C …, each server started anew in each, and every profile that it can do in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import client
from check import plan
from profiles import Profile
from rivals import Rival
from server import Refused, Running, running

Cell = tuple[str, int, str]
"""Profile, connections, rival."""
IDLE_ROUNDS = 3
"""Memory hardly varies, and ten thousand connections take their time."""
WARM_CONNECTIONS = 64
WARM_SECONDS = 0.3


@dataclass
class Plan:
    """What is measured."""

    profiles: list[Profile]
    rivals: list[Rival]
    rounds: int
    seconds: float
    workers: int
    rated: bool
    idle: int
    """Connections of the idle profile."""
    say: Callable[[str], None]

    @property
    def warmup(self) -> float:
        return max(0.25, self.seconds / 4)

    def connections(self, profile: Profile) -> tuple[int, ...]:
        return (self.idle,) if profile.idle else profile.connections

    def profiles_of(self, rival: Rival) -> list[Profile]:
        return [p for p in self.profiles if p.name in rival.can]

    def estimate(self) -> float:
        """Seconds, installing not counted."""
        one = self.seconds + self.warmup + 0.15
        total = 0.0
        for r in self.rivals:
            mine = self.profiles_of(r)
            starts = bool([p for p in mine if not p.fresh]) + sum(p.fresh or p.compress for p in mine)
            total += self.rounds * starts * 1.3
            for p in mine:
                if p.idle:
                    total += min(self.rounds, IDLE_ROUNDS) * self.idle / 4000
                    continue
                total += self.rounds * len(p.connections) * one
                if p.rated and self.rated:
                    total += self.rounds * (one + 0.3)
        return total


@dataclass
class Seen:
    """What was measured: a list of rounds for each cell, at full load and at a fixed rate."""

    full: dict[Cell, list[dict[str, float]]] = field(default_factory=dict)
    half: dict[Cell, list[dict[str, float]]] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    refused: dict[Cell, str] = field(default_factory=dict)
    notes: dict[Cell, list[str]] = field(default_factory=dict)

    def results(self, p: Plan) -> dict[str, Any]:
        out: dict[str, Any] = {"profiles": {}, "half": {}, "rates": self.rates, "refused": []}
        for kind, cells in (("profiles", self.full), ("half", self.half)):
            for profile in p.profiles:
                for n in p.connections(profile):
                    by_rival = {
                        r.name: summary(cells[profile.name, n, r.name])
                        for r in p.rivals
                        if (profile.name, n, r.name) in cells and (profile.name, n, r.name) not in self.refused
                    }
                    if by_rival:
                        out[kind].setdefault(profile.name, {})[str(n)] = by_rival
        for (name, n, rival), why in self.refused.items():
            out["refused"].append({"profile": name, "connections": n, "rival": rival, "why": why})
        out["notes"] = [
            {"profile": c[0], "connections": c[1], "rival": c[2], "notes": v} for c, v in self.notes.items() if v
        ]
        return out


def summary(rounds: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        key: {
            "median": statistics.median(r[key] for r in rounds),
            "min": min(r[key] for r in rounds),
            "max": max(r[key] for r in rounds),
        }
        for key in rounds[0]
    }


def measure(p: Plan) -> Seen:
    seen = Seen()
    for i in range(p.rounds):
        for r in p.rivals:
            _visit(p, seen, r, i, rated=False)
    if not p.rated:
        return seen
    for profile in (x for x in p.profiles if x.rated):
        peaks = [
            statistics.median(m["rps"] for m in rounds)
            for (name, n, rival), rounds in seen.full.items()
            if name == profile.name and n == 64 and (name, n, rival) not in seen.refused
        ]
        if len(peaks) > 1:
            seen.rates[profile.name] = min(peaks) / 2
    for i in range(p.rounds):
        for r in p.rivals:
            _visit(p, seen, r, i, rated=True)
    return seen


def _visit(p: Plan, seen: Seen, rival: Rival, i: int, rated: bool) -> None:
    """One round of one rival: as few starts as its profiles allow."""
    mine = [x for x in p.profiles_of(rival) if not rated or x.name in seen.rates]
    mine = [x for x in mine if not x.idle or i < IDLE_ROUNDS]
    groups: list[list[Profile]] = [[x] for x in mine if x.fresh]
    for compress in (False, True):
        if together := [x for x in mine if not x.fresh and x.compress == compress]:
            groups.append(together)
    for group in groups:
        todo = [(x, n) for x in group for n in p.connections(x) if (x.name, n, rival.name) not in seen.refused]
        if rated:
            todo = [(x, n) for x, n in todo if n == 64]
        if not todo:
            continue
        p.say(
            f"round {i + 1} of {p.rounds}{' at half load' if rated else ''}: {rival.name}: "
            + ", ".join(dict.fromkeys(x.name for x, _ in todo))
        )
        try:
            with running(rival, group[0].compress, p.workers) as server:
                for x, n in todo:
                    _one(p, seen, rival, x, n, server, rated)
        except Refused as e:
            for x, n in todo:
                _refuse(p, seen, (x.name, n, rival.name), str(e))


def _one(p: Plan, seen: Seen, rival: Rival, profile: Profile, n: int, server: Running, rated: bool) -> None:
    cell = (profile.name, n, rival.name)
    try:
        asks, seen.notes[cell] = plan(rival, profile, server.port)
        if profile.idle:
            # What the first requests cost once is no matter of connections.
            client.load(server, asks, profile, WARM_CONNECTIONS, WARM_SECONDS, 0.1)
            seen.full.setdefault(cell, []).append(client.idle(server, asks, n))
            return
        rate = seen.rates[profile.name] if rated else 0
        m = client.load(server, asks, profile, n, p.seconds, p.warmup, rate)
        plan(rival, profile, server.port)
        (seen.half if rated else seen.full).setdefault(cell, []).append(m)
    except Refused as e:
        _refuse(p, seen, cell, str(e))


def _refuse(p: Plan, seen: Seen, cell: Cell, why: str) -> None:
    seen.refused[cell] = why
    p.say(f"  does not count: {cell[2]}, {cell[0]}: {why}")
