"""What the extension asks back: the answer to refused parameters, to exceptions, to unknown results."""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from covet import _bridge
from covet._codes import CODES
from covet._errors import (
    BadRequest,
    ContentTooLarge,
    HTTPError,
    RequestTimeout,
    ServiceUnavailable,
    ValidationError,
)
from covet._json_response import JSONResponse
from covet._plan import Problem
from covet._render import UnknownResultError, dumps, render
from covet._request import Request
from covet._response import Response

__all__ = ["ExceptionHandler", "Hooks", "make_hooks"]

ExceptionHandler = Callable[[Any, Any], Any]
"""``(request, exception)`` to a response or a value; ``def`` or ``async def``."""

_LOG: Final = logging.getLogger("covet.error")
_INTERNAL: Final = Problem(500, "internal_error", CODES["internal_error"][1])
_GONE: Final = Problem(499, "client_gone", CODES["client_gone"][1])
_BODY: Final[Mapping[str, Callable[[], HTTPError]]] = {
    "timeout": RequestTimeout,
    "too_large": ContentTooLarge,
    "invalid": lambda: BadRequest("the framing of the request body is broken"),
    "shutdown": ServiceUnavailable,
}
"""What a request body that broke off is to the client, by ``BridgeError.reason``."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The hooks of ``Bridge.configure``; see there."""

    invalid: Callable[[Any, list[tuple[str, str, str]]], Problem]
    failed: Callable[[Any, BaseException], Any]
    render: Callable[[Any, Any], Any]
    request_type: type[Request]
    response_type: type[Response]


def make_hooks(
    handlers: Mapping[type[BaseException], ExceptionHandler], request_type: type[Request], *, debug: bool
) -> Hooks:
    """Hooks that know the application's exception handlers."""
    answers = _Answers(handlers, debug)
    return Hooks(answers.invalid, answers.failed, render, request_type, Response)


class _Answers:
    def __init__(self, handlers: Mapping[type[BaseException], ExceptionHandler], debug: bool) -> None:
        self.handlers = handlers
        self.debug = debug

    def invalid(self, request: Any, errors: list[tuple[str, str, str]]) -> Problem:
        details = [{"field": field, "reason": reason, "type": kind} for field, reason, kind in errors]
        error = ValidationError(details=details)
        if self.handler_for(error) is not None:
            # The handler may be a coroutine function, which is what ``failed`` is for: it is asked about this next.
            raise error
        return problem_of(error)

    def failed(self, request: Any, error: BaseException) -> Any:
        if isinstance(error, _bridge.BridgeError) and (known := _BODY.get(error.reason)) is not None:
            # It is the client's doing: no 500, nothing for the log, and handlers of that error are asked.
            broken, error = error, known()
            error.__cause__ = broken
        handler = self.handler_for(error)
        if handler is None:
            return self.default(request, error)
        try:
            answer = handler(request, error)
            if inspect.isawaitable(answer):
                return self.later(request, error, answer)
            return self.answer(error, answer)
        except Exception as second:
            return self.second(request, second)

    async def later(self, request: Any, error: BaseException, answer: Awaitable[Any]) -> Any:
        try:
            return self.answer(error, await answer)
        except Exception as second:
            return self.second(request, second)

    def second(self, request: Any, error: Exception) -> Problem:
        # An exception handler may raise an error to answer with; it is not asked about its own mistakes.
        return self.default(request, error)

    def handler_for(self, error: BaseException) -> ExceptionHandler | None:
        for cls in type(error).__mro__:
            if cls in self.handlers:
                return self.handlers[cls]
        return None

    def answer(self, error: BaseException, answer: Any) -> Problem | Response:
        if isinstance(answer, (Problem, Response)):
            return answer
        if isinstance(answer, HTTPError):
            return problem_of(answer)
        # A plain value is the body; the status is the error's own.
        return JSONResponse(answer, error.status if isinstance(error, HTTPError) else 500)

    def default(self, request: Any, error: BaseException) -> Problem:
        if isinstance(error, HTTPError):
            try:
                return problem_of(error)
            except _bridge.EncodeError as e:
                error = e
        if isinstance(error, _bridge.ClientGone):
            # Nobody sees the answer, and leaving is not a mistake.
            return _GONE
        self.log(request, error)
        return _revealed(error) if self.debug else _INTERNAL

    def log(self, request: Any, error: BaseException) -> None:
        plan = request.plan
        where = f"{plan.qualname} ({plan.file}:{plan.line})"
        extra = {"request_id": request.request_id, "method": request.method, "path": request.path}
        # %r: a decoded path may hold line breaks, which must not forge lines of the log.
        if isinstance(error, (_bridge.EncodeError, UnknownResultError)):
            _LOG.error(
                "%s %r: the result of %s cannot be serialized: %s at %s (%s, request %s)",
                request.method,
                request.path,
                where,
                error.type_name,
                error.path,
                error,
                request.request_id,
                extra=extra,
            )
            return
        _LOG.error(
            "%s %r: %s in %s (request %s)",
            request.method,
            request.path,
            type(error).__qualname__,
            where,
            request.request_id,
            exc_info=error,
            extra=extra,
        )


def problem_of(error: HTTPError) -> Problem:
    """The error on its way to the engine; EncodeError when its details cannot be serialized."""
    details = b"" if error.details is None else dumps(error.details)
    return Problem(error.status, error.code, error.message, details, tuple(error.headers))


def _revealed(error: BaseException) -> Problem:
    lines = "".join(traceback.format_exception(error)).splitlines()
    details = {"exception": type(error).__qualname__, "message": str(error), "traceback": lines}
    return Problem(500, "internal_error", _INTERNAL.message, dumps(details))
