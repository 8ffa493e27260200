"""One table of the benchmarks of both languages: ``python table.py --corpus DIRECTORY [--rounds N]``.

The Python side is encoders.py; the Go side is ``go test -bench``, run as often, of which the least counts as well.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
LINE = re.compile(r"Benchmark(\w+)/(.+)/(\w+?)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op.*?(\d+) allocs/op")


def go(corpus: Path, rounds: int) -> None:
    environment = {**os.environ, "COVET_JSON_CORPUS": str(corpus.resolve())}
    times: dict[tuple[str, str], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    allocs: dict[tuple[str, str, str], str] = {}
    for _ in range(rounds):
        command = ["go", "test", "-run", "^$", "-bench", ".", "-benchtime", "30ms", "-benchmem", "."]
        run = subprocess.run(command, cwd=HERE / "go", env=environment, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise SystemExit(run.stdout + run.stderr)
        for m in filter(None, map(LINE.match, run.stdout.splitlines())):
            times[m[1], m[2]][m[3]].append(float(m[4]))
            allocs[m[1], m[2], m[3]] = m[5]
    libraries = list(next(iter(times.values())))
    for direction in ("Encode", "Decode"):
        print(f"\n| Go, {direction.lower()}: ns (allocations) |", *(f" {name} |" for name in libraries), sep="")
        print("|---|", "---:|" * len(libraries), sep="")
        for (which, document), row in times.items():
            if which != direction:
                continue
            cells = []
            for name in libraries:
                t = row[name]
                spread = (statistics.median(t) / min(t) - 1) * 100
                cells.append(f" {min(t):,.0f} +{spread:.0f} % ({allocs[which, document, name]}) |")
            print(f"| {document.replace('_', ' ')} |", *cells, sep="", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--corpus", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    subprocess.run([sys.executable, HERE / "corpora.py", options.corpus], check=True)
    print("Python results, ns a document", flush=True)
    subprocess.run([sys.executable, HERE / "encoders.py", "--rounds", str(options.rounds)], check=True)
    go(options.corpus, options.rounds)


if __name__ == "__main__":
    main()
