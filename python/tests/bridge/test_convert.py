"""Arguments from the path, the query, headers and cookies."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from engine import L
from harness import Harness, param, route

from covet._plan import Convert, Source


async def echo(v: Any) -> Any:
    return [type(v).__name__, repr(v)]


def convert(kind: Convert, text: str, **keys: Any) -> Any:
    """The converted value's type and repr, or the errors."""
    if kind not in CACHE:
        more = {"call": uuid.UUID, "reason": "must be a UUID", "kind": "uuid"} if kind is Convert.CALL else {}
        CACHE[kind] = Harness(route(echo, param("v", Source.QUERY, kind, **more)))
    a = CACHE[kind].ask(query="v=" + text)
    return json.loads(a.body if a.type == "RESPONSE" else a.details)


CACHE: dict[Convert, Harness] = {}


@pytest.fixture(autouse=True, scope="module")
def _close() -> Any:
    yield
    for h in CACHE.values():
        h.close()
    CACHE.clear()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-0", 0),
        ("42", 42),
        ("%2B42", 42),
        ("-7", -7),
        ("007", 7),
        ("9" * 18, 10**18 - 1),
        ("9" * 19, 10**19 - 1),
        ("-" + "9" * 40, -(10**40 - 1)),
        ("1" + "0" * 4299, 10**4299),
        ("%34%32", 42),
        ("", None),
        ("-", None),
        ("%2B", None),
        ("1_0", None),
        ("+1", None),
        ("1 ", None),
        ("1.0", None),
        ("0x1", None),
        ("٣", None),
        ("1" + "0" * 4300, None),
        ("--1", None),
        ("1%00", None),
    ],
)
def test_int(text: str, value: int | None) -> None:
    want = [["query.v", "must be an integer", "int"]] if value is None else ["int", hex_or(value)]
    assert convert(Convert.INT, text) == want


def hex_or(value: int) -> str:
    return repr(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0.0),
        ("1.5", 1.5),
        ("-1.5e3", -1500.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("1E5", 1e5),
        ("1e-5", 1e-5),
        ("%2B2", 2.0),
        ("1e%2B2", 100.0),
        ("", None),
        (".", None),
        ("e5", None),
        ("1e", None),
        ("1e%2B", None),
        ("nan", None),
        ("inf", None),
        ("Infinity", None),
        ("1e999", None),
        ("-1e999", None),
        ("0x1p3", None),
        ("1_0", None),
        ("1 ", None),
        ("1.2.3", None),
    ],
)
def test_float(text: str, value: float | None) -> None:
    want = [["query.v", "must be a number", "float"]] if value is None else ["float", repr(value)]
    assert convert(Convert.FLOAT, text) == want


@pytest.mark.parametrize(
    ("text", "value"),
    [(t, True) for t in ("true", "TRUE", "1", "yes", "On")]
    + [(t, False) for t in ("false", "0", "No", "OFF")]
    + [(t, None) for t in ("", "2", "tru", "truee", "y", "t")],
)
def test_bool(text: str, value: bool | None) -> None:
    want = [["query.v", "must be a boolean", "bool"]] if value is None else ["bool", repr(value)]
    assert convert(Convert.BOOL, text) == want


def test_call() -> None:
    good = str(uuid.UUID(int=5))
    assert convert(Convert.CALL, good) == ["UUID", f"UUID('{good}')"]
    assert convert(Convert.CALL, "nope") == [["query.v", "must be a UUID", "uuid"]]


def test_a_converter_that_breaks_is_a_failure() -> None:
    def bad(text: str) -> Any:
        raise KeyError("bug")

    with Harness(route(echo, param("v", convert=Convert.CALL, call=bad))) as h:
        assert h.ask(query="v=1").status == 500
        assert isinstance(h.errors[0], KeyError)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        ("v=a", "a"),
        ("v=a&v=b", "b"),
        ("x=1&v=é", "é"),
        ("v=%C3%A9", "é"),
        ("v=a+b%2Bc", "a b+c"),
        ("v", ""),
        ("v=", ""),
        ("v==", "="),
        ("&&v=1&", "1"),
        ("%76=enc", "enc"),
        ("v=%", "%"),
        ("v=%4", "%4"),
        ("v=%zz", "%zz"),
        ("v=%ff", "\ufffd"),
        ("V=1", None),
        ("vv=1", None),
        ("", None),
        ("=v", None),
    ],
)
def test_query_text(query: str, value: str | None) -> None:
    with Harness(route(echo, param("v", default=None))) as h:
        assert json.loads(h.ask(query=query).body) == [type(value).__name__, repr(value)]


