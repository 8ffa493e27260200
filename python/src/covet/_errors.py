"""Errors that a handler raises to answer with them, and the error of a route that cannot be.

RouteError                a route cannot be compiled: at start-up
HTTPError                 any status
├── BadRequest            400
├── Unauthorized          401
├── Forbidden             403
├── NotFound              404
├── MethodNotAllowed      405
├── NotAcceptable         406
├── RequestTimeout        408
├── Conflict              409
├── Gone                  410
├── LengthRequired        411
├── PreconditionFailed    412
├── ContentTooLarge       413
├── URITooLong            414
├── UnsupportedMediaType  415
├── RangeNotSatisfiable   416
├── ExpectationFailed     417
├── MisdirectedRequest    421
├── ValidationError       422
├── UpgradeRequired       426
├── TooManyRequests       429
├── HeaderFieldsTooLarge  431
├── InternalError         500
├── NotSupported          501
├── ServiceUnavailable    503
└── HandlerTimeout        504
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from covet._codes import CODES
from covet._fields import Fields, check_fields

__all__ = [
    "BadRequest",
    "Conflict",
    "ContentTooLarge",
    "ExpectationFailed",
    "Forbidden",
    "Gone",
    "HTTPError",
    "HandlerTimeout",
    "HeaderFieldsTooLarge",
    "InternalError",
    "LengthRequired",
    "MethodNotAllowed",
    "MisdirectedRequest",
    "NotAcceptable",
    "NotFound",
    "NotSupported",
    "PreconditionFailed",
    "RangeNotSatisfiable",
    "RequestTimeout",
    "RouteError",
    "ServiceUnavailable",
    "TooManyRequests",
    "URITooLong",
    "Unauthorized",
    "UnsupportedMediaType",
    "UpgradeRequired",
    "ValidationError",
]

# Where two codes share a status, the first of the registry stands for it, as in the engine.
_BY_STATUS: Final[Mapping[int, str]] = {CODES[code][0]: code for code in reversed(CODES)}


class RouteError(Exception):
    """A route cannot be compiled: what is wrong, with file and line, and what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class HTTPError(Exception):
    """Answers the request with a structured error when a handler raises it.

    ``message`` is for the client; by default it is the registry's for the code. ``code`` is by default the registry's
    for the status; one of your own is passed on as it is. ``details`` is anything that can be serialized to JSON.
    """

    def __init__(
        self,
        status: int,
        message: str | None = None,
        *,
        code: str | None = None,
        details: Any = None,
        headers: Fields | None = None,
    ) -> None:
        if not 400 <= status <= 599:
            raise ValueError(f"the status of an error is from 400 to 599, not {status}")
        if code is None:
            code = _BY_STATUS.get(status, "")
        if message is None:
            message = CODES[code][1] if code in CODES else ""
        super().__init__(message)
        self.status: int = status
        self.code: str = code
        self.message: str = message
        self.details: Any = details
        self.headers: list[tuple[str, str]] = check_fields(headers)

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"

    def __reduce__(self) -> tuple[Any, ...]:
        # The base class would call the constructor with ``args``, which are not this one's parameters.
        return _restore, (type(self), self.args, dict(self.__dict__))


def _restore(cls: type[HTTPError], args: tuple[Any, ...], members: dict[str, Any]) -> HTTPError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(members)
    return error


class _Registered(HTTPError):
    """An error whose status and code are its class's."""

    registered: ClassVar[str]

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str | None = None,
        details: Any = None,
        headers: Fields | None = None,
    ) -> None:
        status, default = CODES[self.registered]
        super().__init__(
            status,
            default if message is None else message,
            code=self.registered if code is None else code,
            details=details,
            headers=headers,
        )


class BadRequest(_Registered):
    """400: the request is malformed."""

    registered = "bad_request"


class Unauthorized(_Registered):
    """401: authentication is required. Add a ``WWW-Authenticate`` header (RFC 9110 section 15.5.2)."""

    registered = "unauthorized"


class Forbidden(_Registered):
    """403: the client may not do this."""

    registered = "forbidden"


class NotFound(_Registered):
    """404: there is no such resource."""

    registered = "not_found"


class MethodNotAllowed(_Registered):
    """405: not with this method. Add an ``Allow`` header (RFC 9110 section 15.5.6)."""

    registered = "method_not_allowed"


class NotAcceptable(_Registered):
    """406: no representation that the client accepts."""

    registered = "not_acceptable"


class RequestTimeout(_Registered):
    """408: the request did not arrive in time."""

    registered = "request_timeout"


class Conflict(_Registered):
    """409: the request conflicts with the state of the resource."""

    registered = "conflict"


class Gone(_Registered):
    """410: the resource existed and will not come back."""

    registered = "gone"


class LengthRequired(_Registered):
    """411: a ``Content-Length`` is required."""

    registered = "length_required"


class PreconditionFailed(_Registered):
    """412: a precondition of the request is false."""

    registered = "precondition_failed"


class ContentTooLarge(_Registered):
    """413: the body is too large."""

    registered = "content_too_large"


class URITooLong(_Registered):
    """414: the request target is too long."""

    registered = "uri_too_long"


class UnsupportedMediaType(_Registered):
    """415: the body's media type is not supported."""

    registered = "unsupported_media_type"


class RangeNotSatisfiable(_Registered):
    """416: the range lies outside of the representation."""

    registered = "range_not_satisfiable"


class ExpectationFailed(_Registered):
    """417: an expectation cannot be met."""

    registered = "expectation_failed"


class MisdirectedRequest(_Registered):
    """421: this server does not answer for the authority."""

    registered = "misdirected_request"


class ValidationError(_Registered):
    """422: parameters or body are invalid; ``details`` lists ``{"field", "reason", "type"}``."""

    registered = "validation_failed"


class UpgradeRequired(_Registered):
    """426: another protocol is required."""

    registered = "upgrade_required"


class TooManyRequests(_Registered):
    """429: the client sends too many requests. Add ``Retry-After``."""

    registered = "too_many_requests"


class HeaderFieldsTooLarge(_Registered):
    """431: the header fields are too large."""

    registered = "header_fields_too_large"


class InternalError(_Registered):
    """500: the server is at fault, and does not say why."""

    registered = "internal_error"


class NotSupported(_Registered):
    """501: the server cannot do this."""

    registered = "not_implemented"


class ServiceUnavailable(_Registered):
    """503: not now. Add ``Retry-After``."""

    registered = "service_unavailable"


class HandlerTimeout(_Registered):
    """504: something behind the handler did not answer in time."""

    registered = "handler_timeout"
