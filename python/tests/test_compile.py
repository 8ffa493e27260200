"""Signatures to plans: what works, and what is refused with which words."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NewType, Optional, TypedDict
from uuid import UUID

import msgspec
import pytest

from covet import App, Body, Cookie, Header, Path, Query, Request, RouteError, Router
from covet._plan import MISSING, Convert, Mode, ParamPlan, RoutePlan, Source


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Point(TypedDict):
    x: int


@dataclasses.dataclass
class Box:
    width: int


class Item(msgspec.Struct):
    name: str


UserId = NewType("UserId", int)


def plan_of(handler: Callable[..., Any], path: str = "/{p}", method: str = "POST") -> RoutePlan:
    app = App()
    app.route(path, methods=[method])(handler)
    (plan,) = app._plans()
    return plan


def param_of(annotation: Any, *default: Any, path: str = "/") -> ParamPlan:
    def handler(p: Any) -> None: ...

    handler.__annotations__ = {"p": annotation}
    handler.__defaults__ = default or None
    (param,) = plan_of(handler, path).params
    return param


@pytest.mark.parametrize(
    ("annotation", "convert", "kind"),
    [
        (str, Convert.STR, "str"),
        (int, Convert.INT, "int"),
        (float, Convert.FLOAT, "float"),
        (bool, Convert.BOOL, "bool"),
        (UserId, Convert.INT, "int"),
        (UUID, Convert.CALL, "uuid"),
        (Decimal, Convert.CALL, "decimal"),
        (date, Convert.CALL, "date"),
        (datetime, Convert.CALL, "datetime"),
        (time, Convert.CALL, "time"),
        (Colour, Convert.CALL, "enum"),
        (Literal["a", "b"], Convert.CALL, "literal"),
    ],
)
def test_scalars(annotation: Any, convert: Convert, kind: str) -> None:
    for path, source in (("/{p}", Source.PATH), ("/", Source.QUERY)):
        param = param_of(annotation, path=path)
        assert (param.name, param.source, param.key) == ("p", source, "p")
        assert (param.convert, param.kind, param.default) == (convert, kind, MISSING)
        assert (param.call is not None) == (convert is Convert.CALL)
        assert bool(param.reason) == (convert is Convert.CALL)


U = "6f9619ff-8b86-d011-b42d-00cf4fc964ff"


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        (UUID, {U: UUID(U)}, ["x", "{" + U + "}", "urn:uuid:" + U, ""]),
        (
            Decimal,
            {"1.50": Decimal("1.50"), "-.5": Decimal("-.5")},
            ["NaN", "Infinity", "1_0", "1e99999", "9" * 5000],
        ),
        (date, {"2024-02-29": date(2024, 2, 29)}, ["2023-02-29", "20240229", "2024-W01-1", "today"]),
        (datetime, {"2024-01-02T03:04:05": datetime(2024, 1, 2, 3, 4, 5)}, ["2024-01-02", "x"]),
        (time, {"12:30:00": time(12, 30)}, ["25:00:00", "noon"]),
        (Colour, {"red": Colour.RED}, ["RED", "", "green"]),
        (Level, {"1": Level.LOW, "2": Level.HIGH}, ["3", "01", "LOW"]),
        (Literal["a", 1, True], {"a": "a", "1": 1, "true": True}, ["b", "True", ""]),
        (Annotated[int, Query(ge=1, lt=10)], {"1": 1, "9": 9, "+5": 5}, ["0", "10", "x", "1_0", "٣", "1.0"]),
        (Annotated[int, Query(gt=1, le=10)], {"2": 2, "10": 10}, ["1", "11"]),
        (Annotated[float, Query(gt=0)], {"0.5": 0.5, "1e3": 1000.0}, ["0", "nan", "inf", "1e999", ""]),
        (Annotated[str, Query(min_length=2, max_length=3)], {"ab": "ab", "äöü": "äöü"}, ["a", "abcd"]),
        (Annotated[str, Query(pattern="^[a-z]+$")], {"abc": "abc"}, ["ABC", ""]),
        (Annotated[Decimal, msgspec.Meta(ge=0)], {"0": Decimal(0)}, ["-1"]),
        (Annotated[int, msgspec.Meta(ge=0), Query(le=5)], {"0": 0, "5": 5}, ["-1", "6"]),
    ],
)
def test_calls(annotation: Any, good: dict[str, Any], bad: list[str]) -> None:
    call = param_of(annotation).call
    assert call is not None
    for text, value in good.items():
        assert call(text) == value
        assert type(call(text)) is type(value)
    for text in bad:
        with pytest.raises(ValueError) as caught:  # noqa: PT011 - the extension looks at the type only
            call(text)
        assert not isinstance(caught.value, msgspec.ValidationError)


def test_reasons() -> None:
    assert param_of(UUID).reason == "must be a UUID"
    assert param_of(Colour).reason == "must be one of red, blue"
    assert param_of(Annotated[int, Query(ge=1, le=5)]).reason == "must be an integer, at least 1, at most 5"
    assert param_of(Annotated[str, Query(max_length=5)]).reason == "must be 5 or fewer characters long"


@pytest.mark.parametrize(
    ("annotation", "default", "multiple", "expected"),
    [
        (int, 10, False, 10),
        (Optional[int], MISSING, False, None),  # noqa: UP045 - the old spelling works too
        (int | None, MISSING, False, None),
        (int | None, 5, False, 5),
        (list[int], MISSING, True, MISSING),
        (list[int], [], True, []),
        (list[int] | None, None, True, None),
        (Sequence[int], MISSING, True, MISSING),
        (Annotated[list[int] | None, Query()], MISSING, True, None),
        (Annotated[int | None, Query], MISSING, False, None),
    ],
)
def test_defaults(annotation: Any, default: Any, multiple: bool, expected: Any) -> None:
    param = param_of(annotation, *([] if default is MISSING else [default]))
    assert (param.source, param.convert, param.multiple) == (Source.QUERY, Convert.INT, multiple)
    assert param.default == expected


@pytest.mark.parametrize(
    ("annotation", "source", "key"),
    [
        (Annotated[str, Header()], Source.HEADER, "x-api-key"),
        (Annotated[str, Header(alias="X-Other")], Source.HEADER, "x-other"),
        (Annotated[str, Header(convert_underscores=False)], Source.HEADER, "x_api_key"),
        (Annotated[str, Cookie()], Source.COOKIE, "x_api_key"),
        (Annotated[str, Cookie(alias="Sid")], Source.COOKIE, "Sid"),
        (Annotated[str, Query(alias="api-key")], Source.QUERY, "api-key"),
        (str, Source.QUERY, "x_api_key"),
    ],
)
def test_sources(annotation: Any, source: Source, key: str) -> None:
    def handler(x_api_key: Any) -> None: ...

    handler.__annotations__ = {"x_api_key": annotation}
    (param,) = plan_of(handler, "/").params
    assert (param.source, param.key) == (source, key)


@pytest.mark.parametrize(
    "annotation",
    [
        dict,
        dict[str, Any],
        list,
        list[Item],
        list[dict[str, int]],
        Item,
        Box,
        Point,
        Item | None,
        Annotated[Item, Body()],
        Annotated[int, Body()],
        Annotated[list[int], Body()],
        Annotated[bytes, Body()],
    ],
)
def test_bodies(annotation: Any) -> None:
    def handler(b: Any) -> None: ...

    handler.__annotations__ = {"b": annotation}
    plan = plan_of(handler, "/")
    assert [(p.source, p.key) for p in plan.params] == [(Source.PREPARED, "b")]
    assert plan.prepare is not None


def test_modes() -> None:
    async def coroutine() -> None: ...

    def plain() -> None: ...

    async def agen() -> AsyncIterator[bytes]:
        yield b""

    def gen() -> Iterator[bytes]:
        yield b""

    @functools.wraps(coroutine)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return coroutine(*args, **kwargs)

    class Callable_:
        async def __call__(self, q: int) -> None: ...

        def method(self, q: int) -> None: ...

    cases: list[tuple[Any, Mode]] = [
        (coroutine, Mode.ASYNC),
        (plain, Mode.SYNC),
        (agen, Mode.ASYNC_ITERATOR),
        (gen, Mode.SYNC_ITERATOR),
        (wrapper, Mode.ASYNC),
        (functools.partial(coroutine), Mode.ASYNC),
        (Callable_(), Mode.ASYNC),
        (Callable_().method, Mode.SYNC),
    ]
    for handler, mode in cases:
        plan = plan_of(handler, "/")
        assert plan.mode is mode, handler
    assert [p.convert for p in plan_of(Callable_(), "/").params] == [Convert.INT]


def test_path_order_and_request() -> None:
    async def handler(request: Request, b: int, a: str, rest: str) -> None: ...

    plan = plan_of(handler, "/x/{a}/{b}/{rest...}")
    assert [(p.name, p.source, p.index) for p in plan.params] == [
        ("request", Source.REQUEST, 0),
        ("b", Source.PATH, 1),
        ("a", Source.PATH, 0),
        ("rest", Source.PATH, 2),
    ]


def test_request_alone_may_leave_path_parameters_out() -> None:
    async def handler(request: Request) -> None: ...

    assert len(plan_of(handler, "/{a}/{b:path}").params) == 1


def test_plan_names_the_handler() -> None:
    app = App()

    @app.post("/x", status_code=201, name="other")
    async def handler() -> None: ...

    line = handler.__code__.co_firstlineno
    (plan,) = app._plans()
    assert (plan.id, plan.methods, plan.path, plan.status, plan.name) == (0, ("POST",), "/x", 201, "other")
    assert plan.qualname == f"{__name__}.test_plan_names_the_handler.<locals>.handler"
    assert plan.file.endswith("test_compile.py")
    assert plan.line == line
    assert plan.handler is handler


def refused(handler: Callable[..., Any], path: str = "/", method: str = "POST") -> str:
    with pytest.raises(RouteError) as caught:
        plan_of(handler, path, method)
    assert "test_compile.py:" in caught.value.message
    return str(caught.value)


def with_annotation(annotation: Any, *default: Any) -> Callable[..., Any]:
    def handler(p: Any) -> None: ...

    handler.__annotations__ = {"p": annotation}
    handler.__defaults__ = default or None
    return handler


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (object, ["'p'", "object", "not supported", "UUID"]),
        (bytes, ["bytes", "not supported"]),
        (int | str, ["not supported"]),
        (set[int], ["not supported"]),
        (list[list[int]], ["not supported"]),
        (Callable[[], int], ["not supported"]),
        ("Missing", ["'p'", "cannot be resolved", "Missing"]),
        (Annotated[str, Query(ge=1)], ["ge is a constraint for numbers"]),
        (Annotated[int, Query(max_length=1)], ["max_length is a constraint for str"]),
        (Annotated[str, Query(pattern="(")], ["regular expression"]),
        (Annotated[int, Query(), Header()], ["2 markers"]),
        (Annotated[int, Path()], ["marked Path", "{p}"]),
        (Annotated[list[str], Header()], ["list", "get_list"]),
        (Annotated[Callable[[], int], Body()], ["cannot be decoded"]),
    ],
)
def test_refused_annotations(annotation: Any, words: list[str]) -> None:
    message = refused(with_annotation(annotation))
    assert [word for word in words if word not in message] == []


def test_refused_signatures() -> None:
    def args(*args: int) -> None: ...
    def kwargs(**kwargs: int) -> None: ...
    def positional(a: int, /) -> None: ...
    def marker(a: int = Query()) -> None: ...  # type: ignore[assignment]
    def bare(request) -> None: ...  # type: ignore[no-untyped-def]
    def guess(limit=10) -> None: ...  # type: ignore[no-untyped-def]
    def get(item: Item) -> None: ...
    def raw(a: Annotated[bytes, Body()], b: Item) -> None: ...
    def nothing() -> None: ...
    def many(p: list[int]) -> None: ...
    def query(p: Annotated[int, Query()]) -> None: ...
    def alias(p: Annotated[int, Path(alias="q")]) -> None: ...
    def uuid(p: UUID) -> None: ...

    assert "*args" in refused(args)
    assert "*kwargs" in refused(kwargs)
    assert "positional-only" in refused(positional)
    assert "Annotated" in refused(marker)
    assert "request: Request" in refused(bare)
    assert "limit: int = 10" in refused(guess)
    assert "GET" in refused(get, method="GET")
    assert "second body" in refused(raw)
    assert "'p'" in refused(nothing, "/{p}")
    assert "list" in refused(many, "/{p}")
    assert "marked Query" in refused(query, "/{p}")
    assert "alias" in refused(alias, "/{p}")
    assert "int in the path and uuid" in refused(uuid, "/{p:int}")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("users", "starts with '/'"),
        ("", "starts with '/'"),
        ("/a//b", "empty segment"),
        ("/a/../b", "dot segments"),
        ("/{id}/{id}", "two parameters are named 'id'"),
        ("/{rest...}/x", "must be last"),
        ("/{rest:path}/x", "must be last"),
        ("/a{id}", "whole segment"),
        ("/{id", "whole segment"),
        ("/{}", "whole segment"),
        ("/{1d}", "a name is"),
        ("/{id:date}", "no kind 'date'"),
        ("/a?b", "'?'"),
        ("/a%20b", "written decoded"),
        ("/" + "/".join(f"{{p{i}}}" for i in range(17)), "more than 16"),
    ],
)
def test_refused_paths(path: str, words: str) -> None:
    def handler(request: Request) -> None: ...

    assert words in refused(handler, path)


def test_duplicate_routes_are_both_named() -> None:
    app = App()

    @app.get("/a/{x}")
    async def first(x: int) -> None: ...

    @app.post("/a/{x}")
    async def other(x: int) -> None: ...

    @app.get("/a/{x:int}")
    async def narrower(x: int) -> None: ...

    assert len(app._plans()) == 3

    @app.route("/a/{y}", methods=["PUT", "GET"])
    async def second(y: int) -> None: ...

    with pytest.raises(RouteError) as caught:
        app._plans()
    message = caught.value.message
    for handler, path in ((first, "/a/{x}"), (second, "/a/{y}")):
        assert f"test_compile.py:{handler.__code__.co_firstlineno}" in message
        assert path in message


def test_routers() -> None:
    app, outer, inner = App(prefix="/api"), Router(prefix="/outer"), Router()
    app.include_router(outer, prefix="/v1")
    outer.include_router(inner, prefix="/inner")

    # Added after they were included: counts all the same.
    @outer.get("")
    async def bare() -> None: ...

    @outer.get("/")
    async def slash() -> None: ...

    @inner.get("/{id}", name="thing")
    async def below(id: int) -> None: ...

    assert [plan.path for plan in app._plans()] == ["/api/v1/outer/inner/{id}", "/api/v1/outer", "/api/v1/outer/"]
    assert [plan.id for plan in app._plans()] == [0, 1, 2]
    assert app.url_path_for("thing", id=5) == "/api/v1/outer/inner/5"
    assert outer.url_path_for("thing", id=5) == "/outer/inner/5"


def test_a_router_that_includes_itself_is_refused() -> None:
    a, b = Router(prefix="/a"), Router(prefix="/b")
    a.include_router(b)
    b.include_router(a)
    app = App()
    app.include_router(a)
    with pytest.raises(RouteError, match="includes itself"):
        app._plans()


def test_router_arguments() -> None:
    app = App()
    for wrong in ("users", "/users/", "/"):
        with pytest.raises(ValueError, match="prefix"):
            Router(prefix=wrong)
        with pytest.raises(ValueError, match="prefix"):
            app.include_router(Router(), prefix=wrong)
    with pytest.raises(TypeError, match="Router"):
        app.include_router(App())
    with pytest.raises(TypeError, match="list"):
        app.route("/", methods="GET")
    with pytest.raises(ValueError, match="at least one"):
        app.route("/", methods=[])
    with pytest.raises(ValueError, match="status_code"):
        app.get("/", status_code=100)
    with pytest.raises(TypeError, match="function"):
        app.get("/")(Item)


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        ("/a/{x}", {"x": "é /"}, "/a/%C3%A9%20%2F"),
        ("/a/{x}", {"x": Colour.RED}, "/a/red"),
        ("/a/{x}", {"x": True}, "/a/true"),
        ("/a/{x}", {"x": date(2024, 1, 2)}, "/a/2024-01-02"),
        ("/f/{x...}", {"x": "a/b c"}, "/f/a/b%20c"),
        ("/ä", {}, "/%C3%A4"),
    ],
)
def test_url_path_for(path: str, params: dict[str, Any], expected: str) -> None:
    app = App()

    @app.get(path)
    async def handler(request: Request) -> None: ...

    assert app.url_path_for("handler", **params) == expected


def test_url_path_for_refuses() -> None:
    app = App()

    @app.get("/a/{x}")
    async def handler(x: str) -> None: ...

    for name, params in (("other", {}), ("handler", {}), ("handler", {"x": 1, "y": 2})):
        with pytest.raises(LookupError):
            app.url_path_for(name, **params)
    for value in ("..", ".", ""):
        with pytest.raises(ValueError, match="cannot be"):
            app.url_path_for("handler", x=value)
