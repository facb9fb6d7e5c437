"""What a fault does to a step, and to an absent gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from adamcore import Adam
from adamcore.coefficients import Host
from adamcore.conformance.oracle.exact import exact
from adamcore.conformance.oracle.perturbation import ClockContext, Fault, StepContext
from adamcore.conformance.probes import PROBES
from adamcore.definition import coefficients

CONTEXT = StepContext(Adam(), 1, 0.1, (2,), False, 1)


def test_a_fault_of_the_probe_or_clock_leaves_a_step_alone() -> None:
    assert Fault(probe=lambda probe: probe).at_step(CONTEXT) is None
    assert Fault(clock=lambda at: at.t).at_step(CONTEXT) is None


def test_a_fault_of_coefficients_is_told_the_context() -> None:
    def change(c: Any, n: Any, at: StepContext) -> Any:
        return c._replace(step_m=at.lr)

    step = Fault(coefficients=change).at_step(CONTEXT)
    assert step is not None
    c = coefficients(Host(), Adam(), 1, 0.1, 1.0)
    assert step.coefficients(c, Host()) == c._replace(step_m=0.1)


def test_a_parameter_that_decays_without_a_gradient() -> None:
    """F1 broken: weight decay goes on, and moments and everything else stand still."""
    claim, probe = Adam(decay="decoupled"), PROBES["F1/absent-middle"]
    steps = exact(claim, probe, Fault(absent="decay")).steps
    rate = 1.0 - probe.hyper["lr"] * probe.hyper["weight_decay"]
    for before, after in ((1, 2), (2, 3), (3, 4)):
        np.testing.assert_allclose(steps[after][1][0].high, rate * steps[before][1][0].high, rtol=1e-15)
    right = exact(claim, probe).steps
    np.testing.assert_array_equal(right[2][1][0].high, right[1][1][0].high)


def test_an_absent_gradient_that_resets_the_moments() -> None:
    claim, probe = Adam(), PROBES["F1/absent-middle"]
    plain, reset = exact(claim, probe).steps, exact(claim, probe, Fault(absent="reset")).steps
    np.testing.assert_array_equal(reset[4][1][0].high, plain[4][1][0].high)
    assert (reset[5][1][0].high != plain[5][1][0].high).all()


def test_what_a_wrong_clock_may_count() -> None:
    """The second parameter of the probe has no gradient in steps 3, 4 and 5."""
    of_step: dict[int, list[ClockContext]] = {}

    def clock(at: ClockContext) -> int:
        of_step.setdefault(at.step, []).append(at)
        return at.t

    exact(Adam(), PROBES["F1/absent-middle"], Fault(clock=clock))
    second = [contexts[1] for contexts in of_step.values() if len(contexts) == 2]
    assert [at.step for at in second] == [1, 2, 6, 7, 8]
    assert [at.calls for at in second] == [2, 4, 9, 11, 13]
    assert [at.calls_of_shape for at in second] == [2, 4, 9, 11, 13]
    assert [at.t for at in second] == [1, 2, 3, 4, 5]
    assert [at.own_updates for at in second] == [1, 2, 3, 4, 5]
    assert [at.updates_since_absence for at in second] == [1, 2, 1, 2, 3]
    assert [at.clocks for at in second] == [(1, 1), (2, 2), (6, 3), (7, 4), (8, 5)]
