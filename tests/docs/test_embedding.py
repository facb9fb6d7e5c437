"""docs/embedding.md does what it says, on a library the project names nowhere else."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
from paths import ROOT

PAGE = ROOT / "docs" / "embedding.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The backend of the page in a folder, with metadata as pip would leave it."""
    pytest.importorskip("sparse", reason="sparse, the library of docs/embedding.md, is not installed")
    folder = tmp_path_factory.mktemp("package")
    [module] = [block for block in blocks("python") if block.startswith("# file: ")]
    (folder / module.split()[2]).write_text(module)
    [group] = [tomllib.loads(block)["project"]["entry-points"] for block in blocks("toml")]
    info = folder / "adamcore_sparse-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: adamcore-sparse\nVersion: 1.0\n")
    entries = "\n".join(f"{name} = {value}" for name, value in group["adamcore.backends"].items())
    (info / "entry_points.txt").write_text(f"[adamcore.backends]\n{entries}\n")
    return folder


def run(text: str, path: Path | None = None) -> str:
    """Return what a program prints in a process of its own, with a folder on the path."""
    ran = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(path or "")},
        cwd=path or ROOT,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_the_page_runs(package: Path) -> None:
    """Until the package is installed, the generic backend serves; then all blocks run."""
    program = [block for block in blocks("python") if not block.startswith("# file: ")]
    assert run("\n".join(program[:2]) + "\nprint('ran')") == "ran\n"
    last = "\nimport sys\nassert 'adamcore_sparse' in sys.modules\nprint('ran')\n"
    assert run("\n".join(program) + last, package) == "ran\n"


def test_fast_path_and_cached_step_are_taken_and_have_the_bits_of_the_definition(package: Path) -> None:
    program = """
        import numpy as np, sparse
        from adamcore import Adam
        from adamcore.registry import backend_for

        taken = []

        def trajectory(adam, donate):
            rng = np.random.default_rng(0)
            stored = rng.random((5, 7)) < 0.5
            params = {"a": np.where(stored, rng.normal(size=(5, 7)), 0.0), "b": np.array([1.0, 0.0, 3.0])}
            params = {name: sparse.COO.from_numpy(x) for name, x in params.items()}
            state, seen = adam.init(params), []
            for k in range(5):
                taken.clear()
                grads = {name: x * (k - 1.5) for name, x in params.items()}
                params, state = adam.step(params, grads, state, donate=donate, lr=0.1 * (k + 1))
                trees = (params, state.m, state.v, state.t)
                seen.append([x.todense().tobytes() for tree in trees for x in tree.values()])
                print(donate, k, *taken)
            return seen

        def watch(kind, name):
            inner = getattr(kind, name)
            def watched(*arguments):
                taken.append(kind.__name__ + "." + name)
                return inner(*arguments)
            setattr(kind, name, watched)

        backend = backend_for(sparse.zeros(3))
        import adamcore_sparse
        for kind, name in ((adamcore_sparse.SparseFast, "apply"), (adamcore_sparse.SparseStep, "run")):
            watch(kind, name)
        for rules in ({}, {"weight_decay": 0.1, "decay": "decoupled"}, {"maximize": True}):
            assert trajectory(Adam(**rules), True) == trajectory(Adam(**rules), False)
    """
    donated = ["SparseFast.apply", "SparseFast.apply", *["SparseStep.run"] * 3]
    lines = [f"True {k} {name}" for k, name in enumerate(donated)]
    lines += [f"False {k} SparseFast.apply" for k in range(5)]
    assert run(textwrap.dedent(program), package).splitlines() == lines * 3


def test_the_library_is_named_nowhere_in_the_package() -> None:
    for folder in ("adamcore", "backends"):
        for path in (ROOT / folder).rglob("*.py"):
            assert not re.search(r"^\s*(import|from) sparse\b", path.read_text(), flags=re.MULTILINE), path
