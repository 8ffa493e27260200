"""The response whose body is JSON."""

from __future__ import annotations

from typing import Any

from covet._fields import Fields
from covet._render import dumps
from covet._response import Response

__all__ = ["JSONResponse"]


class JSONResponse(Response):
    """A value as JSON, for when status or headers are to be set. Otherwise return the value itself.

    The value is serialized at once: EncodeError when it cannot be.
    """

    media_type = "application/json"
    __slots__ = ()

    def __init__(
        self, content: Any, status_code: int = 200, headers: Fields | None = None, media_type: str | None = None
    ) -> None:
        super().__init__(dumps(content), status_code, headers, media_type)
