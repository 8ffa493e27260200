"""Who is measured, and how each is started: as its own documentation says for production, with access logs off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
ENVS = HERE / ".envs"
BUILT = ENVS / "go"
STATIC = ENVS / "static"

KEEP_ALIVE = "75"
"""Seconds that an idle connection lives, where a default is so short that the idle profile would lose it."""

SERVER = "Python server"
FRAMEWORK = "Python framework"
GO = "Go"
C = "C"


@dataclass(frozen=True)
class Setting:
    """What a server is started with."""

    port: int
    folder: Path
    """An empty folder of its own, for a configuration file."""
    workers: int = 1
    compress: bool = False

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@dataclass(frozen=True)
class Rival:
    name: str
    """As it stands in tables."""
    side: str
    command: Callable[[Setting], list[str]]
    can: frozenset[str]
    """The profiles that it can do, with what its documentation offers."""
    env: str | None = None
    """The environment in requirements/ that it runs in."""
    paths: tuple[tuple[str, str], ...] = ()
    """Replacements in request paths, for variants of one server."""
    invalid: tuple[int, ...] = (422,)
    """What it answers to input that does not validate, unless told otherwise."""
    tool: str | None = None
    """A program that is needed: nginx, caddy, or one of bench/go."""
    note: str = ""

    @property
    def python(self) -> bool:
        return self.side in (SERVER, FRAMEWORK)


RAW = frozenset(["baseline", "pipelined", "limited-conn", "json", "typed", "small", "upload", "sleep", "idle"])
PLAIN = frozenset({"plaintext", "notfound", "pipelined"})
STATICS = frozenset({"static"})
COMPRESSED = frozenset({"json-comp"})
IN_GO = (RAW - {"small"}) | PLAIN | STATICS


def _bin(env: str, program: str) -> str:
    return str(ENVS / env / "bin" / program)


def _uvicorn(env: str, app: str) -> Callable[[Setting], list[str]]:
    return lambda s: [
        *(_bin(env, "python"), "-m", "uvicorn", app, "--host", "127.0.0.1", "--port", str(s.port)),
        *("--workers", str(s.workers), "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning", "--timeout-keep-alive", KEEP_ALIVE),
    ]


def _granian(interface: str, app: str, *options: str) -> Callable[[Setting], list[str]]:
    return lambda s: [
        *(_bin("granian", "granian"), "--interface", interface, app, "--host", "127.0.0.1", "--port", str(s.port)),
        *("--workers", str(s.workers), "--loop", "uvloop", "--no-ws", "--http", "1", "--log-level", "warning"),
        *options,
    ]


def _covet(s: Setting) -> list[str]:
    return [
        *(str(ROOT / "bin" / "covet"), "run", "covet_app:app", "--port", str(s.port), "--workers", str(s.workers)),
        *("--python", str(ROOT / ".venv" / "bin" / "python"), "--log-level", "warn"),
        *(("--compress",) if s.compress else ()),
    ]


def _covet_static(s: Setting) -> list[str]:
    return [*_covet(s), "--static", f"/static={STATIC}"]


def _gunicorn(app: str) -> Callable[[Setting], list[str]]:
    return lambda s: [
        *(_bin("gunicorn", "gunicorn"), app, "--bind", s.address, "--workers", str(s.workers)),
        *(
            "--worker-class",
            "gthread",
            "--threads",
            "8",
            "--worker-connections",
            "20000",
            "--keep-alive",
            KEEP_ALIVE,
            "--log-level",
            "warning",
        ),
    ]


def _hypercorn(s: Setting) -> list[str]:
    return [
        *(_bin("hypercorn", "hypercorn"), "asgi_raw:app", "--bind", s.address, "--workers", str(s.workers)),
        *("--worker-class", "uvloop", "--log-level", "WARNING", "--keep-alive", KEEP_ALIVE),
    ]


def _fastpysgi(app: str) -> Callable[[Setting], list[str]]:
    return lambda s: [_bin("fastpysgi", "python"), "fastpysgi_run.py", app, str(s.port), str(s.workers)]


def _robyn(s: Setting) -> list[str]:
    return [
        *(_bin("robyn", "python"), "robyn_app.py", "--processes", str(s.workers), "--workers", "1"),
        *("--log-level", "ERROR", "--disable-openapi"),
    ]


def _go(program: str) -> Callable[[Setting], list[str]]:
    return lambda s: [str(BUILT / program), s.address, str(STATIC), *(("compress",) if s.compress else ())]


def _nginx(s: Setting) -> list[str]:
    config = s.folder / "nginx.conf"
    config.write_text(f"""daemon off;