def test_query_lists() -> None:
    with Harness(route(echo, param("v", convert=Convert.INT, multiple=True, default=()))) as h:
        assert json.loads(h.ask(query="v=1&x=9&v=2").body) == ["list", "[1, 2]"]
        assert json.loads(h.ask(query="").body) == ["tuple", "()"]
        assert len(json.loads(h.ask(query="v=a&v=2&v=b").details)) == 2


@pytest.mark.parametrize(
    ("cookie", "value"),
    [
        ("v=1", "1"),
        ("a=b; v=2; c=d", "2"),
        ('v="q"', "q"),
        ("v=1; v=2", "1"),
        ("a=v=1", None),
        ("v", None),
        (" v = x ", "x"),
        ("v=", ""),
        (";;v=1", "1"),
        ("V=1", None),
    ],
)
def test_cookies(cookie: str, value: str | None) -> None:
    with Harness(route(echo, param("v", Source.COOKIE, default=None))) as h:
        assert json.loads(h.ask(headers=[("Cookie", cookie)]).body) == [type(value).__name__, repr(value)]
        # HTTP/2 clients may split the field.
        a = h.ask(headers=[("cookie", "x=y"), ("a", "b"), ("COOKIE", cookie)])
        assert json.loads(a.body) == [type(value).__name__, repr(value)]


def test_headers() -> None:
    plans = [
        route(echo, param("v", Source.HEADER, key=k, convert=c))
        for k, c in [("user-agent", Convert.STR), ("x-count", Convert.INT)]
    ]
    with Harness(*plans) as h:
        assert json.loads(h.ask(0, headers=[("User-Agent", "é1"), ("user-agent", "2")]).body) == ["str", "'é1'"]
        assert json.loads(h.ask(1, headers=[("X-COUNT", "12")]).body) == ["int", "12"]
        assert json.loads(h.ask(1).details) == [["header.x-count", "is required", "int"]]


@pytest.mark.parametrize(
    ("path", "params", "flags", "value"),
    [
        ("/a/é", ["é"], 0, "é"),
        ("/a/x%2Fy", ["x%2Fy"], L["FLAG_PATH_ESCAPED"], "x/y"),
        ("/a/50%25", ["50%25"], L["FLAG_PATH_ESCAPED"], "50%"),
        ("/a/+", ["+"], 0, "+"),
        ("/a/a%b", ["a%b"], 0, "a%b"),
    ],
)
def test_path(path: str, params: list[str], flags: int, value: str) -> None:
    with Harness(route(echo, param("v", Source.PATH))) as h:
        assert json.loads(h.ask(path=path, params=params, flags=flags).body) == ["str", repr(value)]


def test_all_errors_are_collected() -> None:
    async def handler(**_: Any) -> None: ...

    params = [
        param("id", Source.PATH, Convert.INT),
        param("q", convert=Convert.FLOAT),
        param("h", Source.HEADER, key="x-h"),
        param("c", Source.COOKIE),
    ]
    with Harness(route(handler, *params)) as h:
        errors = json.loads(h.ask(path="/x", params=["x"], query="q=y").details)
        assert [e[0] for e in errors] == ["path.id", "query.q", "header.x-h", "cookie.c"]


def test_more_arguments_than_the_stack_holds() -> None:
    async def handler(**kw: Any) -> Any:
        return sum(kw.values())

    with Harness(route(handler, *(param(f"p{i}", convert=Convert.INT) for i in range(40)))) as h:
        assert h.ask(query="&".join(f"p{i}={i}" for i in range(40))).body == str(sum(range(40))).encode()
        assert len(json.loads(h.ask().details)) == 40


@pytest.mark.parametrize(
    "change", [{"source": 9}, {"convert": -1}, {"convert": 4}, {"key": 5}, {"reason": None}, {"name": 3}]
)
def test_plans_that_make_no_sense_are_refused(change: dict[str, Any]) -> None:
    import dataclasses

    p = param("v")
    for k, v in change.items():
        object.__setattr__(p, k, v)
    assert dataclasses.is_dataclass(p)
    with pytest.raises((TypeError, ValueError)):
        Harness(route(echo, p))
