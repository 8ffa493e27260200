"""Handlers cannot tell that they run without a Task at first: tasks, timeouts, groups, contexts."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import json
from typing import Any

import anyio
import pytest
import sniffio
from engine import request_frame
from harness import Harness, param, route

from covet._plan import Convert, Mode, Source

var: contextvars.ContextVar[int] = contextvars.ContextVar("var", default=-1)


def answer(kind: str, handler: Any) -> Any:
    with Harness(route(handler), kind=kind) as h:
        a = h.ask()
        assert (a.type, h.errors) == ("RESPONSE", [])
        return json.loads(a.body)


def test_the_current_task_is_one_and_the_same(kind: str) -> None:
    async def handler() -> Any:
        loop = asyncio.get_running_loop()
        before = asyncio.current_task()
        assert before is not None
        assert asyncio.current_task() is before
        assert asyncio.current_task(loop) is before
        assert before in asyncio.all_tasks()
        assert not before.done()
        await asyncio.sleep(0)
        first = asyncio.current_task() is before
        await asyncio.sleep(0.001)
        coro = before.get_coro()
        assert inspect.iscoroutine(coro) or inspect.isawaitable(coro)
        assert "handler" in repr(before)
        return [first, asyncio.current_task() is before, before.cancelling()]

    assert answer(kind, handler) == [True, True, 0]


def test_the_task_without_asking_before(kind: str) -> None:
    async def handler() -> Any:
        await asyncio.sleep(0)
        a = asyncio.current_task()
        await asyncio.sleep(0)
        return [a is not None, a is asyncio.current_task()]

    assert answer(kind, handler) == [True, True]


def test_a_task_that_was_made_but_never_needed_ends(kind: str) -> None:
    tasks: list[Any] = []

    async def handler() -> Any:
        tasks.append(asyncio.current_task())
        return 1

    with Harness(route(handler), kind=kind) as h:
        h.ask()
        h.run(asyncio.sleep(0.01))
        assert tasks[0].done()
        assert tasks[0].exception() is None

        async def outside() -> Any:
            return asyncio.current_task()

        assert h.run(outside()) not in (None, tasks[0])


@pytest.mark.parametrize("ask_first", [False, True])
def test_timeout(kind: str, ask_first: bool) -> None:
    async def handler() -> Any:
        if ask_first:
            await asyncio.sleep(0)
        try:
            async with asyncio.timeout(0.005):
                await asyncio.Event().wait()
        except TimeoutError:
            async with asyncio.timeout(5):
                await asyncio.sleep(0)
            return "timeout"

    with Harness(route(handler), kind=kind) as h:
        assert h.ask().body == b"timeout"


def test_wait_for_and_gather(kind: str) -> None:
    async def handler() -> Any:
        async def one(n: int) -> int:
            await asyncio.sleep(0)
            return n

        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.005)
        return await asyncio.gather(one(1), one(2), asyncio.shield(one(3)))

    assert answer(kind, handler) == [1, 2, 3]


def test_task_group(kind: str) -> None:
    async def handler() -> Any:
        async def one(n: int) -> int:
            await asyncio.sleep(0)
            return n

        async def bad() -> None:
            raise LookupError("child")

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(n)) for n in range(3)]
        out: list[Any] = [t.result() for t in tasks]
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(bad())
                await asyncio.Event().wait()
        except* LookupError as e:
            out.append(str(e.exceptions[0]))
        out.append(asyncio.current_task().cancelling())  # type: ignore[union-attr]
        return out

    assert answer(kind, handler) == [0, 1, 2, "child", 0]


def test_anyio(kind: str) -> None:
    async def handler() -> Any:
        out: list[Any] = [sniffio.current_async_library()]
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)
        with anyio.move_on_after(0.005) as scope:
            await anyio.sleep_forever()
        out.append(scope.cancelled_caught)
        try:
            with anyio.fail_after(0.005):
                async with anyio.create_task_group() as group:
                    group.start_soon(anyio.sleep_forever)
        except TimeoutError:
            out.append("failed after")
        out.append(await anyio.to_thread.run_sync(lambda: 5))
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anyio.lowlevel.checkpoint()
        out.append(scope.cancelled_caught)
        return out

    assert answer(kind, handler) == ["asyncio", True, "failed after", 5, True]


def test_cancelling_oneself(kind: str) -> None:
    async def handler() -> Any:
        task = asyncio.current_task()
        assert task is not None
        child = asyncio.create_task(asyncio.Event().wait())
        task.cancel()  # before the first suspension: it must be told at the next one
        try:
            await child
        except asyncio.CancelledError:
            return [child.cancelled(), task.cancelling(), task.uncancel()]

    assert answer(kind, handler) == [True, 1, 0]


def test_awaiting_what_is_done_already(kind: str) -> None:
    async def handler() -> Any:
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, 3)
        return await future + await asyncio.create_task(asyncio.sleep(0, 4))

    assert answer(kind, handler) == 7


def test_context_variables_do_not_leak(kind: str) -> None:
    async def at_once(n: int) -> Any:
        before = var.get()
        var.set(n)
        return [before, var.get()]

    async def later(n: int) -> Any:
        before = var.get()
        token = var.set(n)
        await asyncio.sleep(0.001)
        now = var.get()
        var.reset(token)  # only possible in the context that set it
        inner = await asyncio.create_task(_read())
        var.set(n)
        return [before, now, inner]

    async def _read() -> int:
        return var.get()

    def thread(n: int) -> Any:
        before = var.get()
        var.set(n)
        return [before, var.get()]

    async def prepare(request: Any) -> dict[str, Any]:
        var.set(77)
        return {"n": 1}

    async def prepared(n: int) -> Any:
        return var.get()

    p = param("n", Source.QUERY, Convert.INT)
    plans = [
        route(at_once, p),
        route(later, p),
        route(thread, p, mode=Mode.SYNC),
        route(prepared, param("n", Source.PREPARED), prepare=prepare),
    ]
    with Harness(*plans, kind=kind) as h:
        frames = [request_frame(i % 3, slot=i, query=f"n={i}") for i in range(30)]
        h.engine.put(*frames)
        for a in h.run(h.answers(30)):
            n = a.slot
            assert json.loads(a.body) == ([-1, n, -1] if n % 3 == 1 else [-1, n])
        assert h.ask(3).body == b"77"
        assert var.get() == -1


def test_timers_and_other_io_go_on_under_load() -> None:
    async def handler() -> Any:
        return 1

    with Harness(route(handler)) as h:
        rounds = 0

        async def load() -> None:
            nonlocal rounds
            done = asyncio.Event()
            asyncio.get_running_loop().call_later(0.05, done.set)
            while not done.is_set():
                h.engine.put(*(request_frame(slot=i) for i in range(8)))
                await h.answers(8)
                rounds += 1

        h.run(load())
        assert rounds > 0


def test_a_timer_made_by_a_handler_wakes_the_loop() -> None:
    """The selector may not sleep past a timer that did not exist when it was entered."""
    fired: list[bool] = []

    async def handler() -> Any:
        asyncio.get_running_loop().call_later(0.01, fired.append, True)
        return 1

    with Harness(route(handler)) as h:

        async def main() -> None:
            loop = asyncio.get_running_loop()
            # Put the request while the loop is inside select, from another thread, with no timer near.
            await loop.run_in_executor(None, lambda: None)
            loop.run_in_executor(None, h.engine.put, request_frame())
            while not fired:
                await asyncio.wait([asyncio.ensure_future(asyncio.sleep(0.05))])

        h.run(main())
        assert fired == [True]


def test_callbacks_from_threads_wake_the_selector() -> None:
    import threading

    with Harness() as h:

        async def main() -> str:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[str] = loop.create_future()
            threading.Thread(target=lambda: loop.call_soon_threadsafe(future.set_result, "woken")).start()
            return await future

        assert h.run(main()) == "woken"


def test_requests_of_one_batch_await_one_future(kind: str) -> None:
    """As a Task would, each takes away the mark that an await leaves on a future, before the next one awaits it."""
    shared: list[asyncio.Future[int]] = []

    async def handler() -> Any:
        return await shared[0]

    with Harness(route(handler), kind=kind) as h:

        async def main() -> Any:
            shared.append(asyncio.get_running_loop().create_future())
            h.engine.put(*(request_frame(slot=i) for i in range(3)))
            asyncio.get_running_loop().call_later(0.005, shared[0].set_result, 5)
            return await h.answers(3)

        assert [a.body for a in h.run(main())] == [b"5"] * 3
        assert h.errors == []


@pytest.mark.parametrize("wait_first", [False, True])
def test_a_handler_that_meddles_with_its_own_coroutine(kind: str, wait_first: bool) -> None:
    async def handler() -> Any:
        task = asyncio.current_task()
        assert task is not None
        if wait_first:
            await asyncio.sleep(0)
        coro: Any = task.get_coro()
        seen = []
        for meddle in (coro.close, lambda: coro.send(None), lambda: coro.throw(LookupError())):
            try:
                meddle()
            except ValueError as e:
                seen.append(str(e))
        return seen

    assert answer(kind, handler) == ["coroutine already executing"] * 3
