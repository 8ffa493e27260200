"""Forms: what a handler gets, without an engine."""

from __future__ import annotations

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, TypeVar

import pytest
from fake_request import FakeRequest, fake
from form_corpus import form_cases

from covet import App, BadRequest, ContentTooLarge, FormData, ServiceUnavailable, UnsupportedMediaType, UploadFile
from covet._form import Multipart, open_multipart, read_form
from covet._multipart import Limits

T = TypeVar("T")

MULTIPART = "multipart/form-data; boundary=b"
PAIRS = "application/x-www-form-urlencoded"


def part(disposition: str, data: bytes, *lines: str) -> bytes:
    head = "\r\n".join([f"Content-Disposition: form-data; {disposition}", *lines])
    return b"--b\r\n" + head.encode() + b"\r\n\r\n" + data + b"\r\n"


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


class Source:
    """A body in pieces; counts how many were asked for."""

    def __init__(self, body: bytes, size: int = 65536) -> None:
        self.pieces = [body[i : i + size] for i in range(0, len(body), size)]
        self.asked = 0

    async def stream(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            self.asked += 1
            yield piece


async def form_of(body: bytes, content_type: str | None = MULTIPART, memory: int = 1 << 20, **limits: Any) -> FormData:
    return await read_form(content_type, Source(body).stream(), Limits(**limits), memory)


def test_fields_and_files() -> None:
    async def main() -> None:
        body = (
            part('name="a"', b"1")
            + part('name="f"; filename="../x.txt"', b"hello", "Content-Type: text/plain", "X-More: 1")
            + part('name="a"', "ä".encode())
            + part('name="none"; filename=""', b"", "Content-Type: application/octet-stream")
            + b"--b--\r\n"
        )
        form = await form_of(body)
        assert form["a"] == "ä"
        assert form.get_list("a") == form.getlist("a") == ["1", "ä"]
        assert "none" not in form
        assert len(form) == 2
        file = form["f"]
        assert isinstance(file, UploadFile)
        assert (file.filename, file.raw_filename, file.content_type, file.size) == (
            "x.txt",
            "../x.txt",
            "text/plain",
            5,
        )
        assert ("x-more", "1") in file.headers
        assert await file.read(2) == b"he"
        assert await file.read() == b"llo"
        assert await file.seek(1) == 1
        assert file.file.read() == b"ello"
        assert not file.on_disk
        assert [name for name, _ in form.multi_items()] == ["a", "f", "a"]
        assert "ä" not in repr(form)
        await form.close()
        assert file.file.closed

    run(main())


@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_pieces(size: int) -> None:
    async def main() -> None:
        data = os.urandom(5000)
        body = part('name="f"; filename="x"', data) + part('name="a"', b"1") + b"--b--"
        for memory in (0, 4999, 5000):
            form = await read_form(MULTIPART, Source(body, size).stream(), Limits(), memory)
            file = form["f"]
            assert isinstance(file, UploadFile)
            assert file.on_disk == (memory < 5000)
            assert await file.read() == data
            assert await file.read() == b""
            assert await file.seek(-10, os.SEEK_END) == 4990
            assert await file.read() == data[-10:]
            await form.close()

    run(main())


def test_memory_is_shared_by_the_files() -> None:
    async def main() -> None:
        body = part('name="f"; filename="x"', b"x" * 600) * 3 + b"--b--"
        form = await form_of(body, memory=1000)
        assert [file.on_disk for file in form.get_list("f") if isinstance(file, UploadFile)] == [False, True, True]
        await form.close()

    run(main())


def descriptors() -> set[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(os.readlink(f"/proc/self/fd/{name}"))
        except OSError:
            continue
    return {target for target in found if "deleted" in target}


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="looks at descriptors by /proc")
@pytest.mark.parametrize("end", ["dropped", "broken", "cancelled"])
def test_files_vanish(end: str) -> None:
    async def endless(body: bytes) -> AsyncIterator[bytes]:
        yield body
        await asyncio.Event().wait()

    async def main() -> None:
        before = descriptors()
        body = part('name="f"; filename="x"', b"x" * 500_000)
        if end == "dropped":
            form = await form_of(body + b"--b--", memory=10)
            assert len(descriptors() - before) == 1
            del form
        elif end == "broken":
            with pytest.raises(BadRequest):
                await form_of(body, memory=10)
        else:
            task = asyncio.create_task(read_form(MULTIPART, endless(body), Limits(), 10))
            while not descriptors() - before:  # noqa: ASYNC110  # the file is made in a thread
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            del task
        gc.collect()
        for _ in range(5000):
            if not descriptors() - before:
                return
            await asyncio.sleep(0.001)
        raise AssertionError(descriptors() - before)

    run(main())


@pytest.mark.parametrize("case", [case for case in form_cases() if case.error], ids=lambda case: case.name)
def test_errors_are_the_clients(case: Any) -> None:
    limits = Limits(**case.limits)
    with pytest.raises((BadRequest, ContentTooLarge)) as caught:
        run(
            read_form(
                f'multipart/form-data; boundary="{case.boundary.decode()}"', Source(case.body).stream(), limits, 0
            )
        )
    numbered = case.error in {*case.limits, "preamble", "epilogue", "head_bytes", "head_lines"}
    assert caught.value.status == (413 if numbered else 400)


@pytest.mark.parametrize(
    ("content_type", "body", "error", "text"),
    [
        (None, b"", UnsupportedMediaType, "."),
        ("application/json", b"{}", UnsupportedMediaType, "."),
        ("multipart/mixed; boundary=b", b"--b--", UnsupportedMediaType, "."),
        ("multipart/form-data", b"--b--", BadRequest, "boundary"),
        (PAIRS, b"a=%ff", BadRequest, "UTF-8"),
        (PAIRS, b"a&" * 1_000_000, ContentTooLarge, "1000 fields"),
        (PAIRS, b"a=" + b"x" * (3 << 19), ContentTooLarge, "a field"),
        (PAIRS, b"a=" + b"x" * (3 << 20), ContentTooLarge, "together"),
        (MULTIPART, part('name="a"', b"\xff") + b"--b--", BadRequest, "UTF-8"),
    ],
)
def test_refused(content_type: str | None, body: bytes, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        run(form_of(body, content_type))


def test_pairs() -> None:
    form = run(form_of(b"a=1&b=%C3%A4+x&a=2", PAIRS + "; charset=UTF-8"))
    assert form.multi_items() == [("a", "1"), ("b", "ä x"), ("a", "2")]
    assert form["a"] == "2"
    assert dict(run(form_of(b"", PAIRS))) == {}


def parts_of(body: bytes, **limits: Any) -> tuple[Multipart, Source]:
    source = Source(body, 1000)
    return open_multipart(MULTIPART, source.stream(), Limits(**limits)), source


def test_streaming_waits_for_the_reader() -> None:
    async def main() -> None:
        body = part('name="a"', b"x" * 10_000) + part('name="f"; filename="y"', b"z" * 10_000) + b"--b--"
        parts, source = parts_of(body)
        first = await anext(parts)
        assert source.asked == 1
        assert len(await anext(first)) < 1000
        assert source.asked == 1
        await anext(first)
        assert source.asked == 2
        second = await anext(parts)  # skips the rest of the first
        with pytest.raises(RuntimeError, match="skipped"):
            await anext(first)
        assert second.is_file
        assert second.filename == "y"
        assert await second.read() == b"z" * 10_000
        assert await second.read() == b""
        assert [part.name async for part in parts] == []

    run(main())


def test_streaming_limits() -> None:
    async def main() -> None:
        parts, _ = parts_of(part('name="a"', b"x" * 100) + b"--b--")
        with pytest.raises(ContentTooLarge):
            await (await anext(parts)).read(99)
        parts, _ = parts_of(part('name="a"', b"\xff") + b"--b--")
        with pytest.raises(BadRequest):
            await (await anext(parts)).text()
        parts, _ = parts_of(part('name="a"', b"") * 3 + b"--b--", parts=2)
        with pytest.raises(ContentTooLarge, match="2 parts"):
            [part async for part in parts]
        with pytest.raises(UnsupportedMediaType):
            open_multipart("text/plain", Source(b"").stream(), Limits())

    run(main())


def test_full_executor_is_no_crash() -> None:
    async def main() -> None:
        def full(*_: Any) -> Any:
            raise RuntimeError("the pool's queue is full")

        loop = asyncio.get_running_loop()
        original = loop.run_in_executor
        loop.run_in_executor = full  # type: ignore[method-assign]
        try:
            with pytest.raises(ServiceUnavailable):
                await form_of(part('name="f"; filename="x"', b"x" * 100) + b"--b--", memory=0)
        finally:
            loop.run_in_executor = original  # type: ignore[method-assign]

    run(main())


def request_of(body: bytes, content_type: str = PAIRS, **members: Any) -> Any:
    app = App()

    @app.post("/")
    async def handler() -> None: ...

    request = fake(app._plans()[0], method="POST", headers=[("content-type", content_type)], body=body, **members)
    type(request)._app = app
    return request


@pytest.fixture(autouse=True)
def _no_app() -> Iterator[None]:
    yield
    FakeRequest._app = None


def test_request_form_is_kept() -> None:
    async def main() -> None:
        request = request_of(b"a=1")
        form = await request.form()
        assert dict(form) == {"a": "1"}
        assert await request.form(max_fields=0) is form
        with pytest.raises(ContentTooLarge, match="0 fields"):
            await request_of(b"a=1").form(max_fields=0)
        with pytest.raises(ContentTooLarge, match="over 3 bytes"):
            await request_of(b"a=1234").form(max_part_size=3)
        with pytest.raises(ContentTooLarge, match="over 3 bytes"):
            await request_of(b"a=12", PAIRS).form(max_size=3)

    run(main())


def test_request_multipart() -> None:
    async def main() -> None:
        body = part('name="a"', b"1" * 9) + part('name="f"; filename="x"', b"2" * 9) + b"--b--"
        seen = [(p.name, await p.text()) async for p in request_of(body, MULTIPART).multipart()]
        assert seen == [("a", "1" * 9), ("f", "2" * 9)]
        with pytest.raises(ContentTooLarge, match="a field of the form is over 8 bytes"):
            [p async for p in request_of(body, MULTIPART).multipart(max_part_size=8)]
        with pytest.raises(ContentTooLarge, match="1 parts"):
            [p async for p in request_of(body, MULTIPART).multipart(max_parts=1)]

    run(main())


def test_form_in_a_thread() -> None:
    async def main() -> None:
        request = request_of(b"a=1&b=2")
        with pytest.raises(RuntimeError, match="await form"):
            request.form_sync()
        with pytest.raises(RuntimeError, match="running server"):
            await asyncio.to_thread(request.form_sync)
        request.app._loop = asyncio.get_running_loop()
        assert dict(await asyncio.to_thread(request.form_sync)) == {"a": "1", "b": "2"}
        request = request_of(b"a=1&b=2")
        request.app._loop = asyncio.get_running_loop()
        with pytest.raises(ContentTooLarge):
            await asyncio.to_thread(request.form_sync, max_fields=1)

    run(main())


def test_query_is_bounded() -> None:
    assert len(request_of(b"", query=b"&".join(b"a%d=1" % i for i in range(1000))).query) == 1000
    with pytest.raises(BadRequest, match="1000 parameters"):
        request_of(b"", query=b"a&" * 1_000_000).query  # noqa: B018  # a property
