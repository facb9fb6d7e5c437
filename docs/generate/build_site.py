"""build/site: the pages of docs/, the project's own pages and the API, as a site that needs no network.

``python docs/generate/build_site.py [--out DIR]`` builds it, with warnings as errors.  The pages are first
copied to a folder beside the site (:mod:`site_source`), since some of them lie outside docs/ and the pages
of the specification and of the dialects are joined with what the code knows of them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import site_source

ROOT = Path(__file__).resolve().parents[2]


def build(out: Path, jobs: int = 2) -> int:
    """Build the site in the folder ``out``; return the exit status of Sphinx.

    Args:
        out: the folder of the site; ``out``-source and ``out``-cache lie beside it.
        jobs: how many processes read and write pages.
    """
    source = out.with_name(out.name + "-source")
    site_source.stage(source)
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-n", "-q"]
    command += ["-j", str(jobs), "-c", str(ROOT / "docs" / "site")]
    command += ["-d", str(out.with_name(out.name + "-cache")), str(source), str(out)]
    paths = [str(ROOT), str(ROOT / "docs" / "generate"), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "torch",
    }
    status = subprocess.run(command, env=environment, check=False).returncode
    if status == 0 and (ROOT / "docs" / "interactive").exists():
        shutil.copytree(ROOT / "docs" / "interactive", out / "interactive", dirs_exist_ok=True)
    return status


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", help="default: build/site")
    parser.add_argument("-j", type=int, default=2, dest="jobs", metavar="N", help="processes (%(default)s)")
    options = parser.parse_args()
    status = build(options.out.resolve(), options.jobs)
    if status == 0 and (ROOT / "docs" / "interactive").exists():
        print(f"open {options.out / 'index.html'}")
    sys.exit(status)
