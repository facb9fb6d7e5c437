"""The adapter of array candidates: classes with ``init(params, hyper)`` and ``step(grads)``."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from adamcore.conformance.candidates.adapter.arguments import (
    DEFAULTS,
    complete_hyper,
    fixed_value,
    own_dialect,
    served_probe,
)
from adamcore.conformance.candidates.adapter.base import (
    HARD,
    CandidateInfo,
    Refusal,
    Stepper,
    UnsupportedProbe,
    describe,
    is_taken_apart,
    laid_out,
    layout_of_parameters,
    same_bits,
    same_list,
    unsupported_reason,
)
from adamcore.conformance.candidates.adapter.buffers import GradientBuffers, overwrite
from adamcore.conformance.candidates.adapter.runs import run_probe, use
from adamcore.conformance.errors import CandidateError
from adamcore.conformance.settings import parse_settings
from adamcore.conformance.types import FloatArray, Moments, Probe, Run, Start, Step

STANDARD = ("lr", "b1", "b2", "eps", "weight_decay")  #: what ``init`` gets unless ``hyper`` names others
#: what ``init`` gets if ``hyper`` names them, also from probes without
RARE = ("eps_root", "momentum_decay", "lr_max")
ALL = (*STANDARD, *RARE)


class ArrayCandidate:
    """Runs a class that follows the contract of docs/checking.md.

    The class may also have:

    * ``set_lr(lr)``, of all groups, and ``set_hyper(hyper)`` for the other hyperparameters;
    * ``init_groups(params, hypers)``, with hyperparameters for each parameter;
    * ``get_state()`` and ``set_state(state)``.  If the state is ``{"t": a number or a list of them,
      "m": [...], "v": [...], "v_max": [...]}``, a probe can set it and read its clock;
    * ``dialect``: its claim; ``hyper``: the names of the hyperparameters that it takes;
    * ``flushes_subnormals``: True if it flushes subnormal numbers to zero;
    * ``in_place``: True if it updates the arrays that ``init`` gets;
    * ``complex``: True if it claims complex parameters, False if it must not get any;
    * ``absent``: True if it claims gradients that are absent, which it may refuse else.
    """

    def __init__(self, cls: type, settings: Mapping[str, str]) -> None:
        self.cls = cls
        _, values = parse_settings(settings)
        self.fixed = {k: fixed_value(k, k, v) for k, v in values.items() if k in ALL}
        self.keywords = {k: v for k, v in values.items() if k not in self.fixed}
        taken = taken_hyper(cls)
        self.lacks = tuple(name for name in ALL if name not in taken and name not in self.fixed)

    @property
    def info(self) -> CandidateInfo:
        return CandidateInfo(
            "array candidate",
            dialect=own_dialect(self.cls),
            lacks=self.lacks,
            fixed=self.fixed,
            flushes=bool(getattr(self.cls, "flushes_subnormals", False)),
            extra={name: repr(value) for name, value in self.keywords.items()},
            claims_complex=bool(getattr(self.cls, "complex", False)),
            claims_absent=getattr(self.cls, "absent", False) is True,
        )

    def run(self, probe: Probe, dtype: str) -> Run:
        probe = served_probe(probe, self.lacks, self.fixed)
        can_change, has_groups = (
            getattr(self.cls, name, None) is not None for name in ("set_hyper", "init_groups")
        )
        reason = unsupported_reason(
            probe,
            lr=hasattr(self.cls, "set_lr"),
            changes=can_change,
            groups=has_groups,
            manners=() if probe.groups else ("used", "again", "remade"),
        )
        if reason:
            return Run(unsupported=reason)
        if probe.is_complex and not getattr(self.cls, "complex", True):
            return Run(unsupported="its attribute complex is False")
        return run_probe(lambda variant: ArrayStepper(self, variant, dtype), probe)


def init_defaults(lacks: Sequence[str]) -> dict[str, float]:
    """Return what ``init`` gets beside the hyperparameters of a probe, for a class that lacks some."""
    return {"weight_decay": 0.0} | {name: DEFAULTS[name] for name in RARE if name not in lacks}


def taken_hyper(cls: type) -> tuple[str, ...]:
    """Return the names of the hyperparameters that a class takes.

    Raises:
        CandidateError: its attribute ``hyper`` is no tuple or list, or has another name in it.
    """
    taken = getattr(cls, "hyper", STANDARD)
    if not isinstance(taken, (tuple, list)):
        raise CandidateError(f"its attribute hyper is {type(taken).__name__}, expected a tuple of names")
    if unknown := [name for name in taken if name not in ALL]:
        raise CandidateError(f"its attribute hyper has {unknown[0]!r}; expected names of {', '.join(ALL)}")
    return tuple(taken)


def has_other_moments(state: Any) -> bool:
    """True if a state has something, but nothing under the names m and v: a given m would not be taken.

    >>> [has_other_moments(state) for state in ({"t": 0, "mean": []}, [0], {"t": 0}, {"m": [], "v": []})]
    [True, True, False, False]
    """
    return not isinstance(state, dict) or bool(not {"m", "v"} <= state.keys() and state.keys() - {"t"})


class ArrayStepper(Stepper):
    def __init__(
        self, candidate: ArrayCandidate, probe: Probe, dtype: str, params: Sequence[Any] | None = None
    ) -> None:
        self.candidate, self.probe, self.dtype = candidate, probe, dtype
        self.lr: float | None = None  #: the one that was set last
        self.changed: dict[str, Any] = {}  #: the other hyperparameters that were set
        self.restored: list[Any] = []
        self.saved: list[Any] = []
        self.gradients = GradientBuffers(probe, lambda g: laid_out(g, probe.layout), overwrite)
        try:
            self.optimizer: Any = candidate.cls(**candidate.keywords)
        except Exception as error:
            raise Refusal(describe(error)) from error
        if probe.manner == "again":
            self.init(probe.params)
            use(self, probe)
        self.init(probe.params if params is None else params)
        self.after = params

    def init(self, params: Sequence[Any]) -> None:
        """Begin a run from these parameters."""
        probe, candidate = self.probe, self.candidate
        layout = "C" if probe.layout == "readonly" else layout_of_parameters(probe)
        self.given = self.cast(params, layout)
        self.before = [p.copy() for p in self.given]
        hyper = complete_hyper(probe.hyper, candidate.lacks, candidate.fixed, init_defaults(candidate.lacks))
        try:
            if probe.groups:
                self.optimizer.init_groups(list(self.given), [hyper | dict(group) for group in probe.groups])
            else:
                self.optimizer.init(list(self.given), hyper)
        except Exception as error:
            raise Refusal(describe(error)) from error

    def begin(self, start: Sequence[Start]) -> None:
        self.need("set_state")
        own = self.shown()
        if own is not None and has_other_moments(own):
            raise UnsupportedProbe("its state has no m and v, but something else in their place")
        state = {"t": [s.t for s in start]} | {
            name: self.cast([getattr(s, name) for s in start]) for name in ("m", "v", "v_max")
        }
        self.restore(state)

    def resumed(self) -> Stepper:
        self.need("get_state")
        self.need("set_state")
        probe, is_remade = self.probe, self.probe.manner == "remade"
        if is_remade:
            probe = probe.with_hyper(**self.changed, **({} if self.lr is None else {"lr": self.lr}))
        again = ArrayStepper(self.candidate, probe, self.dtype, self.after)
        if self.probe.manner == "used":
            again.move_nothing()
        again.restore(copy.deepcopy(self.optimizer.get_state()))
        if is_remade:
            return again
        if self.lr is not None:  # no part of a state: who resumes a run hands over what was set
            again.set_lr(self.lr)
        if self.changed:
            again.change(self.changed)
        return again

    def move_nothing(self) -> None:
        """Make steps that move nothing, since their learning rate is 0."""
        self.need("set_lr")
        self.set_lr(0.0)
        steps = tuple(replace(step, lr=None, changes=None) for step in self.probe.steps)
        use(self, replace(self.probe, steps=steps))
        after = self.after or []
        if not all(same_bits(x, old) for x, old in zip(after, self.before, strict=True)):
            raise UnsupportedProbe(HARD["used"])
        self.set_lr(self.probe.hyper["lr"])

    def restore(self, state: Any) -> None:
        self.restored, self.saved = arrays_in(state), copy.deepcopy(arrays_in(state))
        self.state_taken = is_taken_apart(self.optimizer.set_state, state)

    def set_lr(self, lr: float) -> None:
        self.lr = lr
        self.optimizer.set_lr(lr)

    def change(self, changes: Mapping[str, Any]) -> None:
        self.changed |= changes
        self.optimizer.set_hyper(dict(changes))

    def shown(self) -> Any:
        """Return the state to look at; None if it shows none.  Only a run that saves it fails with it."""
        try:
            return self.optimizer.get_state()
        except Exception:
            return None

    def clocks(self) -> list[int] | None:
        state = self.shown()
        t = state.get("t") if isinstance(state, dict) else None
        count = len(self.probe.params)
        if isinstance(t, int):
            return [t] * count
        return [int(x) for x in t] if isinstance(t, list) and len(t) == count else None

    def rests(self) -> list[FloatArray | None] | None:
        state = self.shown()
        kept = state.get("p_rest") if isinstance(state, dict) else None
        return list(kept) if isinstance(kept, list) and len(kept) == len(self.probe.params) else None

    def moments(self) -> list[Moments | None] | None:
        state = self.shown()
        if not isinstance(state, dict) or not {"m", "v"} <= state.keys():
            return None
        count = len(self.probe.params)
        kept = [state["m"], state["v"], state.get("v_max") or [None] * count]
        whole = all(isinstance(part, list) and len(part) == count for part in kept)
        return [Moments(*parts) for parts in zip(*kept, strict=True)] if whole else None

    def need(self, method: str) -> None:
        if not hasattr(self.optimizer, method):
            raise UnsupportedProbe(f"it has no {method}")

    def step(self, index: int, step: Step) -> tuple[list[Any], list[str]]:
        if step.lr is not None:
            self.set_lr(step.lr)
        if step.changes:
            self.change(step.changes)
        grads = self.gradients.fill(self.cast(step.grads))
        handed = list(grads)
        after = self.after = [np.array(p) for p in returned_list(self.optimizer.step(handed))]
        written = self.gradients.written(index)
        if not same_list(handed, grads):
            written.append(f"the list of gradients in step {index}")
        if not all(same_bits(x, old) for x, old in zip(self.restored, self.saved, strict=True)):
            written.append(f"the state that it was restored from in step {index}")
        if not getattr(self.candidate.cls, "in_place", False):
            written += [
                f"parameter {i} in step {index}"
                for i, (given, old) in enumerate(zip(self.given, self.before, strict=True))
                if not same_bits(given, old)
            ]
        return after, written


def returned_list(returned: Any) -> Any:
    """Return what a step returned, if it can be a list of arrays.

    Raises:
        TypeError: it is None, as of a step in place that returns nothing.
    """
    if returned is None:
        raise TypeError("step returned None, expected the list of all parameters after the step")
    return returned


def arrays_in(state: Any) -> list[Any]:
    """Return the arrays in a state of nested dictionaries, lists and tuples."""
    if isinstance(state, np.ndarray):
        return [state]
    parts = state.values() if isinstance(state, dict) else state if isinstance(state, (list, tuple)) else ()
    return [x for part in parts for x in arrays_in(part)]
