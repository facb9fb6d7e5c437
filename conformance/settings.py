"""Defaults and option parsing that the command line and :func:`adamcore.conformance.check` share.

The module imports nothing heavy, so that ``adamcore --help`` is fast.
"""

from __future__ import annotations

import ast
import os
import struct
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from adamcore.config import HYPERPARAMETERS
from adamcore.conformance.errors import SettingError, UsageError
from adamcore.storage.moments import MOMENT_STORAGES
from adamcore.storage.policies import P_STORAGES

if TYPE_CHECKING:
    from adamcore.conformance.types import Clipping

DTYPES = ("float32", "float64")  #: of a check that asks for none
NARROW = ("bfloat16", "float16")  #: those that a check has to ask for
POLICIES = P_STORAGES  #: how parameters of these can be kept
MOMENT_POLICIES = MOMENT_STORAGES[1:]  #: how moments can be kept but plainly
TIMEOUT = 120.0  #: seconds that a candidate has to start, and then for each probe
#: that this process may use
PROCESSORS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
MEMORY = 8192.0  #: MB that a candidate's processes may use: enough for a framework on a GPU
PARALLEL = 2  #: worker processes that run at the same time
HISTORIES = 16  #: probes drawn at random in a check that asks for no other number
MOST_HISTORIES = 10_000
QUICK = 16  #: a quick check has the probes with at most this many updates of a parameter in all
LAYOUTS = ("fsdp", "tp", "2d", "ddp", "zero", "shard_map")  #: how parameters lie on several ranks
OWN_TARGETS: dict[str, str | None] = {
    "numpy": None,
    "torch": None,
    "torch:cuda": None,
    "jax": None,
    "jax:cuda": None,
    "jax:jit": "paper",
    "array:array_api_strict": None,
}
"""The targets of a check without targets, each with its dialect; None stands for every dialect.

jax:jit compiles a step for each probe, dialect and dtype, which would take ten minutes.  So it is held to
one dialect, unless the user names it.
"""

#: The option of each report format and the text of its ``--help``.
FORMATS = {
    "json": "the whole report, for programs",
    "junit": "JUnit XML: a test suite for each candidate, a test case for each probe and dtype",
    "markdown": "a page for a pull request or a wiki",
    "badge": "JSON of a badge for a README: an endpoint of shields.io",
    "html": "one page with verdicts, the measured update rule and plots that needs no other file",
}


class Ranks(NamedTuple):
    """The ranks on which a candidate runs: processes of PyTorch, or devices or processes of JAX."""

    processes: int
    layout: str = "fsdp"  #: one of :data:`LAYOUTS`
    as_processes: bool = False  #: True if each rank of JAX is a process, and not a device of the same one


def parse_assignments(texts: Iterable[str]) -> dict[str, str]:
    """Return ``NAME=VALUE`` arguments as a mapping.

    Raises:
        UsageError: an argument has another form.

    >>> parse_assignments(["amsgrad=True", "noise_factor=@eps"])
    {'amsgrad': 'True', 'noise_factor': '@eps'}
    """
    values = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise UsageError(f"--set {text}: expected NAME=VALUE")
        values[name] = value
    return values


def parse_hyperparameters(texts: Iterable[str]) -> dict[str, float]:
    """Return ``NAME=VALUE`` arguments as hyperparameters with their numbers.

    Raises:
        UsageError: an argument has another form, another name or no number.

    >>> parse_hyperparameters(["eps=1e-3"])
    {'eps': 0.001}
    """
    given = parse_assignments(texts)
    for name, value in given.items():
        if name not in HYPERPARAMETERS:
            raise UsageError(f"--set {name}={value}: expected a hyperparameter: {', '.join(HYPERPARAMETERS)}")
        try:
            float(value)
        except ValueError as error:
            raise UsageError(f"--set {name}={value}: expected a number") from error
    return {name: float(value) for name, value in given.items()}


def parse_clipping(text: str) -> Clipping:
    """Return how a claim clips, as ``--clip`` says it.

    Raises:
        UsageError: the text has another form.

    >>> str(parse_clipping("global_norm=1.0,eps=1e-6"))
    'global_norm=1,eps=1e-06'
    """
    from adamcore.conformance.types import Clipping

    expected = "expected global_norm=M, norm=M or value=M, and perhaps ,eps=E behind a norm"
    given = dict(part.partition("=")[::2] for part in text.split(","))
    ways = [name for name in given if name != "eps"]
    try:
        numbers = {name: float(number) for name, number in given.items()}
    except ValueError:
        raise UsageError(f"--clip {text}: {expected}") from None
    if (
        len(ways) != 1
        or ways[0] not in ("global_norm", "norm", "value")
        or (len(given) > 1 and "value" in given)
    ):
        raise UsageError(f"--clip {text}: {expected}")
    if not all(0 <= number < 1e30 for number in numbers.values()):
        raise UsageError(f"--clip {text}: expected numbers of 0 or more")
    most = struct.unpack("f", struct.pack("f", numbers[ways[0]]))[0]  # a number of every dtype
    return Clipping(ways[0], most, numbers.get("eps", 0.0))  # type: ignore[arg-type]


def parse_settings(settings: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Return the values of ``--set`` as two mappings.

    The first one maps an argument to the hyperparameter that it is (``noise_factor=@eps``), the second one
    maps an argument to its value: a Python literal, or else a string.

    Raises:
        SettingError: the name after ``@`` is no hyperparameter.

    >>> parse_settings({"amsgrad": "True", "noise_factor": "@eps"})
    ({'noise_factor': 'eps'}, {'amsgrad': True})
    """
    hyperparameters, values = {}, {}
    for name, text in settings.items():
        if text.startswith("@"):
            if text[1:] not in HYPERPARAMETERS:
                raise SettingError(f"--set {name}={text}: expected one of @{', @'.join(HYPERPARAMETERS)}")
            hyperparameters[name] = text[1:]
        else:
            try:
                values[name] = ast.literal_eval(text)
            except (ValueError, SyntaxError):
                values[name] = text
    return hyperparameters, values
