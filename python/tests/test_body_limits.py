"""Bodies made to hurt: deep, with great numbers, with names twice."""

from __future__ import annotations

from typing import Any

import msgspec
import pydantic
import pytest
from test_body import prepare

from covet import HTTPError
from covet._body import decode_json


class Node(msgspec.Struct):
    next: Node | None = None
    value: Any = None
    n: int = 0
    x: float = 0.0


class Model(pydantic.BaseModel):
    value: Any = None
    n: int = 0
    x: float = 0.0


DEEP = 100_000
BODIES = {
    "arrays": b"[" * DEEP + b"]" * DEEP,
    "objects": b'{"value":' * DEEP + b"1" + b"}" * DEEP,
    "nodes": b'{"next":' * DEEP + b"null" + b"}" * DEEP,
    "open arrays": b"[" * DEEP,
    "open objects": b'{"a":' * DEEP,
    "unknown": b'{"unknown":' + b"[" * DEEP + b"]" * DEEP + b"}",
}


@pytest.mark.parametrize("kind", [Any, dict, list, Node, Model], ids=lambda k: getattr(k, "__name__", str(k)))
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_deep_bodies_are_refused(kind: Any, body: bytes) -> None:
    with pytest.raises(HTTPError) as e:
        decode_json(body) if kind is Any else prepare({"body": kind}, body)
    assert e.value.status in (400, 422)


@pytest.mark.parametrize("kind", [dict, Node, Model], ids=lambda k: getattr(k, "__name__", str(k)))
@pytest.mark.parametrize("field", ["value", "n", "x"])
@pytest.mark.parametrize(
    "number",
    [b"7" * (1 << 20), b"0." + b"3" * (1 << 20), b"1e" + b"9" * (1 << 20)],
    ids=["integer", "fraction", "exponent"],
)
def test_great_numbers_are_bounded(kind: Any, field: str, number: bytes) -> None:
    """Taken as a float, or refused as the client's mistake: never an integer of a million digits, whose reading and
    writing takes the square of its length."""
    body = b'{"' + field.encode() + b'":' + number + b"}"
    try:
        value = prepare({"body": kind}, body)["body"]
    except HTTPError as e:
        assert e.status in (400, 422)  # noqa: PT017  # taking it is right, too
    else:
        got = value[field] if isinstance(value, dict) else getattr(value, field)
        assert isinstance(got, (int, float))
        assert not isinstance(got, int) or got.bit_length() < 20_000


@pytest.mark.parametrize("kind", [dict, Node, Model], ids=lambda k: getattr(k, "__name__", str(k)))
def test_of_a_name_that_occurs_twice_the_last_counts(kind: Any) -> None:
    """As json.loads, msgspec and pydantic have it (ECMA-404 leaves it open); Go handlers refuse such a body."""
    value = prepare({"body": kind}, b'{"n":1,"n":2}')["body"]
    assert (value["n"] if isinstance(value, dict) else value.n) == 2
