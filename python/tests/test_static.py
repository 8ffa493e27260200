"""app.static: what the engine is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from covet import App


def test_description(tmp_path: Path) -> None:
    app = App(prefix="/v1")
    app.static("/assets/", tmp_path, listing=True, index=None, cache_control="no-cache")
    (described,) = app._static_files()
    assert described["path"] == "/v1/assets"
    assert described["dir"] == str(tmp_path)
    assert described["index"] == "-"
    assert described["listing"] is True
    assert described["precompressed"] is True
    assert described["file"] == __file__
    assert described["line"] > 0


def test_relative_to_the_file_that_calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    app = App()
    app.static("/", "bridge")
    (described,) = app._static_files()
    assert described["path"] == "/"
    assert described["dir"] == str(Path(__file__).parent / "bridge")


@pytest.mark.parametrize("path", ["", "assets", "/{x}", "/a?b", "/a b", "//a", "/%41", "/a\\b"])
def test_path_is_refused(path: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="path of static files"):
        App().static(path, tmp_path)
