"""Tables, targets and the page, from results made by hand."""

from pathlib import Path
from typing import Any

import pytest
from report import BEGIN, END, charts, tables, target_table, write_readme
from targets import targets


def stat(value: float) -> dict[str, float]:
    return {"median": value, "min": value * 0.9, "max": value * 1.1}


def cell(cpu: float, p99: float = 1000.0) -> dict[str, Any]:
    keys = ["user_us", "system_us", "rps", "p50_us", "p999_us", "memory_mib", "peak_mib", "late"]
    return {"cpu_us": stat(cpu), "p99_us": stat(p99), **{k: stat(1.0) for k in keys}}


def results(covet: float = 10.0, idle: float = 1000.0) -> dict[str, Any]:
    python = {"covet": cell(covet), "uvicorn raw": cell(50.0), "fastapi on uvicorn": cell(90.0)}
    python["granian rsgi raw"] = cell(40.0)
    return {
        "date": "2026-11-24",
        "machine": {"cores": 2, "kernel": "6", "go": "go1.26", "python": "3.11"},
        "rounds": 5,
        "seconds": 1.0,
        "workers": 1,
        "profiles": {
            "json": {"64": python},
            "plaintext": {"64": {"covet go inline": cell(8.0), "nginx": cell(9.0), "gnet": cell(7.0)}},
            "idle": {"10000": {"covet": {"bytes": stat(idle), "memory_mib": stat(40.0)}}},
        },
        "half": {"json": {"64": {"covet": cell(10.0, 500.0), "uvicorn raw": cell(50.0, 900.0)}}},
        "rates": {"json": 450.0},
        "refused": [{"profile": "json", "connections": 64, "rival": "flask", "why": "answered\n500"}],
        "missing": {"caddy": "no network"},
        "notes": [],
    }


def words(r: dict[str, Any]) -> dict[str, str]:
    return {t.text: t.word for t in targets(r)}


def test_targets() -> None:
    w = words(results())
    assert w["Python json: at most nginx return 200 x 1.5"] == "met"
    assert w["Python json: at most FastAPI on uvicorn ÷ 6"] == "met"
    assert w["Python typed: at most raw uvicorn ÷ 2.5"] == "not measured"
    assert w["Go plaintext: at most gnet x 1.1"] == "missed"
    assert w["Go plaintext: below fasthttp"] == "not measured"
    assert w["Python json: p99 at half load below every Python rival"] == "met"
    assert w["idle connection, covet: at most 2 KB with 10,000"] == "met"


def test_targets_missed() -> None:
    w = words(results(covet=41.0, idle=2049.0))
    assert w["Python json: at most FastAPI on uvicorn ÷ 6"] == "missed"
    assert w["Python json: below Granian's raw RSGI"] == "missed"
    assert w["idle connection, covet: at most 2 KB with 10,000"] == "missed"


def test_tables() -> None:
    text = tables(results())
    lines = text.splitlines()
    rows = [x.split("|")[1].strip() for x in lines if x.startswith("| ") and not x.startswith("| server")]
    assert rows[:4] == ["covet", "granian rsgi raw", "uvicorn raw", "fastapi on uvicorn"]  # the cheapest first
    assert "At 450 requests a second" in text
    assert "- flask, json, 64 connections: answered 500" in text
    assert "- caddy: no network" in text
    assert "| missed | 8.0 against 7.7 µs |" in target_table(results())


def test_readme_is_filled_again_and_again(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    drawn = charts(results(), tmp_path / "charts")
    assert [p.name for p in drawn] == ["json-64.svg", "plaintext-64.svg", "idle-10000.svg"]
    write_readme(results(), page, drawn)
    first = page.read_text()
    write_readme(results(), page, drawn)
    assert page.read_text() == first
    assert first.startswith("before\n")
    assert first.endswith("after\n")
    assert "old" not in first
    assert "![json-64](charts/json-64.svg)" in first


def test_readme_without_a_place(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("nothing here")
    with pytest.raises(ValueError, match="no place"):
        write_readme(results(), page, [])
