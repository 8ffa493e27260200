"""What a run has shown: tables in Markdown, charts, and the page README.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from chart import Bar, chart
from targets import targets

BEGIN, END = "<!-- measured: filled by run.py --write-readme -->", "<!-- /measured -->"
FULL = "| server | CPU µs a request | user | system | requests/s | p50 µs | p99 µs | p99.9 µs | memory MiB |"
HALF = "| server | p50 µs | p99 µs | p99.9 µs | CPU µs a request | late |"


def _cell(s: dict[str, Any], key: str, digits: int) -> str:
    v = s[key]
    return f"{v['median']:.{digits}f} ({v['min']:.{digits}f} to {v['max']:.{digits}f})"


def _rule(head: str) -> str:
    return "|" + "---|" * (head.count("|") - 1)


def _connections(n: str) -> str:
    return f"{int(n):,} connection{'' if n == '1' else 's'}"


def tables(results: dict[str, Any]) -> str:
    lines: list[str] = []
    for profile, by_connections in results["profiles"].items():
        for n, by_rival in by_connections.items():
            lines += ["", f"### {profile}, {_connections(n)}", ""]
            if profile == "idle":
                lines += ["| server | bytes a connection | memory MiB |", "|---|---|---|"]
                for rival, s in sorted(by_rival.items(), key=lambda kv: kv[1]["bytes"]["median"]):
                    lines.append(f"| {rival} | {_cell(s, 'bytes', 0)} | {s['memory_mib']['median']:.0f} |")
                continue
            memory = "peak_mib" if profile == "upload" else "memory_mib"
            head = FULL.replace("memory", "peak memory") if profile == "upload" else FULL
            lines += [head, _rule(head)]
            for rival, s in sorted(by_rival.items(), key=lambda kv: kv[1]["cpu_us"]["median"]):
                lines.append(
                    f"| {rival} | {_cell(s, 'cpu_us', 1)} | {s['user_us']['median']:.1f} "
                    f"| {s['system_us']['median']:.1f} | {_cell(s, 'rps', 0)} | {_cell(s, 'p50_us', 0)} "
                    f"| {_cell(s, 'p99_us', 0)} | {s['p999_us']['median']:.0f} | {s[memory]['median']:.0f} |"
                )
            half = results.get("half", {}).get(profile, {}).get(n, {})
            if half:
                rate = results["rates"][profile]
                lines += ["", f"At {rate:,.0f} requests a second, half of what the slowest can do:", ""]
                lines += [HALF, _rule(HALF)]
                for rival, s in sorted(half.items(), key=lambda kv: kv[1]["p99_us"]["median"]):
                    lines.append(
                        f"| {rival} | {_cell(s, 'p50_us', 0)} | {_cell(s, 'p99_us', 0)} "
                        f"| {_cell(s, 'p999_us', 0)} | {s['cpu_us']['median']:.1f} | {s['late']['median']:.0f} |"
                    )
    if results.get("refused") or results.get("missing"):
        lines += ["", "### Not counted", ""]
        for x in results.get("refused", []):
            why = " ".join(x["why"].split())[:160]
            lines.append(f"- {x['rival']}, {x['profile']}, {_connections(str(x['connections']))}: {why}")
    for name, why in results.get("missing", {}).items():
        lines.append(f"- {name}: {' '.join(why.split())[:160]}")
    if results.get("notes"):
        lines += ["", "### Notes", ""]
        for x in results["notes"]:
            lines.append(f"- {x['rival']}, {x['profile']}: {'; '.join(x['notes'])}")
    return "\n".join(lines) + "\n"


def target_table(results: dict[str, Any]) -> str:
    lines = ["", "### Where we must be", "", "| target | | seen |", "|---|---|---|"]
    lines += [f"| {t.text} | {t.word} | {t.seen} |" for t in targets(results)]
    return "\n".join(lines) + "\n"


def charts(results: dict[str, Any], folder: Path) -> list[Path]:
    """Writes one chart a table; returns the files."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for profile, by_connections in results["profiles"].items():
        for n, by_rival in by_connections.items():
            if not by_rival:
                continue
            key, title = "cpu_us", "CPU µs a request, whole server side"
            if profile == "idle":
                key, title = "bytes", "bytes of memory a connection"
            bars = [
                Bar(name, s[key]["median"], s[key]["min"], s[key]["max"], name.startswith("covet"))
                for name, s in by_rival.items()
            ]
            path = folder / f"{profile}-{n}.svg"
            path.write_text(
                chart(
                    f"{profile}: {title}",
                    f"{_connections(n)}; median of {results['rounds']} rounds and their spread; shorter is better",
                    bars,
                )
            )
            written.append(path)
    return written


def write_readme(results: dict[str, Any], page: Path, drawn: list[Path]) -> None:
    """Fills the measured part of README.md."""
    m = results["machine"]
    words = [
        f"{m['cores']} cores (shared with the load generator), Linux {m['kernel']}, {m['go']}, CPython {m['python']},",
        f"{results['date']}; {results['rounds']} rounds of {results['seconds']:g} s, {results['workers']} worker"
        f"{'' if results['workers'] == 1 else 's'}.",
    ]
    pictures = [f"![{p.stem}](charts/{p.name})" for p in drawn]
    body = "\n".join(["", *words, target_table(results), *pictures, tables(results)])
    text = page.read_text()
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{page.name} has no place for the tables: {BEGIN}")
    page.write_text(pattern.sub(lambda _: f"{BEGIN}\n{body}\n{END}", text))
