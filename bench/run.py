"""Measures CovetPy and its rivals side by side, in one run on one machine.

Every round starts each server in turn (A B C A B C …), compares every answer of a profile with what it must be, loads
the server with a client that compares every response, and reads the CPU time of the server's whole process tree
before and after. Then the same at a fixed arrival rate. Figures are medians over the rounds with the least and the
greatest beside them.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import install
import profiles
import report
import rivals
import rounds
from server import raise_limits

HERE = Path(__file__).parent
SPARE_FILES = 500


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    done = subprocess.run(["go", "version"], capture_output=True, text=True, check=False)
    go = done.stdout.split()[2] if done.returncode == 0 else "?"
    return {
        "cores": os.cpu_count(),
        "kernel": ".".join(platform.release().split(".")[:2]),
        "python": platform.python_version(),
        "go": go,
        "load_average": os.getloadavg()[0],
    }


def choose(names: str, all_of: list[Any], groups: dict[str, tuple[str, ...]], what: str) -> list[Any]:
    """What the names stand for: a whole name, a group, or a word of a name."""
    if names == "all":
        return all_of
    chosen = []
    for wanted in (n.strip() for n in names.split(",")):
        exact = [x for x in all_of if x.name == wanted or x.name in groups.get(wanted, ())]
        found = exact or [x for x in all_of if wanted in x.name.split()]
        if not found:
            known = ", ".join([*groups, *(x.name for x in all_of)])
            sys.exit(f"no {what} named {wanted}; there are: {known}")
        chosen += [x for x in found if x not in chosen]
    return [x for x in all_of if x in chosen]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--profile", default="all", help="names, or engine, targets, quick")
    parser.add_argument(
        "--rivals", default="all", help="names, words of names, or targets, quick; covet is always there"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.65, help="measured time of one load")
    parser.add_argument("--workers", type=int, default=1, help="worker processes of every Python server")
    parser.add_argument("--idle", type=int, default=profiles.IDLE[0], help="connections of the idle profile")
    parser.add_argument("--no-rate", action="store_true", help="leave out the fixed arrival rate")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 0.7 s, the nearest rivals: < 3 minutes")
    parser.add_argument("--targets", action="store_true", help="only what the targets need, 5 rounds of 2 s")
    parser.add_argument("--proof", action="store_true", help="1 round of 0.3 s: does everything start and answer?")
    parser.add_argument("--json", action="store_true", help="print the results as JSON instead of tables")
    parser.add_argument("--write-readme", nargs="?", const="", metavar="RESULTS", help="fill README.md and charts/")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    args = parser.parse_args()
    if args.quick:
        args.rounds, args.seconds, args.idle = 2, 0.7, min(args.idle, 2000)
        args.profile = "quick" if args.profile == "all" else args.profile
        args.rivals = "quick" if args.rivals == "all" else args.rivals
    if args.targets:
        args.profile, args.rivals, args.seconds = "targets", "targets", 2.0
    if args.proof:
        args.rounds, args.seconds, args.idle = 1, 0.3, min(args.idle, 1000)
    if args.rounds < 1 or args.seconds <= 0 or args.workers < 1 or args.idle < 1:
        parser.error("rounds, seconds, workers and idle must be positive")
    return args


def measure(args: argparse.Namespace) -> dict[str, Any]:
    chosen = choose(args.profile, profiles.PROFILES, profiles.GROUPS, "profile")
    who = choose(args.rivals, rivals.RIVALS, rivals.GROUPS, "rival")
    if args.rivals not in ("all", "targets", "quick"):
        who = [r for r in rivals.RIVALS if r in who or r.name in ("covet", "covet static", "covet go inline")]
    who = [r for r in who if any(p.name in r.can for p in chosen)]
    limit = raise_limits()
    if args.idle > limit - SPARE_FILES:
        args.idle = limit - SPARE_FILES
        say(f"only {limit} files may be open here: the idle profile opens {args.idle} connections")
    missing = install.prepare(who)
    for name, why in missing.items():
        say(f"cannot be had: {name}: {why}")
    who = [r for r in who if r.name not in missing]
    plan = rounds.Plan(chosen, who, args.rounds, args.seconds, args.workers, not args.no_rate, args.idle, say)
    say(f"{len(chosen)} profiles, {len(who)} servers; this takes about {plan.estimate() / 60:.0f} minutes")
    began = time.monotonic()
    seen = rounds.measure(plan)
    return {
        "date": f"{datetime.datetime.now():%Y-%m-%d}",
        "machine": machine(),
        "rounds": args.rounds,
        "seconds": args.seconds,
        "workers": args.workers,
        "took_s": round(time.monotonic() - began),
        "missing": missing,
        **seen.results(plan),
    }


def main() -> None:
    args = arguments()
    # What ends the harness ends the servers: finally blocks run on both, also where a shell has interrupts ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if args.write_readme:
        results = json.loads(Path(args.write_readme).read_text())
    else:
        try:
            results = measure(args)
        except KeyboardInterrupt:
            sys.exit("interrupted; nothing is left running")
        args.out.mkdir(parents=True, exist_ok=True)
        path = args.out / f"{datetime.datetime.now():%Y-%m-%dT%H%M%S}.json"
        path.write_text(json.dumps(results, indent=1) + "\n")
        report.charts(results, path.with_suffix(""))
        tables = report.tables(results) + report.target_table(results)
        path.with_suffix(".md").write_text(tables)
        print(json.dumps(results, indent=1) if args.json else tables)
        say(f"written to {path.name} in {args.out.name}/, with charts in {path.stem}/; {results['took_s']} s")
    if args.write_readme is not None:
        report.write_readme(results, HERE / "README.md", report.charts(results, HERE / "charts"))
    sys.exit(1 if results["refused"] or results["missing"] else 0)


if __name__ == "__main__":
    main()
