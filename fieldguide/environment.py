"""Environments, built apart in a cache folder: each once, however many entries share it."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from fieldguide.entry import NODE, PROJECT, ROOT, Entry, Environment
from fieldguide.errors import BuildError, FieldGuideError
from fieldguide.process import run_command, tail

BUILDING = 1800.0  #: seconds that a command of a build has


def default_cache() -> Path:
    """Return the folder for environments: ``adamcore-fieldguide`` in the user's cache folder."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "adamcore-fieldguide"


@contextlib.contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Keep other runs out of a cache folder, since each deletes the environments that it has done with.

    Raises:
        FieldGuideError: another run is in it.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FieldGuideError(f"another run builds in {cache}: wait for it, or give --cache") from None
        yield


class Environments:
    """The environments of a run.

    Args:
        cache: the folder that holds them.
        entries: those that will be measured, by which an environment knows when it is not needed any more.
        keep: True leaves an environment in the cache after its last entry.
    """

    def __init__(self, cache: Path, entries: Iterable[Entry], *, keep: bool = False) -> None:
        self.cache, self.keep = cache.resolve(), keep
        self.waiting = Counter(entry.environment.name for entry in entries)
        self.locks = {name: threading.Lock() for name in self.waiting}
        self.failed: dict[str, str] = {}

    def folder(self, environment: Environment) -> Path:
        return self.cache / environment.name

    def python(self, environment: Environment) -> Path:
        """Return the interpreter of an environment."""
        return self.folder(environment) / "bin" / "python"

    def interpreter(self, environment: Environment) -> Path:
        """Return the interpreter that runs adamcore for the entries of an environment."""
        return self.python(environment) if environment.base == PROJECT else Path(sys.executable)

    def fill(self, text: str, environment: Environment) -> str:
        """Return a text of an entry with the paths of its environment."""
        for name, path in self.paths(environment).items():
            text = text.replace(f"{{{name}}}", path)
        return text

    def hide(self, text: str, environment: Environment) -> str:
        """Return a text with names in place of the paths, as it is stored."""
        for name, path in self.paths(environment).items():
            text = text.replace(path, f"{{{name}}}")
        return text.replace(str(Path.home()), "~")

    def paths(self, environment: Environment) -> dict[str, str]:
        return {
            "python": str(self.python(environment)),
            "env": str(self.folder(environment)),
            "root": str(ROOT),
        }

    def prepare(self, environment: Environment) -> None:
        """Build an environment unless it is here.

        Raises:
            BuildError: a command of the build failed; the next entry of this environment hears the same.
        """
        with self.locks[environment.name]:
            if reason := self.failed.get(environment.name):
                raise BuildError(reason)
            marker = self.folder(environment) / ".ready"
            if marker.exists() and marker.read_text(encoding="utf-8") == fingerprint(environment):
                return
            shutil.rmtree(self.folder(environment), ignore_errors=True)  # of another definition, or half done
            try:
                self.build(environment)
            except BuildError as error:
                self.failed[environment.name] = str(error)
                shutil.rmtree(self.folder(environment), ignore_errors=True)
                raise
            marker.write_text(fingerprint(environment), encoding="utf-8")

    def release(self, environment: Environment) -> None:
        """Say that an entry is done; after the last one the environment is deleted."""
        with self.locks[environment.name]:
            self.waiting[environment.name] -= 1
            if not self.waiting[environment.name] and not self.keep:
                shutil.rmtree(self.folder(environment), ignore_errors=True)

    def build(self, environment: Environment) -> None:
        missing = [name for name in environment.debian if not is_installed(name)]
        if missing:
            raise BuildError(f"needs Debian's {' and '.join(missing)}: apt-get install {' '.join(missing)}")
        folder = self.folder(environment)
        folder.mkdir(parents=True, exist_ok=True)
        if environment.base != NODE:
            self.make_python(environment)
        python = str(self.python(environment))
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-cache-dir"]
        if environment.packages:
            self.run(environment, [*pip, *environment.packages])
        if environment.without_dependencies:
            self.run(environment, [*pip, "--no-deps", *environment.without_dependencies])
        if environment.npm:
            quiet = ["--no-audit", "--no-fund", "--silent", "--ignore-scripts"]
            self.run(environment, ["npm", "install", *quiet, "--prefix", str(folder), *environment.npm])
        for command in environment.build:
            self.run(environment, ["sh", "-ec", self.fill(command, environment)])

    def make_python(self, environment: Environment) -> None:
        """Make the virtual environment; one on top of the project's packages takes pip from below."""
        layered = environment.base == PROJECT
        base = sys.executable if layered else find_python(environment.base)
        folder = self.folder(environment)
        self.run(environment, [base, "-m", "venv", *["--without-pip"] * layered, str(folder)])
        if layered:
            add_layer(folder)

    def run(self, environment: Environment, command: Sequence[str]) -> None:
        log = self.cache / f"{environment.name}.log"
        variables = dict(environment.variables)
        status = run_command(command, limit=BUILDING, log=log, variables=variables, folder=ROOT)
        if status != 0:
            how = "took too long" if status is None else f"ended with status {status}"
            raise BuildError(self.hide(f"{' '.join(command)} {how}: {tail(log)}", environment))


def fingerprint(environment: Environment) -> str:
    """Return a text that changes with the definition of an environment."""
    return hashlib.sha256(json.dumps(asdict(environment), sort_keys=True).encode()).hexdigest()


def add_layer(folder: Path) -> None:
    """Put the packages of this interpreter under those of the virtual environment at ``folder``."""
    below = sysconfig.get_path("purelib")
    inside = sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)})
    line = f"import site; site.addsitedir({below!r})\n"
    Path(inside, "zz_below.pth").write_text(line, encoding="utf-8")


def find_python(name: str) -> str:
    """Return the path of a Python such as "python3.10", on PATH or among pyenv's.

    Raises:
        BuildError: there is none.
    """
    version = name.removeprefix("python")
    home = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    places = [shutil.which(name), *map(str, sorted(home.glob(f"{version}.*/bin/{name}"), reverse=True))]
    for place in filter(None, places):
        asked = [place, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if subprocess.run(asked, capture_output=True, text=True).stdout.strip() == version:
            return place
    raise BuildError(f"needs {name}, which is neither on PATH nor in {home}")


def is_installed(package: str) -> bool:
    """True if a package of Debian is installed."""
    if shutil.which("dpkg-query") is None:
        return False
    asked = ["dpkg-query", "-W", "-f", "${Status}", package]
    return "ok installed" in subprocess.run(asked, capture_output=True, text=True).stdout
