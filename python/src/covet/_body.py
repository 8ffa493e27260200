"""Request bodies: from JSON to a declared type, and what is said when it does not fit."""

from __future__ import annotations

import dataclasses
import functools
import re
import sys
import types
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Protocol, Union, get_args, get_origin, get_type_hints, is_typeddict

import msgspec

from covet._convert import resolve_alias
from covet._errors import BadRequest, UnsupportedMediaType, ValidationError
from covet._plan import MISSING

__all__ = [
    "BodyParameter",
    "cached_decoder",
    "decode_json",
    "decoder_of",
    "is_body_type",
    "is_json",
    "is_pydantic",
    "prepare_of",
]

# A list of a million wrong items must not become a million errors.
_MAX_ERRORS: Final = 32
_AT: Final = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_JSON: Final = re.compile(r"application/(?:[^;+\s]+\+)?json\s*(?:;|$)", re.IGNORECASE)

Problems = list[dict[str, str]]
Decode = Callable[[bytes | msgspec.Raw, str], Any]
"""Decodes a JSON text; the second argument is what the place is called in errors. Raises HTTPError."""


class _Request(Protocol):
    def header(self, name: str, /) -> str | None: ...
    def body(self) -> Awaitable[bytes]: ...


@dataclasses.dataclass(frozen=True, slots=True)
class BodyParameter:
    """A parameter of a handler that is made from the body."""

    name: str
    key: str
    """Its key in the body's object where there are several."""
    annotation: Any
    default: Any = MISSING


def is_pydantic(annotation: Any) -> bool:
    """Whether the annotation is a pydantic model or has one inside. Does not import pydantic."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is None:
        return False
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return True
    return any(is_pydantic(argument) for argument in get_args(annotation))


def is_body_type(annotation: Any) -> bool:
    """Whether a parameter of this type is the body without being marked so."""
    annotation = resolve_alias(annotation)
    origin = get_origin(annotation)
    if origin is Annotated:
        return is_body_type(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        rest = [a for a in get_args(annotation) if a is not type(None)]
        return all(map(is_body_type, rest))
    if origin in (list, Sequence):
        return is_body_type(get_args(annotation)[0])
    cls = annotation if origin is None else origin
    if not isinstance(cls, type):
        return False
    return (
        cls in (list, dict, Mapping)
        or is_typeddict(cls)
        or dataclasses.is_dataclass(cls)
        or issubclass(cls, msgspec.Struct)
        or is_pydantic(annotation)
    )


def is_json(content_type: str | None) -> bool:
    """Whether a media type is JSON: ``application/json`` or one that ends in ``+json`` (RFC 6839 section 3.1)."""
    return content_type is not None and _JSON.match(content_type) is not None


def decode_json(body: bytes | msgspec.Raw) -> Any:
    """The JSON value of a body; BadRequest when it is not JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise _malformed(e) from e


def decoder_of(annotation: Any) -> Decode:
    """A function that decodes JSON to the type; TypeError when no decoder can be made for it."""
    if is_pydantic(annotation):
        return _pydantic_decoder(annotation)
    decoder = msgspec.json.Decoder(annotation)
    _refuse_unknown(msgspec.inspect.type_info(annotation), set())

    def decode(body: bytes | msgspec.Raw, place: str) -> Any:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError as e:
            problems: Problems = []
            # The decoder stops at the first wrong value, so what follows may not even be JSON.
            _collect(decode_json(body), annotation, place, problems)
            raise ValidationError(details=problems or [_problem(str(e), place)]) from e
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
            raise _malformed(e) from e

    return decode


