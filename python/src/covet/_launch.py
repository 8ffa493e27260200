"""From Python to the engine: finds the covet binary and hands the process over to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn

__all__ = ["LaunchError", "arguments", "find_binary", "hand_over", "main", "target_of", "with_interpreter"]

# The verbs that start Python workers.
_WITH_WORKERS: Final = ("run", "dev", "routes")


class LaunchError(Exception):
    """The engine cannot be started: what is wrong and what to do."""


def find_binary(environ: Mapping[str, str] = os.environ, package: Path | None = None) -> str:
    """The path of the covet binary.

    In this order: ``COVET_BINARY``; the one that the wheel brought; PATH; that of a checkout this package lies in.
    """
    package = package or Path(__file__).parent
    if named := environ.get("COVET_BINARY"):
        if _is_engine(Path(named)):
            return named
        raise LaunchError(f"COVET_BINARY names {named}, which is not an executable program")
    for candidate in _candidates(environ, package):
        if _is_engine(candidate):
            return str(candidate)
    raise LaunchError(
        "the covet binary was not found: install a wheel for this platform, run `make build` in a checkout, "
        "or name it in COVET_BINARY"
    )


def _candidates(environ: Mapping[str, str], package: Path) -> Iterator[Path]:
    yield package / "_bin" / "covet"
    for directory in environ.get("PATH", "").split(os.pathsep):
        if directory:
            yield Path(directory) / "covet"
    # A checkout has the package in python/src/covet.
    if len(package.parents) > 2 and (package.parents[2] / "go.mod").is_file():
        yield package.parents[2] / "bin" / "covet"


def _is_engine(path: Path) -> bool:
    try:
        # The console script of this package is called covet, too: handing over to it would never end.
        with path.open("rb") as file:
            return file.read(2) != b"#!" and path.is_file() and os.access(path, os.X_OK)
    except OSError:
        return False


def with_interpreter(args: Sequence[str], executable: str, environ: Mapping[str, str] = os.environ) -> list[str]:
    """The arguments, with this interpreter for the workers unless another one is named."""
    named = any(arg == "--python" or arg.startswith("--python=") for arg in args) or "COVET_PYTHON" in environ
    if not args or args[0] not in _WITH_WORKERS or named or not executable:
        return list(args)
    return [args[0], "--python", executable, *args[1:]]


def arguments(target: str, options: Mapping[str, Any], *, dev: bool = False) -> list[str]:
    """The command line for a target. An option that is None is left to the engine: environment, file, default."""
    args = ["dev" if dev else "run", target]
    for name, value in options.items():
        if value is None:
            continue
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            args.append(f"{flag}={'true' if value else 'false'}")
        else:
            args += [flag, str(value)]
    return args


def target_of(app: object, modules: Mapping[str, Any] | None = None) -> str:
    """How the engine names an application object: the module or file that has it as an attribute."""
    modules = dict(sys.modules if modules is None else modules)
    # The main module first: it is what the user started.
    for name in ("__main__", *modules):
        module = modules.get(name)
        members = getattr(module, "__dict__", None)
        if not isinstance(members, dict):
            continue
        attribute = next((key for key, value in list(members.items()) if value is app), None)
        if attribute is None:
            continue
        spec = getattr(module, "__spec__", None)
        if name != "__main__":
            return f"{name}:{attribute}"
        if spec is not None and spec.name:
            # python -m package.module; a package's own main module is package.__main__.
            return f"{spec.name}:{attribute}"
        if file := getattr(module, "__file__", None):
            return f"{os.path.abspath(file)}:{attribute}"
    raise LaunchError(
        "app.run() found no module that has this App as an attribute: assign it to a name at the top of a file"
    )


def hand_over(args: Sequence[str]) -> NoReturn:
    """Replaces this process by the engine."""
    binary = find_binary()
    sys.stdout.flush()
    sys.stderr.flush()
    command = [binary, *with_interpreter(args, sys.executable)]
    try:
        os.execv(binary, command)
    except OSError as e:
        raise LaunchError(f"the covet binary {binary} cannot be started: {e.strerror}") from e


def main() -> NoReturn:
    """The console script ``covet`` and ``python -m covet``."""
    try:
        hand_over(sys.argv[1:])
    except LaunchError as e:
        print(f"covet: {e}", file=sys.stderr)
        raise SystemExit(1) from None
