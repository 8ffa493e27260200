"""What stands beside a head and a body: trailer fields both ways, interim responses."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from engine import L, body_end_frame, body_frame, request_frame
from harness import Harness, Response, param, route
from test_golden import fields, load

from covet import StreamingResponse, _bridge
from covet._plan import Mode, Source

REQ = param("request", Source.REQUEST)


async def seen(request: Any) -> Any:
    before = len(request.raw_trailers)
    body = await request.body()
    return [before, len(body), [[n.decode(), v.decode("latin-1")] for n, v in request.raw_trailers]]


def test_trailers_of_a_request(kind: str) -> None:
    with Harness(route(seen, REQ), kind=kind) as h:
        h.engine.put(request_frame(follows=True, length=-1))
        assert h.run(h.answers())[0].type == "WANT"
        h.engine.put(body_frame(b"abc"), body_end_frame([("Checksum", "7"), ("X-Empty", ""), ("x-latin", "caf\xe9")]))
        answer = h.run(h.final())[-1]
        assert json.loads(answer.body) == [0, 3, [["checksum", "7"], ["x-empty", ""], ["x-latin", "caf\xe9"]]]


def test_a_golden_trailer() -> None:
    lines, frame = load("bodyend-trailer")
    with Harness(route(seen, REQ)) as h:
        h.engine.put(request_frame(follows=True, length=-1, slot=5, generation=9), frame)
        answer = h.run(h.final())[-1]
        assert json.loads(answer.body)[2] == [[n.lower(), v] for n, v in fields(lines)]


@pytest.mark.parametrize(
    ("at", "value"),
    [
        (L["BODY_END_FIELDS"], 1 << 31),
        (L["BODY_END_FIELDS"] + 4, 1 << 31),
        (L["BODY_END_SIZE"], 1 << 31),
        (L["BODY_END_SIZE"] + 4, 0xFFFFFFFF),
        (L["BODY_END_FIELD_COUNT"], 9),
    ],
)
def test_a_broken_trailer_section_is_not_read_beyond_its_frame(at: int, value: int) -> None:
    with Harness(route(seen, REQ)) as h:
        frame = bytearray(body_end_frame([("a", "b"), ("c", "d")]))
        struct.pack_into("<I", frame, at, value)
        h.engine.put(request_frame(follows=True, length=-1), bytes(frame))
        got = json.loads(h.run(h.final())[-1].body)[2]
        assert got == [["a", "b"], ["c", "d"]][: len(got)]


def test_no_trailers_without_a_body() -> None:
    with Harness(route(seen, REQ)) as h:
        assert json.loads(h.ask(body=b"xy").body) == [0, 2, []]


async def items() -> AsyncIterator[bytes]:
    yield b"one"
    await asyncio.sleep(0)
    yield b"two"


class Trailing(Response):
    def __init__(self, trailers: Any) -> None:
        super().__init__(content=None, items=items())
        self.made = StreamingResponse([b""], trailers=trailers)
        self.headers = self.made.headers

    async def trailers(self) -> Any:
        return await self.made.trailers()


async def later() -> dict[str, str]:
    await asyncio.sleep(0)
    return {"checksum": "7"}


@pytest.mark.parametrize(
    ("given", "announced"),
    [
        ({"checksum": "7"}, [("Trailer", "checksum")]),
        ([("checksum", "7")], [("Trailer", "checksum")]),
        (lambda: {"checksum": "7"}, []),
        (later, []),
    ],
)
def test_trailers_of_a_response(given: Any, announced: Any, kind: str) -> None:
    async def handler() -> Any:
        return Trailing(given)

    with Harness(route(handler), kind=kind) as h:
        h.engine.put(request_frame())
        start, *chunks, end = h.run(h.final())
        assert start.fields == announced
        assert b"".join(c.body for c in chunks) == b"onetwo"
        assert (end.type, end.flags, end.fields) == ("END", 0, [("checksum", "7")])


@pytest.mark.parametrize("given", [None, {}, lambda: None, dict])
def test_no_trailers_of_a_response(given: Any) -> None:
    async def handler() -> Any:
        return Trailing(given)

    with Harness(route(handler)) as h:
        h.engine.put(request_frame())
        start, *_, end = h.run(h.final())
        assert (start.fields, end.type, end.fields) == ([], "END", [])


@pytest.mark.parametrize("bad", [{"content-length": "3"}, {"a": "b\r\nc: d"}, [("a", 1)], {"x": "\u20ac"}])
def test_trailers_that_cannot_be_sent_cut_the_response_off(bad: Any) -> None:
    async def handler() -> Any:
        return Trailing(lambda: bad)

    with Harness(route(handler)) as h:
        h.engine.put(request_frame())
        end = h.run(h.final())[-1]
        assert (end.type, end.flags) == ("END", L["FLAG_ABORTED"])


def test_a_fixed_trailer_is_checked_at_once() -> None:
    for name in ("Host", "Content-Length", "TE", "Set-Cookie", "X-Forwarded-For", "If-Match", "Date"):
        with pytest.raises(ValueError, match="trailer"):
            StreamingResponse([b""], trailers={name: "x"})
    with pytest.raises(ValueError, match="control character"):
        StreamingResponse([b""], trailers={"x": "a\nb"})


def test_an_interim_response(kind: str) -> None:
    async def handler(request: Any) -> Any:
        request.inform(103, [("Link", "</a.css>"), ("Link", "</b.css>")])
        await asyncio.sleep(0.01)
        return "final"

    with Harness(route(handler, REQ), kind=kind) as h:
        h.engine.put(request_frame())
        (hint,) = h.run(h.answers())
        assert (hint.type, hint.status, hint.fields) == ("INFORM", 103, [("Link", "</a.css>"), ("Link", "</b.css>")])
        assert h.run(h.answers())[0].body == b"final"


def test_interim_responses_that_are_none() -> None:
    kept: list[Any] = []

    async def handler(request: Any) -> Any:
        kept.append(request)
        for status in (100, 101, 200, -1):
            with pytest.raises(ValueError, match="interim"):
                request.inform(status, [])
        with pytest.raises(ValueError, match="line break"):
            request.inform(103, [("link", "a\r\nb")])
        return "final"

    def in_a_thread(request: Any) -> Any:
        with pytest.raises((RuntimeError, _bridge.BridgeError), match="thread"):
            request.inform(103, [])
        return "thread"

    with Harness(route(handler, REQ), route(in_a_thread, REQ, mode=Mode.SYNC)) as h:
        assert h.ask().body == b"final"
        assert h.ask(1).body == b"thread"
        kept[0].inform(103, [("link", "late")])
        assert h.engine.take() == []


def test_interim_responses_do_not_pile_up(kind: str) -> None:
    async def handler(request: Any) -> Any:
        for _ in range(20_000):
            request.inform(103, [("link", "x" * 100)])
        return "final"

    with Harness(route(handler, REQ), kind=kind) as h:
        h.engine.put(request_frame())
        answers = h.run(h.final())
        assert answers[-1].body == b"final"
        # As many as the ring holds; what does not fit is left out, not kept in memory.
        assert 1000 < len(answers) < (1 << 20) / 100
