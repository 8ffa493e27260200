"""Responses: what a handler returns when it wants to say more than a value."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import quote

from covet._cookies import SameSite, set_cookie_value
from covet._fields import Fields, check_field, check_fields, check_trailers
from covet._pull import pull

__all__ = [
    "HTMLResponse",
    "PlainTextResponse",
    "RedirectResponse",
    "Response",
    "StreamingResponse",
]


class Response:
    """A whole response. ``content`` is sent as it is, a str as UTF-8.

    ``headers`` is a mapping or pairs, the latter for names that repeat. ValueError when a name or value could end its
    field early and forge another one. The engine adds Date, Content-Length and Content-Type.
    """

    media_type: ClassVar[str | None] = None

    __slots__ = ("content", "content_type", "headers", "status")

    status: int
    content: bytes | None
    """The body; None when it is streamed."""
    content_type: str | None
    headers: list[tuple[str, str]]
    """Fields in order. ``set_header`` and ``add_header`` check what they add."""

    def __init__(
        self,
        content: str | bytes | bytearray | memoryview | None = b"",
        status_code: int = 200,
        headers: Fields | None = None,
        media_type: str | None = None,
    ) -> None:
        self._head(status_code, headers, media_type)
        if isinstance(content, str):
            self.content = content.encode()
        elif content is None:
            self.content = b""
        elif isinstance(content, (bytes, bytearray, memoryview)):
            self.content = bytes(content)
        else:
            raise TypeError(
                f"the content of a Response is str or bytes, not {type(content).__name__}: see JSONResponse"
            )

    def _head(self, status: int, headers: Fields | None, media_type: str | None) -> None:
        # 1xx responses are interim (RFC 9110 section 15.2): the engine sends them, never a handler.
        if not 200 <= status <= 599:
            raise ValueError(f"the status of a response is from 200 to 599, not {status}")
        self.status = status
        content_type: str | None = media_type or self.media_type
        self.headers = []
        for name, value in check_fields(headers):
            if name.lower() == "content-type":
                content_type = value
            else:
                self.headers.append((name, value))
        if content_type is not None:
            if content_type.startswith("text/") and "charset=" not in content_type.lower():
                content_type += "; charset=utf-8"
            check_field("Content-Type", content_type)
        self.content_type = content_type

    @property
    def status_code(self) -> int:
        """The same as ``status``."""
        return self.status

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.status})"

    def set_header(self, name: str, value: str) -> None:
        """Sets a field, in place of those of the same name."""
        field = check_field(name, value)
        lower = name.lower()
        if lower == "content-type":
            self.content_type = field[1]
            return
        self.headers = [(n, v) for n, v in self.headers if n.lower() != lower]
        self.headers.append(field)

    def add_header(self, name: str, value: str) -> None:
        """Adds a field beside those of the same name."""
        if name.lower() == "content-type":
            raise ValueError("there is one Content-Type: use set_header")
        self.headers.append(check_field(name, value))

    def set_cookie(
        self,
        name: str,
        value: str = "",
        *,
        max_age: int | None = None,
        expires: datetime | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: SameSite | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Adds a ``Set-Cookie`` field (RFC 6265bis).

        ``max_age`` is in seconds, at most 400 days count; ``expires`` needs a time zone. ValueError for a value with
        characters that cookies cannot carry (encode it first) and for combinations that user agents ignore.
        """
        cookie = set_cookie_value(
            name,
            value,
            max_age=max_age,
            expires=expires,
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )
        self.headers.append(("Set-Cookie", cookie))

    def delete_cookie(
        self,
        name: str,
        *,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: SameSite | None = "lax",
        partitioned: bool = False,
    ) -> None:
        """Makes the client forget a cookie. Path, domain and ``partitioned`` must be those it was set with.

        ``secure`` and ``httponly`` are set where the name's prefix, ``samesite="none"`` or ``partitioned`` need them:
        clients would ignore the field.
        """
        needs = name.lower().startswith(("__secure-", "__host-", "__http-"))
        secure = secure or needs or partitioned or samesite == "none"
        httponly = httponly or name.lower().startswith(("__http-", "__host-http-"))
        self.set_cookie(
            name,
            max_age=0,
            expires=datetime.fromtimestamp(0, UTC),
            path=path,
            domain=domain,
            secure=secure,
            httponly=httponly,
            samesite=samesite,
            partitioned=partitioned,
        )


class PlainTextResponse(Response):
    """Text."""

    media_type = "text/plain"
    __slots__ = ()


class HTMLResponse(Response):
    """An HTML page."""

    media_type = "text/html"
    __slots__ = ()


class RedirectResponse(Response):
    """Sends the client to another URL: 307 keeps method and body, 303 makes a GET of it, 308 and 301 are for good."""

    __slots__ = ()

    def __init__(self, url: str, status_code: int = 307, headers: Fields | None = None) -> None:
        if status_code not in (301, 302, 303, 307, 308):
            raise ValueError(f"{status_code} is not a redirection: 301, 302, 303, 307 or 308")
        super().__init__(b"", status_code, headers)
        # "%" stays: what is escaped already is not escaped again.
        self.set_header("Location", quote(_plain(url), safe=":/%#?=@[]!$&'()*+,;~"))


def _plain(url: str) -> str:
    # Quoting would hide an attempt to end the field; it is more likely an attack than a wish.
    if any(c in url for c in "\r\n\0"):
        raise ValueError(f"the URL has a control character: {url!r}")
    return url


class StreamingResponse(Response):
    """A body made piece by piece: an iterator, async or not, of bytes or str. Sent as it comes, with back-pressure.

    A plain iterator is advanced in a thread, so it may block. The iterator is closed when the client leaves.

    ``trailers`` are fields that follow the body: a mapping or pairs, or a function, async or not, that is called for
    them at its end and may return None. HTTP/1.0 clients and HEAD get none. Names that only a function knows can be
    announced in a ``Trailer`` header.
    """

    __slots__ = ("_items", "_trailers")

    def __init__(
        self,
        content: AsyncIterable[bytes | str] | Iterable[bytes | str],
        status_code: int = 200,
        headers: Fields | None = None,
        media_type: str | None = None,
        *,
        trailers: Fields | Callable[[], Fields | Awaitable[Fields | None] | None] | None = None,
    ) -> None:
        if isinstance(content, (str, bytes, bytearray, memoryview)) or not (
            hasattr(content, "__aiter__") or hasattr(content, "__iter__")
        ):
            raise TypeError(f"the content of a StreamingResponse is an iterator, not {type(content).__name__}")
        self._head(status_code, headers, media_type)
        self.content = None
        self._items: Any = content
        self._trailers: Any = trailers
        if trailers is not None and not callable(trailers):
            self._trailers = fixed = check_trailers(trailers)
            if fixed:
                self.headers.append(("Trailer", ", ".join(name for name, _ in fixed)))

    async def trailers(self) -> list[tuple[str, str]] | None:
        """The fields that follow the body, once it has ended."""
        found: Any = self._trailers
        if callable(found):
            found = found()
            made: Any = await found if inspect.isawaitable(found) else found
            found = made
        return check_trailers(found) or None

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        items: Any = self._items if hasattr(self._items, "__aiter__") else pull(iter(self._items))
        try:
            async for item in items:
                if isinstance(item, str):
                    yield item.encode()
                elif isinstance(item, (bytes, bytearray, memoryview)):
                    yield bytes(item)
                else:
                    raise TypeError(f"a stream is made of bytes and str, not {type(item).__name__}")
        finally:
            if hasattr(items, "aclose"):
                await items.aclose()
