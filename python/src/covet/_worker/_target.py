"""From ``module:attribute`` or ``path/to/file.py:attribute`` to the application."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from covet._worker._failure import StartError, own_frames, readable

__all__ = ["load_application", "split_target"]

_ASKED = ("_plans", "_info", "_hooks", "_lifespan")


def split_target(target: str) -> tuple[str, str]:
    """The module or file, and the attribute, ``app`` by default. A colon inside a path does not count."""
    place, colon, attribute = target.rpartition(":")
    if not colon or "/" in attribute or os.sep in attribute:
        return target, "app"
    return place, attribute or "app"


def load_application(target: str, directory: str) -> Any:
    """Imports the target; StartError with a precise sentence when that fails."""
    place, attribute = split_target(target)
    if directory:
        sys.path.insert(0, os.path.abspath(directory))
    module = _import_file(place, directory) if _is_file(place) else _import_module(place)
    return _check(_lookup(module, attribute, place), target)


def _is_file(place: str) -> bool:
    return place.endswith(".py") or "/" in place or os.sep in place


def _import_file(place: str, directory: str) -> ModuleType:
    path = Path(directory, place).resolve() if directory else Path(place).resolve()
    if path.suffix != ".py":
        path = path.with_name(path.name + ".py")
    if not path.is_file():
        raise StartError("import", f"the file {path} does not exist", "check the path, or give module:attribute")
    # The file's own package, so that its relative imports work.
    parts = [path.stem] if path.stem != "__init__" else []
    parent = path.parent
    while (parent / "__init__.py").is_file() and parent != parent.parent:
        parts.insert(0, parent.name)
        parent = parent.parent
    sys.path.insert(0, str(parent))
    module = _import_module(".".join(parts))
    found = getattr(module, "__file__", None)
    if found is None or Path(found).resolve() != path:
        raise StartError(
            "import",
            f"importing {path.stem} found {found or 'a built-in module'}, not {path}",
            "another module has the same name: rename the file",
        )
    return module


def _import_module(name: str) -> ModuleType:
    if not name:
        raise StartError("import", "the target names no module", "give module:attribute, such as app:app")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as e:
        missing = e.name or ""
        if missing == name or name.startswith(missing + "."):
            hint = "give module:attribute from the directory of the project, or the path of the file"
            raise StartError("import", f"no module named {missing!r}", hint) from None
        raise StartError(
            "import",
            f"{name} needs the module {missing!r}, which is not installed",
            f"install it with this interpreter: {sys.executable} -m pip install {missing.partition('.')[0]}",
            readable(e),
        ) from None
    except SyntaxError as e:
        where = f"{e.filename}:{e.lineno}" if e.filename else name
        raise StartError("import", f"syntax error in {where}: {e.msg}", "", readable(e)) from None
    except (Exception, SystemExit) as e:
        said = f": {e}" if str(e) else ""
        raise StartError(
            "import", f"importing {name} raised {type(e).__name__}{said}{_where(e.__traceback__)}", "", readable(e)
        ) from None


def _lookup(module: ModuleType, attribute: str, place: str) -> Any:
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise StartError("lookup", f"{place} has no attribute {attribute!r}", _guess(module, part)) from None
    return found


def _guess(module: ModuleType, name: str) -> str:
    apps = [n for n, v in vars(module).items() if _is_app(v)]
    if apps:
        return f"did you mean {module.__name__}:{apps[0]}?"
    near = difflib.get_close_matches(name, vars(module), 1)
    return f"did you mean {near[0]!r}?" if near else "define it: app = App()"


def _is_app(value: Any) -> bool:
    return not isinstance(value, type) and all(hasattr(value, name) for name in _ASKED)


def _check(value: Any, target: str) -> Any:
    if _is_app(value):
        return value
    if isinstance(value, type):
        raise StartError("lookup", f"{target} is the class {value.__name__}, not an App", "make one: app = App()")
    if callable(value):
        hint = "serve a covet.App; other frameworks' applications are not served yet"
        raise StartError("lookup", f"{target} is a {type(value).__name__}, not a covet App", hint)
    raise StartError("lookup", f"{target} is a {type(value).__name__}, not a covet App", "make one: app = App()")


def _where(trace: TracebackType | None) -> str:
    last = own_frames(trace)
    if last is None:
        return ""
    while last.tb_next is not None:
        last = last.tb_next
    return f" ({last.tb_frame.f_code.co_filename}:{last.tb_lineno})"
