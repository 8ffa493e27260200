"""Responses, cookies and what may be in a header field."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from covet import (
    Cookies,
    HTMLResponse,
    JSONResponse,
    NotFound,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)

FORBIDDEN = ["a\r\nSet-Cookie: x=1", "a\nb", "a\rb", "a\0b", "a\x7fb", "€"]


@pytest.mark.parametrize(
    ("response", "status", "content_type", "content"),
    [
        (Response(), 200, None, b""),
        (Response(None, 204), 204, None, b""),
        (Response("ä"), 200, None, "ä".encode()),
        (Response(bytearray(b"a"), media_type="image/png"), 200, "image/png", b"a"),
        (Response(b"a", headers={"content-type": "a/b"}), 200, "a/b", b"a"),
        (PlainTextResponse("a"), 200, "text/plain; charset=utf-8", b"a"),
        (PlainTextResponse("a", media_type="text/csv; charset=ascii"), 200, "text/csv; charset=ascii", b"a"),
        (HTMLResponse("<p>", 404), 404, "text/html; charset=utf-8", b"<p>"),
        (JSONResponse({"a": [1, None]}, 201), 201, "application/json", b'{"a":[1,null]}'),
        (JSONResponse(None), 200, "application/json", b"null"),
        (StreamingResponse([b"a"], media_type="text/event-stream"), 200, "text/event-stream; charset=utf-8", None),
    ],
)
def test_contract_of_the_extension(response: Response, status: int, content_type: str | None, content: Any) -> None:
    assert (response.status, response.status_code) == (status, status)
    assert response.content_type == content_type
    assert response.content == content
    assert response.headers == []


def test_headers() -> None:
    response = Response(headers=[("X-A", "1"), ("X-A", "2")])
    assert response.headers == [("X-A", "1"), ("X-A", "2")]
    response.add_header("x-b", " spaces\t")
    response.set_header("x-a", "3")
    assert response.headers == [("x-b", "spaces"), ("x-a", "3")]
    response.set_header("Content-Type", "text/x")
    assert response.content_type == "text/x"
    with pytest.raises(ValueError, match="set_header"):
        response.add_header("Content-Type", "text/y")


@pytest.mark.parametrize("value", FORBIDDEN)
def test_header_values_cannot_forge_fields(value: str) -> None:
    response = Response()
    for attempt in (
        lambda: Response(headers={"X-A": value}),
        lambda: Response(media_type=value),
        lambda: NotFound(headers={"X-A": value}),
        lambda: response.set_header("X-A", value),
        lambda: response.add_header("X-A", value),
        lambda: response.set_header("Content-Type", value),
        lambda: response.set_cookie("a", value),
        lambda: response.set_cookie("a", "b", path=value),
        lambda: response.set_cookie("a", "b", domain=value),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - several messages
            attempt()
    assert response.headers == []
    assert response.content_type is None


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\n", "ä", "a\0"])
def test_names_are_tokens(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Response(headers={name: "a"})
    with pytest.raises(ValueError, match="name"):
        Response().set_cookie(name, "a")


@pytest.mark.parametrize("status", [0, 100, 101, 199, 600, -1])
def test_status_is_final(status: int) -> None:
    with pytest.raises(ValueError, match="status"):
        Response(status_code=status)


@pytest.mark.parametrize("content", [1, {"a": 1}, [b"a"], object()])
def test_content_is_text_or_bytes(content: Any) -> None:
    with pytest.raises(TypeError, match="content"):
        Response(content)


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("/a?b=c#d", "/a?b=c#d"),
        ("https://shop.example:8443/ä b", "https://shop.example:8443/%C3%A4%20b"),
        ("/already%20quoted", "/already%20quoted"),
    ],
)
def test_redirect(url: str, location: str) -> None:
    response = RedirectResponse(url)
    assert (response.status, response.headers) == (307, [("Location", location)])


def test_redirect_refuses() -> None:
    for url in ("/\r\nX: y", "/\n", "/\0"):
        with pytest.raises(ValueError, match="control character"):
            RedirectResponse(url)
    with pytest.raises(ValueError, match="redirection"):
        RedirectResponse("/", 200)


WHEN = datetime(2030, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=1)))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "sid=v; Path=/; SameSite=Lax"),
        ({"path": None, "samesite": None}, "sid=v"),
        (
            {"max_age": 60, "expires": WHEN},
            "sid=v; Max-Age=60; Expires=Wed, 02 Jan 2030 02:04:05 GMT; Path=/; SameSite=Lax",
        ),
        (
            {"domain": "shop.example", "secure": True, "httponly": True, "samesite": "none", "partitioned": True},
            "sid=v; Path=/; Domain=shop.example; Secure; HttpOnly; SameSite=None; Partitioned",
        ),
    ],
)
def test_set_cookie(arguments: dict[str, Any], expected: str) -> None:
    response = Response()
    response.set_cookie("sid", "v", **arguments)
    assert response.headers == [("Set-Cookie", expected)]


@pytest.mark.parametrize(
    ("name", "value", "arguments", "words"),
    [
        ("a", "b c", {}, "encode"),
        ("a", 'b"', {}, "encode"),
        ("a", "b;c", {}, "encode"),
        ("a", "b,c", {}, "encode"),
        ("a", "b\\", {}, "encode"),
        ("a", "b" * 5000, {}, "4096"),
        ("a", "b", {"samesite": "none"}, "secure"),
        ("a", "b", {"partitioned": True}, "secure"),
        ("a", "b", {"samesite": "Lax!"}, "samesite"),
        ("a", "b", {"path": "/;x"}, "path"),
        ("a", "b", {"expires": datetime(2030, 1, 1)}, "time zone"),
        ("__Secure-a", "b", {}, "secure"),
        ("__Host-a", "b", {"secure": True, "path": "/x"}, "path /"),
        ("__host-a", "b", {"secure": True, "domain": "x"}, "domain"),
    ],
)
def test_cookies_that_would_be_ignored(name: str, value: str, arguments: dict[str, Any], words: str) -> None:
    response = Response()
    with pytest.raises(ValueError, match=words):
        response.set_cookie(name, value, **arguments)
    assert response.headers == []


def test_delete_cookie() -> None:
    response = Response()
    response.delete_cookie("sid", path="/x")
    ((name, value),) = response.headers
    assert name == "Set-Cookie"
    assert value.startswith("sid=; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/x")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("a=b; c=d", {"a": "b", "c": "d"}),
        ('a="b"; c="', {"a": "b", "c": '"'}),
        (" a = b ;;; c ; =d; e=", {"a": "b", "e": ""}),
        ("a=1; a=2", {"a": "1"}),
        ("a=b=c", {"a": "b=c"}),
        ("", {}),
    ],
)
def test_cookies(header: str, expected: dict[str, str]) -> None:
    assert dict(Cookies(header)) == expected


def test_cookies_do_not_show_their_values() -> None:
    assert repr(Cookies("sid=secret")) == "Cookies(sid)"


OCTETS = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '",;\\')


@given(st.text("abcXYZ019_-.!~", min_size=1, max_size=20), st.text(OCTETS, max_size=100))
def test_cookies_round_trip(name: str, value: str) -> None:
    response = Response()
    response.set_cookie(name, value, path=None, samesite=None)
    assert dict(Cookies(response.headers[0][1])) == {name: value}


@given(st.text(), st.text())
def test_set_cookie_never_forges(name: str, value: str) -> None:
    response = Response()
    try:
        response.set_cookie(name, value, path=None, samesite=None)
    except ValueError:
        return
    assert response.headers == [("Set-Cookie", f"{name}={value}")]
    assert not set(response.headers[0][1]) & set("\r\n\0; ,")


@given(st.text())
def test_cookie_headers_never_fail(header: str) -> None:
    for name in Cookies(header):
        assert name
        assert ";" not in name


def collect(response: StreamingResponse) -> list[bytes]:
    async def run() -> list[bytes]:
        return [piece async for piece in response]

    return asyncio.run(run())


def test_stream_of_an_async_generator() -> None:
    async def items() -> AsyncIterator[bytes | str]:
        yield b"a"
        yield "ä"
        yield memoryview(b"c")  # type: ignore[misc]

    assert collect(StreamingResponse(items())) == [b"a", "ä".encode(), b"c"]


def test_stream_of_a_plain_iterator_runs_in_a_thread() -> None:
    threads: list[int] = []
    closed = threading.Event()

    def items() -> Iterator[str]:
        try:
            for text in "ab":
                threads.append(threading.get_ident())
                yield text
        finally:
            closed.set()

    assert collect(StreamingResponse(items())) == [b"a", b"b"]
    assert len(threads) == 2
    assert threading.get_ident() not in threads
    assert closed.is_set()
    assert collect(StreamingResponse([b"a", "b"])) == [b"a", b"b"]


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_stream_left_early_closes_its_iterator(asynchronous: bool) -> None:
    closed = threading.Event()

    async def later() -> AsyncIterator[str]:
        try:
            while True:
                yield "a"
        finally:
            closed.set()

    def plain() -> Iterator[str]:
        try:
            while True:
                yield "a"
        finally:
            closed.set()

    async def run() -> None:
        stream = StreamingResponse(later() if asynchronous else plain()).__aiter__()
        assert await anext(stream) == b"a"
        await stream.aclose()

    asyncio.run(run())
    assert closed.wait(10)


def test_a_stream_cancelled_inside_a_step_closes_afterwards() -> None:
    inside, leave, closed = threading.Event(), threading.Event(), threading.Event()

    def items() -> Iterator[str]:
        try:
            inside.set()
            leave.wait(10)
            yield "a"
        finally:
            closed.set()

    async def run() -> None:
        stream = StreamingResponse(items()).__aiter__()
        task = asyncio.ensure_future(anext(stream))
        await asyncio.get_running_loop().run_in_executor(None, inside.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not closed.is_set()
        leave.set()
        await asyncio.get_running_loop().run_in_executor(None, closed.wait, 10)

    asyncio.run(run())
    assert closed.is_set()


def test_stream_items_are_text_or_bytes() -> None:
    with pytest.raises(TypeError, match="int"):
        collect(StreamingResponse(iter([1])))  # type: ignore[arg-type]
    for content in ("abc", b"abc", 5):
        with pytest.raises(TypeError, match="iterator"):
            StreamingResponse(content)  # type: ignore[arg-type]
