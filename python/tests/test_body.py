"""Bodies: decoding by type, and what is said about everything that does not fit."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Annotated, Any, NotRequired, TypedDict

import msgspec
import pydantic
import pytest
from fake_request import fake

from covet import App, BadRequest, Body, HTTPError, UnsupportedMediaType, ValidationError


class Line(msgspec.Struct, rename="camel"):
    product_id: int
    price: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class Order(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    lines: list[Line] = []


@dataclasses.dataclass
class Box:
    width: int
    label: str = "none"


class Point(TypedDict):
    x: int
    y: NotRequired[int]


class Model(pydantic.BaseModel):
    name: str
    sizes: list[int] = []


JSON = [("Content-Type", "application/json")]


def prepare(annotations: dict[str, Any], body: Any, headers: Any = JSON, **defaults: Any) -> Any:
    """What the parameters of a handler with these annotations become."""
    names = ", ".join(f"{name}=defaults[{name!r}]" if name in defaults else name for name in annotations)
    space: dict[str, Any] = {"defaults": defaults}
    exec(f"def handler({names}): ...", space)
    handler: Callable[..., Any] = space["handler"]
    handler.__annotations__ = annotations
    app = App()
    app.post("/")(handler)
    (plan,) = app._plans()
    assert plan.prepare is not None
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = fake(plan, method="POST", headers=headers, body=text)

    async def run() -> Any:
        assert plan.prepare is not None
        return await plan.prepare(request)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("annotation", "body", "value"),
    [
        (Order, {"name": "a", "lines": [{"productId": 1}]}, Order("a", [Line(1)])),
        (Box, {"width": 1}, Box(1)),
        (Point, {"x": 1}, {"x": 1}),
        (list[Box], [{"width": 1}, {"width": 2}], [Box(1), Box(2)]),
        (dict, {"a": [1]}, {"a": [1]}),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (list, [1, "a"], [1, "a"]),
        (Order | None, b"null", None),
        (Annotated[int, Body()], 5, 5),
        (Annotated[list[int], Body()], [1, 2], [1, 2]),
        (Model, {"name": "a"}, Model(name="a")),
        (list[Model], [{"name": "a"}], [Model(name="a")]),
    ],
)
def test_decodes(annotation: Any, body: Any, value: Any) -> None:
    assert prepare({"b": annotation}, body) == {"b": value}


def test_raw_bytes_need_no_type() -> None:
    assert prepare({"b": Annotated[bytes, Body()]}, b"\x00\xff", headers=[]) == {"b": b"\x00\xff"}


def test_defaults_stand_for_an_empty_body() -> None:
    assert prepare({"b": Box | None}, b"", headers=[]) == {"b": None}
    box = Box(7)
    assert prepare({"b": Box}, b"", headers=[], b=box) == {"b": box}


def test_several_are_keys_of_one_object() -> None:
    body = {"a": {"width": 1}, "b": {"x": 2}, "n": 3, "ignored": None}
    annotations = {"a": Box, "b": Point, "n": Annotated[int, Body()], "m": Annotated[int, Body()]}
    assert prepare(annotations, body, m=4) == {"a": Box(1), "b": {"x": 2}, "n": 3, "m": 4}
    assert prepare({"a": Annotated[Box, Body(embed=True, alias="box")]}, {"box": {"width": 1}}) == {"a": Box(1)}


def problems(annotations: dict[str, Any], body: Any) -> list[tuple[str, str]]:
    with pytest.raises(ValidationError) as caught:
        prepare(annotations, body)
    assert caught.value.status == 422
    assert all(set(detail) == {"field", "reason", "type"} for detail in caught.value.details)
    return [(detail["field"], detail["type"]) for detail in caught.value.details]


@pytest.mark.parametrize(
    ("annotation", "body", "expected"),
    [
        (Order, {}, [("body.name", "missing")]),
        (Order, {"name": 1}, [("body.name", "str")]),
        (Order, {"name": "a", "more": 1}, [("body.more", "unknown")]),
        (Order, [], [("body", "object")]),
        (Order, b"null", [("body", "object")]),
        (
            Order,
            {"name": 1, "lines": [{"productId": 1}, {"productId": "x", "price": -1}, {}]},
            [
                ("body.name", "str"),
                ("body.lines[1].productId", "int"),
                ("body.lines[1].price", "float"),
                ("body.lines[2].productId", "missing"),
            ],
        ),
        (Box, {"width": "1", "label": None}, [("body.width", "int"), ("body.label", "str")]),
        (Point, {"y": "2"}, [("body.x", "missing"), ("body.y", "int")]),
        (list[Box], [{"width": 1}, {}, 3], [("body[1].width", "missing"), ("body[2]", "object")]),
        (dict[str, int], {"a": "x"}, [("body[...]", "int")]),
        (Model, {"sizes": ["x"]}, [("body.name", "missing"), ("body.sizes[0]", "int_parsing")]),
        (list[Model], [{}], [("body[0].name", "missing")]),
    ],
)
def test_all_problems_are_named(annotation: Any, body: Any, expected: list[tuple[str, str]]) -> None:
    assert sorted(problems({"b": annotation}, body)) == sorted(expected)


def test_problems_of_several_parameters() -> None:
    assert problems({"a": Box, "b": Point}, {"a": {"width": "x"}}) == [("body.a.width", "int"), ("body.b", "json")]
    assert problems({"a": Box, "b": Point}, b"[]") == [("body", "object")]
    assert problems({"a": Box}, b"") == [("body", "json")]


def test_problems_are_bounded() -> None:
    assert len(problems({"b": list[Box]}, [{}] * 1000)) == 32


@pytest.mark.parametrize("body", [b"{", b'{"a": 1} x', b"\xff", b'{"width": nan}', b"[" * 100_000])
@pytest.mark.parametrize("annotation", [Box, Model, dict, Annotated[Box, Body(embed=True)]])
def test_malformed_json_is_a_bad_request(annotation: Any, body: bytes) -> None:
    with pytest.raises(HTTPError) as caught:
        prepare({"b": annotation}, body)
    assert isinstance(caught.value, BadRequest)
    assert caught.value.details[0]["field"] == "body"


@pytest.mark.parametrize("body", [b"{}", b'{"width": 1}'])
@pytest.mark.parametrize("annotations", [{"a": Box}, {"a": Box, "b": Point}])
@pytest.mark.parametrize(
    "headers",
    [[], [("Content-Type", "text/plain")], [("Content-Type", "application/jsonp")], [("Content-Type", "x+json")]],
)
def test_other_media_types_are_refused(annotations: dict[str, Any], headers: Any, body: bytes) -> None:
    with pytest.raises(UnsupportedMediaType):
        prepare(annotations, body, headers)


@pytest.mark.parametrize(
    "value", ["application/json; charset=utf-8", "Application/JSON", "application/merge-patch+json"]
)
def test_json_media_types(value: str) -> None:
    assert prepare({"a": Box}, {"width": 1}, [("Content-Type", value)]) == {"a": Box(1)}
