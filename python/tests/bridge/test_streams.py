"""Bodies in pieces, both ways, with credit; answer rings that are full."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from engine import Answer, L, body_frame, request_frame, signal_frame
from harness import Harness, Response, param, route

from covet import _bridge
from covet._plan import Mode, Source

WINDOW = 256 << 10
REQ = param("request", Source.REQUEST)


def body_of(answers: list[Answer]) -> bytes:
    return b"".join(a.body for a in answers if a.type in ("CHUNK", "RESPONSE"))


def test_a_small_body_is_there_at_once() -> None:
    async def handler(request: Any) -> Any:
        first = await request.body()
        return [len(first), await request.body() is first, [len(p) async for p in request.stream()]]

    with Harness(route(handler, REQ)) as h:
        assert json.loads(h.ask(body=b"x" * 1000).body) == [1000, True, [1000]]
        assert json.loads(h.ask(slot=1).body) == [0, True, []]


def test_a_streamed_body_asks_for_what_it_takes(kind: str) -> None:
    async def handler(request: Any) -> Any:
        total = 0
        async for piece in request.stream():
            total += len(piece)
        return {"total": total, "length": request.content_length}

    with Harness(route(handler, REQ), kind=kind) as h:
        h.engine.put(request_frame(follows=True, length=2_000_000))
        (want,) = h.run(h.answers())
        assert (want.type, want.value) == ("WANT", WINDOW)
        credit, sent, most = want.value, 0, 0
        while sent < 2_000_000:
            n = min(credit, 32768, 2_000_000 - sent)
            if n == 0:
                (more,) = h.run(h.answers())
                assert more.type == "WANT"
                credit += more.value
                continue
            h.engine.put(body_frame(b"b" * n))
            credit -= n
            sent += n
            most = max(most, credit)
            h.run(asyncio.sleep(0))
            for a in h.engine.take():
                assert a.type == "WANT"
                credit += a.value
        assert most <= WINDOW
        h.engine.put(signal_frame("BODY_END", L["REASON_COMPLETE"]))
        a = h.run(h.final())[-1]
        assert json.loads(a.body) == {"total": 2_000_000, "length": 2_000_000}


def test_a_slow_reader_holds_the_client_back() -> None:
    go = asyncio.Event()

    async def handler(request: Any) -> Any:
        pieces = request.stream()
        await anext(pieces)
        await go.wait()
        return sum([len(p) async for p in pieces])

    with Harness(route(handler, REQ)) as h:
        h.engine.put(request_frame(follows=True, length=-1))
        assert h.run(h.answers())[0].value == WINDOW
        for _ in range(8):
            h.engine.put(body_frame(b"x" * 32768))
        h.run(asyncio.sleep(0.01))
        asked = sum(a.value for a in h.engine.take())
        assert asked <= 32768  # only what was taken
        h.loop.call_soon(go.set)
        h.engine.put(signal_frame("BODY_END", 0))
        assert h.run(h.final())[-1].body == str(7 * 32768).encode()


def test_the_whole_of_a_streamed_body(kind: str) -> None:
    async def handler(request: Any) -> Any:
        a, b = await asyncio.gather(request.body(), request.body())
        return [len(a), a is b, (await request.body()) is a]

    with Harness(route(handler, REQ), kind=kind) as h:
        h.engine.put(request_frame(follows=True))
        h.run(h.answers())
        for _ in range(20):
            h.engine.put(body_frame(b"y" * 30000))
        h.engine.put(signal_frame("BODY_END", 0))
        assert json.loads(h.run(h.final())[-1].body) == [600000, True, True]


@pytest.mark.parametrize(
    ("reason", "error", "name"),
    [("TOO_LARGE", "BridgeError", "too_large"), ("GONE", "ClientGone", "gone"), ("INVALID", "BridgeError", "invalid")],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_body_that_breaks_off(reason: str, error: str, name: str, whole: bool) -> None:
    async def handler(request: Any) -> Any:
        try:
            if whole:
                await request.body()
            else:
                async for _ in request.stream():
                    pass
        except _bridge.BridgeError as e:
            return [type(e).__name__, e.reason]

    with Harness(route(handler, REQ)) as h:
        h.engine.put(request_frame(follows=True))
        h.run(h.answers())
        h.engine.put(body_frame(b"z"), signal_frame("BODY_END", L[f"REASON_{reason}"]))
        assert json.loads(h.run(h.final())[-1].body) == [error, name]


def test_a_body_that_nobody_reads_and_one_read_after_the_answer() -> None:
    kept: list[Any] = []

    async def handler(request: Any) -> Any:
        kept.append(request)
        return "ok"

    with Harness(route(handler, REQ)) as h:
        h.engine.put(request_frame(follows=True))
        assert h.run(h.final())[-1].body == b"ok"
        h.engine.put(body_frame(b"late"), signal_frame("BODY_END", 0))

        async def read() -> None:
            await kept[0].body()

        with pytest.raises(_bridge.ClientGone):
            h.run(read())


async def many(n: int, size: int = 10) -> AsyncIterator[bytes]:
    for i in range(n):
        await asyncio.sleep(0)
        yield bytes([i % 256]) * size


def test_streamed_results(kind: str) -> None:
    async def agen() -> AsyncIterator[bytes]:
        async for piece in many(5):
            yield piece

    def gen() -> Iterator[str]:
        yield from ("a", "b", "ç")

    async def response() -> Any:
        return Response(None, 203, [("x", "y")], "text/csv", many(3))

    async def empty() -> Any:
        return Response(None, items=many(0))

    plans = [route(agen, mode=Mode.ASYNC_ITERATOR), route(gen, mode=Mode.SYNC_ITERATOR), route(response), route(empty)]
    with Harness(*plans, kind=kind) as h:
        for i, (status, body) in enumerate(
            [
                (200, b"".join(bytes([i]) * 10 for i in range(5))),
                (200, "abç".encode()),
                (203, b"".join(bytes([i]) * 10 for i in range(3))),
                (200, b""),
            ]
        ):
            h.engine.put(request_frame(i))
            found = h.run(h.final())
            assert (found[0].type, found[0].status, found[-1].type, found[-1].flags) == ("START", status, "END", 0)
            assert body_of(found) == body
        assert h.errors == []


def test_a_stream_waits_for_credit_and_a_cancel_ends_it(kind: str) -> None:
    closed: list[str] = []

    async def forever() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            closed.append("closed")

    with Harness(route(forever, mode=Mode.ASYNC_ITERATOR), kind=kind) as h:
        h.engine.put(request_frame())
        h.run(asyncio.sleep(0.05))
        assert len(body_of(h.engine.take())) == WINDOW
        h.engine.put(signal_frame("CREDIT", 150_000))
        h.run(asyncio.sleep(0.05))
        assert len(body_of(h.engine.take())) == 150_000
        h.engine.put(signal_frame("CANCEL", 1))
        assert h.run(h.final())[-1].type == "CANCELLED"
        assert closed == ["closed"]
        assert h.errors == []


def test_a_stream_that_fails_in_the_middle_or_before_its_head() -> None:
    async def middle() -> AsyncIterator[bytes]:
        yield b"some"
        raise LookupError("middle")

    async def before() -> AsyncIterator[bytes]:
        raise LookupError("before")
        yield b""

    async def wrong() -> AsyncIterator[Any]:
        yield b"x"
        yield 5

    mode = Mode.ASYNC_ITERATOR
    with Harness(route(middle, mode=mode), route(before, mode=mode), route(wrong, mode=mode)) as h:
        h.engine.put(request_frame(0))
        found = h.run(h.final())
        assert [a.type for a in found] == ["START", "CHUNK", "END"]
        assert found[-1].flags == L["FLAG_ABORTED"]
        h.engine.put(request_frame(1))
        assert (h.run(h.final())[0].type, str(h.errors[-1])) == ("ERROR", "before")
        h.engine.put(request_frame(2))
        assert h.run(h.final())[-1].flags == L["FLAG_ABORTED"]
        assert isinstance(h.errors[-1], TypeError)


@pytest.mark.parametrize("make", ["bytes", "str", "json", "response"])
def test_a_large_result_streams_by_itself(make: str) -> None:
    text = "0123456789" * 60_000
    values = {"bytes": text.encode(), "str": text, "json": [text], "response": Response(text.encode(), 201)}

    async def handler() -> Any:
        return values[make]

    with Harness(route(handler)) as h:
        h.engine.put(request_frame())
        found = h.run(h.answers(2))
        want = json.dumps([text], separators=(",", ":")).encode() if make == "json" else text.encode()
        assert (found[0].type, found[0].length) == ("START", len(want))
        h.run(asyncio.sleep(0.01))
        found += h.engine.take()
        assert len(body_of(found)) == WINDOW
        while not found[-1].final:
            h.engine.put(signal_frame("CREDIT", 100_000))
            found += h.run(h.answers())
            h.run(asyncio.sleep(0))
        assert body_of(found) == want
        h.engine.put(request_frame(slot=2), signal_frame("CANCEL", 1, slot=2))
        assert h.run(h.final())[-1].type == "CANCELLED"
        assert h.bridge.in_flight == 0


@pytest.mark.parametrize("size", [0, 1, 50, 4000, 20_000])
def test_full_answer_rings_lose_nothing(size: int, kind: str) -> None:
    async def handler(request: Any) -> Any:
        return {"q": request.query_string.decode(), "pad": "p" * size}

    with Harness(route(handler, REQ), kind=kind, answer_bytes=1 << 16) as h:
        count = 300
        h.engine.put(*(request_frame(slot=i, query=f"{i}") for i in range(count)))
        h.run(asyncio.sleep(0.02))
        found: list[Answer] = []

        async def slowly() -> None:
            while len(found) < count:
                found.extend(h.engine.take(most=7))
                await asyncio.sleep(0)

        h.run(slowly())
        assert [a.slot for a in found] == list(range(count))
        for a in found:
            assert json.loads(a.body) == {"q": str(a.slot), "pad": "p" * size}


def test_large_bodies_through_a_small_ring() -> None:
    data = bytes(range(256)) * 2000

    async def handler() -> Any:
        return data

    with Harness(route(handler), answer_bytes=1 << 14) as h:
        h.engine.put(request_frame(), signal_frame("CREDIT", 1 << 20))
        found: list[Answer] = []

        async def slowly() -> None:
            while not (found and found[-1].final):
                found.extend(h.engine.take(most=1))
                await asyncio.sleep(0)

        h.run(slowly())
        assert body_of(found) == data


class Closing:
    """An async iterator whose aclose has something to do after the answer is complete."""

    def __init__(self, log: list[Any], wait: bool) -> None:
        self.log, self.wait, self.left = log, wait, 2

    def __aiter__(self) -> Closing:
        return self

    async def __anext__(self) -> bytes:
        if self.wait:
            await asyncio.sleep(0)
        self.left -= 1
        if self.left < 0:
            raise StopAsyncIteration
        return b"x"

    async def aclose(self) -> None:
        task = asyncio.current_task()
        await asyncio.sleep(0)
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        self.log.append(asyncio.current_task() is task is not None)


@pytest.mark.parametrize("wait", [False, True])
def test_what_is_left_to_do_after_the_answer_is_done(kind: str, wait: bool) -> None:
    log: list[Any] = []

    async def handler() -> Any:
        return Response(None, items=Closing(log, wait))

    with Harness(route(handler), kind=kind) as h:
        h.engine.put(request_frame())
        assert [a.type for a in h.run(h.final())] == ["START", "CHUNK", "CHUNK", "END"]

        async def until() -> None:
            while not log:  # noqa: ASYNC110  # nothing tells
                await asyncio.sleep(0.001)

        h.run(until())
        assert log == [True]
        assert h.bridge.in_flight == 0
        assert h.errors == []


def test_the_answer_to_head_does_not_wait_for_the_end_of_the_items(kind: str) -> None:
    closed: list[str] = []

    async def forever() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x"
        finally:
            closed.append("closed")

    with Harness(route(forever, mode=Mode.ASYNC_ITERATOR), kind=kind) as h:
        h.engine.put(request_frame(method="HEAD"))
        assert [(a.type, a.flags) for a in h.run(h.final())] == [("START", 0), ("END", 0)]
        assert closed == ["closed"]


def test_a_first_item_that_is_wrong_is_an_error_not_a_broken_stream() -> None:
    async def wrong() -> AsyncIterator[Any]:
        yield 5

    with Harness(route(wrong, mode=Mode.ASYNC_ITERATOR)) as h:
        h.engine.put(request_frame())
        assert [(a.type, a.status) for a in h.run(h.final())] == [("ERROR", 500)]
        assert isinstance(h.errors[0], TypeError)


@pytest.mark.parametrize("data", [b"", b"some"])
def test_a_body_that_ended_before_it_was_asked_for(data: bytes) -> None:
    async def whole(request: Any) -> Any:
        await asyncio.sleep(0)
        return [len(await request.body()), len(await request.body()), [len(p) async for p in request.stream()]]

    async def pieces(request: Any) -> Any:
        await asyncio.sleep(0)
        return [len(p) async for p in request.stream()]

    with Harness(route(whole, REQ), route(pieces, REQ)) as h:
        n = len(data)
        for i, want in enumerate(([n, n, [n] if n else []], [n] if n else [])):
            frames = [request_frame(i, follows=True), body_frame(data), signal_frame("BODY_END", 0)]
            h.engine.put(*(frames if data else frames[::2]))
            assert json.loads(body_of(h.run(h.final()))) == want


def test_a_hook_that_writes_to_another_exchange_while_a_result_is_serialized() -> None:
    """The frame that it writes comes to lie where the result was being written."""
    others: list[Any] = []

    async def handler() -> Any:
        return {"a": {1, 2}, "b": "text"}

    class Writing(Harness):
        def render(self, request: Any, value: Any) -> Any:
            if len(others) == 1:
                others.append(others[0].write(b"Z" * 500))
            return super().render(request, value)

    async def handler_stream() -> AsyncIterator[bytes]:
        yield b"y"
        await asyncio.Event().wait()

    with Writing(route(handler), route(handler_stream, mode=Mode.ASYNC_ITERATOR)) as h:
        h.engine.put(request_frame(1, slot=1))
        h.run(h.answers(2))
        coros: list[Any] = [t.get_coro() for t in asyncio.all_tasks(h.loop)]
        others += [c.cr_frame.f_locals["exchange"] for c in coros if "exchange" in c.cr_frame.f_locals]
        h.engine.put(request_frame(0, slot=2))
        found = {a.slot: a for a in h.run(h.answers(2))}
        assert found[1].body == b"Z" * 500
        assert found[2].body == b'{"a":[1,2],"b":"text"}'
        h.engine.put(signal_frame("CANCEL", 1, slot=1))
        h.run(h.final())


def test_a_body_that_is_more_than_was_asked_for() -> None:
    async def handler(request: Any) -> Any:
        await asyncio.sleep(0.005)
        return [len(p) async for p in request.stream()]

    with Harness(route(handler, REQ)) as h:
        pieces = [body_frame(b"x" * 30_000) for _ in range(20)]
        h.engine.put(request_frame(follows=True), *pieces, signal_frame("BODY_END", 0))
        assert h.run(h.final())[-1].type == "ERROR"
        assert [getattr(e, "reason", "") for e in h.errors] == ["invalid"]
