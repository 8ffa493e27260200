"""Routes as they are declared, and routers that hold them."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from covet._errors import RouteError
from covet._fields import TOKEN
from covet._pattern import Pattern, join_paths

__all__ = ["Route", "Router"]

Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Route:
    """One declaration: a handler for methods and a path below its router's prefix."""

    methods: tuple[str, ...]
    path: str
    handler: Callable[..., Any]
    status_code: int | None
    name: str
    qualname: str
    file: str
    line: int

    @property
    def where(self) -> str:
        """The handler for messages: ``app.get_user (app.py:12)``."""
        return f"{self.qualname} ({self.file}:{self.line})"


class Router:
    """Routes below a common prefix. ``app.include_router(router)`` puts them into an application.

    The decorators return the handler unchanged, so it can be called and tested as the function it is. Routes that are
    added after the router was included count too: everything is compiled together when the application starts.
    """

    def __init__(self, *, prefix: str = "") -> None:
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ValueError(f"a prefix starts with '/' and does not end with it, not {prefix!r}")
        self.prefix = prefix
        self._routes: list[Route | tuple[str, Router]] = []

    def route(
        self, path: str, *, methods: Iterable[str] = ("GET",), status_code: int | None = None, name: str | None = None
    ) -> Callable[[Handler], Handler]:
        """Registers the decorated function for the methods.

        ``status_code`` is that of a result that is not a Response; by default (or 200) it is 200, and 204 for None.
        ``name`` is for ``url_path_for``; by default the function's.
        """
        if isinstance(methods, str):
            raise TypeError("methods is a list of names, not one str")
        names = tuple(dict.fromkeys(method.upper() for method in methods))
        if not names or not all(TOKEN.fullmatch(method) for method in names):
            raise ValueError(f"methods are names such as GET, and at least one, not {list(names)!r}")
        if status_code is not None and not 200 <= status_code <= 599:
            raise ValueError(f"status_code is from 200 to 599, not {status_code}")

        def register(handler: Handler) -> Handler:
            self._routes.append(_declare(names, path, handler, status_code, name))
            return handler

        return register

    def get(
        self, path: str, *, status_code: int | None = None, name: str | None = None
    ) -> Callable[[Handler], Handler]:
        """Registers the decorated function for GET; the engine answers HEAD from it."""
        return self.route(path, methods=("GET",), status_code=status_code, name=name)

    def post(
        self, path: str, *, status_code: int | None = None, name: str | None = None
    ) -> Callable[[Handler], Handler]:
        """Registers the decorated function for POST."""
        return self.route(path, methods=("POST",), status_code=status_code, name=name)

    def put(
        self, path: str, *, status_code: int | None = None, name: str | None = None
    ) -> Callable[[Handler], Handler]:
        """Registers the decorated function for PUT."""
        return self.route(path, methods=("PUT",), status_code=status_code, name=name)

    def patch(
        self, path: str, *, status_code: int | None = None, name: str | None = None
    ) -> Callable[[Handler], Handler]:
        """Registers the decorated function for PATCH."""
        return self.route(path, methods=("PATCH",), status_code=status_code, name=name)

    def delete(
        self, path: str, *, status_code: int | None = None, name: str | None = None
    ) -> Callable[[Handler], Handler]:
        """Registers the decorated function for DELETE."""
        return self.route(path, methods=("DELETE",), status_code=status_code, name=name)

    def head(
        self, path: str, *, status_code: int | None = None, name: str | None = None
    ) -> Callable[[Handler], Handler]:
        """Registers the decorated function for HEAD, where it is to differ from GET."""
        return self.route(path, methods=("HEAD",), status_code=status_code, name=name)

    def options(
        self, path: str, *, status_code: int | None = None, name: str | None = None
    ) -> Callable[[Handler], Handler]:
        """Registers the decorated function for OPTIONS, where it is to differ from what the engine answers."""
        return self.route(path, methods=("OPTIONS",), status_code=status_code, name=name)

    def include_router(self, router: Router, *, prefix: str = "") -> None:
        """Adds the routes of another router, below ``prefix`` and its own prefix."""
        if not isinstance(router, Router):
            raise TypeError(f"include_router takes a Router, not {type(router).__name__}")
        if prefix and (not prefix.startswith("/") or prefix.endswith("/")):
            raise ValueError(f"a prefix starts with '/' and does not end with it, not {prefix!r}")
        self._routes.append((prefix, router))

    def url_path_for(self, name: str, /, **params: Any) -> str:
        """The path of the route of that name, percent-encoded, with ``params`` in the places of its parameters.

        LookupError when there is no such route or the parameters are not those of its path.
        """
        for path, route in self._walk(""):
            if route.name == name:
                return Pattern.parse(path).fill(params)
        raise LookupError(f"there is no route named {name!r}")

    def _walk(self, prefix: str, above: tuple[Router, ...] = ()) -> Iterator[tuple[str, Route]]:
        """All routes with their whole paths, in the order of declaration."""
        if self in above:
            raise RouteError(f"the router with the prefix {self.prefix!r} includes itself", "remove one include_router")
        prefix += self.prefix
        for entry in self._routes:
            if isinstance(entry, Route):
                try:
                    path = join_paths(prefix, entry.path)
                except ValueError as e:
                    raise RouteError(f"{entry.where}: {e}") from None
                yield path, entry
            else:
                more, router = entry
                yield from router._walk(prefix + more, (*above, self))


def _declare(
    methods: tuple[str, ...], path: str, handler: Callable[..., Any], status_code: int | None, name: str | None
) -> Route:
    if not callable(handler) or isinstance(handler, type):
        raise TypeError(f"a handler is a function, not {handler!r}")
    function = inspect.unwrap(handler)
    while hasattr(function, "func"):  # functools.partial
        function = inspect.unwrap(function.func)
    own = getattr(function, "__name__", type(function).__name__)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return Route(
        methods=methods,
        path=path,
        handler=handler,
        status_code=status_code,
        name=name or own,
        qualname=f"{function.__module__}.{getattr(function, '__qualname__', own)}",
        file=_shortened(code.co_filename) if code else "?",
        line=code.co_firstlineno if code else 0,
    )


def _shortened(file: str) -> str:
    # Below the current directory a relative name reads better and can still be clicked on.
    here = os.getcwd() + os.sep
    return file.removeprefix(here)
