"""The probes of hyperparameters see one that is kept in too few bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from certificate import ENOUGH, separation

from adamcore import Adam
from adamcore.conformance.dtypes import round_to
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Probe

CLAIMS = [Adam(), Adam(decay="decoupled"), Adam(epsilon="inside-corrected"), Adam(nesterov="dozat")]


def with_hyper(probe: Probe, change: Callable[[float], float], *names: str) -> Probe:
    """The probe with some hyperparameters changed, the lr of its steps included."""
    hyper = {k: change(v) if k in names else v for k, v in probe.hyper.items()}
    steps = tuple(
        replace(s, lr=change(s.lr)) if "lr" in names and s.lr is not None else s for s in probe.steps
    )
    return replace(probe, hyper=hyper, steps=steps)


def into(name: str) -> Callable[[float], float]:
    return lambda x: float(round_to(np.array(x), name))


@pytest.mark.parametrize("claim", CLAIMS, ids=range(4))
@pytest.mark.parametrize("name", ["lr", "b1", "b2", "eps", "weight_decay"])
@pytest.mark.parametrize("narrow", ["bfloat16", "float16"])
def test_narrow_hyperparameters_show(name: str, narrow: str, claim: Adam) -> None:
    probe = PROBES["NUM.4/decimals"]
    assert separation(probe, with_hyper(probe, into(narrow), name), "float32", claim) >= ENOUGH


@pytest.mark.parametrize("claim", CLAIMS, ids=range(4))
@pytest.mark.parametrize("name", ["b1", "b2", "eps", "weight_decay"])
def test_float32_hyperparameters_show_in_float64(name: str, claim: Adam) -> None:
    probe = PROBES["NUM.4/decimals"]
    assert separation(probe, with_hyper(probe, into("float32"), name), "float64", claim) >= ENOUGH


@pytest.mark.parametrize(
    ("name", "narrow", "dtype"),
    [
        ("LR.1/odd-values", "bfloat16", "float32"),
        ("LR.1/odd-values", "float16", "float32"),
        ("LR.1/all-bits", "float32", "float64"),
    ],
)
def test_narrow_learning_rates_show(name: str, narrow: str, dtype: str) -> None:
    """After each change too: the steps before it are the same."""
    probe = PROBES[name]
    rates = [probe.hyper["lr"], *(s.lr for s in probe.steps if s.lr is not None)]
    assert all(into(narrow)(lr) != lr for lr in rates)
    only = [s for s, step in enumerate(probe.steps) if step.lr is not None]
    for s in only:
        steps = list(probe.steps)
        steps[s] = replace(steps[s], lr=into(narrow)(steps[s].lr or 0.0))
        assert separation(probe, replace(probe, steps=tuple(steps)), dtype, Adam()) >= ENOUGH
    first = replace(probe, hyper={**probe.hyper, "lr": into(narrow)(rates[0])})
    assert separation(probe, first, dtype, Adam()) >= ENOUGH
