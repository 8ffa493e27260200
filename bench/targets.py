"""What CovetPy must reach, and whether a run shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rivals import RIVALS


@dataclass(frozen=True)
class Target:
    text: str
    met: bool | None
    """None: the run has not measured it."""
    seen: str

    @property
    def word(self) -> str:
        return {True: "met", False: "missed", None: "not measured"}[self.met]


def _median(results: dict[str, Any], kind: str, profile: str, n: int, rival: str, key: str) -> float | None:
    value = results.get(kind, {}).get(profile, {}).get(str(n), {}).get(rival, {}).get(key, {}).get("median")
    return None if value is None else float(value)


def _cpu(results: dict[str, Any], profile: str, rival: str) -> float | None:
    return _median(results, "profiles", profile, 64, rival, "cpu_us")


def _below(text: str, mine: float | None, other: float | None, factor: float, strict: bool = False) -> Target:
    if mine is None or other is None:
        return Target(text, None, "")
    limit = other * factor
    return Target(text, mine < limit if strict else mine <= limit, f"{mine:.1f} against {limit:.1f} µs")


def targets(results: dict[str, Any]) -> list[Target]:
    out = []
    for profile in ("json", "typed"):
        mine = _cpu(results, profile, "covet")
        raw, fast = _cpu(results, profile, "uvicorn raw"), _cpu(results, profile, "fastapi on uvicorn")
        nginx, rsgi = _cpu(results, "plaintext", "nginx"), _cpu(results, profile, "granian rsgi raw")
        out += [
            _below(f"Python {profile}: at most nginx return 200 x 1.5", mine, nginx, 1.5),
            _below(f"Python {profile}: at most FastAPI on uvicorn ÷ 6", mine, fast, 1 / 6),
            _below(f"Python {profile}: at most raw uvicorn ÷ 2.5", mine, raw, 1 / 2.5),
            _below(f"Python {profile}: below Granian's raw RSGI", mine, rsgi, 1, True),
        ]
    go = _cpu(results, "plaintext", "covet go inline")
    out += [
        _below("Go plaintext: at most gnet x 1.1", go, _cpu(results, "plaintext", "gnet"), 1.1),
        _below("Go plaintext: below fasthttp", go, _cpu(results, "plaintext", "fasthttp"), 1, True),
        _below("Go plaintext: below nginx", go, _cpu(results, "plaintext", "nginx"), 1, True),
    ]
    for profile in ("baseline", "json", "typed"):
        mine = _median(results, "half", profile, 64, "covet", "p99_us")
        others = {
            r.name: v
            for r in RIVALS
            if r.python and not r.name.startswith("covet")
            if (v := _median(results, "half", profile, 64, r.name, "p99_us")) is not None
        }
        text = f"Python {profile}: p99 at half load below every Python rival"
        if mine is None or not others:
            out.append(Target(text, None, ""))
            continue
        best = min(others, key=lambda k: others[k])
        out.append(Target(text, mine < others[best], f"{mine:.0f} against {others[best]:.0f} µs ({best})"))
    for n, by_rival in results.get("profiles", {}).get("idle", {}).items():
        for name in ("covet", "covet go inline"):
            if name in by_rival:
                size = by_rival[name]["bytes"]["median"]
                text = f"idle connection, {name}: at most 2 KB with {int(n):,}"
                out.append(Target(text, size <= 2048, f"{size:.0f} bytes"))
    return out
