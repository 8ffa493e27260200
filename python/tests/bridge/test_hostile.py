"""Frames that no engine sends: the worker refuses them, or stops with a reason; it never crashes or hangs."""

from __future__ import annotations

import asyncio
import os
import random
import struct
from typing import Any

import pytest
from engine import FakeEngine, L, body_frame, request_frame, signal_frame
from harness import Harness, param, route

from covet import _bridge
from covet._plan import Convert, Source


async def handler(id: str, q: Any, h: Any, c: Any, request: Any) -> Any:
    return [
        id,
        q,
        h,
        c,
        request.method,
        request.path,
        request.query_string.decode("latin-1"),
        len(request.raw_headers),
        request.raw_path_params,
        request.client,
        request.header("accept"),
        request.query_values("q"),
        request.authority,
        len(await request.body()),
    ]


PLAN = route(
    handler,
    param("id", Source.PATH, default=None),
    param("q", Source.QUERY, Convert.INT, default=None),
    param("h", Source.HEADER, key="x-h", default=None),
    param("c", Source.COOKIE, key="k", default=None),
    param("request", Source.REQUEST),
)


def good(slot: int) -> bytes:
    return request_frame(
        slot=slot,
        path="/a/b",
        params=["b"],
        query="q=1&r=%20",
        body=b"body",
        headers=[("Cookie", "k=v"), ("X-H", "1"), ("Accept", "*")],
    )


@pytest.mark.parametrize("seed", range(12))
def test_requests_with_wrong_bytes(seed: int) -> None:
    rng = random.Random(seed)
    with Harness(PLAN) as h:
        for _ in range(150):
            frames = []
            for slot in range(8):
                f = bytearray(good(slot))
                for _ in range(rng.randrange(1, 6)):
                    at = rng.randrange(L["REQUEST_METHOD"], len(f))
                    if rng.random() < 0.5:
                        f[at] = rng.randrange(256)
                    else:
                        struct.pack_into(
                            "<I",
                            f,
                            at & ~3,
                            rng.choice([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, len(f), len(f) - 1, rng.randrange(1 << 32)]),
                        )
                f[L["FLAGS"]] &= ~L["FLAG_BODY_FOLLOWS"]
                frames.append(bytes(f))
            h.engine.put(*frames)
            found = h.run(h.answers(8))
            assert sorted(a.slot for a in found) == list(range(8))
        assert h.bridge.in_flight == 0


@pytest.mark.parametrize("seed", range(6))
def test_any_frames_in_any_order(seed: int) -> None:
    rng = random.Random(seed)
    with Harness(PLAN) as h:
        for _ in range(400):
            slot, generation = rng.randrange(4), rng.randrange(3)
            kind = rng.randrange(6)
            frame = [
                lambda s, g: request_frame(slot=s, generation=g, follows=rng.random() < 0.7),
                lambda s, g: body_frame(b"x" * rng.randrange(20000), slot=s, generation=g),
                lambda s, g: signal_frame("BODY_END", rng.randrange(9), slot=s, generation=g),
                lambda s, g: signal_frame("CANCEL", rng.randrange(9), slot=s, generation=g),
                lambda s, g: signal_frame("CREDIT", rng.randrange(1 << 32), slot=s, generation=g),
                lambda s, g: signal_frame("PAD", 0, slot=s, generation=g),
            ][kind](slot, generation)
            if rng.random() < 0.1:
                broken = bytearray(frame)
                broken[L["TYPE"]] = rng.randrange(2, 256)
                frame = bytes(broken)
            h.engine.put(frame)
            if rng.random() < 0.3:
                h.run(asyncio.sleep(0))
                h.engine.take()

        async def end() -> None:
            h.bridge.cancel_all()
            while h.bridge.in_flight:  # noqa: ASYNC110  # a counter in C
                await asyncio.sleep(0.001)

        h.run(end())


@pytest.mark.parametrize("length", [0, 1, 8, 15, 17, 1 << 20, 0xFFFFFFF8])
def test_a_ring_that_makes_no_sense_ends_the_worker(length: int) -> None:
    with Harness(PLAN) as h:
        f = bytearray(good(0))
        struct.pack_into("<I", f, 0, length)
        h.loop.call_later(0.001, h.engine.put, bytes(f))
        with pytest.raises(_bridge.BridgeError, match="broken"):
            h.run(asyncio.sleep(5))


def test_a_tail_that_runs_away() -> None:
    with Harness(PLAN) as h:
        at = h.engine.control(0, "REQUEST_TAIL")
        h.loop.call_later(0.001, h.engine.q.__setitem__, at // 8, 1 << 60)
        with pytest.raises(_bridge.BridgeError, match="broken"):
            h.run(asyncio.sleep(5))


def test_routes_and_slots_that_do_not_exist() -> None:
    with Harness(PLAN) as h:
        assert h.ask(7).status == 500
        assert h.ask(slot=0xFFFFFFFF).status == 500
        assert h.ask(slot=(1 << 20) - 1).status == 200
        h.engine.put(request_frame(slot=1, follows=True), request_frame(slot=1, generation=2))
        a = next(a for a in h.run(h.answers(2)) if a.type == "ERROR")
        assert a.generation == 2


@pytest.mark.parametrize(
    ("at", "value", "why"),
    [
        (L["REGION_MAGIC"], 1, "magic"),
        (L["REGION_VERSION"], 99, "version 99"),
        (L["REGION_LOOPS"], 2, "loops"),
        (L["REGION_LOOPS"], 0, "loops"),
        (L["REGION_REQUEST_BYTES"], 12345, "sizes"),
        (L["REGION_ANSWER_BYTES"], 1 << 31, "sizes"),
        (L["REGION_ANSWER_BYTES"], 1 << 29, "sizes"),
        (L["REGION_DATA_START"], 0, "sizes"),
        (L["REGION_DATA_START"], 4100, "sizes"),
        (L["REGION_DATA_START"], 0xFFFFF000, "sizes"),
    ],
)
def test_regions_that_are_refused(at: int, value: int, why: str) -> None:
    e = FakeEngine()
    try:
        struct.pack_into("<I", e.map, at, value)
        with pytest.raises(_bridge.BridgeError, match=why):
            _bridge.Bridge(e.fd, e.doorbell, e.bells, credit=1)
    finally:
        e.close()


def test_regions_that_are_none() -> None:
    fd = os.memfd_create("x")
    try:
        with pytest.raises(_bridge.BridgeError, match="too small"):
            _bridge.Bridge(fd, fd, [fd], credit=1)
        with pytest.raises(_bridge.BridgeError):
            _bridge.open_region(fd)
    finally:
        os.close(fd)
    with pytest.raises(_bridge.BridgeError, match="cannot be read"):
        _bridge.Bridge(9999, 0, [0], credit=1)


def test_the_region_header() -> None:
    with Harness(PLAN) as h:
        h.ask()
        got = _bridge.open_region(h.engine.fd)
        assert (got["version"], got["loops"], got["credit"], got["handled"]) == (_bridge.LAYOUT_VERSION, 1, 64, 1)
        assert got["progress"] > 0
    h2 = _bridge.Bridge.__new__(_bridge.Bridge)
    with pytest.raises((RuntimeError, _bridge.BridgeError)):
        h2.selector(None)  # type: ignore[arg-type]
