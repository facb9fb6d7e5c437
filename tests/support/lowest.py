"""Bring constraints-lowest.txt in step with the lower bounds of pyproject.toml.

    python tests/support/lowest.py

The bounds stand first in the file.  What follows them stays: the versions that they were tested with of
packages that pyproject.toml does not name.
"""

from __future__ import annotations

import re
import tomllib

from paths import ROOT

FILE = ROOT / "constraints-lowest.txt"
HEAD = "# The lower bounds of pyproject.toml, written by tests/support/lowest.py.\n"
REST = "# What they need besides, as it was tested with them.\n"


def requirements() -> list[str]:
    """Return what the project and its extras require, extras of its own aside."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    ]
    return [each.split(";")[0].strip() for each in named if not each.startswith("adamcore[")]


def bounds() -> dict[str, str]:
    """Return the lower bound of each package that is required."""
    found = {}
    for requirement in requirements():
        match = re.fullmatch(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", requirement)
        assert match, f"{requirement}: expected a lower bound alone"
        found[match[1]] = match[2]
    return dict(sorted(found.items()))


def text() -> str:
    """Return what the file has to be."""
    rest = FILE.read_text(encoding="utf-8").partition(REST)[2] if FILE.exists() else ""
    return HEAD + "".join(f"{name}=={bound}\n" for name, bound in bounds().items()) + REST + rest


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
