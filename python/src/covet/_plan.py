"""The boundary between the public package and the C extension: what a route needs to be called, as plain data.

The package compiles every handler's signature to a :class:`RoutePlan` once, at start-up. The extension reads the plans
once, too, and from then on calls handlers without entering any other Python code, unless a plan says so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

__all__ = ["MISSING", "Convert", "Mode", "ParamPlan", "Problem", "RoutePlan", "Source"]


class _Missing:
    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
"""No default: the parameter is required."""


class Source(IntEnum):
    """Where an argument comes from."""

    PATH = 0
    """A path parameter; ``index`` is its place in the route's pattern."""
    QUERY = 1
    """The query; ``key`` is its name there. The last value wins."""
    HEADER = 2
    """A header field; ``key`` is its name in lower case."""
    COOKIE = 3
    """A cookie; ``key`` is its name."""
    REQUEST = 4
    """The request object itself."""
    PREPARED = 5
    """Computed by the plan's ``prepare`` under the name ``key``."""


class Convert(IntEnum):
    """What the text is converted to, in C."""

    STR = 0
    INT = 1
    """Decimal digits with an optional sign; no spaces, underscores or non-ASCII digits; at most 4300 digits."""
    FLOAT = 2
    """A finite decimal number; ``nan`` and ``inf`` are refused."""
    BOOL = 3
    """``true``/``false``, ``1``/``0``, ``yes``/``no``, ``on``/``off``, without regard to case."""
    CALL = 4
    """``ParamPlan.call(text)``, which raises ``ValueError`` to refuse: UUID, date, Enum, everything else."""


@dataclass(frozen=True, slots=True)
class ParamPlan:
    """One argument of a handler. It is passed by keyword."""

    name: str
    """The name of the handler's parameter."""
    source: Source
    key: str
    """The name in the source: see :class:`Source`."""
    index: int = 0
    convert: Convert = Convert.STR
    call: Callable[[str], Any] | None = None
    multiple: bool = False
    """All values, as a list, instead of one: QUERY only."""
    default: Any = MISSING
    reason: str = ""
    """For CALL: why a refused text is refused, such as ``"must be a UUID"``; else the extension's own words."""
    kind: str = "str"
    """The name of the expected type for error details: ``"int"``, ``"uuid"``, …"""


class Mode(IntEnum):
    """How a handler is called."""

    ASYNC = 0
    """A coroutine function: driven on the event loop."""
    SYNC = 1
    """A plain function: called in the bounded thread pool."""
    ASYNC_ITERATOR = 2
    """An async generator function: its items are the body, streamed."""
    SYNC_ITERATOR = 3
    """A generator function: iterated in the thread pool, its items are the body, streamed."""


@dataclass(frozen=True, slots=True)
class RoutePlan:
    """One route: what the engine matches on, and how its handler is called."""

    id: int
    """The place in the list of plans; the number that the engine puts into REQUEST frames."""
    methods: tuple[str, ...]
    path: str
    """The pattern in the engine's syntax: ``/users/{id}``, ``/files/{path...}``."""
    handler: Callable[..., Any]
    mode: Mode
    params: tuple[ParamPlan, ...]
    status: int
    """The status of a result that is not a Response."""
    name: str
    """The route's name: by default the handler's ``__name__``."""
    qualname: str
    """``module.qualname`` of the handler, for messages."""
    file: str
    line: int
    """Where the handler is defined, for messages."""
    prepare: Callable[[Any], Awaitable[Mapping[str, Any]]] | None = None
    """Called with the request before the handler when PREPARED parameters exist (a body, …). It may await."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A structured error on its way to the engine, which renders it: the ERROR frame."""

    status: int
    code: str
    """A code of the error registry, or ``""`` to let the engine derive it from the status."""
    message: str
    details: bytes = b""
    """A JSON text, or nothing."""
    headers: tuple[tuple[str, str], ...] = ()
