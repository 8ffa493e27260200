"""A bridge on an event loop in this process, with a fake engine at the other end."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from engine import Answer, FakeEngine, request_frame

from covet import _bridge
from covet._plan import MISSING, Convert, Mode, ParamPlan, Problem, RoutePlan, Source
from covet._worker._pool import Pool
from covet._worker._process import _serve_by_reader
from covet._worker._stream import make_stream

_bridge.install()


class Request(_bridge.Request):
    pass


@dataclass
class Response:
    content: bytes | None = b""
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    content_type: str | None = None
    items: Any = None

    def __aiter__(self) -> Any:
        return self.items


def param(name: str, source: Source = Source.QUERY, convert: Convert = Convert.STR, **keys: Any) -> ParamPlan:
    kinds = {Convert.INT: "int", Convert.FLOAT: "float", Convert.BOOL: "bool"}
    keys.setdefault("kind", kinds.get(convert, "str"))
    return ParamPlan(name, source, keys.pop("key", name), convert=convert, **keys)


def route(handler: Callable[..., Any], *params: ParamPlan, mode: Mode = Mode.ASYNC, **keys: Any) -> RoutePlan:
    keys.setdefault("status", 200)
    return RoutePlan(
        0,
        ("GET",),
        "/",
        handler,
        mode,
        params,
        name=getattr(handler, "__name__", "h"),
        qualname="tests.h",
        file="f.py",
        line=1,
        **keys,
    )


class Harness:
    """One bridge and its engine. ``run(coroutine)`` runs the loop until the coroutine ends."""

    def __init__(
        self, *plans: RoutePlan, kind: str = "asyncio", threads: int = 2, waiting: int = 16, **engine: Any
    ) -> None:
        self.engine = FakeEngine(**engine)
        self.errors: list[BaseException] = []
        self.hook: Callable[[Any, BaseException], Any] | None = None
        e = self.engine
        self.bridge = _bridge.Bridge(e.fd, e.doorbell, e.bells, credit=64)
        self.kind = kind
        if kind == "uvloop":
            import uvloop

            self.loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        else:
            self.loop = asyncio.SelectorEventLoop(self.bridge.selector(selectors.DefaultSelector()))
        self.pool = Pool(threads, waiting)
        self.loop.set_default_executor(self.pool)
        self.remove: Callable[[], None] = lambda: None
        try:
            self.bridge.configure(
                loop=self.loop,
                plans=plans,
                request_type=Request,
                response_type=Response,
                invalid=self.invalid,
                failed=self.failed,
                render=self.render,
                stream=make_stream(Response),
                submit=self.pool.run,
            )
        except BaseException:
            self.close()
            raise
        if kind == "uvloop":
            self.remove = _serve_by_reader(self.loop, self.bridge)

    def invalid(self, request: Any, errors: list[tuple[str, str, str]]) -> Problem:
        assert isinstance(request, Request)
        return Problem(422, "validation_failed", "invalid", _bridge.dumps(errors))

    def failed(self, request: Any, error: BaseException) -> Any:
        assert isinstance(request, Request)
        if self.hook is not None:
            return self.hook(request, error)
        self.errors.append(error)
        return Problem(500, "internal_error", type(error).__name__)

    def render(self, request: Any, value: Any) -> Any:
        if isinstance(value, set):
            return sorted(value)
        raise TypeError("unknown")

    def run(self, main: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(asyncio.wait_for(main, 20))

    async def answers(self, count: int = 1, *, loop: int = 0) -> list[Answer]:
        """Waits for that many frames while the loop goes round."""
        found: list[Answer] = []
        while len(found) < count:
            await asyncio.sleep(0.001)
            found += self.engine.take(loop)
        return found

    async def final(self, *, loop: int = 0) -> list[Answer]:
        found: list[Answer] = []
        while not (found and found[-1].final):
            found += await self.answers(loop=loop)
        return found

    def ask(self, route: int = 0, **keys: Any) -> Answer:
        """One request, its one answer."""
        self.engine.put(request_frame(route, **keys))
        found = self.run(self.answers())
        assert len(found) == 1, found
        return found[0]  # type: ignore[no-any-return]

    def close(self) -> None:
        asyncio.set_event_loop(None)
        self.remove()
        self.bridge.close()
        # A loop that a broken ring has stopped still has tasks.
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()

        async def settle() -> None:
            await asyncio.gather(*tasks, return_exceptions=True)

        self.loop.run_until_complete(settle())
        self.pool.shutdown()
        self.loop.close()
        self.engine.close()

    def __enter__(self) -> Harness:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


__all__ = ["MISSING", "Harness", "Request", "Response", "param", "route"]
