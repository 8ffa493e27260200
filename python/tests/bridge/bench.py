"""Nanoseconds a request costs the worker: ``python tests/bridge/bench.py``. The cost of the fake engine is left out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from engine import L, request_frame
from harness import Harness, param, route

from covet import _bridge
from covet._plan import Convert, Source


async def typed(id: int) -> Any:
    return {"id": id}


async def asks(id: int) -> Any:
    asyncio.current_task()
    return {"id": id}


async def suspends(id: int) -> Any:
    await asyncio.sleep(0)
    return {"id": id}


async def five(id: int) -> Any:
    return {"id": id, "name": "somebody", "email": "somebody@example.test", "age": 33, "active": True}


def measure(h: Harness, number: int, batch: int, seconds: float = 1.0) -> float:
    e = h.engine
    frames = [
        request_frame(
            number,
            slot=i,
            path="/users/42",
            params=["42"],
            headers=[("Host", "x"), ("Accept", "*/*"), ("User-Agent", "bench")],
        )
        for i in range(batch)
    ]
    blob = b"".join(frames)
    poll, handled, best = h.bridge.poll, L["REGION_HANDLED"], float("inf")

    async def main() -> None:
        nonlocal best
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            total = 0
            for _ in range(max(1, 512 // batch)):
                e.put(blob, ring=False)
                goal = e.u64(handled) + batch
                start = time.perf_counter_ns()
                poll()
                while e.u64(handled) < goal:  # noqa: ASYNC110  # a counter in shared memory
                    await asyncio.sleep(0)
                total += time.perf_counter_ns() - start
                skip(h)
            best = min(best, total / (max(1, 512 // batch) * batch))

    h.run(main())
    return best


def skip(h: Harness) -> None:
    e = h.engine
    at, tail = e.control(0, "ANSWER_HEAD"), e.control(0, "ANSWER_TAIL")
    e.map[at : at + 8] = e.map[tail : tail + 8]


def main() -> None:
    functions: list[Callable[..., Any]] = [typed, five, asks, suspends]
    with Harness(*(route(f, param("id", Source.PATH, Convert.INT)) for f in functions)) as h:
        for number, function in enumerate(functions):
            print(f"{function.__name__:10}", *(f"batch {b}: {measure(h, number, b):7.0f} ns" for b in (1, 64)))
    value = {"id": 1, "name": "somebody", "email": "somebody@example.test", "age": 33, "active": True, "score": 1.25}
    n = 200_000
    start = time.perf_counter_ns()
    for _ in range(n):
        _bridge.dumps(value)
    print(f"dumps of six keys: {(time.perf_counter_ns() - start) / n:.0f} ns")


if __name__ == "__main__":
    main()
