"""The application."""

from __future__ import annotations

import asyncio
import os
import sys
import warnings
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from covet._compile import compile_routes
from covet._hooks import ExceptionHandler, Hooks, make_hooks
from covet._launch import LaunchError, arguments, hand_over, target_of
from covet._lifespan import Lifespan, run_lifespan
from covet._plan import RoutePlan
from covet._request import Request
from covet._router import Router
from covet._state import State
from covet._static import StaticFiles, declare_static

__all__ = ["App"]

Function = TypeVar("Function", bound=Callable[..., Any])


class App(Router):
    """A web application: routes, what runs around them, and how errors are answered.

    ``lifespan(app)`` is an async context manager that is entered before the first request of a worker and left after
    its last; a mapping that it yields becomes attributes of ``app.state``. ``debug`` shows clients the traceback of
    unhandled exceptions: never in production. ``prefix`` goes before every path.
    """

    def __init__(
        self,
        *,
        title: str = "CovetPy",
        version: str = "0.1.0",
        debug: bool = False,
        lifespan: Lifespan | None = None,
        prefix: str = "",
    ) -> None:
        super().__init__(prefix=prefix)
        self.title = title
        self.version = version
        self.debug = debug
        self.state = State()
        """What the application carries along: a pool, settings. One a worker."""
        self._lifespan_function = lifespan
        self._startup: list[Callable[[], Any]] = []
        self._shutdown: list[Callable[[], Any]] = []
        self._exception_handlers: dict[type[BaseException], ExceptionHandler] = {}
        self._static: list[StaticFiles] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    def include_router(self, router: Router, *, prefix: str = "") -> None:
        """Adds the routes of a router, below ``prefix`` and its own prefix."""
        if isinstance(router, App):
            raise TypeError("include_router takes a Router; an App has a lifespan and error handlers of its own")
        super().include_router(router, prefix=prefix)

    def on_startup(self, function: Function) -> Function:
        """Runs the decorated function, ``def`` or ``async def`` without parameters, before a worker's first request."""
        self._startup.append(function)
        return function

    def on_shutdown(self, function: Function) -> Function:
        """Runs the decorated function, ``def`` or ``async def`` without parameters, after a worker's last request."""
        self._shutdown.append(function)
        return function

    def static(
        self,
        path: str,
        directory: str | os.PathLike[str],
        *,
        index: str | None = "index.html",
        listing: bool = False,
        fallback: str | None = None,
        dotfiles: bool = False,
        follow_symlinks: bool = False,
        precompressed: bool = True,
        cache_control: str = "",
        immutable: bool = False,
    ) -> None:
        """Serves the files of a directory below ``path``, by the engine alone.

        A relative directory starts at that of the file that calls. ``index`` stands for a directory, ``listing`` shows
        those without one, ``fallback`` is sent to browsers in place of a file that is not there. ``precompressed``
        prefers ``NAME.br``, ``NAME.zst`` and ``NAME.gz`` for clients that accept them. ``immutable`` lets clients keep
        files with a hash in their name for a year.
        """
        caller = sys._getframe(1)
        self._static.append(
            declare_static(
                path,
                directory,
                caller.f_code.co_filename,
                caller.f_lineno,
                index=index or "-",
                listing=listing,
                fallback=fallback or "",
                dotfiles=dotfiles,
                follow_symlinks=follow_symlinks,
                precompressed=precompressed,
                cache_control=cache_control,
                immutable=immutable,
            )
        )

    def exception_handler(self, exception: type[BaseException], /) -> Callable[[Function], Function]:
        """Lets the decorated ``(request, exception)`` answer for exceptions of that class and below.

        It returns a response, or a value that becomes JSON with the error's status (500 for what is no HTTPError).
        The nearest class counts. A ``def`` runs on the event loop: it must not block.
        """
        if not (isinstance(exception, type) and issubclass(exception, BaseException)):
            raise TypeError(f"exception_handler takes an exception class, not {exception!r}")

        def register(function: Function) -> Function:
            self._exception_handlers[exception] = function
            return function

        return register

    def run(
        self,
        *,
        host: str | None = None,
        port: int | None = None,
        workers: int | None = None,
        dev: bool = False,
        **options: Any,
    ) -> None:
        """Serves the application: replaces this process by ``covet run FILE:app``.

        What is not given comes from the environment (``COVET_PORT``, …), ``covet.toml`` and the engine's defaults;
        ``options`` are its other flags, with underscores: ``transport="epoll"``. ``dev`` reloads on change. In a
        worker, which imports this module again, nothing happens.
        """
        if "COVET_WORKER" in os.environ:
            warnings.warn(
                "app.run() in a worker does nothing: put it below `if __name__ == '__main__':`",
                RuntimeWarning,
                stacklevel=2,
            )
            return
        try:
            flags = {"host": host, "port": port, "workers": workers, **options}
            hand_over(arguments(target_of(self), flags, dev=dev))
        except LaunchError as e:
            print(f"covet: {e}", file=sys.stderr)
            raise SystemExit(1) from None

    def __repr__(self) -> str:
        return f"<App {self.title!r}>"

    # What the worker asks for.

    def _plans(self) -> list[RoutePlan]:
        return compile_routes(self._walk(""))

    def _static_files(self) -> list[dict[str, Any]]:
        return [files.described(self.prefix) for files in self._static]

    def _info(self) -> dict[str, str]:
        return {"title": self.title, "version": self.version}

    def _hooks(self) -> Hooks:
        # A class of its own, so that a request knows its application without a field that someone has to fill.
        request_type = type("Request", (Request,), {"_app": self, "__doc__": Request.__doc__})
        return make_hooks(self._exception_handlers, request_type, debug=self.debug)

    def _lifespan(self) -> AbstractAsyncContextManager[None]:
        return run_lifespan(self, self.state, self._lifespan_function, self._startup, self._shutdown)