user root;
worker_processes auto;
pid {s.folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 60000; }}
http {{
  include /etc/nginx/mime.types;
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000000;
  open_file_cache max=1000 inactive=60s;
  client_body_temp_path {s.folder};
  server {{
    listen {s.address} backlog=4096;
    location = /plaintext {{ default_type text/plain; return 200 "Hello, World!"; }}
    location = /pipeline {{ default_type text/plain; return 200 "ok"; }}
    location = /baseline11 {{ default_type text/plain; return 200 "55"; }}
    location /static/ {{ alias {STATIC}/; gzip_static on; }}
    location / {{ return 404; }}
  }}
}}
""")
    return ["nginx", "-c", str(config), "-p", str(s.folder)]


def _caddy(s: Setting) -> list[str]:
    config = s.folder / "Caddyfile"
    config.write_text(
        f"""{{
  admin off
  auto_https off
  persist_config off
  log {{
    level ERROR
  }}
}}
http://{s.address} {{
  bind 127.0.0.1
  respond /plaintext "Hello, World!"
  respond /pipeline "ok"
  respond /baseline11 "55"
  handle_path /static/* {{
    root * {STATIC}
    file_server {{
      precompressed br gzip
    }}
  }}
  respond 404
}}
""".replace(f"http://{s.address}", f"http://:{s.port}")
    )
    return [str(BUILT / "caddy"), "run", "--config", str(config), "--adapter", "caddyfile"]


RIVALS = [
    Rival("covet", FRAMEWORK, _covet, RAW | COMPRESSED),
    Rival("covet static", FRAMEWORK, _covet_static, STATICS, note="files from the engine, beside a Python app"),
    Rival("uvicorn raw", SERVER, _uvicorn("uvicorn", "asgi_raw:app"), RAW, "uvicorn"),
    Rival("granian rsgi raw", SERVER, _granian("rsgi", "rsgi_raw:app"), RAW, "granian"),
    Rival("granian asgi raw", SERVER, _granian("asgi", "asgi_raw:app"), RAW, "granian"),
    Rival(
        "granian static",
        SERVER,
        _granian("asgi", "asgi_raw:app", "--static-path-route", "/static", "--static-path-mount", str(STATIC)),
        STATICS,
        "granian",
    ),
    Rival("fastpysgi wsgi raw", SERVER, _fastpysgi("wsgi_raw:app"), RAW, "fastpysgi"),
    Rival("fastpysgi asgi raw", SERVER, _fastpysgi("asgi_raw:app"), RAW, "fastpysgi"),
    Rival("hypercorn raw", SERVER, _hypercorn, RAW, "hypercorn"),
    Rival("gunicorn raw", SERVER, _gunicorn("wsgi_raw:app"), RAW, "gunicorn", note="gthread, 8 threads"),
    Rival(
        "fastapi on uvicorn",
        FRAMEWORK,
        _uvicorn("uvicorn", "fastapi_app:app"),
        RAW | STATICS | COMPRESSED,
        "uvicorn",
    ),
    Rival("fastapi on granian", FRAMEWORK, _granian("asgi", "fastapi_app:app"), RAW | STATICS | COMPRESSED, "granian"),
    Rival("robyn", FRAMEWORK, _robyn, RAW | STATICS, "robyn"),
    Rival(
        "litestar",
        FRAMEWORK,
        _uvicorn("litestar", "litestar_app:app"),
        RAW | STATICS | COMPRESSED,
        "litestar",
        invalid=(400, 404),
    ),
    Rival(
        "blacksheep",
        FRAMEWORK,
        _uvicorn("blacksheep", "blacksheep_app:app"),
        RAW | STATICS | COMPRESSED,
        "blacksheep",
        invalid=(400,),
    ),
    Rival("falcon", FRAMEWORK, _uvicorn("falcon", "falcon_app:app"), RAW | STATICS, "falcon"),
    Rival("django", FRAMEWORK, _uvicorn("django", "django_app:app"), RAW | COMPRESSED, "django"),
    Rival(
        "flask",
        FRAMEWORK,
        _gunicorn("flask_app:app"),
        RAW | STATICS | COMPRESSED,
        "gunicorn",
        note="gunicorn, gthread, 8 threads",
    ),
    Rival("covet go inline", GO, _go("covetgo"), IN_GO | COMPRESSED, tool="covetgo"),
    Rival(
        "covet go goroutine",
        GO,
        _go("covetgo"),
        frozenset({"plaintext"}),
        paths=(("/plaintext", "/blocking"),),
        tool="covetgo",
    ),
    Rival("net/http", GO, _go("nethttp"), IN_GO | COMPRESSED, tool="nethttp"),
    Rival("fasthttp", GO, _go("fasthttp"), IN_GO | COMPRESSED, tool="fasthttp"),
    Rival("gnet", GO, _go("gnet"), PLAIN, note="its HTTP example: no HTTP parser", tool="gnet"),
    Rival("hertz", GO, _go("hertz"), IN_GO, tool="hertz"),
    Rival("caddy", GO, _caddy, PLAIN | STATICS | {"idle"}, tool="caddy"),
    Rival("nginx", C, _nginx, PLAIN | STATICS | {"idle"}, tool="nginx"),
]

# What a name on the command line may stand for besides one rival.
GROUPS = {
    "targets": (
        *("covet", "uvicorn raw", "granian rsgi raw", "granian asgi raw", "fastapi on uvicorn"),
        *("covet go inline", "fasthttp", "gnet", "net/http", "nginx"),
    ),
    "quick": (
        *("covet", "uvicorn raw", "granian rsgi raw", "fastapi on uvicorn"),
        *("covet go inline", "fasthttp", "nginx"),
    ),
}
