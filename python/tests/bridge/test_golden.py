"""The frames that Go writes and reads, byte for byte: the golden files of internal/frame."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from engine import Answer, L, parse
from harness import Harness, Response, route

from covet._plan import ParamPlan, Source

GOLDEN = Path(__file__).parents[3] / "internal" / "frame" / "testdata"


def load(name: str) -> tuple[dict[str, list[str]], bytes]:
    """The lines before ``--`` by their first word, and the bytes of the dump behind it."""
    text, dump = (GOLDEN / f"{name}.golden").read_text().split("--\n")
    lines: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        lines.setdefault(key, []).append(value)
    return lines, b"".join(bytes.fromhex(line.split()[1]) for line in dump.splitlines())


def fields(lines: dict[str, list[str]]) -> list[tuple[str, str]]:
    pairs = [line.split(":", 1) for line in lines.get("field", [])]
    return [(name, value.strip()) for name, value in pairs]


def ask(name: str) -> tuple[dict[str, list[str]], dict[str, Any], Answer]:
    """What a handler sees of a golden request, and its answer."""
    lines, frame = load(name)
    seen: dict[str, Any] = {}

    async def handler(request: Any) -> Any:
        for what in ("method", "path", "raw_path", "query_string", "authority", "client", "server", "request_id"):
            seen[what] = getattr(request, what)
        seen["fields"] = request.raw_headers
        seen["params"] = request.raw_path_params
        seen["version"] = request.http_version
        seen["scheme"] = request.scheme
        seen["length"] = request.content_length
        if "body" in lines:
            seen["body"] = await request.body()

    plan = route(handler, ParamPlan("request", Source.REQUEST, "request"))
    number = int(lines["route"][0])
    with Harness(*[plan] * (number + 1)) as h:
        h.engine.put(frame)
        (answer,) = h.run(h.answers())
    return lines, seen, answer


def test_a_request() -> None:
    lines, seen, answer = ask("request")
    assert (answer.type, answer.slot, answer.generation) == (
        "RESPONSE",
        int(lines["slot"][0]),
        int(lines["generation"][0]),
    )
    assert seen["method"] == lines["method"][0]
    assert seen["path"] == lines["path"][0]
    assert seen["raw_path"] + b"?" + seen["query_string"] == lines["target"][0].encode()
    assert seen["authority"] == lines["authority"][0]
    assert seen["fields"] == [(k.lower().encode(), v.encode()) for k, v in fields(lines)]
    assert list(seen["params"]) == lines["param"]
    assert seen["request_id"] == lines["id"][0]
    assert seen["length"] == int(lines["content_length"][0])
    assert seen["body"] == lines["body"][0].encode()
    for which, line in (("client", "remote"), ("server", "local")):
        host, port = seen[which]
        assert f"{host}:{port}" == lines[line][0]
    assert (seen["version"], seen["scheme"]) == ("1.1", "http")


@pytest.mark.parametrize(
    "name", ["response", "start", "chunk", "end", "end-aborted", "end-trailer", "inform", "error", "want", "cancelled"]
)
def test_an_answer_reads_as_go_wrote_it(name: str) -> None:
    """The fake engine, against which the extension is tested, reads what Go's reader is tested with."""
    lines, frame = load(name)
    a = parse(frame)
    assert (a.slot, a.generation) == (int(lines["slot"][0]), int(lines["generation"][0]))
    assert a.type == name.upper().partition("-")[0]
    flags = sum(L[f"FLAG_{flag}"] for line in lines.get("flags", []) for flag in line.split())
    assert a.flags == flags
    assert a.fields == fields(lines)
    if "status" in lines:
        assert a.status == int(lines["status"][0])
    if "type" in lines:
        assert a.content == int(lines["type"][0])
    if "length" in lines:
        assert a.length == int(lines["length"][0])
    assert a.body.decode() == "".join(lines.get("body", lines.get("data", [""])))
    assert (a.code, a.message) == (lines.get("code", [""])[0], lines.get("message", [""])[0])
    assert a.details.decode() == lines.get("details", [""])[0]
    assert a.value == int(lines.get("bytes", ["0"])[0])


def test_a_response_is_written_as_go_would() -> None:
    """Both frames say the same; the order of the parts in a frame is its writer's choice."""
    lines, frame = load("response")

    async def handler() -> Any:
        return Response(
            lines["body"][0].encode(), int(lines["status"][0]), fields(lines), content_type="application/json"
        )

    with Harness(route(handler)) as h:
        a = h.ask(slot=int(lines["slot"][0]), generation=int(lines["generation"][0]))
    # The length is for answers to HEAD only; elsewhere the body tells.
    assert dataclasses.replace(a, length=-1) == parse(frame)
