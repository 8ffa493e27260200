"""The cases that the engine's form parser is tested with as well: see testdata/README.md of internal/multipart."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "internal" / "multipart" / "testdata"


@dataclass
class Case:
    name: str
    boundary: bytes = b""
    limits: dict[str, int] = field(default_factory=dict)
    body: bytes = b""
    parts: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    long: int = 0


def unescaped(text: str) -> bytes:
    simple = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}
    return re.sub(
        rb"\\(x..|.)",
        lambda m: bytes([int(m[1][1:], 16)]) if m[1][:1] == b"x" else simple[m[1]],
        text.encode(),
    )


def form_cases() -> list[Case]:
    cases: list[Case] = []
    for path in sorted(DATA.glob("*.form.txt")):
        section = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            key, _, value = line.partition(": ")
            if key == "case" and section != "body:":
                cases.append(Case(value))
                section = ""
            elif line in ("body:", "expect:"):
                section = line
            elif section == "body:":
                case = cases[-1]
                if line.startswith("@repeat "):
                    _, count, text = line.split(" ", 2)
                    case.body += unescaped(text) * int(count)
                else:
                    case.body += unescaped(line)
            elif section == "expect:":
                case = cases[-1]
                if line.startswith("{"):
                    case.parts.append(json.loads(line))
                elif key.startswith("error "):
                    case.error = key.split()[1]
                elif key.startswith("long "):
                    case.long = int(key.split()[1])
            elif key == "boundary":
                cases[-1].boundary = value.encode()
            elif key == "limits":
                cases[-1].limits = {n: int(v) for n, v in (pair.split("=") for pair in value.split())}
    assert len(cases) > 50
    return cases
