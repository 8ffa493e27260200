"""The request as a handler sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from covet import _bridge
from covet._body import cached_decoder, decode_json
from covet._conditional import answer_conditions
from covet._convert import convert_text
from covet._cookies import Cookies
from covet._errors import BadRequest
from covet._fields import check_field
from covet._form import FormData, Multipart, open_multipart, read_form
from covet._headers import Headers
from covet._multipart import Limits
from covet._pattern import Parameter, Pattern
from covet._plan import Source
from covet._query import MAX_PARAMETERS, QueryParams
from covet._response import Response
from covet._state import State
from covet._url import URL, Address

if TYPE_CHECKING:
    from covet._app import App

    _Base = _bridge.Request
else:
    _Base = object

__all__ = ["Request", "RequestMembers"]

T = TypeVar("T")


class RequestMembers(_Base):
    """What is made from the extension's properties; apart from them, so that it can be tested without an engine."""

    _app: ClassVar[App | None] = None

    @property
    def app(self) -> App:
        """The application that answers this request."""
        if self._app is None:
            raise RuntimeError("the request does not belong to an application")
        return self._app

    @property
    def headers(self) -> Headers:
        """The header fields."""
        return self._once("headers", lambda: Headers.from_raw(self.raw_headers))

    @property
    def trailers(self) -> Headers:
        """The trailer fields, which come after a chunked body: empty until it has been read to its end.

        Fields that may not stand there have been dropped; none of them is ever among ``headers``.
        """
        return Headers.from_raw(self.raw_trailers)

    def early_hints(self, *links: str) -> None:
        """Sends an interim response 103 with a Link field for each, such as ``</app.css>; rel=preload; as=style``.

        It leaves as soon as the handler waits for something, or has answered. From ``async def`` handlers only.
        ValueError for a link with control characters. Nothing happens once the response has begun, nor beyond 32 KiB
        of hints for one request.
        """
        self.inform(103, [check_field("Link", link) for link in links])

    @property
    def query(self) -> QueryParams:
        """The query parameters, as text. BadRequest when there are more than 1,000."""
        return self._once("query", self._query)

    @property
    def query_params(self) -> QueryParams:
        """The same as ``query``."""
        return self.query

    @property
    def cookies(self) -> Cookies:
        """The cookies."""
        # HTTP/2 clients may split the field (RFC 9113 section 8.2.3).
        return self._once("cookies", lambda: Cookies(self.headers.get_list("cookie")))

    @property
    def path_params(self) -> dict[str, Any]:
        """The path parameters by name, converted as the handler's signature says, else as the path does."""
        return self._once("path_params", self._path_params)

    @property
    def state(self) -> State:
        """A place for what belongs to this request."""
        return self._once("state", State)

    @property
    def url(self) -> URL:
        """The URL, as the client wrote it."""
        return self._once(
            "url",
            lambda: URL(
                self.scheme, self.authority, self.raw_path.decode("latin-1"), self.query_string.decode("latin-1")
            ),
        )

    @property
    def client(self) -> Address | None:
        """The other end of the connection: None for a Unix socket."""
        client = super().client
        return None if client is None else Address(*client)

    def not_modified(self, *, etag: str | None = None, last_modified: datetime | None = None) -> Response | None:
        """Answers the conditions of the request (RFC 9110 section 13): 304 when the client has what is current.

        None means to go on; PreconditionFailed (412) is raised when the client wants to change what has changed
        meanwhile. ``etag`` has its double quotes, ``last_modified`` a time zone; without both there is nothing yet.
        """
        return answer_conditions(self.method, self.raw_headers, etag, last_modified)

    async def text(self) -> str:
        """The whole body as text, in UTF-8 or the charset of Content-Type; undecodable bytes become U+FFFD."""
        body = await self.body()
        charset = "utf-8"
        for parameter in (self.header("content-type") or "").split(";")[1:]:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "charset":
                charset = value.strip().strip('"')
        try:
            return body.decode(charset, "replace")
        except LookupError:
            return body.decode("utf-8", "replace")

    async def json(self, type: Any = Any) -> Any:
        """The body decoded from JSON, to ``type`` when one is given.

        BadRequest when it is not JSON, ValidationError when it does not fit the type. The Content-Type is not looked
        at.
        """
        body = await self.body()
        return decode_json(body) if type is Any else cached_decoder(type)(body, "body")

    async def form(
        self,
        *,
        max_fields: int = 1000,
        max_files: int = 100,
        max_part_size: int = 1 << 20,
        max_fields_size: int = 2 << 20,
        max_file_size: int | None = None,
        max_size: int | None = None,
        max_memory: int = 1 << 20,
    ) -> FormData:
        """The form in the body, multipart/form-data or application/x-www-form-urlencoded; kept: the first call counts.

        Sizes are in bytes: ``max_part_size`` of a field, ``max_fields_size`` of all fields together,
        ``max_file_size`` of a file, ``max_size`` of the whole body; None leaves it to the engine's limit on bodies.
        Files that are over ``max_memory`` together are kept on disk. They are closed when the request ends.

        BadRequest for a form that is malformed or not UTF-8, ContentTooLarge for one over a limit,
        UnsupportedMediaType for another Content-Type. The body cannot be read in another way afterwards.
        """
        form: FormData | None = self.__dict__.get("form_data")
        if form is None:
            limits = Limits(
                parts=max_fields + max_files,
                fields=max_fields,
                files=max_files,
                field_bytes=max_part_size,
                fields_bytes=max_fields_size,
                file_bytes=max_file_size,
                size=max_size,
            )
            form = await read_form(self.header("content-type"), self.stream(), limits, max_memory)
            self.__dict__["form_data"] = form
        return form

    def form_sync(self, **limits: Any) -> FormData:
        """The same as ``form`` for ``def`` handlers, which run in threads: it waits for the client."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("form_sync would block the event loop: await form()")
        loop = self.app._loop
        if loop is None:
            raise RuntimeError("form_sync needs a running server")
        return asyncio.run_coroutine_threadsafe(self.form(**limits), loop).result()

    def multipart(
        self,
        *,
        max_parts: int = 1000,
        max_part_size: int | None = None,
        max_size: int | None = None,
    ) -> Multipart:
        """The parts of a multipart/form-data body as they arrive, fields and files alike; nothing of it is kept.

        ``max_part_size`` is in bytes, of one part, ``max_size`` of the whole body; None leaves it to the engine's
        limit. Errors are those of ``form``.
        """
        unlimited = 1 << 62
        limits = Limits(
            parts=max_parts,
            fields=max_parts,
            files=max_parts,
            field_bytes=unlimited if max_part_size is None else max_part_size,
            fields_bytes=unlimited,
            file_bytes=max_part_size,
            size=max_size,
        )
        return open_multipart(self.header("content-type"), self.stream(), limits)

    def _query(self) -> QueryParams:
        # Counted before anything is made of it.
        if self.query_string.count(b"&") >= MAX_PARAMETERS:
            raise BadRequest(f"the query has more than {MAX_PARAMETERS} parameters")
        return QueryParams(self.query_string)

    def _once(self, name: str, make: Callable[[], T]) -> T:
        # Instances are made without __init__; what is derived is kept in their dict.
        members: dict[str, Any] = self.__dict__
        if name not in members:
            members[name] = make()
        value: T = members[name]
        return value

    def _path_params(self) -> dict[str, Any]:
        plan = self.plan
        texts = self.raw_path_params
        values: dict[str, Any] = {
            parameter.name: _by_kind(parameter, text)
            for parameter, text in zip(Pattern.parse(plan.path).parameters, texts, strict=True)
        }
        for param in plan.params:
            if param.source is Source.PATH:
                text = texts[param.index]
                values[param.key] = convert_text(param.convert, param.call, text)
        return values


def _by_kind(parameter: Parameter, text: str) -> Any:
    # Only int and float: the engine has checked those; a UUID without a signature stays text.
    return {"int": int, "float": float}.get(parameter.kind, str)(text)


class Request(RequestMembers, _bridge.Request):
    """A request. A handler gets it by annotating a parameter with this class.

    Nothing is decoded before it is asked for: ``method``, ``path``, ``headers``, ``query``, ``cookies``,
    ``path_params``, ``client``, ``await request.body()``, ``async for piece in request.stream()``,
    ``await request.form()``, ``async for part in request.multipart()``.
    """
