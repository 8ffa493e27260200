"""The extension's part of a request, without an engine: what ``covet._bridge`` offers the public package."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


class BridgeError(Exception):
    pass


class ClientGone(BridgeError):
    pass


class EncodeError(TypeError):
    path = "$"
    type_name = ""


def dumps(value: object, default: Callable[[Any], Any] | None = None, /) -> bytes:
    def walk(value: Any, path: str) -> Any:
        if value is None or isinstance(value, (str, int, float, bool)):
            return value
        if isinstance(value, dict):
            return {k: walk(v, f"{path}.{k}") for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [walk(v, f"{path}[{i}]") for i, v in enumerate(value)]
        try:
            if default is None:
                raise TypeError
            return walk(default(value), path)
        except EncodeError:
            raise
        except TypeError as e:
            error = EncodeError(str(e))
            error.path, error.type_name = path, type(value).__qualname__
            raise error from e

    text = json.dumps(walk(value, "$"), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


class Request:
    """Made by the bridge only."""
