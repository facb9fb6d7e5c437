"""What the check's command line and its function have in common, free of heavy imports."""

from __future__ import annotations

from collections.abc import Iterable

DTYPES = ("float32", "float64")
TIMEOUT = 120.0  #: seconds for a candidate to start, and for each probe
MEMORY = 8192.0  #: MB that a candidate's processes may have: enough for a framework on a GPU
PARALLEL = 2  #: processes at once
QUICK = 16  #: a quick check has the probes of at most so many updates of a parameter, all steps together
OWN_TARGETS: dict[str, str | None] = {
    "numpy": None, "torch": None, "torch:cuda": None, "jax": None, "jax:cuda": None, "jax:jit": "paper",
    "array:array_api_strict": None,
}  # fmt: skip
"""What is checked where no target is given -> under which dialect; None: under every one.

Compiling a step for each probe, dialect and dtype would take ten minutes, so jax:jit is held to one
dialect unless it is asked for by name.
"""

#: Format, as its option is called -> what the file is, for --help.
FORMATS = {
    "json": "the whole report, for programs",
    "junit": "JUnit XML: a test suite a candidate, a test case a probe and dtype",
    "markdown": "a page for a pull request or a wiki",
    "html": "one page with matrix, findings and plots, no other file needed",
}


class UsageError(ValueError):
    """A target, dtype, probe or setting that does not exist."""


def parse_assignments(texts: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` arguments as a mapping.

    >>> parse_assignments(["amsgrad=True", "noise_factor=@eps"])
    {'amsgrad': 'True', 'noise_factor': '@eps'}
    """
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--set {text}: expected NAME=VALUE")
        found[name] = value
    return found
