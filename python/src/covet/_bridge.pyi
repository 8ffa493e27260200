"""The C extension: the worker's end of the shared-memory bridge. Private: users meet it through ``covet.Request``."""

from asyncio import AbstractEventLoop, Task
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from selectors import BaseSelector
from typing import Any

from covet._plan import Problem, RoutePlan

LAYOUT_VERSION: int
"""The version of the shared-memory layout that this build speaks."""

class BridgeError(Exception):
    """The region is not what this build expects, or the exchange is over."""

    reason: str
    """Why a body or a stream broke off: ``"gone"``, ``"timeout"``, ``"too_large"``, ``"invalid"`` or ``"shutdown"``;
    else ``""``."""

class ClientGone(BridgeError):
    """Nobody waits for the response any more: raised by body and stream operations."""

class EncodeError(TypeError):
    """A value cannot be serialized to JSON."""

    path: str
    """Where, such as ``$.items[3].price``."""
    type_name: str
    """The type of the value there."""

def dumps(value: object, default: Callable[[Any], Any] | None = None, /) -> bytes:
    """JSON text of value, as ``json.dumps(value, separators=(",", ":"), ensure_ascii=False)`` would give.

    NaN and infinities raise EncodeError, as do cycles (depth over 200), lone surrogates and unknown types that
    ``default`` does not turn into known ones (it raises TypeError for those). Keys must be str, int, float, bool or
    None.
    """

def encode_to(
    value: object, room: bytearray | memoryview, default: Callable[[Any], Any] | None = None, /
) -> int | bytes:
    """``dumps`` into memory that is there, as an answer is written: the length; or, when it does not fit, the text.

    For benchmarks and tests only.
    """

class Request:
    """What the engine knows of a request, read from the frame when asked for.

    The frame's memory is copied in one piece when the handler first suspends or keeps the request; before that, reads
    go to the ring. Instances are made by the bridge only; ``covet.Request`` derives from this class.
    """

    @property
    def method(self) -> str: ...
    @property
    def scheme(self) -> str: ...
    @property
    def http_version(self) -> str:
        """``"1.0"``, ``"1.1"`` or ``"2"``."""
    @property
    def path(self) -> str:
        """The canonical path, decoded."""
    @property
    def raw_path(self) -> bytes:
        """The path as received, without the query."""
    @property
    def query_string(self) -> bytes: ...
    @property
    def authority(self) -> str: ...
    @property
    def client(self) -> tuple[str, int] | None: ...
    @property
    def server(self) -> tuple[str, int] | None: ...
    @property
    def request_id(self) -> str: ...
    @property
    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Names in lower case, values as received, in order."""
    @property
    def raw_trailers(self) -> list[tuple[bytes, bytes]]:
        """The trailer fields, as ``raw_headers``; empty until the body has been read to its end."""
    @property
    def raw_path_params(self) -> tuple[str, ...]:
        """Decoded, in the order of the pattern, unconverted."""
    @property
    def plan(self) -> RoutePlan: ...
    @property
    def content_length(self) -> int | None: ...
    def header(self, name: str, /) -> str | None:
        """The first value of the field (name in lower case), as Latin-1; None when absent."""
    def query_values(self, name: str, /) -> list[str]:
        """All values of a query parameter, percent-decoded (UTF-8, errors replaced), ``+`` as space."""
    def body(self) -> Awaitable[bytes]:
        """The whole body. May be awaited again: it is kept. Raises ClientGone, or BridgeError when it is too large."""
    def stream(self) -> AsyncIterator[bytes]:
        """The body in pieces as they arrive, with back-pressure: at most 256 KiB wait unread."""
    def inform(self, status: int, headers: Sequence[tuple[str, str]], /) -> None:
        """Sends an interim response, 102 to 199. Nothing happens once the response has begun or nobody waits for it.
        An exception on another thread than the event loop's."""
    def is_disconnected(self) -> bool: ...

class Exchange:
    """The response side of one request, for streamed responses."""

    @property
    def request(self) -> Request: ...
    def start(
        self, status: int, headers: Sequence[tuple[str, str]], content_type: str | None, length: int | None, /
    ) -> None: ...
    def write(self, data: bytes | bytearray | memoryview, /) -> Awaitable[None]:
        """Sends a piece; completes when there is credit for more. Raises ClientGone."""
    def end(self, aborted: bool = False, trailers: Sequence[tuple[str, str]] | None = None, /) -> None:
        """The end of the body, cut off or complete; the latter may be followed by trailer fields."""

