"""The environment of a worker: the dtypes of JAX, and the folder for compiled programs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp

import pytest

from adamcore.conformance.workers import environment
from adamcore.conformance.workers.environment import compiled_programs, worker_environment


def test_worker_imports_from_where_its_parent_does_but_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", "/here", "/of/the/parent"])
    monkeypatch.setenv(environment.PATH, worker_environment("float32")[environment.PATH])
    monkeypatch.setattr(sys, "path", ["/of/the/worker", "/here"])
    environment.add_parents_path()
    assert sys.path == ["/of/the/worker", "/here", "/of/the/parent"]
    monkeypatch.delenv(environment.PATH)
    environment.add_parents_path()
    assert len(sys.path) == 3


class TestCompiledPrograms:
    """The folder in which JAX keeps compiled programs for the workers of one process."""

    FOLDER = "JAX_COMPILATION_CACHE_DIR"

    def test_one_folder_for_all_workers(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        """Also if several threads start workers at once, before there is a folder."""

        def slow(prefix: str) -> str:
            time.sleep(0.05)
            return mkdtemp(prefix=prefix, dir=tmp_path)

        monkeypatch.delenv(self.FOLDER, raising=False)
        monkeypatch.setattr(environment, "mkdtemp", slow)
        compiled_programs.cache_clear()
        with ThreadPoolExecutor(8) as threads:
            made = list(threads.map(worker_environment, ["float32", "float64"] * 4))
        assert len({made_one[self.FOLDER] for made_one in made}) == 1
        assert Path(made[0][self.FOLDER]).is_dir()
        compiled_programs.cache_clear()

    def test_the_folder_of_the_user_comes_first(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(self.FOLDER, "/somewhere")
        assert worker_environment("float32")[self.FOLDER] == "/somewhere"

    def test_the_folder_is_removed_at_the_end(self) -> None:
        program = (
            "from adamcore.conformance.workers.environment import worker_environment as made; "
            f"print(made('float32')[{self.FOLDER!r}])"
        )
        variables = {name: value for name, value in os.environ.items() if name != self.FOLDER}
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=variables
        )
        folder = Path(done.stdout.strip())
        assert folder.name.startswith("adamcore-programs-")
        assert not folder.exists()
