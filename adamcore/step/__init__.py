"""One step of a whole tree of parameters.

A step has four parts.  It

1. checks its arguments (:class:`adamcore.trees.ParamTree`, :mod:`adamcore.step.checks`);
2. finds out which leaves and elements take part (:mod:`adamcore.presence`);
3. ticks the clocks and forms the coefficients (:mod:`adamcore.clock`); and
4. gives the backend a job for each leaf that takes part.

The first three make the plan of the step (:mod:`adamcore.step.plan`).  Before that, :func:`step` looks for a
cached step: one that was made on the same arrays before (:mod:`adamcore.step_cache`).  :func:`init` returns
the state before the first step, and :func:`reset` puts one back there.
"""

from adamcore.step.apply import checked_step, step
from adamcore.step.clipping import Clip
from adamcore.step.loss_scale import LossScale, read_loss_scale, unscaled
from adamcore.step.plan import StepPlan, key_at, plan_step
from adamcore.step.reset import reset
from adamcore.step.rows import Rows
from adamcore.step.start import init, init_tree

__all__ = [
    "Clip",
    "LossScale",
    "Rows",
    "StepPlan",
    "checked_step",
    "init",
    "init_tree",
    "key_at",
    "plan_step",
    "read_loss_scale",
    "reset",
    "step",
    "unscaled",
]
