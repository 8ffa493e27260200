"""Thousands of requests of every kind leave nothing behind."""

from __future__ import annotations

import asyncio
import gc
import threading
import tracemalloc
import weakref
from collections import Counter
from typing import Any

import pytest
from engine import body_frame, request_frame, signal_frame
from harness import Harness, param, route

from covet._plan import Convert, Mode, Source


async def direct(id: int, request: Any) -> Any:
    return {"id": id, "path": request.path}


async def suspended(id: int, request: Any) -> Any:
    async with asyncio.timeout(5):
        await asyncio.sleep(0)
    return await request.body()


def threaded(id: int, request: Any) -> Any:
    return str(id)


async def stream(id: int, request: Any) -> Any:
    yield b"x" * 100
    yield b"y"


async def fails(id: int, request: Any) -> Any:
    asyncio.current_task()
    raise LookupError("x")


async def waits(id: int, request: Any) -> Any:
    async for _ in request.stream():
        await asyncio.Event().wait()


def rss() -> int:
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * 4096


ROUTES = [
    route(f, param("id", convert=Convert.INT), param("request", Source.REQUEST), mode=m)
    for f, m in [
        (direct, Mode.ASYNC),
        (suspended, Mode.ASYNC),
        (threaded, Mode.SYNC),
        (stream, Mode.ASYNC_ITERATOR),
        (fails, Mode.ASYNC),
        (waits, Mode.ASYNC),
    ]
]


def load(h: Harness, rounds: int) -> None:
    async def main() -> None:
        for _ in range(rounds):
            frames, finals = [], 0
            for slot in range(24):
                r = slot % len(ROUTES)
                frames.append(
                    request_frame(r, slot=slot, query="id=x" if slot == 23 else f"id={slot}", body=b"b", follows=r == 5)
                )
                if r == 5 and slot != 23:
                    frames += [body_frame(b"piece", slot=slot), signal_frame("CANCEL", 1, slot=slot)]
            h.engine.put(*frames)
            while finals < 24:
                await asyncio.sleep(0)
                finals += sum(a.final for a in h.engine.take())
            h.errors.clear()

    h.run(main())


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_nothing_is_left(loop: str) -> None:
    with Harness(*ROUTES, kind=loop) as h:
        load(h, 60)
        gc.collect()
        Counter([])  # fills the caches of the abstract classes that it asks for, which would count as growth
        before = Counter([type(o).__name__ for o in gc.get_objects()])
        tracemalloc.start()
        load(h, 5)
        gc.collect()
        first = tracemalloc.get_traced_memory()[0]
        memory = rss()
        load(h, 150)
        gc.collect()
        traced = tracemalloc.get_traced_memory()[0] - first
        tracemalloc.stop()
        after = Counter([type(o).__name__ for o in gc.get_objects()])
        grown = {k: after[k] - before[k] for k in after if after[k] - before[k] > 20}
        assert grown == {}
        assert traced < 50_000
        assert rss() - memory < 8 << 20
        assert h.bridge.in_flight == 0


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_closed_bridge_lets_go_of_everything(cancelled: bool) -> None:
    async def never(request: Any) -> None:
        await asyncio.Event().wait()

    def scene() -> list[weakref.ref[Any]]:
        h = Harness(route(never, param("request", Source.REQUEST)))
        h.engine.put(request_frame())
        h.run(asyncio.sleep(0.01))
        tasks = [weakref.ref(t) for t in asyncio.all_tasks(h.loop)]
        assert tasks

        async def cancel() -> None:
            h.bridge.cancel_all()
            await asyncio.sleep(0.01)

        if cancelled:
            h.run(cancel())
        h.close()
        h.bridge.close()  # a second time does nothing
        return [*tasks, weakref.ref(h.loop)]

    left = scene()
    gc.collect()
    assert [r() for r in left if r() is not None] == []


@pytest.mark.parametrize("late", [False, True])
def test_closing_lets_go_of_threads_results(late: bool) -> None:
    started, hold, ended = threading.Event(), threading.Event(), threading.Event()

    class Result:
        pass

    def handler() -> Any:
        started.set()
        hold.wait(10)
        return result.pop()

    result = [Result()]
    kept = weakref.ref(result[0])
    with Harness(route(handler, mode=Mode.SYNC), threads=1) as h:
        h.engine.put(request_frame())
        h.run(asyncio.sleep(0))
        assert started.wait(10)
        if late:
            h.bridge.close()
        hold.set()
        h.pool.run(ended.set)  # the only thread is done with the job before
        assert ended.wait(10)
        h.bridge.close()
    del h
    gc.collect()
    assert kept() is None
