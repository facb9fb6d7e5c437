"""What is known of a peer's test suite: its source, the tests that are run, and what is replaced in them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

LIBRARIES = (
    "torch",
    "optax",
    "flax",
    "keras",
)  #: each has a module ``LIBRARY_suite.py`` here, with its ``SUITE``


def nothing() -> None:
    """Do nothing."""


def always(function: object) -> bool:
    """True: every test is kept."""
    return True


@dataclass(frozen=True)
class Suite:
    """One library's tests of its own Adams.

    Attributes:
        library: the name of its distribution, whose installed version is tested.
        repository: where its source is.
        tag: the tag of a release, with ``{version}`` in it.
        folders: the folders of the repository that the tests need.
        directory: the folder, one of the repository, in which pytest runs.
        arguments: pytest's, which select the tests: files, and ``-k`` with an expression.
        packages: the distributions whose versions are recorded.
        replace: puts our optimizers in place of the library's, and returns what it replaced, by what.
        prepare: what both runs need before the tests are imported.
        keep: whether the test of this function is run, of those that the arguments select.
        environment: variables that both runs need.
        reasons: why a test ends otherwise with ours, by a regular expression that its name matches.
    """

    library: str
    repository: str
    tag: str
    folders: tuple[str, ...]
    directory: str
    arguments: tuple[str, ...]
    packages: tuple[str, ...]
    replace: Callable[[], Mapping[object, object]]
    prepare: Callable[[], None] = nothing
    keep: Callable[[object], bool] = always
    environment: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)


def suite_of(library: str) -> Suite:
    """Return the suite of a library."""
    suite: Suite = importlib.import_module(f"{library}_suite").SUITE
    return suite
