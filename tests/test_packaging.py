"""The wheel: what it holds, what it needs, and that it works away from the repository."""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import lowest
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from paths import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NOT_SOURCES = shutil.ignore_patterns(
    ".git", ".venv*", "*.egg-info", "build", "dist", "__pycache__", ".*_cache", ".coverage*"
)


def distributions(*names: str) -> Iterator[importlib.metadata.Distribution]:
    """The installed distributions ``names`` and all that they require, extras aside."""
    todo, seen = list(names), set()
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            found = importlib.metadata.distribution(name)
            yield found
            required = [r for r in found.requires or [] if "extra ==" not in r]
            todo += [re.split(r"[^\w.-]", r)[0] for r in required if "python_version" not in r]


def link(names: tuple[str, ...], folder: Path) -> None:
    """Make ``folder`` a site-packages that holds the distributions ``names`` and nothing else."""
    for found in distributions(*names):
        tops = {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}
        for top in tops:
            if not (folder / top).exists():
                (folder / top).symlink_to(Path(str(found.locate_file(top))).resolve())


def clean() -> dict[str, str]:
    """Return this process' environment with no PYTHON* variable: one could show the repository to it."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COV", "PYTEST"))}


class Environment:
    """A virtual environment in which the wheel is installed, with chosen other packages."""

    def __init__(self, home: Path, wheel: Path, *packages: str) -> None:
        venv.create(home / "venv", with_pip=False, symlinks=True)
        self.bin = home / "venv" / "bin"
        self.elsewhere = home / "elsewhere"
        self.elsewhere.mkdir()
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "install", "-q"]
        subprocess.run([*pip, "--no-index", "--no-deps", str(wheel)], check=True, env=clean())
        (home / "packages").mkdir()
        link(packages, home / "packages")
        site = next((home / "venv" / "lib").glob("python*/site-packages"))
        (site / "packages.pth").write_text(f"{home / 'packages'}\n", encoding="utf-8")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run ``command`` of this environment, in an empty folder and with no PYTHON* variable."""
        return subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=self.elsewhere,
            env=clean(),
            text=True,
            capture_output=True,
        )

    def python(self, code: str) -> str:
        """What ``code`` prints, under warnings as errors."""
        done = self.run("python", "-W", "error", "-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and, made from it, the wheel."""
    home = tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, home / "copy", symlinks=True, ignore=NOT_SOURCES)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(home / "dist")]
    done = subprocess.run([*build, str(home / "copy")], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (only,) = dist.glob("*.whl")
    return only


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel with the run-time dependencies alone."""
    required = [re.split(r"[^\w.-]", r)[0] for r in PROJECT["dependencies"]]
    return Environment(tmp_path_factory.mktemp("bare"), wheel, *required)


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"adamcore", f"adamcore-{PROJECT['version']}.dist-info"}
    sources = {
        Path("" if folder == "adamcore" else "adamcore", Path(where, name).relative_to(ROOT)).as_posix()
        for folder in ("adamcore", "backends", "conformance")
        for where, _, files in os.walk(ROOT / folder)
        for name in files
        if not where.endswith("__pycache__")
    }
    # A sub-package stands in two tables of pyproject.toml, data in a third.
    assert {name for name in names if name.startswith("adamcore/")} == sources
    assert "adamcore/py.typed" in names
    assert f"adamcore-{PROJECT['version']}.dist-info/licenses/LICENSE" in names


def test_sdist_holds_what_is_needed_to_test_it(dist: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    wanted = {
        "LICENSE",
        "README.md",
        "Makefile",
        "constraints.txt",
        "constraints-lowest.txt",
        "pyproject.toml",
    }
    wanted |= {f"tests/{path.name}" for path in (ROOT / "tests").glob("*.py")}
    assert wanted <= names


def test_versions_agree(wheel: Path) -> None:
    version = PROJECT["version"]
    assert wheel.name == f"adamcore-{version}-py3-none-any.whl"
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_requirement_has_a_lower_bound_and_no_upper_one() -> None:
    assert set(lowest.bounds().values()) != set()  # it raises for any other form


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-lowest.txt"])
def test_constraints_pin_every_requirement(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[a-z0-9-]+==[0-9.]+(post[0-9]+|b[0-9]+)?", pin)] == []
    pinned = [pin.split("==")[0] for pin in pins]
    assert len(pinned) == len(set(pinned))
    assert set(lowest.bounds()) <= set(pinned)


def needed(*requirements: str) -> set[str]:
    """Return the names of the packages installed here that ``requirements`` ask for, directly or not."""
    todo: list[tuple[str, str]] = []
    seen: set[tuple[str, str]] = set()

    def add(asked: Requirement) -> None:
        todo.extend((canonicalize_name(asked.name), extra) for extra in ("", *asked.extras))

    for line in requirements:
        add(Requirement(line))
    while todo:
        name, extra = package = todo.pop()
        if package not in seen:
            seen.add(package)
            for each in map(Requirement, importlib.metadata.requires(name) or []):
                if each.marker is None or each.marker.evaluate({"extra": extra}):
                    add(each)
    return {name for name, _ in seen}


def test_constraints_pin_all_that_is_needed_besides() -> None:
    is_lowest = Version(importlib.metadata.version("optree")) == Version(lowest.bounds()["optree"])
    name = "constraints-lowest.txt" if is_lowest else "constraints.txt"
    pinned = {line.split("==")[0] for line in (ROOT / name).read_text(encoding="utf-8").splitlines()}
    missing = needed(*lowest.requirements()) - pinned
    # Certificates are those of the day; what CUDA needs is pinned by torch.
    assert [each for each in missing if not re.match("certifi$|nvidia-|cuda-|triton$", each)] == []


def test_the_lowest_versions_are_the_bounds() -> None:
    assert lowest.FILE.read_text(encoding="utf-8") == lowest.text()


@pytest.mark.parametrize(
    "name", [".github/workflows/ci.yml", ".pre-commit-config.yaml", ".ci/run", "CONTRIBUTING.md"]
)
def test_only_targets_of_the_makefile_are_named(name: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    page = (ROOT / name).read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|run: |entry: |    |`)make ([a-z]+)", page, re.MULTILINE))
    assert named
    assert named <= targets


def test_runs_with_the_runtime_dependencies_alone(bare: Environment) -> None:
    assert bare.python("import adamcore; print(adamcore.Adam().b2)") == "0.999"
    assert bare.python("import adamcore.backends, adamcore.conformance") == ""
    for absent in ("numpy", "torch", "jax", "flint", "rich"):
        found = bare.python(f"import importlib.util as u; print(u.find_spec({absent!r}))")
        assert found == "None", f"the environment meant to be bare has {absent}"


def test_comes_from_the_wheel_not_the_repository(bare: Environment) -> None:
    code = "import adamcore, adamcore.backends as b, adamcore.conformance as c\n"
    places = bare.python(code + "print(adamcore.__file__, b.__file__, c.__file__, sep='\\n')").splitlines()
    assert len(places) == 3
    assert all(str(bare.bin.parent) in place and str(ROOT) not in place for place in places)


@pytest.mark.parametrize("name", ["backends", "conformance", "tests", "docs"])
def test_installs_no_general_name(bare: Environment, name: str) -> None:
    assert bare.python(f"import importlib.util as u; print(u.find_spec({name!r}))") == "None"


@pytest.mark.parametrize("name", ["backends", "conformance"])
def test_bare_name_is_refused_in_the_repository(name: str) -> None:
    done = subprocess.run([sys.executable, "-c", f"import {name}"], cwd=ROOT, text=True, capture_output=True)
    assert done.returncode == 1
    assert f"ImportError: import adamcore.{name}, not {name}" in done.stderr


def test_console_script_names_the_extra_it_needs(bare: Environment) -> None:
    done = bare.run("adamcore", "check")
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert "adamcore[conformance]" in done.stderr


def test_steps_with_numpy_alone(wheel: Path, tmp_path: Path) -> None:
    environment = Environment(tmp_path, wheel, "array-api-compat", "optree", "numpy")
    code = """
import sys
import numpy as np
from adamcore import Adam
opt = Adam(lr=0.5, eps=0.0)
params = {"w": np.asarray([1.0, -2.0], dtype=np.float32)}
state = opt.init(params)
params, state = opt.step(params, {"w": np.asarray([3.0, -4.0], dtype=np.float32)}, state)
print(params["w"].round(6).tolist(), [m for m in ("torch", "jax") if m in sys.modules])
"""
    assert environment.python(code) == "[0.5, -1.5] []"
