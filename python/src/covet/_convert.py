"""From a scalar annotation to how request text is converted to it."""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

import msgspec

from covet._markers import Marker
from covet._plan import Convert

__all__ = ["Conversion", "Shape", "conversion_of", "convert_text", "resolve_alias", "shape_of"]

# The same limit as for int: longer texts take quadratic time to convert.
_MAX_DIGITS: Final = 4300
_INT: Final = re.compile(r"[+-]?[0-9]+")
_FLOAT: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DECIMAL: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_BOOL: Final = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Conversion:
    """How text becomes a value: the part of a ParamPlan that depends on the type only."""

    convert: Convert
    call: Callable[[str], Any] | None
    reason: str
    kind: str


@dataclass(frozen=True, slots=True)
class Shape:
    """An annotation taken apart: what is around the scalar type."""

    scalar: Any
    multiple: bool
    optional: bool
    metadata: tuple[Any, ...]


def resolve_alias(annotation: Any) -> Any:
    """What a ``NewType`` or a ``type`` statement stands for."""
    while True:
        if hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        else:
            return annotation


def shape_of(annotation: Any) -> Shape:
    """Takes Annotated, Optional and list off, in any order that makes sense."""
    metadata: list[Any] = []
    optional = multiple = False
    while True:
        annotation = resolve_alias(annotation)
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation, *more = get_args(annotation)
            metadata += more
        elif origin in (Union, types.UnionType) and type(None) in get_args(annotation):
            rest = tuple(a for a in get_args(annotation) if a is not type(None))
            annotation = rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - a union of a tuple's members
            optional = True
        elif origin in (list, Sequence) and not multiple:
            (annotation,) = get_args(annotation)
            multiple = True
        else:
            return Shape(annotation, multiple, optional, tuple(metadata))


def conversion_of(annotation: Any, constraints: Sequence[Marker | msgspec.Meta] = ()) -> Conversion | None:
    """The conversion to a scalar type, None when it is not one; ValueError for constraints that cannot hold."""
    base = _base(annotation)
    if base is None:
        return None
    checks, words = _checks(annotation, constraints)
    if not checks:
        return base

    def call(text: str) -> Any:
        value = convert_text(base.convert, base.call, text)
        for check in checks:
            if not check(value):
                raise ValueError(text)
        return value

    reason = ", ".join([base.reason, *words]) if base.reason else "must be " + ", ".join(words)
    return Conversion(Convert.CALL, call, reason, base.kind)


def convert_text(convert: Convert, call: Callable[[str], Any] | None, text: str) -> Any:
    """What the extension does in C, for the places where text is converted outside of it; ValueError to refuse."""
    if call is not None:
        return call(text)
    match convert:
        case Convert.INT:
            return _to_int(text)
        case Convert.FLOAT:
            return _to_float(text)
        case Convert.BOOL:
            return _to_bool(text)
        case _:
            return text


def _base(annotation: Any) -> Conversion | None:
    simple = _SIMPLE.get(annotation) if isinstance(annotation, type) else None
    if simple is not None:
        return simple
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _choice({_text(member.value): member for member in annotation}, "enum")
    if get_origin(annotation) is Literal:
        return _choice({_text(value): value for value in get_args(annotation) if value is not None}, "literal")
    return None


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _choice(choices: dict[str, Any], kind: str) -> Conversion:
    def call(text: str) -> Any:
        try:
            return choices[text]
        except KeyError:
            raise ValueError(text) from None

    return Conversion(Convert.CALL, call, f"must be one of {', '.join(choices)}", kind)


def _to_int(text: str) -> int:
    if len(text) > _MAX_DIGITS or not _INT.fullmatch(text):
        raise ValueError(text)
    return int(text)


def _to_float(text: str) -> float:
    if not _FLOAT.fullmatch(text):
        raise ValueError(text)
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _to_bool(text: str) -> bool:
    try:
        return _BOOL[text.lower()]
    except KeyError:
        raise ValueError(text) from None


def _to_decimal(text: str) -> Decimal:
    # Neither NaN nor infinity, nor an exponent that makes int(value) a denial of service.
    if len(text) > _MAX_DIGITS or not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    return Decimal(text)


def _by_msgspec(target: Any) -> Callable[[str], Any]:
    # msgspec takes what JSON bodies take (RFC 3339), so that one form is right everywhere.
    def call(text: str) -> Any:
        try:
            return msgspec.convert(text, target)
        except msgspec.ValidationError as e:
            raise ValueError(text) from e

    return call


_SIMPLE: Final[dict[type, Conversion]] = {
    str: Conversion(Convert.STR, None, "", "str"),
    int: Conversion(Convert.INT, None, "must be an integer", "int"),
    float: Conversion(Convert.FLOAT, None, "must be a number", "float"),
    bool: Conversion(Convert.BOOL, None, "must be a boolean", "bool"),
    UUID: Conversion(Convert.CALL, _by_msgspec(UUID), "must be a UUID", "uuid"),
    Decimal: Conversion(Convert.CALL, _to_decimal, "must be a decimal number", "decimal"),
    date: Conversion(Convert.CALL, _by_msgspec(date), "must be a date such as 2024-02-29", "date"),
    datetime: Conversion(
        Convert.CALL, _by_msgspec(datetime), "must be a date and time such as 2024-02-29T12:30:00Z", "datetime"
    ),
    time: Conversion(Convert.CALL, _by_msgspec(time), "must be a time such as 12:30:00", "time"),
}


def _checks(
    annotation: Any, constraints: Sequence[Marker | msgspec.Meta]
) -> tuple[list[Callable[[Any], bool]], list[str]]:
    checks: list[Callable[[Any], bool]] = []
    words: list[str] = []
    number = annotation in (int, float, Decimal)
    for constraint in constraints:
        for name, (needs, words_of, check_of) in _CONSTRAINTS.items():
            bound = getattr(constraint, name, None)
            if bound is None:
                continue
            if needs == "number" and not number:
                raise ValueError(f"{name} is a constraint for numbers")
            if needs == "str" and annotation is not str:
                raise ValueError(f"{name} is a constraint for str")
            try:
                checks.append(check_of(bound))
            except re.error as e:
                raise ValueError(f"the pattern {bound!r} is not a regular expression: {e}") from None
            words.append(words_of(bound))
    return checks, words


def _finder(pattern: str) -> Callable[[Any], bool]:
    search = re.compile(pattern).search
    return lambda text: search(text) is not None


_CONSTRAINTS: Final[dict[str, tuple[str, Callable[[Any], str], Callable[[Any], Callable[[Any], bool]]]]] = {
    "gt": ("number", lambda b: f"greater than {b}", lambda b: lambda v: bool(v > b)),
    "ge": ("number", lambda b: f"at least {b}", lambda b: lambda v: bool(v >= b)),
    "lt": ("number", lambda b: f"less than {b}", lambda b: lambda v: bool(v < b)),
    "le": ("number", lambda b: f"at most {b}", lambda b: lambda v: bool(v <= b)),
    "min_length": ("str", lambda b: f"{b} or more characters long", lambda b: lambda v: len(v) >= b),
    "max_length": ("str", lambda b: f"{b} or fewer characters long", lambda b: lambda v: len(v) <= b),
    "pattern": ("str", lambda b: f"text that matches {b}", _finder),
}
