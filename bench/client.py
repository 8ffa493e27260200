"""The load generator, run against a server whose processes are watched meanwhile."""

from __future__ import annotations

import contextlib
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import cpu
from profiles import Profile
from rivals import BUILT
from server import Refused, Running, die_with_harness

END_TIMEOUT = 0.5
"""The generator ends by itself when it has printed what it saw."""


def _start(server: Running, plan: list[dict[str, Any]], folder: str, options: list[str]) -> subprocess.Popen[str]:
    path = Path(folder) / "plan.json"
    path.write_text(json.dumps(plan))
    return subprocess.Popen(
        [str(BUILT / "load"), "-addr", f"127.0.0.1:{server.port}", "-plan", str(path), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_harness,
    )


def _expect(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout
    assert process.stderr
    if process.stdout.readline().strip() != word:
        process.wait()
        raise Refused(f"the load generator gave up: {process.stderr.read().strip()[-300:]}")


def load(
    server: Running,
    plan: list[dict[str, Any]],
    profile: Profile,
    connections: int,
    seconds: float,
    warmup: float,
    rate: float = 0,
) -> dict[str, float]:
    """Loads a server and returns what was seen; at a fixed arrival rate if one is given."""
    options = ["-connections", str(connections), "-warmup", f"{warmup}s", "-for", f"{seconds}s"]
    options += ["-depth", str(profile.depth), "-per-connection", str(profile.per_connection), "-rate", str(rate)]
    with tempfile.TemporaryDirectory() as folder:
        process = _start(server, plan, folder, options)
        try:
            assert process.stdout
            _expect(process, "BEGIN")
            before = cpu.tree(server.pid)
            _expect(process, "END")
            used = cpu.tree(server.pid).since(before)
            r: dict[str, Any] = json.loads(process.stdout.readline())
        finally:
            _end(process)
    n = r["requests"]
    if r["failed"] or not n:
        raise Refused(f"{n} requests, {r['failed']} failed: {r.get('failure', 'none was answered')}")
    return {
        "requests": n,
        "rps": n / (r["duration_ns"] / 1e9),
        "cpu_us": 1e6 * (used.user + used.system) / n,
        "user_us": 1e6 * used.user / n,
        "system_us": 1e6 * used.system / n,
        "client_us": 1e6 * r["client_cpu_s"] / n,
        "mean_us": r["mean_ns"] / 1e3,
        "p50_us": r["p50_ns"] / 1e3,
        "p99_us": r["p99_ns"] / 1e3,
        "p999_us": r["p999_ns"] / 1e3,
        "max_us": r["max_ns"] / 1e3,
        "late": r["late"],
        "memory_mib": used.memory / (1 << 20),
        "peak_mib": cpu.peak(server.pid) / (1 << 20),
    }


def idle(server: Running, plan: list[dict[str, Any]], connections: int) -> dict[str, float]:
    """The memory of the server for each connection that is open, was used once, and rests."""
    before = cpu.proportional(server.pid)
    with tempfile.TemporaryDirectory() as folder:
        process = _start(server, plan, folder, ["-idle", "-connections", str(connections)])
        try:
            assert process.stdout
            assert process.stdin
            _expect(process, "BEGIN")
            after = cpu.proportional(server.pid)
            process.stdin.write("\n")
            process.stdin.flush()
            _expect(process, "END")
            r: dict[str, Any] = json.loads(process.stdout.readline())
        finally:
            _end(process)
    if r["alive"] < connections:
        raise Refused(f"only {r['alive']} of {connections} connections stayed open")
    return {"bytes": (after - before) / connections, "memory_mib": after / (1 << 20)}


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_TIMEOUT)
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            with contextlib.suppress(OSError):
                stream.close()