def _refuse_unknown(node: Any, seen: set[Any]) -> None:
    """TypeError for a class that JSON cannot be decoded to: msgspec would refuse every body instead."""
    if isinstance(node, msgspec.inspect.CustomType):
        raise TypeError(f"no JSON is a {node.cls!r}")
    if isinstance(node, (tuple, list)):
        for element in node:
            _refuse_unknown(element, seen)
    elif isinstance(node, (msgspec.inspect.Type, msgspec.inspect.Field)):
        cls = getattr(node, "cls", None)
        if cls is not None and cls in seen:
            return
        seen.add(cls)
        for name in node.__struct_fields__:
            if name not in ("default", "default_factory"):
                _refuse_unknown(getattr(node, name), seen)


_cached: Final = functools.lru_cache(maxsize=256)(decoder_of)


def cached_decoder(annotation: Any) -> Decode:
    """The same, for types that are named while a request is served."""
    try:
        return _cached(annotation)
    except TypeError:
        # An annotation with unhashable metadata, or a type without a decoder: the latter raises again.
        return decoder_of(annotation)


def _pydantic_decoder(annotation: Any) -> Decode:
    import pydantic

    adapter: Any = pydantic.TypeAdapter(annotation)

    def decode(body: bytes | msgspec.Raw, place: str) -> Any:
        text = bytes(body)
        try:
            return adapter.validate_json(text)
        except pydantic.ValidationError as e:
            errors = e.errors(include_url=False, include_context=False, include_input=False)
            if any(error["type"] == "json_invalid" for error in errors):
                raise _malformed(e) from e
            details = []
            for error in errors[:_MAX_ERRORS]:
                field = place
                for step in error["loc"]:
                    field += f"[{step}]" if isinstance(step, int) else f".{step}"
                details.append({"field": field, "reason": error["msg"], "type": error["type"]})
            raise ValidationError(details=details) from e

    return decode


def prepare_of(parameters: Sequence[BodyParameter], *, embed: bool) -> Callable[[Any], Awaitable[Mapping[str, Any]]]:
    """The plan's ``prepare``: reads the body and makes the parameters' values."""
    if len(parameters) == 1 and parameters[0].annotation is bytes:
        name = parameters[0].name

        async def raw(request: _Request) -> Mapping[str, Any]:
            return {name: await request.body()}

        return raw
    if len(parameters) == 1 and not embed:
        return _prepare_one(parameters[0])
    return _prepare_keys(parameters)


def _prepare_one(parameter: BodyParameter) -> Callable[[Any], Awaitable[Mapping[str, Any]]]:
    name, default, decode = parameter.name, parameter.default, decoder_of(parameter.annotation)

    async def prepare(request: _Request) -> Mapping[str, Any]:
        body = await request.body()
        if not body:
            if default is MISSING:
                raise ValidationError(details=[{"field": "body", "reason": "is required", "type": "json"}])
            return {name: default}
        _require_json(request)
        return {name: decode(body, "body")}

    return prepare


def _prepare_keys(parameters: Sequence[BodyParameter]) -> Callable[[Any], Awaitable[Mapping[str, Any]]]:
    outer = msgspec.json.Decoder(dict[str, msgspec.Raw])
    decoders = [(p, decoder_of(p.annotation)) for p in parameters]

    async def prepare(request: _Request) -> Mapping[str, Any]:
        body = await request.body()
        keys: dict[str, msgspec.Raw] = {}
        if body:
            _require_json(request)
            try:
                keys = outer.decode(body)
            except msgspec.ValidationError as e:
                decode_json(body)
                raise ValidationError(details=[_problem(str(e), "body")]) from e
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
                raise _malformed(e) from e
        values: dict[str, Any] = {}
        details: Problems = []
        for parameter, decode in decoders:
            place = f"body.{parameter.key}"
            if parameter.key in keys:
                try:
                    values[parameter.name] = decode(keys[parameter.key], place)
                except ValidationError as e:
                    details += e.details
            elif parameter.default is MISSING:
                details.append({"field": place, "reason": "is required", "type": "json"})
            else:
                values[parameter.name] = parameter.default
        if details:
            raise ValidationError(details=details)
        return values

    return prepare


