"""Who is measured, and how each is started: as its own documentation says for production, with one worker."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
ENVS = HERE / ".envs"
BUILT = HERE / ".envs" / "go"


@dataclass(frozen=True)
class Rival:
    name: str
    """As it stands in tables."""
    side: str
    """``python`` or ``go``."""
    command: Callable[[int], list[str]]
    """The command that serves on 127.0.0.1 and the given port."""
    env: str | None = None
    """The environment in requirements/ that it runs in."""
    paths: tuple[tuple[str, str], ...] = ()
    """Replacements in request paths, for variants of one server."""


def _python(env: str) -> str:
    return str(ENVS / env / "bin" / "python")


def _uvicorn(app: str) -> Callable[[int], list[str]]:
    return lambda port: [
        *(
            _python("uvicorn"),
            "-m",
            "uvicorn",
            app,
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ),
        *("--workers", "1", "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning"),
    ]


def _granian(interface: str, app: str) -> Callable[[int], list[str]]:
    return lambda port: [
        *(str(ENVS / "granian" / "bin" / "granian"), "--interface", interface, app),
        *(
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
            "--loop",
            "uvloop",
        ),
        *("--no-ws", "--http", "1", "--log-level", "warning"),
    ]


def _covet(*options: str) -> Callable[[int], list[str]]:
    return lambda port: [
        *(
            str(ROOT / "bin" / "covet"),
            "run",
            "covet_app:app",
            "--port",
            str(port),
            "--workers",
            "1",
        ),
        *(
            "--python",
            str(ROOT / ".venv" / "bin" / "python"),
            "--log-level",
            "warn",
            *options,
        ),
    ]


def _go(program: str) -> Callable[[int], list[str]]:
    return lambda port: [str(BUILT / program), f"127.0.0.1:{port}"]


RIVALS = [
    Rival("covet", "python", _covet()),
    Rival("uvicorn raw", "python", _uvicorn("asgi_raw:app"), "uvicorn"),
    Rival("fastapi on uvicorn", "python", _uvicorn("fastapi_app:app"), "uvicorn"),
    Rival("granian rsgi raw", "python", _granian("rsgi", "rsgi_raw:app"), "granian"),
    Rival("granian asgi raw", "python", _granian("asgi", "asgi_raw:app"), "granian"),
    Rival("covet go inline", "go", _go("covetgo")),
    Rival("covet go goroutine", "go", _go("covetgo"), None, (("/plaintext", "/blocking"),)),
    Rival("fasthttp", "go", _go("fasthttp")),
    Rival("net/http", "go", _go("nethttp")),
]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def prepare(rivals: list[Rival]) -> None:
    """Installs what the chosen rivals run in. Environments are kept and renewed when their pins change."""
    for env in sorted({r.env for r in rivals if r.env}):
        pins = HERE / "requirements" / f"{env}.txt"
        stamp = ENVS / env / ".pins"
        if stamp.exists() and stamp.read_text() == pins.read_text():
            continue
        _say(f"installing {env} …")
        shutil.rmtree(ENVS / env, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(ENVS / env)], check=True)
        subprocess.run(
            [_python(env), "-m", "pip", "install", "--quiet", "-r", str(pins)],
            check=True,
        )
        stamp.write_text(pins.read_text())
    if any(r.side == "go" for r in rivals):
        _say("building the Go servers …")
        BUILT.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["go", "build", "-o", str(BUILT) + "/", "./..."],
            cwd=HERE / "go",
            check=True,
        )
