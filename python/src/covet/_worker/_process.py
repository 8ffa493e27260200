"""The life of a worker: hello, import, routes, lifespan, ready, serve, drain."""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import gc
import importlib.util
import os
import platform
import selectors
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

import covet
from covet import _bridge
from covet._errors import RouteError
from covet._plan import Mode, RoutePlan
from covet._worker._control import Control
from covet._worker._failure import StartError, readable
from covet._worker._pool import Pool
from covet._worker._settings import CONTROL_FD, DOORBELL_FD, REGION_FD, Settings, read_settings
from covet._worker._stream import make_stream
from covet._worker._target import load_application

__all__ = ["main"]

TICK_SECONDS = 0.005
"""How often a drain looks whether everything is answered."""

STOP_SECONDS = 1.0
"""How long the lifespan may take to end after a stop: the engine waits no longer."""


def main() -> int:
    """Runs a worker; the exit status."""
    try:
        settings = read_settings()
    except ValueError as e:
        print(f"covet: {e}", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    faulthandler.register(signal.SIGUSR1, file=sys.stderr, all_threads=True)
    try:
        os.set_inheritable(CONTROL_FD, False)
    except OSError:
        print(
            "covet: there is no control channel: a worker is started by the engine, with `covet run`", file=sys.stderr
        )
        return 2
    if hasattr(os, "SCHED_BATCH"):
        # Refused in some containers: an optimization is not worth a failure. What the engine has at this moment is
        # inherited, and need not be what workers are to have.
        with contextlib.suppress(OSError):
            if settings.sched_batch:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
            elif os.sched_getscheduler(0) == os.SCHED_BATCH:
                os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    control = Control(CONTROL_FD)
    try:
        return _Worker(settings, control).run()
    except StartError as e:
        keys = {"stage": e.stage, "message": e.message, "hint": e.hint, "traceback": e.traceback}
        with contextlib.suppress(OSError):
            control.send("failed", **keys)
        return 1
    except BrokenPipeError:
        return 1  # the engine went while we started


class _Worker:
    def __init__(self, settings: Settings, control: Control) -> None:
        self.settings = settings
        self.control = control
        self.bridge: _bridge.Bridge | None = None
        self.grace: float | None = None
        self.stopped = False

    def run(self) -> int:
        kind = _loop_kind(self.settings.loop)
        self.control.send(
            "hello",
            pid=os.getpid(),
            python=platform.python_version(),
            covet=covet.__version__,
            layout=_bridge.LAYOUT_VERSION,
            loop=kind,
        )
        # Before the application, and what it imports, takes asyncio.current_task for itself.
        _bridge.install()
        app = load_application(self.settings.target, self.settings.dir)
        plans = _plans(app)
        more = {"static": static} if (static := app._static_files()) else {}
        self.control.send("routes", **app._info(), routes=[_described(plan) for plan in plans], **more)
        if self.settings.describe:
            return 0
        try:
            for fd in (REGION_FD, DOORBELL_FD, *self.settings.answer_fds):
                os.set_inheritable(fd, False)
            self.bridge = _bridge.Bridge(
                REGION_FD,
                DOORBELL_FD,
                self.settings.answer_fds,
                credit=self.settings.credit,
                spin_us=self.settings.spin_us,
            )
        except (_bridge.BridgeError, OSError) as e:
            hint = "the covet binary and the Python package must be of one version: reinstall covetpy"
            raise StartError("bridge", str(e), hint) from None
        with contextlib.closing(_new_loop(kind, self.bridge)) as loop:
            asyncio.set_event_loop(loop)
            try:
                loop.run_until_complete(self.serve(loop, app, plans, kind))
                self.bridge.flush()
                if not self.stopped:
                    self.control.send("drained")
            finally:
                self.bridge.close()
        sys.stdout.flush()
        sys.stderr.flush()
        # A thread stuck in a handler must not keep the process: everything that had to be said is said.
        os._exit(0)

    async def serve(self, loop: asyncio.AbstractEventLoop, app: Any, plans: list[RoutePlan], kind: str) -> None:
        bridge = self.bridge
        assert bridge is not None
        done = asyncio.Event()
        waiting = max(self.settings.credit, self.settings.threads)
        pool = Pool(self.settings.threads, waiting)
        # What the application gives to threads is bounded, too, and holds no exit. The threads are others than those of
        # plain handlers: such a handler may wait for work of the loop that needs one.
        threads = Pool(self.settings.threads, waiting)
        loop.set_default_executor(threads)
        self.control.listen(loop, lambda message: self.told(message, done))
        entered, leave = asyncio.Event(), asyncio.Event()
        lifespan = asyncio.create_task(_live(app._lifespan(), entered, leave), name="covet-lifespan")
        entering, ended = asyncio.create_task(entered.wait()), asyncio.create_task(done.wait())
        await asyncio.wait((lifespan, entering, ended), return_when=asyncio.FIRST_COMPLETED)
        entering.cancel()
        try:
            if lifespan.done():
                lifespan.result()
            elif not entered.is_set():
                lifespan.cancel()
                await asyncio.wait((lifespan,), timeout=STOP_SECONDS)
                ended.cancel()
                return
        except (Exception, asyncio.CancelledError) as e:
            said = f": {e}" if str(e) else ""
            raise StartError("lifespan", f"the lifespan raised {type(e).__name__}{said}", "", readable(e)) from None
        self.configure(loop, app, plans, pool)
        # What start-up made lives as long as the process: the collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        remove = _serve_by_reader(loop, bridge) if kind == "uvloop" else None
        self.control.send("ready")
        await ended
        await self.finish(bridge)
        if remove is not None:
            bridge.flush()
            remove()
        leave.set()
        await self.leave(lifespan)
        self.control.ignore(loop)
        pool.shutdown()
        threads.shutdown()

    def configure(self, loop: asyncio.AbstractEventLoop, app: Any, plans: list[RoutePlan], pool: Pool) -> None:
        hooks = app._hooks()
        assert self.bridge is not None
        try:
            self.bridge.configure(
                loop=loop,
                plans=plans,
                request_type=hooks.request_type,
                response_type=hooks.response_type,
                invalid=hooks.invalid,
                failed=hooks.failed,
                render=hooks.render,
                stream=make_stream(hooks.response_type),
                submit=pool.run,
            )
        except (TypeError, ValueError) as e:
            raise StartError("bridge", f"the routes cannot be served: {e}", "", traceback.format_exc()) from None

    def told(self, message: dict[str, Any] | None, done: asyncio.Event) -> None:
        """A message from the engine; None: it is gone."""
        kind = "stop" if message is None else message.get("type")
        if kind == "drain" and message is not None:
            grace = message.get("grace", 0)
            self.grace = float(grace) if isinstance(grace, (int, float)) else 0.0
        elif kind == "stop":
            self.stopped = True
            if self.bridge is not None and done.is_set():
                with contextlib.suppress(_bridge.BridgeError):
                    self.bridge.cancel_all()
        else:
            print(f"covet: worker {self.settings.worker}: unknown message {kind!r} from the engine", file=sys.stderr)
            return
        done.set()

    async def finish(self, bridge: _bridge.Bridge) -> None:
        """Lets what is in flight end; cancels it after the grace."""
        loop = asyncio.get_running_loop()
        bridge.drain()
        deadline = loop.time() + (0.0 if self.stopped else self.grace or 0.0)
        while bridge.in_flight and not self.stopped and loop.time() < deadline:  # noqa: ASYNC110  # in_flight is a counter in C
            await asyncio.sleep(TICK_SECONDS)
        if bridge.in_flight:
            bridge.cancel_all()
        # Cancelled handlers may clean up; threads cannot be cancelled. Neither holds the exit for long.
        deadline = loop.time() + STOP_SECONDS
        while bridge.in_flight and loop.time() < deadline:  # noqa: ASYNC110  # in_flight is a counter in C
            await asyncio.sleep(TICK_SECONDS)

    async def leave(self, lifespan: asyncio.Task[None]) -> None:
        """Waits for the end of the lifespan: a failure is told, and the exit goes on."""
        try:
            await (asyncio.wait_for(lifespan, STOP_SECONDS) if self.stopped else lifespan)
        except TimeoutError:
            print(f"covet: worker {self.settings.worker}: the lifespan took too long to end", file=sys.stderr)
        except (Exception, asyncio.CancelledError):
            traceback.print_exc()


async def _live(lifespan: Any, entered: asyncio.Event, leave: asyncio.Event) -> None:
    """Enters and leaves the lifespan in one Task: task groups and cancel scopes in it belong to that Task."""
    async with lifespan:
        entered.set()
        await leave.wait()


def _plans(app: Any) -> list[RoutePlan]:
    try:
        return list(app._plans())
    except RouteError as e:
        raise StartError("routes", e.message, e.hint) from None
    except Exception as e:
        said = f"the routes cannot be prepared: {type(e).__name__}: {e}"
        raise StartError("routes", said, "", traceback.format_exc()) from None


def _described(plan: RoutePlan) -> dict[str, Any]:
    return {
        "id": plan.id,
        "methods": list(plan.methods),
        "path": plan.path,
        "name": plan.name,
        "handler": plan.qualname,
        "file": plan.file,
        "line": plan.line,
        "mode": Mode(plan.mode).name.lower(),
    }


def _loop_kind(wanted: str) -> str:
    """``auto`` is asyncio: with the rings inside its selector it needs no round of the loop for a request."""
    if wanted != "uvloop":
        return "asyncio"
    if importlib.util.find_spec("uvloop") is None:
        hint = f"install it: {sys.executable} -m pip install uvloop; or choose --event-loop asyncio"
        raise StartError("bridge", "uvloop is asked for, but it is not installed", hint)
    return "uvloop"


def _new_loop(kind: str, bridge: _bridge.Bridge) -> asyncio.AbstractEventLoop:
    if kind == "uvloop":
        import uvloop

        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    base = selectors.DefaultSelector()
    return asyncio.SelectorEventLoop(bridge.selector(base))


def _serve_by_reader(loop: asyncio.AbstractEventLoop, bridge: _bridge.Bridge) -> Callable[[], None]:
    """For loops whose wait is not ours: a reader on the bridge's descriptor. Returns what takes it away again."""
    running = True

    def serve() -> None:
        if not running:
            return
        # Sleep is announced after a look that found nothing, and only then: see prepare_wait.
        if bridge.poll() or not bridge.prepare_wait():
            loop.call_soon(serve)

    def remove() -> None:
        nonlocal running
        running = False
        loop.remove_reader(bridge.fileno())

    loop.add_reader(bridge.fileno(), serve)
    loop.call_soon(serve)
    return remove
