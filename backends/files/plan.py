"""The plan of a step of a run: its jobs, of stand-ins for the arrays in files, and the clocks after it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from adamcore.backends.files.arrays import Readable, Writable, Zeros, as_shape
from adamcore.backends.files.blocks import STORED
from adamcore.backends.files.norms import norm
from adamcore.backends.files.record import Commit, Layout, Pending
from adamcore.backends.files.stand_ins import BACKEND
from adamcore.jobs import Job
from adamcore.state import AdamState
from adamcore.step import LossScale, plan_step
from adamcore.step.clipping import Clip, by_value, factors_of_norms, multiplied_jobs
from adamcore.step.plan import StepPlan
from adamcore.trees import ParamTree
from adamcore.types import Tree


class Stored(NamedTuple):
    """A run between two steps."""

    layout: Layout
    commit: Commit
    arrays: Mapping[str, Mapping[str, Writable]]  #: by part and name

    def scalars(self, values: Sequence[Any] | None) -> Any:
        """Return clocks or products as an :class:`adamcore.AdamState` has them."""
        if values is None or self.layout.adam.clock == "global":
            return values and values[0]
        return OrderedDict(zip(self.layout.names, values, strict=True))

    def stand_ins(self, part: str) -> OrderedDict[str, Any] | None:
        """Return the arrays of a part of the state, as a tree like the parameters."""
        found = self.arrays.get(part)
        return None if found is None else OrderedDict((name, found.get(name)) for name in self.layout.names)

    def state(self) -> AdamState:
        """Return the state in stand-ins, with Python's numbers as clocks."""
        t, mu = map(self.scalars, (self.commit.t, self.commit.mu_product))
        return AdamState(t, mu_product=mu, **{part: self.stand_ins(part) for part in STORED[1:]})

    def plan(self, pending: Pending, gradients: Tree, present: Tree) -> tuple[ParamTree, StepPlan]:
        """Return the tree of the parameters, and the plan of a step.

        Raises:
            AdamcoreError: as :meth:`adamcore.Adam.step`.
        """
        tree, plan = self.checked(pending, gradients, present, False)
        assert plan is not None  # no gradient has overflowed
        return tree, plan._replace(jobs=self.clipped(plan, pending))

    def checked(
        self, pending: Pending, gradients: Tree, present: Tree, overflow: bool
    ) -> tuple[ParamTree, StepPlan | None]:
        """Return what :meth:`plan` does, without what clips the gradients; no plan under ``overflow``."""
        tree = ParamTree(self.stand_ins("p"), backend=BACKEND)
        hyper = None if pending.weight_decay is None else {"weight_decay": pending.weight_decay}
        skipped = LossScale(None, overflow)  # gradients are divided block by block
        adam = self.layout.adam
        plan = plan_step(adam, tree, gradients, self.state(), pending.lr, present, hyper, skipped)[2]
        return tree, plan

    def clipped(self, plan: StepPlan, pending: Pending) -> Sequence[Job]:
        """Return the jobs of a plan with what clips their gradients in their coefficients."""
        if pending.clip is None or not plan.jobs:
            return plan.jobs
        clip, jobs = Clip(*pending.clip), plan.jobs  # type: ignore[arg-type]
        if clip.value is not None:
            return by_value(self.layout.adam, BACKEND, jobs, clip.value)
        known = [0.0] * len(jobs)
        if clip.total is None:
            names = [self.layout.names[i] for i in plan.indices]
            known = [norm(name, job, pending.grad_scale) for name, job in zip(names, jobs, strict=True)]
        return multiplied_jobs(BACKEND, jobs, factors_of_norms(BACKEND, known, [job.g for job in jobs], clip))


def trees_of(state: AdamState) -> dict[str, Mapping[str, Any]]:
    """Return the parts of a state that are trees of arrays."""
    parts = {part: getattr(state, part) for part in STORED[1:]}
    return {part: tree for part, tree in parts.items() if tree is not None}


def select(parts: Mapping[str, Mapping[str, Any]], name: str, which: Sequence[str]) -> dict[str, Any]:
    """Return what one parameter has of these parts, zeros excepted."""
    found = {part: parts[part].get(name) for part in which if part in parts}
    return {part: x for part, x in found.items() if x is not None and not isinstance(x, Zeros)}


def arrays_of(job: Job) -> dict[str, Readable]:
    """Return the arrays of a job by part."""
    parts = {part: getattr(job, part) for part in ("g", *STORED)}
    if job.where is not None:
        parts["where"] = as_shape(job.where, job.p.shape)
    return {part: x for part, x in parts.items() if x is not None}


def scalars_of(tree: ParamTree, values: Any) -> Any:
    """Return the clocks or products of a tree as a list, of one number if there is one for all."""
    if values is None or isinstance(values, int | float):
        return values if values is None else [values]
    return tree.match(values, "clocks")
