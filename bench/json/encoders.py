"""What it costs to turn a handler's result into JSON that is in the answer's memory: ns of CPU a document.

Each rival ends where ours ends: the text lies in memory that was there before, as in the answer ring. So what makes a
bytes object pays for the copy; msgspec's encode_into writes to a bytearray that is kept. The rounds go in turn
(A B C A B C ...), the time is the thread's CPU time, the figure the least of the rounds: what a neighbour on the
machine does only ever adds. The spread is the median of the rounds above the least.

    python encoders.py [--rounds N] [--only NAME ...] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
from corpora import documents

from covet import _bridge
from covet._render import known

Run = Callable[[Any], int]


def encoders(size: int) -> dict[str, Run]:
    """Name to a function that writes one document to memory of its own and returns the length."""
    room = memoryview(bytearray(size + 4096))
    ours = _bridge.encode_to
    encode, options = orjson.dumps, orjson.OPT_NON_STR_KEYS
    msg = msgspec.json.Encoder(enc_hook=known)
    kept = bytearray(size + 4096)
    compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=known).encode

    def covet(v: Any) -> int:
        return ours(v, room, known)

    def orjson_copy(v: Any) -> int:
        text = encode(v, known)
        n = len(text)
        room[:n] = text
        return n

    def orjson_any_keys(v: Any) -> int:
        text = encode(v, known, options)
        n = len(text)
        room[:n] = text
        return n

    def msgspec_copy(v: Any) -> int:
        text = msg.encode(v)
        n = len(text)
        room[:n] = text
        return n

    def msgspec_into(v: Any) -> int:
        msg.encode_into(v, kept)
        return len(kept)

    def json_copy(v: Any) -> int:
        text = compact(v).encode()
        n = len(text)
        room[:n] = text
        return n

    return {
        "covet": covet,
        "orjson": orjson_copy,
        "orjson any keys": orjson_any_keys,
        "msgspec": msgspec_copy,
        "msgspec into": msgspec_into,
        "json": json_copy,
    }


def once(run: Run, values: list[Any]) -> float:
    clock = time.thread_time_ns
    start = clock()
    for value in values:
        run(value)
    return (clock() - start) / len(values)


def copies(value: Any, count: int, fresh: bool) -> list[Any]:
    """The same document again and again, or documents that no encoder has seen: some keep the UTF-8 of strings with
    them, which helps those that are written twice."""
    if not fresh:
        return [value] * count
    text = json.dumps(value)
    return [json.loads(text) for _ in range(min(count, 40))]


def measure(value: Any, rounds: int, slice_ns: int, fresh: bool) -> tuple[int, dict[str, list[float]]]:
    size = len(_bridge.dumps(value, known))
    runs = encoders(size)
    counts = {}
    for name, run in runs.items():
        run(value)
        counts[name] = max(1, int(slice_ns / max(once(run, [value] * 3), 50)))
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            times[name].append(once(run, copies(value, counts[name], fresh)))
    return size, times


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--slice", type=int, default=20, help="milliseconds a round")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--json", help="also write the figures there")
    options = parser.parse_args()
    out: dict[str, Any] = {}
    head: list[str] = []
    values = documents()
    for name, value in list(values.items()) + [(f"{n} fresh", values[n]) for n in ("items50", "twitter10k", "twitter")]:
        if options.only and name not in options.only:
            continue
        size, times = measure(value, options.rounds, options.slice * 1_000_000, name.endswith(" fresh"))
        if not head:
            head = list(times)
            print("| document | bytes |", *(f" {h} |" for h in head), sep="")
            print("|---|---:|", "---:|" * len(head), sep="")
        cells = [f"{min(t):,.0f} (+{(statistics.median(t) / min(t) - 1) * 100:.0f} %)" for t in times.values()]
        print(f"| {name} | {size} |", *(f" {c} |" for c in cells), sep="", flush=True)
        out[name] = {"bytes": size} | {k: {"min": min(t), "median": statistics.median(t)} for k, t in times.items()}
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(out, f, indent=1)


if __name__ == "__main__":
    main()
