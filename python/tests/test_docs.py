"""The code of the documentation runs."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
BLOCKS = [
    pytest.param(match[1], id=f"{page.stem}-{n}")
    for page in PAGES
    for n, match in enumerate(re.finditer(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S))
]


def test_there_are_blocks() -> None:
    assert len(BLOCKS) >= 6


@pytest.mark.parametrize("text", BLOCKS)
def test_block_is_an_application(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A module of its own, as the worker would import it: annotations and source lines are found there.
    (tmp_path / "documented.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop("documented", None)
    import documented  # type: ignore[import-not-found]

    try:
        plans = documented.app._plans()
        assert plans
        assert all(plan.path.startswith("/") for plan in plans)
    finally:
        del sys.modules["documented"]
