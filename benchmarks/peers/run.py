"""A peer's own tests, run on its own optimizers and then on ours: ``python benchmarks/peers/run.py LIBRARY``.

The tests are those of the installed release.  They are fetched from the library's public repository into a
temporary folder, or taken from a checkout of it:

    python benchmarks/peers/run.py torch [--checkout DIR] [--ref TAG] [--json FILE]

Printed is how many tests pass on either, and each test that ends otherwise on ours, with the reason that the
suite's module has for it.  The exit status is 1 if a difference has no reason.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from suite import LIBRARIES, Suite, suite_of

from adamcore.conformance.bench.results import environment

HERE = Path(__file__).parent
SCHEMA = "adamcore-peers/1"
Outcomes = Mapping[str, tuple[str, str]]  #: by a test's name: how it ended, and the first line of its message


def fetch(suite: Suite, ref: str, into: Path) -> None:
    """Check out the folders of a suite, and the files beside them, at a tag."""
    clone = ["-c", "advice.detachedHead=false", "clone", "--quiet", "--depth=1", "--filter=blob:none"]
    clone += ["--sparse", f"--branch={ref}"]
    subprocess.run(["git", *clone, suite.repository, str(into)], check=True)
    subprocess.run(["git", "-C", str(into), "sparse-checkout", "set", *suite.folders], check=True)


def outcomes(report: Path) -> Outcomes:
    """Return how each test of a JUnit file ended."""
    found = {}
    for case in ET.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        ends = [child for child in case if child.tag in ("failure", "error", "skipped")]
        outcome = "passed" if not ends else "skipped" if ends[0].tag == "skipped" else "failed"
        message = (ends[0].get("message") or "").strip().split("\n")[0] if ends else ""
        found[name] = outcome, message
    return found


def run(suite: Suite, checkout: Path, ours: bool, report: Path) -> Outcomes:
    """Run the tests of a suite in a process of their own."""
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--no-header", "--tb=short"]
    words += ["-c", os.devnull, f"--rootdir={checkout}", f"--junit-xml={report}"]
    words += ["-p", "plugin", f"--peer={suite.library}", *(["--ours"] if ours else []), *suite.arguments]
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    variables = os.environ | suite.environment | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": path}
    done = subprocess.run(words, cwd=checkout / suite.directory, env=variables, check=False)
    if done.returncode not in (0, 1):  # all passed, some failed
        sys.exit(f"pytest could not run the tests of {suite.library}: exit status {done.returncode}")
    return outcomes(report)


def differences(theirs: Outcomes, ours: Outcomes, reasons: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the tests that end otherwise on ours, each with the reason, or None for one without."""
    absent = "not collected", ""
    found = []
    for name in sorted(set(theirs) | set(ours)):
        (before, _), (now, message) = theirs.get(name, absent), ours.get(name, absent)
        if before != now:
            why = [reason for pattern, reason in reasons.items() if re.search(pattern, name)]
            row: dict[str, Any] = {"test": name, "theirs": before, "ours": now, "message": message}
            found.append(row | {"why": why[0] if why else None})
    return found


def counts(found: Outcomes) -> dict[str, int]:
    """Return how many tests ended in each way."""
    ends = Counter(outcome for outcome, _ in found.values())
    return {name: ends[name] for name in ("passed", "failed", "skipped")}


def compare(suite: Suite, checkout: Path, ref: str) -> dict[str, Any]:
    """Run a suite twice; return the document of the run."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        theirs, ours = (run(suite, checkout, is_ours, report) for is_ours in (False, True))
    files = [name for name in suite.arguments if (checkout / suite.directory / name).is_file()]
    packages: dict[str, Any] = {name: metadata.version(name) for name in ("adamcore", *suite.packages)}
    return {
        "schema": SCHEMA,
        "environment": environment() | {"packages": packages},
        "suite": {
            "library": suite.library,
            "repository": suite.repository,
            "ref": ref,
            "arguments": list(suite.arguments),
            "sha256": {
                name: hashlib.sha256((checkout / suite.directory / name).read_bytes()).hexdigest()
                for name in files
            },
        },
        "theirs": counts(theirs),
        "ours": counts(ours),
        "differences": differences(theirs, ours, suite.reasons),
    }


def main() -> int:
    words = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=words)
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("--checkout", type=Path, metavar="DIR", help="a checkout of the library's repository")
    parser.add_argument("--ref", metavar="TAG", help="its tag, if not that of the installed release")
    parser.add_argument("--json", type=Path, metavar="FILE", help="store the result")
    options = parser.parse_args()
    suite = suite_of(options.library)
    installed = metadata.version(suite.library).partition("+")[0]
    ref = options.ref or suite.tag.format(version=installed)
    if options.checkout:
        document = compare(suite, options.checkout.resolve(), ref)
    else:
        with tempfile.TemporaryDirectory() as folder:
            fetch(suite, ref, Path(folder) / "checkout")
            document = compare(suite, Path(folder) / "checkout", ref)
    print(f"{suite.library} {installed}, tests of {ref}")
    for who in ("theirs", "ours"):
        print(f"  {who:6}", ", ".join(f"{n} {how}" for how, n in document[who].items()))
    for row in document["differences"]:
        print("  {test}: {theirs}, ours {ours}: {why}".format(**row))
        print(f"    {row['message']}")
    if options.json:
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return int(any(row["why"] is None for row in document["differences"]))


if __name__ == "__main__":
    sys.exit(main())
