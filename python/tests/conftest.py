"""Makes the package importable before its extension is built: then with a stand-in that has no engine behind it."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

HERE = Path(__file__).parent

if importlib.util.find_spec("covet") is None:
    sys.path.insert(0, str(HERE.parent / "src"))

# The stand-in is for the pure part of the package; the tests in tests/bridge need the bridge built.
_spec = importlib.util.find_spec("covet")
if _spec is not None and _spec.submodule_search_locations is not None:
    import importlib.machinery

    _suffixes = tuple(importlib.machinery.EXTENSION_SUFFIXES)
    _built = any(
        (Path(place) / f"_bridge{suffix}").exists()
        for place in _spec.submodule_search_locations
        for suffix in _suffixes
    )
    if not _built:
        _fake = importlib.util.spec_from_file_location("covet._bridge", HERE / "fake_bridge.py")
        assert _fake is not None
        assert _fake.loader is not None
        _module = importlib.util.module_from_spec(_fake)
        sys.modules["covet._bridge"] = _module
        _fake.loader.exec_module(_module)
