"""Hyperparameters that are functions of the number of updates."""

from __future__ import annotations

from pathlib import Path

import pytest
from candidate_probes import G0, G1, probe

from adamcore import Adam
from adamcore.conformance.candidates import load_candidates
from adamcore.conformance.candidates.adapter.base import UnsupportedProbe
from adamcore.conformance.candidates.schedules import functions
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Step
from adamcore.conformance.verdict.judge import judge

CLAIM = Adam(decay="decoupled", coefficients="working", missing="error", clock="global")
SCHEDULED = """
import optax

def counts_from_one(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0):
    later = (lambda count: learning_rate(count + 1)) if callable(learning_rate) else learning_rate
    return optax.adamw(later, b1, b2, eps, weight_decay=weight_decay)

def decays_as_first(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0):
    first = weight_decay(0) if callable(weight_decay) else weight_decay
    return optax.adamw(learning_rate, b1, b2, eps, weight_decay=first)

def takes_numbers(learning_rate, b1=0.9, b2=0.999, eps=1e-8, weight_decay=0.0):
    return optax.adamw(1.0 * learning_rate, b1, b2, eps, weight_decay=1.0 * weight_decay)
"""


def test_a_step_that_is_skipped_is_no_update() -> None:
    """A function is called with the number of updates: of those that a skipped step comes before too."""
    rates = functions(PROBES["SCALE.2/function"], {"lr": "learning_rate"})["learning_rate"]
    assert [float(rates(count)) for count in range(4)] == [0.5, 0.25, 0.0625, 0.375]


def test_only_what_changes_is_a_function() -> None:
    given = probe(Step((G0, G1)), Step((G1, G0), lr=0.125))
    made = functions(given, {"lr": "learning_rate"})
    assert made.keys() == {"learning_rate"}
    assert [float(made["learning_rate"](count)) for count in (0, 1, 2)] == [given.hyper["lr"], 0.125, 0.125]
    with pytest.raises(UnsupportedProbe, match="no argument for lr"):
        functions(given, {})
    assert not functions(probe(Step((G0, G1))), {})


@pytest.mark.parametrize(
    ("name", "rate", "decay"),
    [
        ("optax:adamw", "passed", "passed"),
        ("counts_from_one", "failed", "passed"),
        ("decays_as_first", "passed", "failed"),
        ("takes_numbers", "skipped", "skipped"),
    ],
)
def test_functions_of_the_number_of_updates(tmp_path: Path, name: str, rate: str, decay: str) -> None:
    pytest.importorskip("optax")
    (tmp_path / "scheduled_adam.py").write_text(SCHEDULED, encoding="utf-8")
    target = name if ":" in name else f"{tmp_path}/scheduled_adam.py:{name}"
    [candidate] = load_candidates(target, [None], {}, None)
    for probe_name, status in (("LR.1/function", rate), ("LR.5/function", decay)):
        given = PROBES[probe_name]
        run = candidate.run(given, "float32")
        assert judge(CLAIM, given, "float32", run, flushes=True).status == status
