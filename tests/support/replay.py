"""A record of a training loop, judged like a probe.

The gradients are written down as they come, with the parameters that the optimizer made of them.  The
oracle answers for these gradients afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from adamcore import Adam
from adamcore.conformance.types import FloatArray, Probe, Result, Run, Step

HYPER = ("b1", "b2", "eps", "eps_root", "weight_decay", "momentum_decay")


class Record:
    """What went into an optimizer, step by step, and what came out.

    Args:
        params: the parameters before the first step, in the dtype in which it works.

    Example:
        >>> record = Record([np.ones(1)])
        >>> record.add([np.array([2.0])], [np.array([0.9])])
        >>> record.judge(Adam(lr=0.1, eps=0.0)).status
        'passed'
        >>> record.judge(Adam(lr=0.1, eps=0.0, decay="decoupled", weight_decay=0.01)).status
        'failed'
    """

    def __init__(self, params: Sequence[FloatArray]) -> None:
        self.params = [np.array(p) for p in params]
        self.steps: list[Step] = []
        self.run = Run()

    def add(
        self,
        grads: Sequence[FloatArray | None],
        params: Sequence[FloatArray],
        lr: float | None = None,
        present: Sequence[bool | FloatArray] | None = None,
    ) -> None:
        """Add a step.

        Args:
            grads: the gradients; None is an absent one.
            params: the parameters after the step.
            lr: the learning rate from this step on, if it changed.
            present: flags or masks, one for each parameter.
        """
        wide = tuple(None if g is None else widened(g) for g in grads)
        self.steps.append(Step(wide, lr, None if present is None else tuple(present)))
        self.run.params.append([np.array(p) for p in params])

    def judge(self, claim: Adam) -> Result:
        """Return the judgement under a claim; its ``lr`` is that of the first step."""
        from adamcore.conformance.verdict.judge import judge

        assert not callable(claim.lr)
        hyper = {"lr": claim.lr} | {name: getattr(claim, name) for name in HYPER}
        probe = Probe("STEP.1/record", "", tuple(map(widened, self.params)), tuple(self.steps), hyper)
        return judge(claim, probe, str(self.params[0].real.dtype), self.run)


def widened(x: FloatArray) -> FloatArray:
    """Return a copy in float64 or complex128."""
    return np.array(x, dtype=np.complex128 if np.iscomplexobj(x) else np.float64)
