"""Faults of loss scales and skipped steps: kernels of the corpus follow the models."""

from __future__ import annotations

from dataclasses import replace

import pytest
from corpus_runs import assert_follows

from adamcore import Adam
from adamcore.conformance.faults.loss_scale import LOSS_SCALE
from adamcore.conformance.oracle.model import float_trajectory
from adamcore.conformance.oracle.perturbation import Fault
from adamcore.conformance.oracle.trajectory import Trajectory
from adamcore.conformance.probes import PROBES
from adamcore.conformance.rules import SAYS
from adamcore.conformance.types import FloatArray

CASES = [
    ("scale_multiplied", "scale-multiplied", "SCALE.1/scaled"),
    ("scale_ignored", "scale-ignored", "SCALE.1/changing"),
    ("scale_twice", "scale-twice", "SCALE.1/scaled"),
    ("scale_after_square", "scale-after-square", "SCALE.1/changing"),
    ("scale_of_m_alone", "scale-of-m-alone", "SCALE.1/scaled"),
    ("scale_divides_decay", "scale-divides-decay", "SCALE.1/changing"),
    ("skip_ticks", "skip-ticks", "SCALE.2/skipped"),
    ("skip_decays", "skip-decays", "SCALE.2/first"),
    ("skip_is_zero", "skip-zero-held", "SCALE.2/skipped"),
    ("skip_by_gradient", "skip-by-array-held", "SCALE.2/elsewhere"),
    ("skip_is_made", "skip-made-held", "SCALE.2/elsewhere"),
]
"""Kernel, fault, and a probe that shows it."""


@pytest.mark.parametrize(("kernel", "known", "probe"), CASES)
def test_a_kernel_of_the_corpus_follows_the_model(kernel: str, known: str, probe: str) -> None:
    [fault] = [f for f in LOSS_SCALE if f.name == known]
    assert_follows(kernel, fault, probe)


def test_names_rules_and_areas() -> None:
    assert len({f.name for f in LOSS_SCALE}) == len(LOSS_SCALE)
    assert {f.rule for f in LOSS_SCALE} == {"SCALE.1", "SCALE.2"} <= set(SAYS)
    assert {f.area for f in LOSS_SCALE} == {"loss_scale"}


@pytest.mark.parametrize("claim", [Adam(), Adam(decay="decoupled", clock="global")])
def test_every_fault_shows_in_a_probe_and_in_no_other(claim: Adam) -> None:
    """A fault of the scale needs a scale, and one of skipped steps a skipped step."""

    def walk(name: str, fault: Fault | None) -> Trajectory[FloatArray] | None:
        return float_trajectory(claim, PROBES[name], fault)

    scaled = [name for name, probe in PROBES.items() if probe.is_scaled]
    for fault in LOSS_SCALE:
        walks = {name: walk(name, fault) for name in scaled}
        shown = {name for name, walked in walks.items() if walked and str(walked) != str(walk(name, None))}
        idle = "skip-decays" if claim.decay == "l2" else "scale-divides-decay"
        assert shown or fault.name == idle
        assert not shown & {"SCALE.1/one"}
        skipping = {name for name in shown if any(step.found_inf for step in PROBES[name].steps)}
        assert fault.rule == "SCALE.1" or shown == skipping


def test_a_skipped_step_holds_every_clock() -> None:
    for claim in (Adam(), Adam(clock="global"), Adam(clock="global", all_missing="tick", missing="error")):
        walked = float_trajectory(claim, PROBES["SCALE.2/skipped"], None)
        assert walked is not None
        assert walked.clocks == [[1, 1], [2, 2], [2, 2], [3, 3], [4, 4]]
        assert not walked.raises


def test_a_scale_divides_and_nothing_else() -> None:
    probe = PROBES["SCALE.1/changing"]
    steps = tuple(
        replace(s, grads=tuple(None if g is None else g / (s.scale or 1) for g in s.grads), scale=None)
        for s in probe.steps
    )
    plain = float_trajectory(Adam(), replace(probe, steps=steps), None)
    assert str(float_trajectory(Adam(), probe, None)) == str(plain)
