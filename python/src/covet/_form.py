"""Forms: fields and uploaded files, read whole or part by part."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from tempfile import SpooledTemporaryFile
from typing import Any, Final, TypeVar

from covet._errors import BadRequest, ContentTooLarge, HTTPError, ServiceUnavailable, UnsupportedMediaType
from covet._multipart import (
    FormError,
    Limits,
    MultipartParser,
    PartEnd,
    PartHead,
    boundary_of,
    parse_pairs,
    split_media_type,
)

__all__ = ["FormData", "Multipart", "Part", "UploadFile", "open_multipart", "read_form"]

T = TypeVar("T")

# A hop to a thread costs some 100 µs: worth it for no less.
_WRITE: Final = 256 << 10
_PARSE: Final = 64 << 10


class UploadFile:
    """A file of a form.

    Small files are in memory; larger ones in a temporary file without a name, which vanishes with its last user: when
    the request ends, or when the process does, however it ends. Reads of a file on disk happen in a thread.
    """

    __slots__ = ("content_type", "file", "filename", "headers", "on_disk", "raw_filename", "size")

    def __init__(
        self,
        filename: str = "",
        *,
        raw_filename: str | None = None,
        content_type: str = "",
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.filename = filename
        """The last component of what the client sent, never a path; it may be empty, and it may exist already."""
        self.raw_filename = filename if raw_filename is None else raw_filename
        """What the client sent. Do not use it as a path."""
        self.content_type = content_type
        """What the client says that it is; "" when it says nothing."""
        self.headers = list(headers)
        """The header fields of the part, names in lower case."""
        self.size = 0
        """In bytes."""
        self.on_disk = False
        # 0: when it goes to disk is decided outside, because that must not happen on the event loop.
        self.file: SpooledTemporaryFile[bytes] = SpooledTemporaryFile(max_size=0)  # noqa: SIM115  # closed by close
        """The file itself, for code in threads: it blocks."""

    async def read(self, size: int = -1) -> bytes:
        """The next ``size`` bytes, or all that follow; empty at the end."""
        if self.on_disk:
            return await off_loop(self.file.read, size)
        return self.file.read(size)

    async def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Moves to a position and returns it."""

        def seek() -> int:
            self.file.seek(offset, whence)  # which in Python 3.11 returns nothing
            return self.file.tell()

        return await off_loop(seek) if self.on_disk else seek()

    async def close(self) -> None:
        """Gives memory and disk space back. The end of the request does it, too."""
        if self.on_disk:
            await off_loop(self.file.close)
        else:
            self.file.close()

    def __repr__(self) -> str:
        return f"UploadFile({self.filename!r}, {self.content_type!r}, {self.size} bytes)"

    def __del__(self) -> None:
        self._drop()

    def _drop(self) -> None:
        """Closes the file and does not wait for it."""
        # To free a large file takes the kernel a while: not on the event loop.
        if self.on_disk and not self.file.closed:
            with contextlib.suppress(RuntimeError):  # no loop here, or no place in its threads
                asyncio.get_running_loop().run_in_executor(None, self.file.close)
                return
        self.file.close()


