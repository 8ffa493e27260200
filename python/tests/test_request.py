"""What covet.Request makes of the extension's properties, and the mappings it gives."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec
import pytest
from fake_request import fake
from hypothesis import given
from hypothesis import strategies as st

from covet import Address, App, BadRequest, Headers, QueryParams, Request, State, ValidationError


def request_for(handler: Callable[..., Any] | None = None, path: str = "/", **members: Any) -> Any:
    app = App()

    async def default(request: Request) -> None: ...

    app.post(path)(handler or default)
    (plan,) = app._plans()
    return fake(plan, **members)


def test_derived_properties() -> None:
    request = request_for(
        path="/a",
        query=b"a=1&a=2&b=%C3%A4+x&c",
        headers=[("Host", "shop.example"), ("Cookie", "a=1"), ("X-A", "ä"), ("cookie", "b=2; a=3"), ("x-a", "2")],
    )
    assert request.headers["HOST"] == "shop.example"
    assert request.headers.get_list("X-a") == ["ä", "2"]
    assert request.cookies == {"a": "1", "b": "2"}
    assert dict(request.query) == {"a": "2", "b": "ä x", "c": ""}
    assert request.query_params.get_list("a") == ["1", "2"]
    assert request.client == Address("192.0.2.7", 4711)
    assert request.client.host == "192.0.2.7"
    assert str(request.url) == "https://shop.example:8443/?a=1&a=2&b=%C3%A4+x&c"
    assert (request.url.hostname, request.url.port) == ("shop.example", 8443)
    for name in ("headers", "cookies", "query", "url", "state", "path_params"):
        assert getattr(request, name) is getattr(request, name), name


def test_state() -> None:
    request = request_for()
    assert isinstance(request.state, State)
    request.state.user = "ada"
    assert request.state.user == "ada"
    assert "user" in request.state
    with pytest.raises(AttributeError, match="other"):
        _ = request.state.other
    with pytest.raises(RuntimeError, match="application"):
        _ = request.app


def test_path_params() -> None:
    async def typed(request: Request, id: int, flag: bool) -> None: ...

    request = request_for(typed, "/{id}/{flag}/{rest...}", params=("7", "yes", "a/b"))
    assert request.path_params == {"id": 7, "flag": True, "rest": "a/b"}
    request = request_for(path="/{a:int}/{b:float}/{c:uuid}/{d}", params=("7", "1.5", "x", "y"))
    assert request.path_params == {"a": 7, "b": 1.5, "c": "x", "d": "y"}


class Item(msgspec.Struct):
    n: int


def test_json_and_text() -> None:
    request = request_for(body=b'{"n": 1}')
    assert asyncio.run(request.json()) == {"n": 1}
    assert asyncio.run(request.json(Item)) == Item(1)
    assert asyncio.run(request.text()) == '{"n": 1}'
    with pytest.raises(BadRequest):
        asyncio.run(request_for(body=b"{").json())
    with pytest.raises(ValidationError) as caught:
        asyncio.run(request_for(body=b'{"n": "1"}').json(Item))
    assert caught.value.details[0]["field"] == "body.n"


@pytest.mark.parametrize(
    ("content_type", "body", "text"),
    [
        ("text/plain", b"\xc3\xa4", "ä"),
        ('text/plain; charset="latin-1"', b"\xe4", "ä"),
        ("text/plain; charset=no-such", b"\xc3\xa4", "ä"),
        ("text/plain", b"\xff", "\ufffd"),
    ],
)
def test_text(content_type: str, body: bytes, text: str) -> None:
    assert asyncio.run(request_for(headers=[("Content-Type", content_type)], body=body).text()) == text


def test_headers() -> None:
    headers = Headers([("A", "1"), ("b", "2"), ("a", "3")])
    assert (headers["a"], headers.get("A"), headers.get("x")) == ("1", "1", None)
    assert "A" in headers
    assert 1 not in headers
    assert (list(headers), len(headers)) == (["a", "b"], 2)
    assert headers.multi_items() == [("a", "1"), ("b", "2"), ("a", "3")]
    assert headers == Headers([("a", "1"), ("B", "2"), ("a", "3")])
    assert headers != Headers({"a": "1", "b": "2"})
    with pytest.raises(KeyError):
        headers["x"]


@given(st.lists(st.tuples(st.text(min_size=1), st.text())))
def test_query_round_trips(pairs: list[tuple[str, str]]) -> None:
    # Lone surrogates have no UTF-8.
    pairs = [(a.encode("utf-8", "replace").decode(), b.encode("utf-8", "replace").decode()) for a, b in pairs]
    query = QueryParams(urlencode(pairs))
    assert query.multi_items() == pairs
    assert dict(query) == dict(pairs)
    for name, _ in pairs:
        assert query.get_list(name) == [value for key, value in pairs if key == name]
    assert QueryParams(str(query)) == query


@given(st.binary())
def test_query_never_fails(raw: bytes) -> None:
    query = QueryParams(raw)
    assert query.multi_items() == parse_qsl(raw.decode("latin-1"), keep_blank_values=True)
