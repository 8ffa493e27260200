"""request.not_modified: the conditions of RFC 9110 section 13 in the order of section 13.2.2."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from fake_request import fake

from covet import App, PreconditionFailed, Request

DATE = datetime(1994, 11, 6, 8, 49, 37, 250000, tzinfo=UTC)
SAME, LATER, BEFORE = "Sun, 06 Nov 1994 08:49:37 GMT", "Sun Nov  6 08:49:38 1994", "Sunday, 06-Nov-94 08:49:36 GMT"


def request_for(*headers: tuple[str, str], method: str = "GET") -> Any:
    app = App()

    @app.get("/")
    async def handler(request: Request) -> None: ...

    (plan,) = app._plans()
    return fake(plan, method=method, headers=headers)


CASES: list[tuple[str, str | None, datetime | None, list[tuple[str, str]], int]] = [
    ("GET", '"a"', DATE, [], 200),
    ("GET", '"a"', DATE, [("If-None-Match", '"a"')], 304),
    ("HEAD", '"a"', DATE, [("If-None-Match", 'W/"a"')], 304),
    ("GET", 'W/"a"', DATE, [("If-None-Match", '"x" ,, "a"')], 304),
    ("GET", '"a"', DATE, [("If-None-Match", '"x"'), ("If-None-Match", '"a"')], 304),
    ("GET", '"a"', DATE, [("If-None-Match", '"b"'), ("If-Modified-Since", LATER)], 200),
    ("GET", '"a"', DATE, [("If-None-Match", 'x "a"')], 200),
    ("GET", '"a"', DATE, [("If-None-Match", '"x""a"')], 200),
    ("GET", '"a"', None, [("If-None-Match", "*")], 304),
    ("PUT", '"a"', None, [("If-None-Match", "*")], 412),
    ("PUT", None, None, [("If-None-Match", "*")], 200),
    ("PUT", None, None, [("If-Match", "*")], 412),
    ("PUT", '"a"', DATE, [("If-Match", '"b", "a"'), ("If-Unmodified-Since", BEFORE)], 200),
    ("PUT", '"a"', DATE, [("If-Match", '"b"')], 412),
    ("PUT", '"a"', DATE, [("If-Match", 'W/"a"')], 412),
    ("PUT", None, DATE, [("If-Unmodified-Since", BEFORE)], 412),
    ("PUT", None, DATE, [("If-Unmodified-Since", SAME)], 200),
    ("GET", None, DATE, [("If-Modified-Since", SAME)], 304),
    ("GET", None, DATE, [("If-Modified-Since", LATER)], 304),
    ("GET", None, DATE, [("If-Modified-Since", BEFORE)], 200),
    ("GET", None, DATE, [("If-Modified-Since", "yesterday")], 200),
    ("GET", None, DATE, [("If-Modified-Since", SAME), ("If-Modified-Since", SAME)], 200),
    ("PUT", None, DATE, [("If-Modified-Since", SAME)], 200),
]


@pytest.mark.parametrize(("method", "etag", "modified", "headers", "status"), CASES)
def test_conditions(
    method: str, etag: str | None, modified: datetime | None, headers: list[tuple[str, str]], status: int
) -> None:
    request = request_for(*headers, method=method)
    if status == 412:
        with pytest.raises(PreconditionFailed):
            request.not_modified(etag=etag, last_modified=modified)
        return
    response = request.not_modified(etag=etag, last_modified=modified)
    assert (200 if response is None else response.status) == status
    if response is not None:
        expected = [("ETag", etag)] if etag else []
        expected += [("Last-Modified", SAME)] if modified else []
        assert response.headers == expected


def test_mistakes_of_the_handler() -> None:
    request = request_for()
    with pytest.raises(ValueError, match="double quotes"):
        request.not_modified(etag="v1")
    with pytest.raises(ValueError, match="time zone"):
        request.not_modified(last_modified=datetime(2020, 1, 1))  # the mistake


def test_a_long_list_is_linear() -> None:
    text = ",".join(['"x"'] * 100_000) + " " * 100_000 + "y"
    assert request_for(("If-None-Match", text)).not_modified(etag='"a"') is None
