"""Measures request parsers side by side and prints a table: medians of the rounds, which go test takes in turn."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LINE = re.compile(
    r"^BenchmarkHead/(?P<request>[^|\s]+)\|(?P<parser>\S+?)(?:-\d+)?\s+\d+\s+(?P<ns>[\d.]+) ns/op"
    r"\s+(?P<mbs>[\d.]+) MB/s\s+(?P<bytes>\d+) B/op\s+(?P<allocs>\d+) allocs/op",
    re.MULTILINE,
)
ROUNDS = 5
TIME = "200ms"


def table(output: str) -> str:
    """The lines of go test as a table in Markdown; the fastest parser of each request is first."""
    seen: dict[tuple[str, str], list[re.Match[str]]] = {}
    for m in LINE.finditer(output):
        seen.setdefault((m["request"], m["parser"].replace("_", "/")), []).append(m)
    lines = [
        "| request | parser | ns | ns, least to greatest | MB/s | allocations | bytes |",
        "|---|---|---|---|---|---|---|",
    ]
    for request in dict.fromkeys(r for r, _ in seen):
        rows = []
        for (r, parser), found in seen.items():
            if r == request:
                ns = sorted(float(m["ns"]) for m in found)
                mbs = statistics.median(float(m["mbs"]) for m in found)
                rows.append((statistics.median(ns), parser, ns, mbs, found[0]["allocs"], found[0]["bytes"]))
        for median, parser, ns, mbs, allocs, size in sorted(rows):
            lines.append(
                f"| {request} | {parser} | {median:.0f} | {ns[0]:.0f} to {ns[-1]:.0f} | {mbs:.0f} | {allocs} | {size} |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    done = subprocess.run(
        [
            "go",
            "test",
            "-run",
            "TestParsersAgree",
            "-bench",
            "Head",
            "-benchtime",
            TIME,
            "-count",
            str(ROUNDS),
            "./parser",
        ],
        cwd=HERE / "go",
        env={**os.environ, "CGO_ENABLED": "0"},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stdout)
    print(table(done.stdout))


if __name__ == "__main__":
    main()
