"""A run is ended by an exception, a wrong answer is an error, and a neighbour has other gradients."""

from __future__ import annotations

import numpy as np
import pytest
from candidate_probes import G0, G1, Plain, probe

from adamcore.conformance.candidates import Refusal
from adamcore.conformance.candidates.adapter.runs import mirror
from adamcore.conformance.candidates.array import ArrayCandidate
from adamcore.conformance.probes import PROBES
from adamcore.conformance.types import Step


def test_exception_in_a_step_is_part_of_the_run() -> None:
    class Fragile(Plain):
        def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
            if grads[1] is None:
                raise LookupError("where\nis it?")
            return super().step(grads)

    run = ArrayCandidate(Fragile, {}).run(probe(Step((G0, G1)), Step((G0, None))), "float32")
    assert len(run.params) == 1
    assert run.error == "LookupError: where is it?"


def test_wrong_number_of_parameters_is_an_error() -> None:
    class Loses(Plain):
        def step(self, grads: list[np.ndarray | None]) -> list[np.ndarray]:
            return super().step(grads)[:1]

    run = ArrayCandidate(Loses, {}).run(probe(), "float32")
    assert run.error == "ValueError: the step gave 1 parameters of 2"


def test_constructor_that_refuses() -> None:
    class Refuses(Plain):
        def __init__(self) -> None:
            raise ValueError("no")

    with pytest.raises(Refusal, match="ValueError: no"):
        ArrayCandidate(Refuses, {}).run(probe(), "float32")


def test_a_neighbour_lacks_other_gradients_from_its_third_step_on() -> None:
    steps = mirror(PROBES["STATE.3/beside-absent"]).steps
    assert [[g is None for g in step.grads] for step in steps] == [[False, True]] * 2 + [[True, False]] * 4
