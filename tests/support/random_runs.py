"""Runs whose numbers are rounded at random in 16 bits, and what is asserted of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from adamcore import Adam
from adamcore.conformance.dtypes import round_probe
from adamcore.conformance.oracle.kept import neighbours
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import FloatArray, Probe, Run
from adamcore.conformance.verdict.judge import judge

CARRIERS = {"bfloat16": np.float32, "float16": np.float16}  #: how runs keep a dtype
DTYPES = [pytest.param("bfloat16", marks=pytest.mark.slow), "float16"]


def shortened(name: str, dtype: str, elements: int, steps: int | None = None) -> Probe:
    """Return a probe with fewer elements and steps, which are enough for large faults."""
    probe = round_probe(PROBES[name], dtype)
    cut = [replace(s, grads=tuple(g[:elements] for g in s.grads if g is not None)) for s in probe.steps]
    return replace(probe, params=tuple(p[:elements] for p in probe.params), steps=tuple(cut[:steps]))


def rounded(x: FloatArray, dtype: str, is_up: Callable[[FloatArray], Any]) -> FloatArray:
    """Return numbers in their lower or upper neighbours, as ``is_up`` says of the fraction between them."""
    low, high = neighbours(x, dtype)
    fraction: FloatArray = (x - low) / np.where(high > low, high - low, 1.0)
    return np.where(is_up(fraction), high, low)


def some_slow(names: Iterable[str], quick: Sequence[str]) -> list[Any]:
    """Return cases by name, of which those that are not quick ones are slow tests."""
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in names]


def assert_told(claim: Adam, probe: Probe, run: Run, kind: str, what: str) -> None:
    """Assert that a run fails for this reason."""
    result = judge(claim, probe, "bfloat16", run)
    assert result.status == "failed"
    assert result.reason.startswith(kind)
    assert what in result.reason


def assert_passes(claim: Adam, probe: Probe, run: Run, dtype: str) -> None:
    """Assert that nothing is said of a run."""
    result = judge(claim, probe, dtype, run)
    assert (result.status, result.undecided, result.reason) == ("passed", 0, "")
