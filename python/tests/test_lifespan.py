"""What runs before the first request and after the last, in which order, and when something fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from covet import App


async def enter(app: App, inside: Any = None) -> None:
    async with app._lifespan():
        if inside is not None:
            inside()


def test_order() -> None:
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(app: App) -> AsyncIterator[dict[str, str]]:
        events.append("enter")
        yield {"pool": "ready"}
        events.append("exit")

    app = App(lifespan=lifespan)

    @app.on_startup
    async def one() -> None:
        events.append(f"start 1 {app.state.pool}")

    @app.on_startup
    def two() -> None:
        events.append("start 2")

    @app.on_shutdown
    def three() -> None:
        events.append("stop 1")

    @app.on_shutdown
    async def four() -> None:
        events.append("stop 2")

    asyncio.run(enter(app, lambda: events.append("serve")))
    assert events == ["enter", "start 1 ready", "start 2", "serve", "stop 1", "stop 2", "exit"]
    assert two() is None  # type: ignore[func-returns-value]


def test_generator_functions_are_lifespans() -> None:
    events: list[str] = []

    async def later(app: App) -> AsyncIterator[None]:
        events.append("a")
        yield
        events.append("b")

    def plain(app: App) -> Iterator[None]:
        events.append("c")
        yield
        events.append("d")

    asyncio.run(enter(App(lifespan=later)))
    asyncio.run(enter(App(lifespan=plain)))
    assert events == ["a", "b", "c", "d"]


def test_failures() -> None:
    events: list[str] = []

    async def lifespan(app: App) -> AsyncIterator[None]:
        try:
            yield
        finally:
            events.append("exit")

    app = App(lifespan=lifespan)

    @app.on_shutdown
    def broken() -> None:
        raise RuntimeError("in shut-down")

    @app.on_shutdown
    def after() -> None:
        events.append("after")

    with pytest.raises(RuntimeError, match="in shut-down"):
        asyncio.run(enter(app))
    assert events == ["after", "exit"]

    events.clear()

    @app.on_startup
    def start() -> None:
        raise RuntimeError("in start-up")

    with pytest.raises(RuntimeError):
        asyncio.run(enter(app, lambda: events.append("serve")))
    assert "serve" not in events
    assert events[-1] == "exit"


def test_a_lifespan_that_is_none() -> None:
    with pytest.raises(TypeError, match="context manager"):
        asyncio.run(enter(App(lifespan=lambda app: 5)))  # type: ignore[arg-type, return-value]


def test_nothing() -> None:
    asyncio.run(enter(App()))
