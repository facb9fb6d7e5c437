"""Environments: what a failed build says, where a Python is found, which paths are stored."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fieldguide.entry import Entry, Environment
from fieldguide.environment import Environments, add_layer, alone, find_python
from fieldguide.errors import BuildError, FieldGuideError


def environments(cache: Path, mine: Environment) -> Environments:
    entry = Entry("a", "A", "p", "1", "torch.optim:Adam", mine, dialect="torch.Adam")
    return Environments(cache, [entry, entry])


def test_a_failed_build_is_told_once_tried_and_leaves_nothing(tmp_path: Path) -> None:
    mine = Environment("broken", build=("echo from the build; exit 3",))
    where = environments(tmp_path, mine)
    for _ in range(2):
        with pytest.raises(BuildError, match=r"(?s)ended with status 3: from the build"):
            where.prepare(mine)
    assert not where.folder(mine).exists()


def test_a_missing_package_of_debian_is_named(tmp_path: Path) -> None:
    mine = Environment("debian", debian=("no-such-package",))
    with pytest.raises(BuildError, match="apt-get install no-such-package"):
        environments(tmp_path, mine).prepare(mine)


def test_the_projects_packages_lie_under_a_layered_environment(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "env")], check=True)
    add_layer(tmp_path / "env")
    code = "import numpy, sys; print(sys.prefix)"
    python = tmp_path / "env" / "bin" / "python"
    found = subprocess.run([str(python), "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert found.stdout.strip() == str(tmp_path / "env"), found.stderr


def test_this_python_is_found_and_another_is_refused() -> None:
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert Path(find_python(name)).exists()
    with pytest.raises(BuildError, match=r"needs python9\.9"):
        find_python("python9.9")


def test_paths_are_filled_in_and_hidden_again(tmp_path: Path) -> None:
    mine = Environment("e", base="python3.10")
    where = environments(tmp_path, mine)
    text = "cmd:{python} {root}/driver.py {env}/x"
    filled = where.fill(text, mine)
    assert "{" not in filled
    assert where.hide(filled, mine) == text
    assert where.interpreter(mine) == Path(sys.executable)


def test_two_runs_do_not_share_a_cache(tmp_path: Path) -> None:
    """Each deletes the environments that it has done with."""
    with alone(tmp_path), pytest.raises(FieldGuideError, match="another run builds in"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass
