"""Requests in, answers out: every mode of handler, every kind of result, every way to fail."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest
from engine import L, request_frame, signal_frame
from harness import Harness, Response, param, route

from covet import _bridge
from covet._plan import Convert, Mode, Problem, Source


async def get_user(id: int) -> Any:
    return {"id": id}


def test_a_typed_route_on_both_loops(kind: str) -> None:
    with Harness(route(get_user, param("id", Source.PATH, Convert.INT)), kind=kind) as h:
        a = h.ask(path="/users/42", params=["42"])
        assert (a.type, a.status, a.content, a.body) == ("RESPONSE", 200, L["CONTENT_JSON"], b'{"id":42}')
        a = h.ask(path="/users/x", params=["x"], slot=3, generation=9)
        assert (a.type, a.slot, a.generation, a.status) == ("ERROR", 3, 9, 422)
        assert json.loads(a.details) == [["path.id", "must be an integer", "int"]]
        assert h.bridge.in_flight == 0


@pytest.mark.parametrize(
    ("value", "status", "content", "body"),
    [
        ({"a": [1, "é"]}, 200, "JSON", '{"a":[1,"é"]}'.encode()),
        ([1, 2], 200, "JSON", b"[1,2]"),
        ((), 200, "JSON", b"[]"),
        (7, 200, "JSON", b"7"),
        (1.5, 200, "JSON", b"1.5"),
        (True, 200, "JSON", b"true"),
        ("text é", 200, "TEXT", "text é".encode()),
        (b"\0\1", 200, "OCTETS", b"\0\1"),
        (None, 204, "NONE", b""),
        ({3, 1, 2}, 200, "JSON", b"[1,2,3]"),
        ({"s": {2, 1}}, 200, "JSON", b'{"s":[1,2]}'),
        (Response(b"x", 201, [("x-a", "1")], "text/html; charset=utf-8"), 201, "HTML", b"x"),
        (Response(b"x", 404, [], "text/css"), 404, "NONE", b"x"),
        (Response(b"", 304), 304, "NONE", b""),
    ],
)
def test_results(value: Any, status: int, content: str, body: bytes) -> None:
    async def handler() -> Any:
        return value

    with Harness(route(handler)) as h:
        a = h.ask()
        assert (a.type, a.status, a.content, a.body) == ("RESPONSE", status, L[f"CONTENT_{content}"], body)
        if isinstance(value, Response) and value.content_type == "text/css":
            assert a.fields == [("content-type", "text/css")]
        head = h.ask(method="HEAD", slot=1)
        assert (head.status, head.body, head.length) == (status, b"", len(body))


def test_the_status_of_the_route() -> None:
    async def made() -> Any:
        return {}

    async def nothing() -> None:
        return None

    with Harness(route(made, status=201), route(nothing, status=202)) as h:
        assert h.ask(0).status == 201
        assert h.ask(1).status == 202


@pytest.mark.parametrize(
    ("value", "where", "type_name"),
    [
        ({"items": [1, {"price": object()}]}, "$.items[1].price", "object"),
        ([float("nan")], "$[0]", "float"),
        ({"a b": complex(1)}, "$['a b']", "complex"),
        ({"s": "\ud800"}, "$.s", "str"),
        ({(1, 2): 3}, "$[(1, 2)]", "tuple"),
    ],
)
def test_what_cannot_be_serialized(value: Any, where: str, type_name: str) -> None:
    async def handler() -> Any:
        return value

    with Harness(route(handler)) as h:
        a = h.ask()
        assert (a.type, a.status) == ("ERROR", 500)
        (error,) = h.errors
        assert isinstance(error, _bridge.EncodeError)
        assert (error.path, error.type_name) == (where, type_name)


def test_an_exception_at_any_point() -> None:
    async def at_once() -> None:
        raise LookupError("no")

    async def later() -> None:
        await asyncio.sleep(0)
        raise LookupError("later")

    def in_a_thread() -> None:
        raise LookupError("thread")

    def when_called(**_: Any) -> Any:
        raise LookupError("call")

    plans = [route(at_once), route(later), route(in_a_thread, mode=Mode.SYNC), route(when_called)]
    with Harness(*plans) as h:
        for i in range(4):
            a = h.ask(i)
            assert (a.type, a.status, a.message) == ("ERROR", 500, "LookupError")
        assert [str(e) for e in h.errors] == ["no", "later", "thread", "call"]
        assert all(e.__traceback__ is not None for e in h.errors)


def test_an_asynchronous_exception_handler_and_one_that_fails(capsys: pytest.CaptureFixture[str]) -> None:
    async def handler() -> None:
        raise LookupError("first")

    with Harness(route(handler)) as h:
        asked: list[str] = []

        async def answer(error: BaseException) -> Any:
            await asyncio.sleep(0)
            return Problem(418, "", str(error))

        h.hook = lambda request, error: answer(error)
        assert (h.ask().status, h.ask(slot=1).message) == (418, "first")

        async def fails(error: BaseException) -> Any:
            raise ValueError("second")

        def hook(request: Any, error: BaseException) -> Any:
            asked.append(str(error))
            return fails(error) if str(error) == "first" else Problem(500, "", str(error))

        h.hook = hook
        assert h.ask().message == "second"
        assert asked == ["first", "second"]

        def broken(request: Any, error: BaseException) -> Any:
            raise RuntimeError("the hook itself")

        h.hook = broken
        with _unraisable() as seen:
            assert h.ask().status == 500
        assert "the hook itself" in seen


class _unraisable(list[str]):
    def __enter__(self) -> list[str]:
        import sys

        self.hook = sys.unraisablehook
        sys.unraisablehook = lambda u: self.append(str(u.exc_value))
        return self

    def __exit__(self, *exc: object) -> None:
        import sys

        sys.unraisablehook = self.hook


def test_problems_and_their_fields() -> None:
    async def handler() -> Any:
        return Problem(401, "unauthorized", "who are you?", b'{"a":1}', (("www-authenticate", "Basic"),))

    with Harness(route(handler)) as h:
        a = h.ask()
        assert (a.type, a.status, a.code, a.message, a.details) == (
            "ERROR",
            401,
            "unauthorized",
            "who are you?",
            b'{"a":1}',
        )
        assert a.fields == [("www-authenticate", "Basic")]


def test_threads(kind: str) -> None:
    main = threading.get_ident()

    def handler(n: int) -> Any:
        return {"n": n, "same": threading.get_ident() == main}

    with Harness(route(handler, param("n", convert=Convert.INT), mode=Mode.SYNC), kind=kind) as h:
        h.engine.put(*(request_frame(slot=i, query=f"n={i}") for i in range(12)))
        found = h.run(h.answers(12))
        assert sorted(json.loads(a.body)["n"] for a in found) == list(range(12))
        assert not any(json.loads(a.body)["same"] for a in found)


def test_a_full_pool_is_503() -> None:
    hold, started = threading.Event(), threading.Semaphore(0)

    def handler() -> str:
        started.release()
        hold.wait(10)
        return "done"

    with Harness(route(handler, mode=Mode.SYNC), threads=1, waiting=1) as h:
        h.engine.put(request_frame(slot=0))
        h.run(asyncio.sleep(0))
        assert started.acquire(timeout=10)
        h.engine.put(*(request_frame(slot=i) for i in range(1, 4)))
        found = h.run(h.answers(2))
        assert [a.status for a in found] == [503, 503]
        hold.set()
        assert [a.body for a in h.run(h.answers(2))] == [b"done", b"done"]


def test_prepare_runs_first_and_may_wait() -> None:
    async def handler(id: int, body: Any) -> Any:
        return {"id": id, "body": body}

    def in_a_thread(id: int, body: Any) -> Any:
        return {"id": id, "body": body, "thread": threading.current_thread().name.startswith("covet-")}

    async def prepare(request: Any) -> dict[str, Any]:
        data = await request.body()
        if data == b"wait":
            await asyncio.sleep(0)
        if data == b"bad":
            raise ValueError("bad body")
        return {"payload": data.decode()}

    params = (param("id", Source.PATH, Convert.INT), param("body", Source.PREPARED, key="payload"))
    plans = [route(handler, *params, prepare=prepare), route(in_a_thread, *params, prepare=prepare, mode=Mode.SYNC)]
    with Harness(*plans) as h:
        for i in (0, 1):
            for body in (b"now", b"wait"):
                a = h.ask(i, path="/7", params=["7"], method="POST", body=body)
                got = json.loads(a.body)
                assert (got["id"], got["body"]) == (7, body.decode())
                assert got.get("thread", True)
            assert h.ask(i, path="/7", params=["7"], method="POST", body=b"bad").message == "ValueError"
        # A refused parameter is told before prepare is asked.
        assert h.ask(0, path="/x", params=["x"], method="POST", body=b"bad").status == 422


def test_cancel(kind: str) -> None:
    seen: list[str] = []

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise

    async def stubborn() -> str:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0)
            seen.append("cleaned")
        return "never sent"

    with Harness(route(waits), route(stubborn), kind=kind) as h:
        for i in (0, 1):
            h.engine.put(request_frame(i, generation=5))
            h.run(asyncio.sleep(0.01))
            h.engine.put(signal_frame("CANCEL", L["REASON_GONE"], generation=4))  # an older one: not ours
            h.run(asyncio.sleep(0.01))
            assert h.bridge.in_flight == 1
            h.engine.put(signal_frame("CANCEL", L["REASON_GONE"], generation=5))
            (a,) = h.run(h.answers())
            assert (a.type, a.generation) == ("CANCELLED", 5)
        assert seen == ["cancelled", "cleaned"]
        assert h.errors == []


def test_cancel_in_the_same_batch_as_the_request() -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    async def on_a_child() -> None:
        child = asyncio.create_task(asyncio.Event().wait())
        try:
            await child
        finally:
            children.append(child)

    children: list[Any] = []
    with Harness(route(waits), route(on_a_child)) as h:
        for i in (0, 1):
            h.engine.put(request_frame(i), signal_frame("CANCEL", 1))
            assert h.run(h.answers())[0].type == "CANCELLED"
        assert children[0].cancelled()  # as a Task would: what it waits for is cancelled, too


def test_cancel_while_a_thread_runs() -> None:
    hold = threading.Event()

    def handler() -> str:
        hold.wait(10)
        return "late"

    with Harness(route(handler, mode=Mode.SYNC)) as h:
        h.engine.put(request_frame(), signal_frame("CANCEL", 1))
        h.run(asyncio.sleep(0.01))
        assert h.bridge.in_flight == 1
        hold.set()
        assert h.run(h.answers())[0].type == "CANCELLED"


def test_drain_and_cancel_all() -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    with Harness(route(waits)) as h:
        h.engine.put(request_frame(slot=0))
        h.run(asyncio.sleep(0.01))
        h.bridge.drain()
        a = h.ask(slot=1)
        assert (a.status, a.fields) == (503, [("retry-after", "0")])

        async def cancel() -> None:
            h.bridge.cancel_all()

        h.run(cancel())
        assert h.run(h.answers())[0].status == 503


def test_several_loops_have_their_own_slots() -> None:
    with Harness(route(get_user, param("id", Source.PATH, Convert.INT)), loops=3) as h:
        for loop in range(3):
            h.engine.put(request_frame(path=f"/{loop}", params=[str(loop)], slot=5), loop=loop)
        for loop in range(3):
            (a,) = h.run(h.answers(loop=loop))
            assert json.loads(a.body) == {"id": loop}


def test_request_attributes_survive_the_handler() -> None:
    kept: list[Any] = []

    async def handler(request: Any) -> str:
        kept.append(request)
        return "ok"

    with Harness(route(handler, param("request", Source.REQUEST))) as h:
        for i in range(300):  # the ring's memory is used again
            h.ask(
                path="/a/%2F/b",
                params=["%2F"],
                query=f"x=1&x={i}&y=%C3%A9+z",
                method="PUT",
                body=b"B" * i,
                slot=i % 7,
                headers=[("Host", "h"), ("X-Odd", "v\xe9"), ("COOKIE", "a=b")],
                flags=L["FLAG_PATH_ESCAPED"] | L["FLAG_TLS"],
            )
        for i, r in enumerate(kept):
            assert (r.method, r.scheme, r.http_version, r.path) == ("PUT", "https", "1.1", "/a///b")
            assert r.raw_path == b"/a/%2F/b"
            assert r.raw_path_params == ("/",)
            assert r.query_string == f"x=1&x={i}&y=%C3%A9+z".encode()
            assert (r.query_values("x"), r.query_values("y"), r.query_values("z")) == (["1", str(i)], ["é z"], [])
            assert (r.client, r.server, r.authority) == (("127.0.0.1", 40000), ("127.0.0.1", 8000), "example.test")
            assert r.request_id == bytes(range(16)).hex()
            assert r.raw_headers == [(b"host", b"h"), (b"x-odd", b"v\xe9"), (b"cookie", b"a=b")]
            assert (r.header("host"), r.header("x-odd"), r.header("cookie"), r.header("none")) == (
                "h",
                "v\xe9",
                "a=b",
                None,
            )
            assert r.content_length == i
            assert r.plan.qualname == "tests.h"
            assert not r.is_disconnected()


def test_an_unusual_method() -> None:
    async def handler(request: Any) -> str:
        return request.method  # type: ignore[no-any-return]

    with Harness(route(handler, param("request", Source.REQUEST))) as h:
        assert h.ask(method="PROPFIND").body == b"PROPFIND"


def test_the_bridge_belongs_to_one_thread() -> None:
    with Harness(route(get_user, param("id"))) as h:
        caught: list[BaseException] = []

        def elsewhere() -> None:
            try:
                h.bridge.poll()
            except RuntimeError as e:
                caught.append(e)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert len(caught) == 1


def test_a_second_cancel_does_not_interrupt_the_cleaning_up() -> None:
    seen: list[str] = []
    cleaning = asyncio.Event()

    async def handler() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await asyncio.sleep(0.01)
            seen.append("cleaned")

    with Harness(route(handler)) as h:
        h.engine.put(request_frame(), signal_frame("CANCEL", 1))
        h.run(cleaning.wait())
        h.engine.put(signal_frame("CANCEL", 1))
        assert h.run(h.answers())[0].type == "CANCELLED"
        assert seen == ["cleaned"]


def test_cancel_of_an_awaitable_that_nothing_can_be_thrown_into() -> None:
    class Endless:
        def __await__(self) -> Any:
            return iter(lambda: None, 1)

    with Harness(route(lambda: Endless())) as h:
        h.engine.put(request_frame())
        h.run(asyncio.sleep(0.001))
        h.engine.put(signal_frame("CANCEL", 1))
        assert h.run(h.answers())[0].type == "CANCELLED"
        assert h.errors == []


@pytest.mark.parametrize("wait_first", [False, True])
def test_a_handler_cannot_serve_or_close_the_bridge(wait_first: bool) -> None:
    async def handler() -> Any:
        if wait_first:
            await asyncio.sleep(0)
        h.engine.put(request_frame(1, slot=1))
        served = h.bridge.poll()
        with pytest.raises(RuntimeError, match="by a handler"):
            h.bridge.close()
        return served

    async def other() -> Any:
        return "other"

    with Harness(route(handler), route(other)) as h:
        h.engine.put(request_frame())
        assert [a.body for a in h.run(h.answers(2))] == [b"0", b"other"]


def test_a_loop_that_runs_inside_of_a_handler_does_not_spin() -> None:
    """What patches asyncio to nest loops calls select in a handler: it waits for descriptors, not for the rings."""

    async def handler() -> Any:
        h.engine.put(request_frame(1, slot=1))
        return len(selector.select(0.001))

    async def other() -> Any:
        return "other"

    with Harness(route(handler), route(other)) as h:
        selector: Any = h.loop._selector  # type: ignore[attr-defined]
        h.engine.put(request_frame())
        assert [a.body for a in h.run(h.answers(2))] == [b"0", b"other"]


def test_a_bridge_that_was_never_opened() -> None:
    bridge = _bridge.Bridge.__new__(_bridge.Bridge)
    for method in (bridge.poll, bridge.prepare_wait, bridge.cancel_all):
        with pytest.raises(RuntimeError, match="closed"):
            method()
    bridge.flush()
    bridge.close()


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Response(b"", headers=[("x-a", "b\r\nset-cookie: c")]), "line break"),
        (Response(b"", headers=[("x-a\n", "b")]), "line break"),
        (Response(b"", headers=[("x-a", "b\0")]), "NUL"),
        (Response(b"", headers=[("", "b")]), "no name"),
        (Response(b"", headers=[("x-a", "\u0100")]), "Latin-1"),
        (Response(b"", content_type="text/x\r\na: b"), "line break"),
        (Response(b"", status=(1 << 32) + 200), "status"),
        (Response(b"", status=100), "status"),
        (Problem((1 << 32) + 404, "", ""), "status"),
    ],
)
def test_heads_that_cannot_be_sent(value: Any, why: str) -> None:
    async def handler() -> Any:
        return value

    with Harness(route(handler)) as h:
        assert h.ask().status == 500
        assert isinstance(h.errors[0], ValueError)
        assert why in str(h.errors[0])


def test_a_plan_whose_status_is_none() -> None:
    with pytest.raises(ValueError, match="status"), Harness(route(get_user, param("id"), status=101)):
        pass


def test_cancelled_by_nobody(kind: str) -> None:
    """A handler that raises CancelledError itself fails like any other: it is answered, and told to the log."""

    async def at_once() -> None:
        raise asyncio.CancelledError

    async def later() -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    with Harness(route(at_once), route(later), kind=kind) as h:
        for i in (0, 1):
            a = h.ask(i)
            assert (a.type, a.status) == ("ERROR", 500)
        assert [type(e) for e in h.errors] == [asyncio.CancelledError] * 2
