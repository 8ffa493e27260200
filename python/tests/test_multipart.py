"""The form parser, with the corpus that it shares with the engine's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from form_corpus import DATA, Case, form_cases, unescaped
from hypothesis import given, settings
from hypothesis import strategies as st

from covet._multipart import FormError, Limits, MultipartParser, PartEnd, PartHead, boundary_of, parse_pairs


def drive(parser: MultipartParser, body: bytes, *sizes: int) -> list[Any]:
    """What the parser sees in the body, given in pieces of these sizes; the last one repeats."""
    seen: list[Any] = []
    data = b""
    head: PartHead | None = None
    sizes_left = list(sizes)
    try:
        while body:
            size = sizes_left.pop(0) if len(sizes_left) > 1 else sizes_left[0]
            piece, body = body[:size], body[size:]
            for event in parser.feed(piece):
                if isinstance(event, PartHead):
                    assert head is None
                    head, data = event, b""
                elif isinstance(event, PartEnd):
                    assert head is not None
                    part: dict[str, Any] = {"name": head.name, "data": data.decode("latin-1")}
                    if head.is_file:
                        part |= {"file": head.filename, "raw": head.raw_filename, "type": head.content_type}
                    seen.append(part)
                    head = None
                else:
                    assert event
                    data += event
        parser.end()
    except FormError as e:
        seen.append(e.reason)
    return seen


def expected(case: Case) -> list[Any]:
    return [{**part, "raw": part.get("raw", part["file"])} if "file" in part else part for part in case.parts]


@pytest.mark.parametrize("case", form_cases(), ids=lambda case: case.name)
def test_corpus(case: Case) -> None:
    def check(*sizes: int) -> None:
        got = drive(MultipartParser(case.boundary, Limits(**case.limits)), case.body, *sizes)
        if case.error:
            assert got[-1] == case.error
        elif case.long:
            assert [len(part["data"]) for part in got] == [case.long]
        else:
            assert got == expected(case)

    check(len(case.body) or 1)
    check(1)
    if len(case.body) < 2000:
        for i in range(1, len(case.body)):
            check(i, len(case.body))


@pytest.mark.parametrize("line", (DATA / "boundary.txt").read_text().splitlines())
def test_boundary(line: str) -> None:
    parameters, want = line.split("\t")
    if want == "error":
        with pytest.raises(FormError) as caught:
            boundary_of(json.loads(parameters))
        assert caught.value.reason == "boundary"
    else:
        assert boundary_of(json.loads(parameters)) == json.loads(want).encode()


@pytest.mark.parametrize("line", (DATA / "urlencoded.txt").read_text(encoding="utf-8").splitlines())
def test_urlencoded(line: str) -> None:
    text, want = line.split("\t")
    if want == "error":
        with pytest.raises(FormError, match="UTF-8"):
            parse_pairs(unescaped(text), 1000)
    else:
        assert [list(pair) for pair in parse_pairs(unescaped(text), 1000)] == json.loads(want)


def test_pairs_limit() -> None:
    assert len(parse_pairs(b"a&b&&&&&&", 2)) == 2
    with pytest.raises(FormError, match="more than 2 fields") as caught:
        parse_pairs(b"a&b&c", 2)
    assert caught.value.limit
    with pytest.raises(FormError):
        parse_pairs(b"a=1&" * 1_000_000, 1000)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([b"--b", b"\r\n", b"\r", b"--", b"x", b'Content-Disposition: form-data; name="a"'])),
    st.integers(1, 20),
)
def test_split_changes_nothing(pieces: list[bytes], size: int) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="a"; filename="b"\r\n\r\n' + b"".join(pieces)
    limits = Limits(parts=5, field_bytes=50, head_bytes=100, preamble=20, epilogue=20)
    whole = drive(MultipartParser(b"b", limits), body, len(body))
    parted = drive(MultipartParser(b"b", limits), body, size)
    if isinstance(whole[-1], str) or isinstance(parted[-1], str):
        assert isinstance(whole[-1], str)
        assert isinstance(parted[-1], str)
    else:
        assert whole == parted


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(1, 20))
def test_any_bytes(body: bytes, size: int) -> None:
    drive(MultipartParser(b"b", Limits()), body, size)
    drive(MultipartParser(b"b", Limits()), b"--b\r\n" + body, size)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_filename_is_no_path(raw: str) -> None:
    name = PartHead("a", raw, True, "", []).filename
    assert not set(name) & set("/\\\0\r\n")
    assert name not in (".", "..")
