"""What the extension asks back: refused parameters, exceptions, unknown results."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec
import pydantic
import pytest
from fake_request import fake

from covet import (
    App,
    Conflict,
    HTTPError,
    JSONResponse,
    NotFound,
    PlainTextResponse,
    Request,
    Response,
    ValidationError,
    _bridge,
)
from covet._plan import Problem
from covet._render import dumps


def app_and_request(**options: Any) -> tuple[App, Any]:
    app = App(**options)

    @app.get("/x")
    async def broken() -> None: ...

    (plan,) = app._plans()
    return app, fake(plan, path="/x\nforged")


def test_hooks_belong_to_the_application() -> None:
    app, other = App(), App()
    hooks = app._hooks()
    assert issubclass(hooks.request_type, Request)
    assert hooks.response_type is Response
    assert hooks.request_type._app is app
    assert other._hooks().request_type._app is other
    assert Request._app is None


def test_invalid() -> None:
    app, request = app_and_request()
    problem = app._hooks().invalid(request, [("path.id", "must be an integer", "int")])
    assert isinstance(problem, Problem)
    assert (problem.status, problem.code, problem.headers) == (422, "validation_failed", ())
    assert json.loads(problem.details) == [{"field": "path.id", "reason": "must be an integer", "type": "int"}]


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        ("timeout", 408, "request_timeout"),
        ("too_large", 413, "content_too_large"),
        ("invalid", 400, "bad_request"),
        ("shutdown", 503, "service_unavailable"),
    ],
)
def test_a_body_that_breaks_off_is_not_a_mistake_of_the_handler(
    reason: str, status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    app, request = app_and_request()
    error = _bridge.BridgeError("in the middle")
    error.reason = reason
    problem = app._hooks().failed(request, error)
    assert (problem.status, problem.code) == (status, code)
    assert not caplog.records

    @app.exception_handler(HTTPError)
    def own(request: Request, error: HTTPError) -> Response:
        return PlainTextResponse(f"{error.code} {error.__cause__}", error.status)

    answer = app._hooks().failed(request, error)
    assert (answer.status, answer.content) == (status, f"{code} in the middle".encode())


def test_other_errors_of_the_bridge_are(caplog: pytest.LogCaptureFixture) -> None:
    app, request = app_and_request()
    assert app._hooks().failed(request, _bridge.BridgeError("read twice")).status == 500
    assert len(caplog.records) == 1


def test_invalid_can_be_taken_over() -> None:
    app, request = app_and_request()

    @app.exception_handler(ValidationError)
    def own(request: Request, error: ValidationError) -> Response:
        return PlainTextResponse(error.details[0]["field"], 400)

    hooks = app._hooks()
    with pytest.raises(ValidationError) as caught:
        hooks.invalid(request, [("path.id", "", "")])
    answer = hooks.failed(request, caught.value)
    assert (answer.status, answer.content) == (400, b"path.id")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NotFound(), Problem(404, "not_found", "no such resource")),
        (NotFound("no user 7"), Problem(404, "not_found", "no user 7")),
        (HTTPError(404, "gone", headers={"X-A": "b"}), Problem(404, "not_found", "gone", b"", (("X-A", "b"),))),
        (HTTPError(418, "teapot"), Problem(418, "", "teapot")),
        (HTTPError(503), Problem(503, "service_unavailable", "the service is overloaded")),
        (Conflict(code="taken", details={"n": Decimal("1.5")}), None),
    ],
)
def test_http_errors(error: HTTPError, expected: Problem | None, caplog: pytest.LogCaptureFixture) -> None:
    app, request = app_and_request()
    problem = app._hooks().failed(request, error)
    if expected is None:
        assert (problem.code, problem.details) == ("taken", b'{"n":"1.5"}')
    else:
        assert problem == expected
    assert caplog.records == []


def test_other_exceptions_are_logged_and_hidden(caplog: pytest.LogCaptureFixture) -> None:
    app, request = app_and_request()
    try:
        raise RuntimeError("the secret is 42")
    except RuntimeError as e:
        problem = app._hooks().failed(request, e)
    assert problem == Problem(500, "internal_error", "internal error")
    (record,) = caplog.records
    assert (record.name, record.levelno) == ("covet.error", logging.ERROR)
    assert vars(record)["request_id"] == request.request_id
    assert (vars(record)["method"], vars(record)["path"]) == ("GET", "/x\nforged")
    assert "the secret is 42" in caplog.text
    assert "Traceback" in caplog.text
    assert "test_hooks.py" in record.getMessage()
    assert "\nforged" not in record.getMessage()


def test_debug_shows_the_traceback(caplog: pytest.LogCaptureFixture) -> None:
    app, request = app_and_request(debug=True)
    details = json.loads(app._hooks().failed(request, RuntimeError("why")).details)
    assert (details["exception"], details["message"]) == ("RuntimeError", "why")
    assert len(caplog.records) == 1


def test_a_client_that_left_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    app, request = app_and_request()
    assert app._hooks().failed(request, _bridge.ClientGone()).status == 499
    assert caplog.records == []


class Base(Exception): ...


class Derived(Base): ...


def test_handlers_by_class(caplog: pytest.LogCaptureFixture) -> None:
    app, request = app_and_request()

    @app.exception_handler(Base)
    def base(request: Request, error: Base) -> Any:
        return PlainTextResponse("base", 400)

    failed = app._hooks().failed
    assert failed(request, Derived()).content == b"base"
    assert failed(request, RuntimeError()).status == 500

    @app.exception_handler(Derived)
    async def derived(request: Request, error: Derived) -> Any:
        await asyncio.sleep(0)
        return {"was": str(error)}

    @app.exception_handler(HTTPError)
    def http(request: Request, error: HTTPError) -> Any:
        return {"status": error.status}

    failed = app._hooks().failed
    caplog.clear()
    assert failed(request, Base()).content == b"base"
    answer = asyncio.run(failed(request, Derived("x")))
    assert (answer.status, answer.content, answer.content_type) == (500, b'{"was":"x"}', "application/json")
    answer = failed(request, NotFound())
    assert (answer.status, answer.content) == (404, b'{"status":404}')
    assert caplog.records == []


@pytest.mark.parametrize("asynchronous", [False, True])
def test_handlers_may_fail_themselves(asynchronous: bool, caplog: pytest.LogCaptureFixture) -> None:
    app, request = app_and_request()
    errors = iter([NotFound("better so"), RuntimeError("worse so"), None])

    def own(request: Request, error: Base) -> Any:
        if (e := next(errors)) is not None:
            raise e
        return Conflict("returned")

    async def later(request: Request, error: Base) -> Any:
        return own(request, error)

    app.exception_handler(Base)(later if asynchronous else own)

    def failed() -> Any:
        answer = app._hooks().failed(request, Base())
        return asyncio.run(answer) if asynchronous else answer

    assert failed() == Problem(404, "not_found", "better so")
    assert caplog.records == []
    assert failed().status == 500
    assert "worse so" in caplog.text
    assert failed() == Problem(409, "conflict", "returned")


def test_exception_handler_takes_classes() -> None:
    with pytest.raises(TypeError, match="exception class"):
        App().exception_handler(404)  # type: ignore[arg-type]


class Colour(Enum):
    RED = "red"


class Struct(msgspec.Struct, rename="camel"):
    first_name: str
    child: Any = None


@dataclasses.dataclass
class Data:
    a: int
    b: Any = None


class Model(pydantic.BaseModel):
    when: date


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Struct("x"), '{"firstName":"x","child":null}'),
        (Data(1, Data(2)), '{"a":1,"b":{"a":2,"b":null}}'),
        (Model(when=date(2024, 1, 2)), '{"when":"2024-01-02"}'),
        ([Model(when=date(2024, 1, 2))], '[{"when":"2024-01-02"}]'),
        (Struct("x", Model(when=date(2024, 1, 2))), '{"firstName":"x","child":{"when":"2024-01-02"}}'),
        ({"c": Colour.RED, "d": Decimal("1.10")}, '{"c":"red","d":"1.10"}'),
        ([UUID(int=1), date(2024, 1, 2)], '["00000000-0000-0000-0000-000000000001","2024-01-02"]'),
        (MappingProxyType({"a": {1}}), '{"a":[1]}'),
    ],
)
def test_rich_values(value: Any, text: str) -> None:
    assert dumps(value).decode() == text
    assert JSONResponse(value).content == text.encode()


def test_what_cannot_be_serialized_is_found(caplog: pytest.LogCaptureFixture) -> None:
    app, request = app_and_request()
    value = {"items": [1, Struct("x", Data(1, {"owner": object()}))]}
    with pytest.raises(_bridge.EncodeError) as caught:
        dumps(value)
    assert (caught.value.path, caught.value.type_name) == ("$.items[1].child.b.owner", "object")
    assert app._hooks().failed(request, caught.value).status == 500
    (record,) = caplog.records
    for part in ("broken", "test_hooks.py:", "object", "$.items[1].child.b.owner"):
        assert part in record.getMessage()


def test_details_that_cannot_be_serialized(caplog: pytest.LogCaptureFixture) -> None:
    app, request = app_and_request()
    assert app._hooks().failed(request, NotFound(details=object())).status == 500
    assert "cannot be serialized" in caplog.text


async def drained(items: Any) -> list[Any]:
    return [item async for item in items]


def test_render(caplog: pytest.LogCaptureFixture) -> None:
    app, request = app_and_request()
    render = app._hooks().render

    async def asynchronous() -> AsyncIterator[bytes]:
        yield b"a"

    def plain() -> Iterator[str]:
        yield "a"

    for value in (asynchronous(), plain(), iter([b"a"])):
        assert not isinstance(render(request, value), Response)
        assert asyncio.run(drained(render(request, value))) in (["a"], [b"a"])
        with pytest.raises(TypeError, match="stream"):
            render(request, render(request, value))
    assert render(request, Data(1)) == {"a": 1, "b": None}

    async def forgotten() -> None: ...

    for value, words in ((forgotten(), "await is missing"), (object(), "object"), (Response(), "a response")):
        with pytest.raises(TypeError, match=words) as caught:
            render(request, value)
        assert app._hooks().failed(request, caught.value).status == 500
        assert f"{type(value).__name__} at $ (" in caplog.records.pop().getMessage()
