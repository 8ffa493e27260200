"""The public face: what is exported, that it is documented, and that modules import downwards only."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
from pathlib import Path

import pytest

import covet
from covet._codes import CODES
from covet._errors import HTTPError

PACKAGE = Path(covet.__file__).parent


def test_everything_imported_is_exported() -> None:
    public = {name for name in vars(covet) if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(getattr(covet, name))}
    assert public - modules == set(covet.__all__) - {"__version__"}
    assert modules == set()
    assert len(covet.__all__) == len(set(covet.__all__))


@pytest.mark.parametrize("name", covet.__all__)
def test_exported_member_is_documented(name: str) -> None:
    member = getattr(covet, name)
    if not inspect.isclass(member):
        return
    assert member.__doc__
    for attribute, value in vars(member).items():
        if not attribute.startswith("_") and (inspect.isfunction(value) or isinstance(value, property)):
            assert inspect.getdoc(value), f"{name}.{attribute} has no docstring"


def modules() -> list[str]:
    # _worker is the program that runs applications; it imports the public face, nothing imports it.
    return [m.name for m in pkgutil.iter_modules([str(PACKAGE)]) if m.name not in ("_bridge", "_worker", "__main__")]


def imported(module: str) -> set[str]:
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            return
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("covet"):
            inner = node.module.removeprefix("covet").lstrip(".")
            found.update([inner] if inner else [alias.name for alias in node.names])
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(tree)
    return found - {"_bridge"}


def test_no_import_cycles() -> None:
    graph = {module: imported(module) for module in modules()}
    assert len(graph) > 15
    done: set[str] = set()

    def walk(module: str, above: tuple[str, ...]) -> None:
        assert module not in above, f"import cycle: {' -> '.join((*above, module))}"
        if module not in done:
            for below in graph[module]:
                walk(below, (*above, module))
            done.add(module)

    for module in graph:
        walk(module, ())


@pytest.mark.parametrize("module", modules())
def test_module_exports_exist(module: str) -> None:
    loaded = importlib.import_module(f"covet.{module}")
    assert loaded.__doc__
    assert [name for name in loaded.__all__ if not hasattr(loaded, name)] == []


def test_every_code_has_a_class() -> None:
    classes = {
        cls.registered: cls
        for cls in vars(covet).values()
        if inspect.isclass(cls) and issubclass(cls, HTTPError) and cls is not HTTPError
    }
    # These come from the engine only: a handler cannot know them.
    engine = {"client_gone", "worker_lost", "shutting_down", "http_version_not_supported"}
    assert set(classes) == set(CODES) - engine
    for code, cls in classes.items():
        error = cls()
        assert (error.status, error.message) == CODES[code]
        assert error.code == code
        assert str(error.status) in (cls.__doc__ or "")
