"""Which backend an array belongs to, and that the search loads no framework."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from adamcore import Adam, registry
from adamcore.errors import AdamcoreError, BackendError


def test_built_in_ones_are_found_by_their_arrays(lib: Any) -> None:
    name = registry.backend_for({"w": [lib([1.0])]}).name
    assert name == ("array" if lib.name == "array_api_strict" else lib.name)


def run(where: Path, program: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(where)}
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, env=env, cwd=where
    )


def test_a_backend_from_another_package(tmp_path: Path) -> None:
    """A package with metadata on the path, as pip would leave it."""
    (tmp_path / "tinyarrays.py").write_text("class Array:\n    pass\n")
    (tmp_path / "tinybackend.py").write_text(
        textwrap.dedent(
            """
            from adamcore.backends.base import BaseBackend
            import tinyarrays

            class Backend(BaseBackend):
                name = "tiny"

                def owns(self, leaf):
                    return isinstance(leaf, tinyarrays.Array)
            """
        )
    )
    info = tmp_path / "tinybackend-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tinybackend\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[adamcore.backends]\ntinyarrays = tinybackend:Backend\n")
    ran = run(
        tmp_path,
        """
        import sys
        import numpy as np
        from adamcore import Adam, registry
        Adam().init(np.ones(2))
        assert registry.backend_for(1j * np.ones(2)).name == "numpy"
        assert "tinybackend" not in sys.modules   # its library is not in use
        import tinyarrays
        Adam().init(np.ones(2))
        assert "tinybackend" not in sys.modules   # nor asked for
        print(registry.backend_for({"w": [tinyarrays.Array()]}).name)
        """,
    )
    assert ran.stdout == "tiny\n", ran.stderr


def test_no_framework_is_imported_for_numpy(tmp_path: Path) -> None:
    ran = run(
        tmp_path,
        """
        import sys
        import numpy as np
        from adamcore import Adam
        opt = Adam()
        p, state = opt.step(np.ones(2), np.ones(2), opt.init(np.ones(2)))
        opt.reset(state)
        heavy = {"torch", "jax", "dask", "adamcore.backends.torch", "adamcore.backends.jax"}
        print(sorted(heavy & set(sys.modules)))
        """,
    )
    assert ran.stdout == "[]\n", ran.stderr


def test_an_unknown_array_is_refused() -> None:
    with pytest.raises(AdamcoreError, match="array-API"):
        Adam().init(object())


def test_a_backend_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("math", "no_such_module:backend", registry.GROUP)
    monkeypatch.setattr(registry, "announced", lambda: (entry,))
    assert "math" in sys.modules
    with pytest.raises(BackendError, match="no_such_module"):
        Adam().init({"w": object()})
