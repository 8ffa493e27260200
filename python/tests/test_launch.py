"""From Python to the engine: which binary, which arguments, which name for the application."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from covet import App
from covet._launch import LaunchError, arguments, find_binary, target_of, with_interpreter

# Stands for the engine: not a script by its first two bytes, as env's shebang would be taken for the console script.
ENGINE = b"\x7fELF"


def program(path: Path, content: bytes = ENGINE, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_binary_order(tmp_path: Path) -> None:
    package = tmp_path / "python" / "src" / "covet"
    package.mkdir(parents=True)
    (tmp_path / "go.mod").touch()
    script = program(tmp_path / "scripts" / "covet", b"#!/usr/bin/python\n")
    environ = {"PATH": os.pathsep.join([str(script.parent), str(tmp_path / "path"), str(tmp_path / "none")])}

    # Found from the last place to the first.
    with pytest.raises(LaunchError, match="COVET_BINARY"):
        find_binary(environ, package)
    for place in (tmp_path / "bin" / "covet", tmp_path / "path" / "covet", package / "_bin" / "covet"):
        program(place, mode=0o644)
        if os.getuid() != 0:
            assert find_binary(environ, package) != str(place)
        program(place)
        assert find_binary(environ, package) == str(place)
    named = program(tmp_path / "named")
    assert find_binary({**environ, "COVET_BINARY": str(named)}, package) == str(named)
    for wrong in (tmp_path, tmp_path / "nothing", script):
        with pytest.raises(LaunchError, match="COVET_BINARY names"):
            find_binary({**environ, "COVET_BINARY": str(wrong)}, package)


@pytest.mark.parametrize(
    ("args", "environ", "expected"),
    [
        (["run", "a:app"], {}, ["run", "--python", "PY", "a:app"]),
        (["dev", "a:app", "--port", "1"], {}, ["dev", "--python", "PY", "a:app", "--port", "1"]),
        (["routes", "a:app"], {}, ["routes", "--python", "PY", "a:app"]),
        (["run", "a:app", "--python", "X"], {}, ["run", "a:app", "--python", "X"]),
        (["run", "a:app", "--python=X"], {}, ["run", "a:app", "--python=X"]),
        (["run", "a:app"], {"COVET_PYTHON": "X"}, ["run", "a:app"]),
        (["doctor"], {}, ["doctor"]),
        (["--help"], {}, ["--help"]),
        ([], {}, []),
    ],
)
def test_interpreter(args: list[str], environ: dict[str, str], expected: list[str]) -> None:
    assert with_interpreter(args, "PY", environ) == expected
    assert with_interpreter(args, "", environ) == args


def test_arguments() -> None:
    options = {"host": None, "port": 0, "admin_token": "x", "access_log": False}
    expected = ["run", "a:app", "--port", "0", "--admin-token", "x", "--access-log=false"]
    assert arguments("a:app", options) == expected
    assert arguments("a:app", {}, dev=True) == ["dev", "a:app"]


def test_target() -> None:
    app = App()

    def module(name: str, **members: object) -> ModuleType:
        made = ModuleType(name)
        vars(made).update(members)
        return made

    main = module("__main__", service=app, __file__="main.py", __spec__=None)
    assert (
        target_of(app, {"other": module("other", app=app), "__main__": main}) == f"{os.path.abspath('main.py')}:service"
    )
    main = module("__main__", app=app, __spec__=SimpleNamespace(name="shop.main"))
    assert target_of(app, {"__main__": main}) == "shop.main:app"
    assert target_of(app, {"__main__": module("__main__"), "shop": module("shop", app=app)}) == "shop:app"
    with pytest.raises(LaunchError, match="assign it to a name"):
        target_of(app, {"__main__": module("__main__", app=App())})


def test_run_in_a_worker_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COVET_WORKER", "{}")
    with pytest.warns(RuntimeWarning, match="in a worker"):
        App().run()


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which the engine prints its arguments: a copy of the interpreter that ignores its own."""
    echo = tmp_path / "echo.c"
    echo.write_text("#include <stdio.h>\nint main(int n, char **a) { while (*++a) puts(*a); return n > 1 ? 0 : 3; }\n")
    subprocess.run(["cc", "-o", str(tmp_path / "engine"), str(echo)], check=True)
    # The package may be there without its extension: the same stand-in as in this process.
    setup = f"import sys; sys.path[:0] = {[str(Path(__file__).parent)]!r}\nimport conftest\n"
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(setup)
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COVET_")}
    return {**kept, "COVET_BINARY": str(tmp_path / "engine"), "PYTHONPATH": str(tmp_path / "site")}


def test_hand_over(tmp_path: Path, environ: dict[str, str]) -> None:
    app = tmp_path / "shop.py"
    app.write_text(
        textwrap.dedent("""
            from covet import App
            service = App()
            if __name__ == "__main__":
                service.run(port=0, workers=2)
        """)
    )

    def run(*args: str, **more: str) -> list[str]:
        command = [sys.executable, *args]
        done = subprocess.run(
            command, cwd=tmp_path, env={**environ, **more}, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    own = ["--python", sys.executable]
    assert run("shop.py") == ["run", *own, f"{app}:service", "--port", "0", "--workers", "2"]
    assert run("-m", "shop") == ["run", *own, "shop:service", "--port", "0", "--workers", "2"]
    assert run("-m", "covet", "run", "shop:service") == ["run", *own, "shop:service"]
    assert run("-m", "covet", "doctor") == ["doctor"]
    assert run("-c", "import shop") + run("shop.py", COVET_WORKER=json.dumps({})) == []


def test_no_binary_is_one_sentence(tmp_path: Path, environ: dict[str, str]) -> None:
    environ["COVET_BINARY"] = str(tmp_path / "nothing")
    command = [sys.executable, "-m", "covet", "run", "a:app"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("covet: COVET_BINARY names")
    assert "Traceback" not in done.stderr