class Bridge:
    """One worker's end of the region. Used on the event loop's thread, except for what says otherwise."""

    def __init__(
        self, region_fd: int, doorbell_fd: int, answer_fds: Sequence[int], *, credit: int, spin_us: int = 0
    ) -> None:
        """Maps the region and checks its magic and version; raises BridgeError with the reason.

        ``credit`` is how many exchanges this worker takes at once. The descriptors stay the caller's.
        """
    def configure(
        self,
        *,
        loop: AbstractEventLoop,
        plans: Sequence[RoutePlan],
        request_type: type[Request],
        response_type: type[Any],
        invalid: Callable[[Request, list[tuple[str, str, str]]], Problem],
        failed: Callable[[Request, BaseException], Any],
        render: Callable[[Request, Any], Any],
        stream: Callable[[Exchange, Any], Awaitable[None]],
        submit: Callable[[Callable[[], None]], None],
    ) -> None:
        """Joins the bridge to a running application.

        ``response_type`` instances have the attributes ``status: int``, ``headers: list[tuple[str, str]]``,
        ``content_type: str | None`` and ``content: bytes | None``; with ``content`` None the value goes to ``stream``.

        ``invalid(request, errors)`` makes the answer to refused parameters; an error is
        ``(place, reason, type)``, such as ``("path.id", "must be an integer", "int")``; all are collected first. What
        it raises goes to ``failed``, as what a handler raises does.

        ``failed(request, exception)`` makes the answer to an exception out of a handler: a Problem or a response. It
        logs what is to be logged. It is also called, with EncodeError, for a result that cannot be serialized. It may
        return an awaitable of its answer (an ``async def`` exception handler): drive it as a handler is driven. An
        exception out of that awaitable is given to ``failed`` once more; that second answer is never an awaitable.

        ``render(request, value)`` turns a result the extension does not know (not dict, list, tuple, str, bytes, int,
        float, bool, None, Problem or response_type) into one it knows or into one that has ``__aiter__`` or
        ``__iter__``-streaming semantics decided by ``stream``; it may raise TypeError. For a value inside a dict or
        list it is called as well, so that one function knows every type.

        ``stream(exchange, value)`` sends a streamed response: an async generator's or iterator's items, or a
        response_type whose content is None: that one is an async iterable of ``bytes`` itself (``__aiter__``). It
        runs in a Task of its own that is the request's task.

        A result None is an empty 204, or the route's status when that is not 200.

        ``submit(job)`` runs job in the bounded thread pool; it raises when the pool's queue is full (→ 503).
        """
    def selector(self, base: BaseSelector, /) -> BaseSelector:
        """A selector for ``asyncio.SelectorEventLoop`` that serves the rings inside ``select``: requests are handled
        without a round of the Python event loop. ``base`` must offer ``fileno`` (epoll, kqueue, devpoll)."""
    def poll(self) -> int:
        """Handles the frames that have arrived, for loops with ``add_reader`` (uvloop); returns how many."""
    def prepare_wait(self) -> bool:
        """Before a loop blocks on the doorbell: announces sleep and looks once more; False if work came meanwhile."""
    def fileno(self) -> int:
        """Becomes readable when there may be work: what a loop without our selector watches, and answers with ``poll``.
        OSError on systems without epoll."""
    def flush(self) -> None:
        """Publishes answers written since the last batch. Needed only where the loop does not go round any more."""
    def drain(self) -> None:
        """Take no new requests: answer those that still come with 503, ``Retry-After: 0``."""
    @property
    def in_flight(self) -> int:
        """Requests taken and not finally answered. Safe from any thread."""
    def cancel_all(self) -> None:
        """Cancels the tasks of all requests in flight."""
    def close(self) -> None:
        """Unmaps the region. Idempotent."""

def install() -> None:
    """Puts ``current_task`` in asyncio's place, before the application is imported. Idempotent."""

def current_task(loop: AbstractEventLoop | None = None) -> Task[Any] | None:
    """``asyncio.current_task``, which also knows requests that run without a Task: it makes theirs when asked."""

def open_region(fd: int, /) -> Mapping[str, int]:
    """The header of a region, for ``covet doctor`` and tests."""
