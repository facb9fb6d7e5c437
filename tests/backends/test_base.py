"""Backends nobody wrote for: any array-API namespace, and one announced by another package."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from adamcore import Adam, registry
from adamcore.errors import AdamcoreError

AXES: list[dict[str, Any]] = [
    {"weight_decay": 0.1},
    {"amsgrad": "corrected", "nesterov": "dozat", "weight_decay": 0.1, "decay": "decoupled"},
    {"clock": "global", "epsilon": "inside-uncorrected", "maximize": True},
]


def test_built_in_ones_are_found_by_their_arrays(lib: Any) -> None:
    name = registry.backend_for({"w": [lib([1.0])]}).name
    assert name == ("array" if lib.name == "array_api_strict" else lib.name)


@pytest.mark.parametrize("axes", AXES)
def test_dask(axes: dict[str, Any]) -> None:
    da = pytest.importorskip("dask.array")
    opt, p = Adam(lr=0.1, **axes), np.arange(1.0, 7.0)
    lazy, want = {"w": da.from_array(p, chunks=2)}, {"w": p}
    state, want_state = opt.init(lazy), opt.init(want)
    for k in (1.0, -2.0):
        lazy, state = opt.step(lazy, {"w": k * da.from_array(p, chunks=3)}, state)
        want, want_state = opt.step(want, {"w": k * p}, want_state)
    assert isinstance(lazy["w"], da.Array)
    assert lazy["w"].dtype == p.dtype
    np.testing.assert_allclose(lazy["w"].compute(), want["w"], rtol=1e-14)


def test_dask_mask_and_absence() -> None:
    da = pytest.importorskip("dask.array")
    opt, p = Adam(lr=0.5, eps=0.0), da.ones(4, chunks=2)
    q, state = opt.step(p, p, opt.init(p), present=da.from_array(np.arange(4) % 2 == 0, chunks=2))
    np.testing.assert_allclose(q.compute(), [0.5, 1, 0.5, 1])
    r, after = opt.step(q, p, state, present=da.from_array(np.asarray(False)))
    assert r is q
    assert int(after.t) == 1


def test_strict_namespace_with_a_device_of_its_own() -> None:
    xp = pytest.importorskip("array_api_strict")
    device = xp.Device("device1")
    p, opt = xp.ones(3, device=device), Adam(lr=0.5, amsgrad="corrected", nesterov="dozat")
    q, state = opt.step(p, p, opt.init(p), lr=xp.asarray(0.25, device=device))
    assert {x.device for x in (q, *state)} == {device}


def test_coefficients_only_the_program_knows(lib: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the host's knowledge taken away each library forms them in 0-d arrays, and as well."""
    opt = Adam(lr=0.1, weight_decay=0.1, nesterov="dozat", decay="decoupled-corrected")
    start = {"a": lib([1.0, 2.0], "float32"), "b": lib([1 + 2j, 3j], "complex64")}
    results = []
    for known in (True, False):
        if not known:
            monkeypatch.setattr(type(registry.backend_for(start)), "host", lambda self, x: None)
        params, state = start, opt.init(start)
        for _ in range(3):
            params, state = opt.step(params, start, state)
        results.append([lib.numpy(part[k]) for part in (params, *state) if part is not None for k in "ab"])
    for x, y in zip(*results, strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_allclose(x, y, rtol=1e-6)


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