def _require_json(request: _Request) -> None:
    # A body without a type is refused, too: a page of another site can send one without asking first (the Fetch
    # standard's "no-cors-safelisted" requests), but not application/json.
    if not is_json(request.header("content-type")):
        raise UnsupportedMediaType("the body must be JSON, with Content-Type: application/json")


def _malformed(error: Exception) -> BadRequest:
    return BadRequest(
        "the body is not valid JSON", details=[{"field": "body", "reason": _lower(str(error)), "type": "json"}]
    )


def _lower(text: str) -> str:
    text = text.split("\n", 1)[0].replace("`", "")
    return text[:1].lower() + text[1:]


def _problem(message: str, place: str) -> dict[str, str]:
    """msgspec's words as an error detail."""
    found = _AT.match(message)
    what, path = (found["what"], found["path"]) if found else (message, None)
    field = place + (path or "$")[1:]
    if missing := re.fullmatch(r"Object missing required field `(.*)`", what, re.DOTALL):
        return {"field": f"{field}.{missing[1]}", "reason": "is required", "type": "missing"}
    if unknown := re.fullmatch(r"Object contains unknown field `(.*)`", what, re.DOTALL):
        return {"field": f"{field}.{unknown[1]}", "reason": "is not known here", "type": "unknown"}
    expected = re.match(r"Expected `([^`]*)`", what)
    return {"field": field, "reason": _lower(what), "type": expected[1] if expected else "value"}


def _collect(value: Any, annotation: Any, place: str, problems: Problems) -> None:
    """Adds everything that is wrong with value. The decoder stops at the first error; this one walks on."""
    if len(problems) >= _MAX_ERRORS:
        return
    annotation = resolve_alias(annotation)
    plain = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    if get_origin(plain) is list and isinstance(value, list):
        (item,) = get_args(plain)
        for i, element in enumerate(value):
            _collect(element, item, f"{place}[{i}]", problems)
        if plain is annotation:
            return
    members = _members(plain) if isinstance(value, dict) else None
    before = len(problems)
    if members is not None and isinstance(value, dict):
        for key, member, required in members:
            if key in value:
                _collect(value[key], member, f"{place}.{key}", problems)
            elif required and len(problems) < _MAX_ERRORS:
                problems.append({"field": f"{place}.{key}", "reason": "is required", "type": "missing"})
        if len(problems) > before:
            return
    try:
        msgspec.convert(value, annotation, str_keys=True)
    except msgspec.ValidationError as e:
        problem = _problem(str(e), place)
        if len(problems) < _MAX_ERRORS and problem not in problems[before:]:
            problems.append(problem)


def _members(cls: Any) -> list[tuple[str, Any, bool]] | None:
    """Key, type and whether it is required for every member, or None where the type has no simple members."""
    if not isinstance(cls, type):
        return None
    if issubclass(cls, msgspec.Struct):
        if cls.__struct_config__.array_like or cls.__struct_config__.tag is not None:
            return None
        return [(f.encode_name, f.type, f.required) for f in msgspec.structs.fields(cls)]
    if is_typeddict(cls):
        hints = get_type_hints(cls, include_extras=True)
        return [
            (key, _unqualified(hint), key in cls.__required_keys__)  # type: ignore[attr-defined]
            for key, hint in hints.items()
        ]
    if dataclasses.is_dataclass(cls):
        hints = get_type_hints(cls, include_extras=True)
        return [
            (f.name, hints[f.name], f.default is f.default_factory is dataclasses.MISSING)
            for f in dataclasses.fields(cls)
            if f.init
        ]
    return None


def _unqualified(hint: Any) -> Any:
    # Required[T], NotRequired[T], ReadOnly[T] qualify a TypedDict's key, they are not types.
    while getattr(get_origin(hint), "_name", None) in ("Required", "NotRequired", "ReadOnly"):
        (hint,) = get_args(hint)
    return hint
