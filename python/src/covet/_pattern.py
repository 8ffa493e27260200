"""Patterns of paths: ``/users/{id}``, ``/users/{id:int}``, ``/files/{path...}``.

The grammar is the engine's; it is checked here too, so that an error can name the handler's file and line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from typing import Any, Final
from urllib.parse import quote

__all__ = ["KINDS", "MAX_PARAMETERS", "Parameter", "Pattern", "join_paths"]

MAX_PARAMETERS: Final = 16
"""The engine keeps the parameters of a match in an array of this length."""

KINDS: Final = ("int", "uuid", "float", "str", "path")
"""What can follow the colon. ``int``, ``uuid`` and ``float`` make the engine itself refuse other text, with 404."""

_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a pattern."""

    name: str
    kind: str
    """One of KINDS; ``str`` when nothing is said, ``path`` for the rest of the path."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A parsed pattern."""

    text: str
    parts: tuple[str | Parameter, ...]
    """Static text and parameters in turn."""

    @classmethod
    def parse(cls, text: str) -> Pattern:
        """Parses a pattern; ValueError says what is wrong with it."""
        if not text.startswith("/"):
            raise ValueError("a path starts with '/'")
        parts: list[str | Parameter] = []
        static = ""
        names: set[str] = set()
        segments = text[1:].split("/")
        for i, segment in enumerate(segments):
            last = i == len(segments) - 1
            static += "/"
            if "{" not in segment and "}" not in segment:
                _check_static(segment, last=last)
                static += segment
                continue
            parameter = _parse_parameter(segment)
            if parameter.name in names:
                raise ValueError(f"two parameters are named {parameter.name!r}")
            if parameter.kind == "path" and not last:
                raise ValueError(f"{segment} takes the rest of the path and must be last")
            names.add(parameter.name)
            parts += [static, parameter]
            static = ""
        if static:
            parts.append(static)
        if len(names) > MAX_PARAMETERS:
            raise ValueError(f"there are more than {MAX_PARAMETERS} parameters")
        return cls(text, tuple(parts))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters in the order of their places."""
        return tuple(part for part in self.parts if isinstance(part, Parameter))

    @property
    def key(self) -> str:
        """The pattern without names: two with equal keys match the same paths."""
        return "".join(part if isinstance(part, str) else f"{{:{part.kind}}}" for part in self.parts)

    def fill(self, values: Mapping[str, Any]) -> str:
        """The path for these values, percent-encoded; LookupError or ValueError for values that do not fit."""
        left = set(values)
        path = ""
        for part in self.parts:
            if isinstance(part, str):
                path += quote(part, safe="/%:@!$&'()*+,;=-._~")
                continue
            if part.name not in values:
                raise LookupError(f"{self.text} needs the parameter {part.name!r}")
            left.discard(part.name)
            path += _encode(part, values[part.name])
        if left:
            raise LookupError(f"{self.text} has no parameter {', '.join(map(repr, sorted(left)))}")
        return path


def _encode(parameter: Parameter, value: object) -> str:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, (date, datetime, time)):
        text = value.isoformat()
    else:
        text = str(value)
    segments = text.split("/") if parameter.kind == "path" else [text]
    # A dot segment would be removed before routing (RFC 3986 section 5.2.4), an empty one would not match.
    if any(segment in (".", "..") for segment in segments) or (parameter.kind != "path" and not text):
        raise ValueError(f"{text!r} cannot be the parameter {parameter.name!r} of a path")
    return quote(text, safe="/" if parameter.kind == "path" else "")


def _check_static(segment: str, *, last: bool) -> None:
    if not segment and not last:
        raise ValueError("there is an empty segment inside")
    if segment in (".", ".."):
        raise ValueError("dot segments are removed from paths before routing")
    if any(c in segment for c in "?#\0"):
        raise ValueError("a path holds no '?', '#' or NUL")
    if re.search(r"%(?!2F|25)", segment):
        raise ValueError("a path is written decoded: only %2F and %25 stay escaped")


def _parse_parameter(segment: str) -> Parameter:
    if len(segment) < 3 or segment[0] != "{" or segment[-1] != "}":
        raise ValueError(f"{segment!r}: a parameter in braces is a whole segment")
    name, kind = segment[1:-1], "str"
    if name.endswith("..."):
        name, kind = name.removesuffix("..."), "path"
    elif ":" in name:
        name, _, kind = name.partition(":")
        if kind not in KINDS:
            raise ValueError(f"{segment}: there is no kind {kind!r} of parameter, there are {', '.join(KINDS)}")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{segment}: a name is ASCII letters, digits and '_', and does not begin with a digit")
    return Parameter(name, kind)


def join_paths(prefix: str, path: str) -> str:
    """A router's prefix and a path below it. The path ``""`` is the prefix itself, ``"/"`` has the slash."""
    if not prefix:
        return path
    if path and not path.startswith("/"):
        raise ValueError(f"the path {path!r} below the prefix {prefix!r} starts with '/' or is empty")
    return prefix.rstrip("/") + path
