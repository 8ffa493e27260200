"""Values that JSON has no form for: from models, dates and other rich types to dict, list, str and numbers."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import msgspec

from covet import _bridge
from covet._pull import pull
from covet._response import Response

__all__ = ["Items", "UnknownResultError", "dumps", "known", "render"]


def dumps(value: object) -> bytes:
    """The JSON text of a value; EncodeError, with the path to it, for one that cannot be serialized."""
    return _bridge.dumps(value, known)


def known(value: Any) -> Any:
    """Turns one value that the encoder does not know into one that it knows; TypeError when there is no way.

    Struct, dataclass, attrs class, Enum, date, time, timedelta, UUID, Decimal, set, bytes (as Base64), mapping and
    pydantic model.
    """
    if hasattr(type(value), "__pydantic_serializer__"):
        return value.model_dump(mode="json") if hasattr(value, "model_dump") else _by_pydantic(value)
    if isinstance(value, Mapping) and not isinstance(value, dict):
        return dict(value)
    try:
        return msgspec.to_builtins(value, str_keys=True, enc_hook=known)
    except TypeError:
        members = _members(value)
        if members is None:
            raise TypeError(f"{type(value).__qualname__} cannot be serialized to JSON") from None
        # Something inside is at fault: the encoder goes through the members itself and says where.
        return members
    except RecursionError:
        raise TypeError(f"{type(value).__qualname__} contains itself") from None


def _by_pydantic(value: Any) -> Any:
    import pydantic  # a pydantic dataclass: it exists only where pydantic does

    return pydantic.TypeAdapter(type(value)).dump_python(value, mode="json")


def _members(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {f.encode_name: getattr(value, f.name) for f in msgspec.structs.fields(value)}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if hasattr(value, f.name)}
    if isinstance(value, (set, frozenset)):
        return list(value)
    return None


class UnknownResultError(TypeError):
    """A result as a whole is nothing that can be sent; inside a result the encoder's own error says where."""

    path = "$"

    def __init__(self, value: object, why: str) -> None:
        super().__init__(why)
        self.type_name = type(value).__qualname__


class Items:
    """A result that is streamed: the worker makes the response's head from its first item."""

    __slots__ = ("_items",)

    def __init__(self, items: AsyncIterator[Any] | Iterator[Any]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[Any]:
        return pull(self._items) if isinstance(self._items, Iterator) else aiter(self._items)


def render(request: _bridge.Request, value: Any) -> Any:
    """The hook for results that the extension does not know."""
    if isinstance(value, (AsyncIterator, Iterator)):
        return Items(value)
    if inspect.isawaitable(value):
        if inspect.iscoroutine(value):
            value.close()
        raise UnknownResultError(value, "an await is missing in the handler")
    if isinstance(value, (Response, Items)):
        # The hook is asked about values inside a result, too, and has just made Items of one.
        raise UnknownResultError(value, "a response or a stream is a result of its own, not a part of one")
    try:
        return known(value)
    except TypeError as e:
        raise UnknownResultError(value, str(e)) from None
