"""The crossing lab: every lever on the way from the engine to a worker and back, one by one against the defaults.

Each round starts every configuration anew and lets them all stand; then each is loaded in turn for a second, in every
condition: alone, beside a process that burns a core at equal priority, beside one at nice 19; with 1 and with 64
connections. Server, neighbour and load generator are sessions of their own: three groups to a kernel that schedules by
groups, as three services or containers are. The order is turned round by round. CPU time is the kernel's count for
each process, in nanoseconds, of the engine and of its workers apart. Figures are medians over the rounds
with the least and the greatest beside them. A measurement that other processes of the machine disturbed is made again,
and left out when that does not help: n is how many are left.

Levers that are no option of the product (a doorbell of another kind) are measured from binaries built for it:
``--variant NAME=BINARY`` or ``--variant NAME=BINARY,PYTHON``.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import http.client
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from install import apt, say
from rivals import HERE
from server import START_TIMEOUT, Refused, free_port

ROOT = HERE.parent
RESULT = re.compile(r"(\w+)=(\d+)")
PATH = "/small/42"
ANSWER = b'{"id":42}'
CONNECTIONS = (1, 64)
WARM = 300
"""Requests before the first measurement: the interpreter has specialized its code by then."""

SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}


@dataclass(frozen=True)
class Threads:
    """What is done to the threads of one side once they run, for levers that are no option of the product."""

    policy: int | None = None
    cores: tuple[int, ...] = ()
    """The cores they may run on, of those that this process may use, by place; empty: all."""
    slice_ns: int | None = None
    """The slice that is asked for (sched_runtime of an ordinary task, Linux 6.12); the kernel keeps it within
    100 µs to 100 ms."""

    def apply(self, pid: int) -> None:
        for name in os.listdir(f"/proc/{pid}/task"):
            tid = int(name)
            with contextlib.suppress(ProcessLookupError):
                if self.policy is not None:
                    os.sched_setscheduler(tid, self.policy, os.sched_param(0))
                if self.cores:
                    allowed = sorted(os.sched_getaffinity(0))
                    os.sched_setaffinity(tid, {allowed[c % len(allowed)] for c in self.cores})
                if self.slice_ns is not None:
                    set_slice(tid, self.slice_ns)


class SchedAttr(ctypes.Structure):
    """struct sched_attr of sched_setattr(2), version 0."""

    _fields_ = (
        ("size", ctypes.c_uint32),
        ("policy", ctypes.c_uint32),
        ("flags", ctypes.c_uint64),
        ("nice", ctypes.c_int32),
        ("priority", ctypes.c_uint32),
        ("runtime", ctypes.c_uint64),
        ("deadline", ctypes.c_uint64),
        ("period", ctypes.c_uint64),
    )


LIBC = ctypes.CDLL(None, use_errno=True)


def set_slice(tid: int, nanoseconds: int) -> None:
    number = SCHED_SETATTR.get(platform.machine())
    if number is None:
        raise Refused("no number of sched_setattr for this machine")
    a = SchedAttr(policy=os.sched_getscheduler(tid), runtime=nanoseconds)
    a.size = ctypes.sizeof(a)
    if LIBC.syscall(number, tid, ctypes.byref(a), 0) != 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


@dataclass(frozen=True)
class Config:
    name: str
    options: tuple[str, ...] = ()
    workers: int = 1
    engine: Threads = Threads()
    worker: Threads = Threads()
    binary: str = str(ROOT / "bin" / "covet")
    python: str = str(ROOT / ".venv" / "bin" / "python")

    def command(self, port: int) -> list[str]:
        return [
            *(
                self.binary,
                "run",
                "covet_app:app",
                "--port",
                str(port),
                "--workers",
                str(self.workers),
            ),
            *("--python", self.python, "--log-level", "warn", *self.options),
        ]


FIRST, SECOND = Threads(cores=(0,)), Threads(cores=(1,))


def _slice(policy: str, ns: int, text: str) -> Config:
    return Config(
        f"{policy}, slice {text}",
        ("--scheduler", policy),
        1,
        Threads(slice_ns=ns),
        Threads(slice_ns=ns),
    )


BASE = "defaults"
OTHER = ("--scheduler", "other")
BATCH = Threads(policy=getattr(os, "SCHED_BATCH", None))
CONFIGS = [
    Config(BASE),
    Config("the same again: what is noise"),
    Config("scheduler other", OTHER),
    Config("engine alone batch", OTHER, 1, BATCH),
    Config("worker alone batch", OTHER, 1, Threads(), BATCH),
    _slice("other", 100_000, "0.1 ms"),
    _slice("other", 100_000_000, "100 ms"),
    _slice("batch", 100_000, "0.1 ms"),
    _slice("batch", 100_000_000, "100 ms"),
    Config("pinned, one core for both", (), 1, FIRST, FIRST),
    Config("pinned, a core each", (), 1, FIRST, SECOND),
    Config("spin 20 µs", ("--spin", "20us")),
    Config("spin 50 µs", ("--spin", "50us")),
    Config("spin 100 µs", ("--spin", "100us")),
    Config("uvloop", ("--event-loop", "uvloop")),
    Config("2 loops", ("--loops", "2")),
    Config("epoll", ("--transport", "epoll")),
    Config("net", ("--transport", "net")),
    Config("2 workers, prefer-awake", ("--dispatch", "prefer-awake"), 2),
    Config("2 workers, least-loaded", ("--dispatch", "least-loaded"), 2),
    Config("2 workers, round-robin", ("--dispatch", "round-robin"), 2),
]


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def cpu(pid: int) -> float:
    """The CPU time of a process in seconds, of threads that ended too: its CPU clock, as clock_getcpuclockid(3)."""
    return time.clock_gettime((~pid << 3) | 2)


@dataclass
class Server:
    config: Config
    process: subprocess.Popen[bytes]
    port: int
    workers: list[int]

    def used(self) -> tuple[float, float]:
        """CPU seconds of the engine and of the workers."""
        return cpu(self.process.pid), sum(map(cpu, self.workers))

    def ask(self, times: int) -> None:
        conn = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        for _ in range(times):
            conn.request("GET", PATH)
            response = conn.getresponse()
            body = response.read()
            if response.status != 200 or body != ANSWER:
                raise Refused(f"{self.config.name} answered {response.status} {body[:200]!r}")
        conn.close()

    def load(self, connections: int, seconds: int) -> dict[str, int]:
        done = subprocess.run(
            [
                *(
                    "wrk",
                    "--threads",
                    "1",
                    "--connections",
                    str(connections),
                    "--duration",
                    f"{seconds}s",
                ),
                *("--timeout", "10s", "--script", str(HERE / "load" / "fixed.lua")),
                f"http://127.0.0.1:{self.port}{PATH}",
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        line = next(x for x in done.stdout.splitlines() if x.startswith("RESULT "))
        return {k: int(v) for k, v in RESULT.findall(line)}

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def start(config: Config) -> Server:
    """Starts a configuration and waits until it answers."""
    port = free_port()
    output = tempfile.TemporaryFile()  # noqa: SIM115  # as long as the server
    process = subprocess.Popen(
        config.command(port),
        cwd=HERE / "apps",
        stdout=output,
        stderr=output,
        start_new_session=True,
    )
    server = Server(config, process, port, [])
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            server.stop()
            output.seek(0)
            raise Refused(f"{config.name} did not start: {output.read().decode()[-2000:]}")
        with contextlib.suppress(OSError):
            server.ask(1)
            break
        time.sleep(0.02)
    try:
        server.workers = children(process.pid)
        if len(server.workers) != config.workers:
            raise Refused(f"{config.name} has {len(server.workers)} workers, not {config.workers}")
        config.engine.apply(process.pid)
        for w in server.workers:
            config.worker.apply(w)
        server.ask(WARM)
    except BaseException:
        server.stop()
        raise
    return server


@contextlib.contextmanager
def neighbour(nice: int | None) -> Iterator[int | None]:
    """A process that burns a core at that priority: its id; None for none."""
    if nice is None:
        yield None
        return
    code = f"import os\nos.nice({nice})\nprint(flush=True)\nwhile True: pass"
    p = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True)
    try:
        with contextlib.suppress(OSError):
            # With autogroups the kernel weighs sessions against each other, and nice only counts within one.
            Path(f"/proc/{p.pid}/autogroup").write_text(str(nice))
        assert p.stdout is not None
        p.stdout.readline()
        yield p.pid
    finally:
        p.kill()
        p.wait()


CONDITIONS: dict[str, int | None] = {
    "quiet": None,
    "busy neighbour": 0,
    "neighbour at nice 19": 19,
}


FOREIGN = 0.15
"""Cores that other processes of the machine may take during a measurement; over it, it is repeated."""
ATTEMPTS = 3
TICK = os.sysconf("SC_CLK_TCK")


def busy() -> float:
    """Seconds that the cores have run anything but this process and its ended children."""
    user, nice, system, _, _, irq, softirq = map(int, Path("/proc/stat").read_text().split()[1:8])
    own = os.times()
    all_ = (user + nice + system + irq + softirq) / TICK
    return all_ - (own.user + own.system + own.children_user + own.children_system)


def measure(server: Server, connections: int, seconds: int, beside: int | None) -> dict[str, float]:
    took, rest, other = time.monotonic(), busy(), cpu(beside) if beside else 0.0
    engine, worker = server.used()
    r = server.load(connections, seconds)
    engine2, worker2 = server.used()
    took, rest, other = (
        time.monotonic() - took,
        busy() - rest,
        (cpu(beside) if beside else 0.0) - other,
    )
    n = r["requests"]
    broken = r["connect"] + r["read"] + r["write"] + r["timeout"] + r["non2xx"]
    if not n or broken:
        raise Refused(f"{server.config.name}: {n} requests, {broken} broken or refused")
    both = engine2 - engine + worker2 - worker
    return {
        "engine_us": 1e6 * (engine2 - engine) / n,
        "worker_us": 1e6 * (worker2 - worker) / n,
        "cpu_us": 1e6 * both / n,
        "rps": n / (r["duration_us"] / 1e6),
        "p50_us": r["p50"],
        "p99_us": r["p99"],
        "neighbour": other / took,
        "foreign": (rest - other - both) / took,
    }


@dataclass
class Patience:
    """Seconds left for making disturbed measurements again, so that a busy machine cannot prolong the run for ever."""

    left: float

    def undisturbed(self, *what: Any) -> dict[str, float]:
        """The measurement that other processes of the machine disturbed least, of a few at most."""
        best = measure(*what)
        began = time.monotonic()
        for _ in range(ATTEMPTS - 1):
            if best["foreign"] <= FOREIGN or time.monotonic() - began > self.left:
                break
            best = min(best, measure(*what), key=lambda m: m["foreign"])
        self.left -= time.monotonic() - began
        return best


Rounds = dict[str, dict[str, list[dict[str, float]]]]
"""Condition, configuration → one measurement a round."""


def one_round(configs: list[Config], turn: int, seconds: int, results: Rounds, patience: Patience) -> None:
    with contextlib.ExitStack() as stack:
        servers = []
        for c in configs:
            s = start(c)
            stack.callback(s.stop)
            servers.append(s)
        at = turn * len(servers) // 3 % len(servers)
        order = servers[at:] + servers[:at]
        for condition, nice in CONDITIONS.items():
            with neighbour(nice) as beside:
                for connections in CONNECTIONS:
                    by_config = results.setdefault(f"{condition}, {connections}", {})
                    for s in order:
                        m = patience.undisturbed(s, connections, seconds, beside)
                        by_config.setdefault(s.config.name, []).append(m)


def cell(rounds: list[dict[str, float]], key: str, digits: int) -> str:
    values = [r[key] for r in rounds]
    middle = f"{statistics.median(values):.{digits}f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def against(rounds: list[dict[str, float]], base: list[dict[str, float]], key: str) -> str:
    there, here = (statistics.median(r[key] for r in x) for x in (base, rounds))
    return f"{100 * (here / there - 1):+.0f} %"


def counted(rounds: list[dict[str, float]]) -> list[dict[str, float]]:
    """Those that nothing disturbed; the least disturbed one when that is none."""
    clean = [r for r in rounds if r["foreign"] <= FOREIGN]
    return clean or [min(rounds, key=lambda r: r["foreign"])]


def table(results: Rounds) -> str:
    lines: list[str] = []
    for condition, by_config in results.items():
        base = counted(by_config[BASE])
        beside = "neighbour" in condition
        head = ["", "engine µs", "worker µs", "both", "p50 µs", "p99 µs", "requests/s"]
        head += ["neighbour"] * beside + ["n"]
        lines += [
            "",
            f"### {condition} connection{'' if condition.endswith(' 1') else 's'}",
            "",
            "| " + " | ".join(head) + " |",
            "|" + "---|" * len(head),
        ]
        for name, all_ in by_config.items():
            rounds = counted(all_)
            both = statistics.median(r["cpu_us"] for r in rounds)
            cells = [
                name,
                cell(rounds, "engine_us", 1),
                cell(rounds, "worker_us", 1),
                f"{both:.1f}, {against(rounds, base, 'cpu_us')}",
                cell(rounds, "p50_us", 0),
                cell(rounds, "p99_us", 0),
                f"{statistics.median(r['rps'] for r in rounds):.0f}",
            ]
            if beside:
                cells.append(f"{statistics.median(r['neighbour'] for r in rounds):.0%}")
            cells.append(str(len(rounds)))
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def variant(text: str) -> Config:
    name, _, paths = text.partition("=")
    binary, _, python = paths.partition(",")
    if not name or not binary:
        raise argparse.ArgumentTypeError("NAME=BINARY or NAME=BINARY,PYTHON")
    return Config(name, binary=str(Path(binary).absolute()), python=python or CONFIGS[0].python)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=int, default=1, help="of each load")
    parser.add_argument("--quick", action="store_true", help="1 round: under three minutes")
    parser.add_argument(
        "--only",
        default="",
        help="configurations whose names hold one of these words, and the defaults",
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        type=variant,
        help="NAME=BINARY[,PYTHON]",
    )
    parser.add_argument("--out", type=Path, default=HERE / "results" / "crossing.json")
    args = parser.parse_args()
    if not apt("wrk", "wrk"):
        sys.exit("wrk is not installed; on Debian: apt-get install wrk")
    words = args.only.split(",")
    configs = [c for c in CONFIGS if c.name == BASE or any(w in c.name for w in words)] + args.variant
    rounds = 1 if args.quick else args.rounds
    results: Rounds = {}
    patience = Patience(15 if args.quick else 180)
    loads: list[float] = []
    about = {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "seconds": args.seconds,
        "load_averages": loads,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    for turn in range(rounds):
        say(f"round {turn + 1} of {rounds}: {len(configs)} configurations, load average {os.getloadavg()[0]:.2f}")
        try:
            one_round(configs, turn, args.seconds, results, patience)
        except Refused as e:
            sys.exit(str(e))
        args.out.write_text(json.dumps({"machine": about, "results": results}, indent=1) + "\n")
    about = {
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "rounds": rounds,
        "seconds": args.seconds,
    }
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"machine": about, "results": results}, indent=1) + "\n")
    print(table(results))
    foreign = sorted(m["foreign"] for by in results.values() for many in by.values() for m in many)
    say(f"cores taken by other processes: median {foreign[len(foreign) // 2]:.2f}, most {foreign[-1]:.2f}")
    say(f"{time.monotonic() - began:.0f} s; written to {args.out.name}")


if __name__ == "__main__":
    main()
