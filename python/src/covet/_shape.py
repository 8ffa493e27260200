"""How the JSON encoder reads instances of a class: asked once for a class, then done in C."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import uuid
from collections.abc import Mapping
from typing import Any, Final

import msgspec

__all__ = ["KINDS", "UNSET", "Shape", "describe"]

KINDS: Final = ("object", "datetime", "date", "time", "uuid", "enum")

UNSET: Final = msgspec.UNSET
"""The value of a field that is left out."""

Shape = tuple[int, bytes, tuple[tuple[bytes, str], ...]]
"""The index in KINDS; for an object the text before its members, and of each the key with its colon, and the name."""

_EXACT: Final[dict[type, int]] = {
    datetime.datetime: KINDS.index("datetime"),
    datetime.date: KINDS.index("date"),
    datetime.time: KINDS.index("time"),
    uuid.UUID: KINDS.index("uuid"),
}


def _text(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def describe(cls: type) -> Shape | None:
    """How instances of the class are written, or None: ask the fallback for each."""
    if cls in _EXACT:
        return _EXACT[cls], b"", ()
    # What has a serializer of its own, or is a mapping or an iterator beside what its members say, is not for C.
    if hasattr(cls, "__pydantic_serializer__") or issubclass(cls, Mapping):
        return None
    if hasattr(cls, "__next__") or hasattr(cls, "__anext__") or hasattr(cls, "__await__"):
        return None
    if issubclass(cls, enum.Enum):
        return KINDS.index("enum"), b"", ()
    if issubclass(cls, msgspec.Struct):
        return _struct(cls)
    if dataclasses.is_dataclass(cls):
        return KINDS.index("object"), b"", tuple((_text(f.name) + b":", f.name) for f in dataclasses.fields(cls))
    return None


def _struct(cls: type[msgspec.Struct]) -> Shape | None:
    config = cls.__struct_config__
    if config.array_like or config.omit_defaults:
        return None
    head = b""
    if config.tag is not None:
        head = _text(config.tag_field) + b":" + _text(config.tag) + b","
    names: Any = zip(cls.__struct_encode_fields__, cls.__struct_fields__, strict=True)
    return KINDS.index("object"), head, tuple((_text(key) + b":", name) for key, name in names)
