"""Measures CovetPy and its rivals side by side, in one run on one machine.

Every round starts each server in turn (A B C A B C …), checks every answer of the profile against what it must be,
loads it, and reads the CPU time of the server's whole process tree before and after. Figures are medians over the
rounds with the least and the greatest beside them.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import http.client
import json
import os
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cpu
from profiles import PROFILES, Profile
from rivals import HERE, RIVALS, Rival, prepare

START_TIMEOUT = 20.0
RESULT = re.compile(r"(\w+)=(\d+)")


class Refused(Exception):
    """A server did not start, or gave an answer that is not right."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


@contextlib.contextmanager
def running(rival: Rival) -> Iterator[tuple[int, int]]:
    """A rival that answers: its port and the id of its process."""
    port = free_port()
    with tempfile.TemporaryFile() as output:
        server = subprocess.Popen(
            rival.command(port),
            cwd=HERE / "apps",
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + START_TIMEOUT
            while True:
                if server.poll() is not None or time.monotonic() > deadline:
                    output.seek(0)
                    raise Refused(f"{rival.name} did not start: {output.read().decode()[-2000:]}")
                with (
                    contextlib.suppress(OSError),
                    socket.create_connection(("127.0.0.1", port), 0.2),
                ):
                    break
                time.sleep(0.05)
            yield port, server.pid
        finally:
            server.terminate()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def check(rival: Rival, profile: Profile, port: int) -> None:
    """Asks every question of the profile once and compares the answers."""
    conn = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    for ask in profile.asks:
        path = ask.path
        for old, new in rival.paths:
            path = path.replace(old, new)
        conn.request(ask.method, path, ask.body, ask.headers)
        response = conn.getresponse()
        body = response.read()
        if response.status != ask.status:
            raise Refused(
                f"{rival.name}: {ask.method} {path} answered {response.status}, not {ask.status}: {body[:200]!r}"
            )
        if ask.status >= 400:
            continue
        got: Any = body.decode() if isinstance(ask.answer, str) else json.loads(body)
        if got != ask.answer:
            raise Refused(f"{rival.name}: {ask.method} {path} answered {body[:200]!r}")
    conn.close()


def load(rival: Rival, profile: Profile, port: int, connections: int, seconds: float) -> dict[str, int]:
    """Runs the load generator and returns what it counted."""
    with tempfile.TemporaryDirectory() as folder:
        rotation = Path(folder) / "requests.txt"
        profile.write(rotation, rival.paths)
        done = subprocess.run(
            [
                *(
                    "wrk",
                    "--threads",
                    "1",
                    "--connections",
                    str(connections),
                    "--duration",
                    f"{seconds:.0f}s",
                ),
                *(
                    "--timeout",
                    "10s",
                    "--latency",
                    "--script",
                    str(HERE / "load" / "requests.lua"),
                ),
                *(f"http://127.0.0.1:{port}", "--", str(rotation)),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
    line = next(x for x in done.stdout.splitlines() if x.startswith("RESULT "))
    return {k: int(v) for k, v in RESULT.findall(line)}


def measure(rival: Rival, profile: Profile, connections: int, seconds: float, warmup: float) -> dict[str, float]:
    with running(rival) as (port, pid):
        check(rival, profile, port)
        load(rival, profile, port, connections, warmup)
        before = cpu.tree(pid)
        r = load(rival, profile, port, connections, seconds)
        used = cpu.tree(pid).since(before)
        check(rival, profile, port)
    n = r["requests"]
    broken = r["connect"] + r["read"] + r["write"] + r["timeout"]
    refused = r["non2xx"] / n if n else 1
    if not n or broken or abs(refused - profile.refused) > 0.02:
        raise Refused(
            f"{rival.name}: {n} requests, {broken} broken, {refused:.1%} refused instead of {profile.refused:.1%}"
        )
    return {
        "rps": n / (r["duration_us"] / 1e6),
        "cpu_us": 1e6 * (used.user + used.system) / n,
        "user_us": 1e6 * used.user / n,
        "system_us": 1e6 * used.system / n,
        "p50_us": r["p50"],
        "p99_us": r["p99"],
        "p999_us": r["p999"],
        "memory_mib": used.memory / (1 << 20),
    }


def summary(rounds: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    return {
        key: {
            "median": statistics.median(r[key] for r in rounds),
            "min": min(r[key] for r in rounds),
            "max": max(r[key] for r in rounds),
        }
        for key in rounds[0]
    }


def machine() -> dict[str, Any]:
    versions = {}
    for name, command in {
        "go": ["go", "version"],
        "wrk": ["wrk", "-v"],
    }.items():
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        versions[name] = (done.stdout + done.stderr).splitlines()[0]
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        **versions,
    }


def table(results: dict[str, Any]) -> str:
    lines = []
    for profile, by_connections in results["profiles"].items():
        for connections, by_rival in by_connections.items():
            lines += [
                "",
                f"### {profile}, {connections} connection{'s' if connections != '1' else ''}",
                "",
                "| server | CPU µs a request | user | system | requests/s | p50 µs | p99 µs | memory MiB |",
                "|---|---|---|---|---|---|---|---|",
            ]
            for rival, s in sorted(by_rival.items(), key=lambda kv: kv[1]["cpu_us"]["median"]):

                def cell(key: str, digits: int, s: dict[str, dict[str, float]] = s) -> str:
                    v = s[key]
                    return f"{v['median']:.{digits}f} ({v['min']:.{digits}f} to {v['max']:.{digits}f})"

                lines.append(
                    f"| {rival} | {cell('cpu_us', 1)} | {s['user_us']['median']:.1f} "
                    f"| {s['system_us']['median']:.1f} | {cell('rps', 0)} | {cell('p50_us', 0)} "
                    f"| {cell('p99_us', 0)} | {s['memory_mib']['median']:.0f} |"
                )
    return "\n".join(lines) + "\n"


def choose(names: str, all_of: list[Any], what: str) -> list[Any]:
    if names == "all":
        return all_of
    wanted = [n.strip() for n in names.split(",")]
    chosen = [x for x in all_of if any(w == x.name or w in x.name.split() for w in wanted)]
    if not chosen:
        sys.exit(f"no {what} named {names}; there are: {', '.join(x.name for x in all_of)}")
    return chosen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", default="all")
    parser.add_argument("--rivals", default="all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 second: under three minutes")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds = 2, 1
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed; on Debian: apt-get install wrk")
    profiles = choose(args.profile, PROFILES, "profile")
    rivals = choose(args.rivals, RIVALS, "rival")
    prepare([r for r in rivals if any(p.side == r.side for p in profiles)])

    results: dict[str, Any] = {
        "machine": machine(),
        "rounds": args.rounds,
        "seconds": args.seconds,
        "profiles": {},
    }
    failed = False
    for profile in profiles:
        for connections in profile.connections:
            rounds: dict[str, list[dict[str, float]]] = {}
            out: set[str] = set()
            for i in range(args.rounds):
                for rival in rivals:
                    if rival.side != profile.side or rival.name in out:
                        continue
                    say(f"{profile.name}, {connections} connections, round {i + 1} of {args.rounds}: {rival.name}")
                    try:
                        m = measure(
                            rival,
                            profile,
                            connections,
                            args.seconds,
                            max(1.0, args.seconds / 3),
                        )
                    except Refused as e:
                        say(f"  does not count: {e}")
                        out.add(rival.name)
                        failed = True
                        continue
                    rounds.setdefault(rival.name, []).append(m)
            by_rival = {name: summary(r) for name, r in rounds.items() if name not in out}
            results["profiles"].setdefault(profile.name, {})[str(connections)] = by_rival
    args.out.mkdir(parents=True, exist_ok=True)
    path = args.out / f"{datetime.datetime.now():%Y-%m-%dT%H%M%S}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    print(table(results))
    say(f"written to {path.name} in {args.out.name}/")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