class FormData(Mapping[str, str | UploadFile]):
    """The fields of a form by name.

    A lookup gives the last value of a name, as for query parameters; ``get_list`` gives all of them, in order.
    """

    __slots__ = ("_items", "_last")

    def __init__(self, items: Iterable[tuple[str, str | UploadFile]] = ()) -> None:
        self._items = list(items)
        self._last = dict(self._items)

    def __getitem__(self, name: str, /) -> str | UploadFile:
        return self._last[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        """How many names there are."""
        return len(self._last)

    def __repr__(self) -> str:
        # Values may be passwords, and representations end up in logs.
        return f"FormData({', '.join(self._last)})"

    def get_list(self, name: str, /) -> list[str | UploadFile]:
        """All values of the name, in order; empty when there is none."""
        return [value for key, value in self._items if key == name]

    getlist = get_list

    def multi_items(self) -> list[tuple[str, str | UploadFile]]:
        """Every pair, in order."""
        return list(self._items)

    async def close(self) -> None:
        """Closes the files. The end of the request does it, too."""
        for _, value in self._items:
            if isinstance(value, UploadFile):
                await value.close()


async def off_loop(function: Callable[..., T], *args: Any) -> T:
    """Calls what blocks, in a thread of the loop's default executor. ServiceUnavailable when that has no room."""
    try:
        future = asyncio.get_running_loop().run_in_executor(None, function, *args)
    except RuntimeError as e:
        raise ServiceUnavailable from e
    # Shielded: what a thread has begun it ends, though nobody waits for it any more.
    return await asyncio.shield(future)


def _answered(error: FormError) -> HTTPError:
    """What a broken form is to the client."""
    answer = ContentTooLarge(str(error)) if error.limit else BadRequest(str(error))
    answer.__cause__ = error
    return answer


def _multipart_boundary(content_type: str) -> bytes | None:
    """The boundary of multipart/form-data; None for another media type."""
    media, parameters = split_media_type(content_type)
    return boundary_of(parameters) if media.lower() == "multipart/form-data" else None


async def read_form(
    content_type: str | None, pieces: AsyncIterator[bytes], limits: Limits, max_memory: int
) -> FormData:
    """The whole form. BadRequest, ContentTooLarge, UnsupportedMediaType."""
    try:
        boundary = _multipart_boundary(content_type or "")
        if boundary is not None:
            return await _Collector(limits, max_memory).collect(pieces, MultipartParser(boundary, limits))
        if split_media_type(content_type or "")[0].lower() != "application/x-www-form-urlencoded":
            raise UnsupportedMediaType("a form is multipart/form-data or application/x-www-form-urlencoded")
        return await _read_pairs(pieces, limits)
    except FormError as e:
        raise _answered(e) from e


async def _read_pairs(pieces: AsyncIterator[bytes], limits: Limits) -> FormData:
    size = 0
    text: list[bytes] = []
    async for piece in pieces:
        size += len(piece)
        # Names and values are in memory, and no shorter in the body than when they are decoded.
        if limits.size is not None and size > limits.size:
            raise FormError("size", f"the form is over {limits.size} bytes", limit=True)
        if size > limits.fields_bytes:
            message = f"the fields of the form are over {limits.fields_bytes} bytes together"
            raise FormError("fields_bytes", message, limit=True)
        text.append(piece)
    whole, most = b"".join(text), min(limits.fields, limits.parts)
    # Two megabytes of escapes take a third of a second: other requests do not wait for them.
    pairs = await off_loop(parse_pairs, whole, most) if size > _PARSE else parse_pairs(whole, most)
    # Bytes, not characters; encoded again only when it may matter.
    for _, value in pairs:
        if len(value) * 4 > limits.field_bytes and len(value.encode()) > limits.field_bytes:
            raise FormError("field_bytes", f"a field of the form is over {limits.field_bytes} bytes", limit=True)
    return FormData(pairs)


class _Collector:
    """Makes a form of a multipart body: fields to text, files to memory as long as there is some, then to disk."""

    def __init__(self, limits: Limits, max_memory: int) -> None:
        self.memory = max_memory
        self.items: list[tuple[str, str | UploadFile]] = []
        self.file: UploadFile | None = None
        self.name = ""
        self.parts: list[bytes] = []  # of a field; of a file on disk, what is not written yet
        self.waiting = 0

    async def collect(self, pieces: AsyncIterator[bytes], parser: MultipartParser) -> FormData:
        try:
            await self.read(pieces, parser)
        except BaseException:
            # Now, and not when the last traceback is gone that refers to it.
            for _, value in [*self.items, ("", self.file)]:
                if isinstance(value, UploadFile):
                    value._drop()
            raise
        return FormData(self.items)

    async def read(self, pieces: AsyncIterator[bytes], parser: MultipartParser) -> None:
        async for piece in pieces:
            for event in parser.feed(piece):
                if isinstance(event, bytes):
                    if self.file is None:
                        self.parts.append(event)
                    elif self.take(self.file, event):
                        await self.write(self.file)
                elif isinstance(event, PartHead):
                    self.begin(event)
                else:
                    await self.finish()
        parser.end()

    def begin(self, head: PartHead) -> None:
        self.name, self.parts, self.waiting = head.name, [], 0
        self.file = None
        if head.is_file:
            self.file = UploadFile(
                head.filename, raw_filename=head.raw_filename, content_type=head.content_type, headers=head.headers
            )

    def take(self, file: UploadFile, data: bytes) -> bool:
        """Takes data of a file. True when there is enough to write to disk."""
        file.size += len(data)
        if not file.on_disk:
            if file.size <= self.memory:
                file.file.write(data)
                return False
            file.on_disk = True
        self.parts.append(data)
        self.waiting += len(data)
        return self.waiting >= _WRITE

    async def write(self, file: UploadFile, end: bool = False) -> None:
        parts, self.parts, self.waiting = self.parts, [], 0
        await off_loop(_write, file.file, parts, end)

    async def finish(self) -> None:
        file = self.file
        if file is None:
            try:
                self.items.append((self.name, b"".join(self.parts).decode()))
            except UnicodeDecodeError:
                raise FormError("text", "a field of the form is not UTF-8") from None
            return
        self.file = None
        if file.on_disk:
            await self.write(file, end=True)
        else:
            self.memory -= file.size
            file.file.seek(0)
        # What browsers send for a file input without a file chosen is nothing.
        if file.size or file.raw_filename:
            self.items.append((self.name, file))
        else:
            file._drop()


def _write(file: SpooledTemporaryFile[bytes], parts: list[bytes], end: bool) -> None:
    """In a thread."""
    file.rollover()
    file.writelines(parts)
    if end:
        file.seek(0)


class Part:
    """A part of a form that is read as it arrives: ``async for chunk in part``. It is valid until the next one."""

    __slots__ = ("_done", "_form", "_skipped", "content_type", "filename", "headers", "is_file", "name", "raw_filename")

    def __init__(self, form: Multipart, head: PartHead) -> None:
        self._form = form
        self._done = self._skipped = False
        self.name = head.name
        self.is_file = head.is_file
        """The client sent a filename, be it empty."""
        self.filename = head.filename
        """The last component of what the client sent, never a path; "" for a field."""
        self.raw_filename = head.raw_filename
        """What the client sent. Do not use it as a path."""
        self.content_type = head.content_type
        self.headers = head.headers

    def __repr__(self) -> str:
        return f"Part({self.name!r}, {self.filename!r})" if self.is_file else f"Part({self.name!r})"

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        data = await self._form._data(self)
        if data is None:
            raise StopAsyncIteration
        return data

    async def read(self, limit: int = 1 << 20) -> bytes:
        """What follows in the part, at most ``limit`` bytes: ContentTooLarge when there is more."""
        pieces, size = [], 0
        async for piece in self:
            size += len(piece)
            if size > limit:
                raise ContentTooLarge(f"a part of the form is over {limit} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def text(self, limit: int = 1 << 20) -> str:
        """What ``read`` gives, as text; BadRequest when it is not UTF-8."""
        try:
            return (await self.read(limit)).decode()
        except UnicodeDecodeError:
            raise BadRequest("a field of the form is not UTF-8") from None


class Multipart:
    """The parts of a form as they arrive: ``async for part in request.multipart()``.

    The client is read no faster than the parts are: what is not read of a part is skipped when the next is asked for.
    """

    __slots__ = ("_current", "_events", "_parser", "_pieces", "_running")

    def __init__(self, pieces: AsyncIterator[bytes], parser: MultipartParser) -> None:
        self._pieces = pieces
        self._parser = parser
        self._events: Iterator[Any] = iter(())
        self._current: Part | None = None
        self._running = False

    def __aiter__(self) -> AsyncIterator[Part]:
        return self

    async def __anext__(self) -> Part:
        part = self._current
        if part is not None and not part._done:
            while await self._data(part) is not None:
                pass
            part._skipped = True
        self._current = None
        head = await self._event()
        if head is None:
            raise StopAsyncIteration
        self._current = Part(self, head)
        return self._current

    async def _data(self, part: Part) -> bytes | None:
        if part._skipped:
            # It would look empty, though it was not.
            raise RuntimeError("the part was skipped: the next one was asked for before it was read")
        if part._done:
            return None
        event = await self._event()
        if isinstance(event, bytes):
            return event
        part._done = True
        assert isinstance(event, PartEnd)
        return None

    async def _event(self) -> Any:
        if self._running:
            raise RuntimeError("the form is already being read")
        self._running = True
        try:
            while True:
                for event in self._events:
                    return event
                try:
                    piece = await anext(self._pieces)
                except StopAsyncIteration:
                    self._parser.end()
                    return None
                self._events = self._parser.feed(piece)
        except FormError as e:
            raise _answered(e) from e
        finally:
            self._running = False


def open_multipart(content_type: str | None, pieces: AsyncIterator[bytes], limits: Limits) -> Multipart:
    """The parts of a body. UnsupportedMediaType when it is none of multipart/form-data."""
    try:
        boundary = _multipart_boundary(content_type or "")
    except FormError as e:
        raise _answered(e) from e
    if boundary is None:
        raise UnsupportedMediaType("the body is not multipart/form-data")
    return Multipart(pieces, MultipartParser(boundary, limits))
