"""The steps of an optimizer class in a probe, made as a training loop makes them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from adamcore.conformance.candidates.adapter.arguments import Arguments, effective_hyper
from adamcore.conformance.candidates.adapter.base import (
    Refusal,
    Stepper,
    UnsupportedProbe,
    describe,
    is_taken_apart,
    laid_out,
    layout_of_parameters,
)
from adamcore.conformance.candidates.adapter.buffers import GradientBuffers, without_scale
from adamcore.conformance.candidates.adapter.runs import use
from adamcore.conformance.candidates.torch.closures import needs_closure, other_number
from adamcore.conformance.candidates.torch.group_names import in_groups
from adamcore.conformance.candidates.torch.groups import set_number, waiting
from adamcore.conformance.candidates.torch.tensors import as_tensor, from_numpy, to_numpy
from adamcore.conformance.errors import CandidateError
from adamcore.conformance.types import FloatArray, Layout, Moments, Probe, Start, Step

if TYPE_CHECKING:
    from adamcore.conformance.candidates.torch.candidate import TorchCandidate

STATE = {"step", "exp_avg", "exp_avg_sq"}  #: the names of t, m and v in torch.optim and many other libraries
REST = "p_rest"  #: the name of what a state keeps of a parameter (STORE.1)


class TorchStepper(Stepper):
    def __init__(self, candidate: TorchCandidate, probe: Probe, dtype: str) -> None:
        import torch

        self.torch, self.device, self.dtype = torch, candidate.device, dtype
        self.candidate, self.probe = candidate, probe
        a = candidate.arguments
        self.hyper = effective_hyper(probe.hyper, a.lacks, a.fixed)
        layout = layout_of_parameters(probe)
        self.params = [torch.nn.Parameter(self.tensor(p, layout)) for p in self.cast(probe.params)]
        self.changed: dict[str, Any] = {}  #: hyperparameters that were set in all groups, lr too
        self.outside = waiting(probe)  #: the numbers of the parameters that the optimizer does not have yet
        self.joined: list[int] = []  #: those that were added to it, in this order
        self.gradients = GradientBuffers(probe, self.tensor, self.refill, self.bits)
        self.freeze(probe.steps[0])
        try:
            inside = [p for i, p in enumerate(self.params) if i not in self.outside]
            self.optimizer = self.construct(self.groups() if probe.groups else inside, a.call(self.hyper))
        except Exception as error:
            if probe.groups:
                raise UnsupportedProbe(f"it takes no groups: {describe(error)}") from error
            raise Refusal(describe(error)) from error
        if not hasattr(self.optimizer, "param_groups"):
            made = type(self.optimizer).__name__
            raise CandidateError(f"it returned {made}, expected a torch.optim.Optimizer of its params")
        if probe.is_scaled and not getattr(self.optimizer, "_step_supports_amp_scaling", False):
            raise UnsupportedProbe(
                "its step takes no loss scale: GradScaler divides before it, or leaves it out"
            )

    def groups(self) -> list[dict[str, Any]]:
        """Return the parameters in groups, each with what its settings differ in."""
        found: list[dict[str, Any]] = []
        a = self.named_in(self.plain_groups())
        before = None
        for i, (p, group) in enumerate(zip(self.params, self.probe.groups, strict=True)):
            if i in self.outside:
                continue
            if group == before:
                found[-1]["params"].append(p)
            else:
                found.append({"params": [p]} | a.settings(group, {**self.hyper, **group}))
            before = group
        if self.probe.manner == "vacant":
            found.insert(1, {**found[0], "params": []})
        return found

    def plain_groups(self) -> Sequence[Mapping[str, Any]]:
        """Return the groups of an optimizer of one parameter, which say how it names what they have."""
        made = self.construct(
            [self.torch.nn.Parameter(self.torch.ones(1, device=self.device))],
            self.candidate.arguments.call(self.hyper),
        )
        return getattr(made, "param_groups", ())

    def named_in(self, groups: Sequence[Mapping[str, Any]]) -> Arguments:
        """Return the hyperparameters by the names that they have in these groups."""
        a = self.candidate.arguments
        return in_groups(a, groups[0]) if groups else a

    def freeze(self, step: Step) -> None:
        """Let those parameters alone require a gradient that have one, if the probe is run so."""
        for p, g in zip(self.params, step.grads, strict=True):
            p.requires_grad_(self.probe.manner != "frozen" or g is not None)

    def join(self, number: int) -> None:
        """Add a parameter to the optimizer, in a group of its own, in which is set what is set in all."""
        self.outside.remove(number)
        self.joined.append(number)
        own = self.probe.groups[number] if self.probe.groups else {}
        self.add_group([self.params[number]], own)
        self.set_in(self.optimizer.param_groups[-1:], self.changed)

    def add_group(self, params: list[Any], own: Mapping[str, Any] | None = None) -> None:
        """Add a group of these parameters, with hyperparameters of its own."""
        own = own or {}
        settings = self.named_in(self.optimizer.param_groups).settings(own, {**self.hyper, **own})
        try:
            self.optimizer.add_param_group({"params": params} | settings)
        except Exception as error:
            raise UnsupportedProbe(f"it takes no such group later: {describe(error)}") from error

    def set_lr(self, lr: float) -> None:
        """Set the learning rate of all groups, as a scheduler does, by the optimizer's own name for it."""
        self.changed["lr"] = lr
        self.set_in(self.optimizer.param_groups, {"lr": lr})

    def change(self, changes: Mapping[str, Any]) -> None:
        """Set hyperparameters of all groups, as a scheduler does; of a new b1 each group keeps its own b2."""
        self.hyper |= changes
        self.changed |= changes
        self.set_in(self.optimizer.param_groups, changes)

    def set_in(self, groups: Sequence[dict[str, Any]], changes: Mapping[str, Any]) -> None:
        """Set hyperparameters of these groups."""
        others = {name: value for name, value in changes.items() if name != "lr"}
        replaces = self.probe.manner == "replaced"
        for group in groups:
            a = self.named_in([group])
            if "lr" in changes:
                name = "lr" if "lr" in group else a.names.get("lr", "lr")
                set_number(group, name, changes["lr"], replaces)
            for name, value in a.settings(others, {**self.hyper, **a.betas(group), **others}).items():
                set_number(group, name, value, replaces)

    def tensor(self, array: Any, layout: Layout | None = None) -> Any:
        return as_tensor(laid_out(array, layout or self.probe.layout), self.device)

    def refill(self, old: Any, new: FloatArray) -> None:
        """Write values into a tensor."""
        old.copy_(from_numpy(new))

    def bits(self, tensor: Any) -> FloatArray:
        """Return the values of a gradient."""
        return to_numpy(tensor)

    def construct(self, params: Any, arguments: Mapping[str, Any]) -> Any:
        """Return the optimizer of these parameters, or groups of them."""
        return self.candidate.cls(params, **arguments)

    def again(self) -> TorchStepper:
        """Return another one, of the same probe, at its beginning; a "remade" one has the current numbers."""
        probe = self.probe.with_hyper(**self.changed) if self.probe.manner == "remade" else self.probe
        return TorchStepper(self.candidate, probe, self.dtype)

    def owners(self) -> Any:
        """Return the state of the optimizer, by parameter; nothing if it has none, as some wrappers."""
        return getattr(self.optimizer, "state", {})

    def has_no_state(self, p: Any) -> bool:
        """Return whether a parameter has no state where others have one."""
        return p not in self.owners() and bool(self.owners())

    def like(self, values: FloatArray, other: Any) -> Any:
        """Return values in the form of another tensor of the state."""
        return self.torch.tensor(values).to(other)

    def begin(self, start: Sequence[Start]) -> None:
        if not hasattr(self.optimizer, "state"):
            raise UnsupportedProbe("it has no attribute state")
        again = self.again()
        again.step(1, self.probe.steps[0])
        for p, other, given in zip(self.params, again.params, start, strict=True):
            if again.has_no_state(other):
                continue
            like = again.owners()[other]
            if not set(like) >= STATE:
                raise UnsupportedProbe(f"its state has other names than {', '.join(sorted(STATE))}")
            clock = like["step"]
            if self.torch.is_tensor(clock) and int(self.torch.full_like(clock, given.t)) != given.t:
                raise UnsupportedProbe(f"its clock is a {clock.dtype}, which does not hold {given.t}")
            self.owners()[p] = {
                "step": self.torch.full_like(clock, given.t) if self.torch.is_tensor(clock) else given.t,
                "exp_avg": self.like(given.m, like["exp_avg"]),
                "exp_avg_sq": self.like(given.v, like["exp_avg_sq"]),
            }
            if "max_exp_avg_sq" in like:
                self.owners()[p]["max_exp_avg_sq"] = self.like(given.v_max, like["max_exp_avg_sq"])

    def resumed(self) -> Stepper:
        again = self.again()
        if self.probe.manner == "used":
            use(again, self.probe)
        for number in self.joined:
            again.join(number)
        for p, old in zip(again.params, self.params, strict=True):
            p.data = old.detach().clone()
        saved = copy.deepcopy(self.optimizer.state_dict())
        again.state_taken = is_taken_apart(again.optimizer.load_state_dict, saved)
        again.changed = dict(self.changed)
        return again

    def held(self) -> list[FloatArray] | None:
        return [to_numpy(p.detach()) for p in self.params]

    def unheld(self) -> tuple[int, ...]:
        groups = getattr(self.optimizer, "param_groups", None)
        if groups is None:
            return ()
        held = {id(p) for group in groups for p in group.get("params", ())}
        return tuple(i for i, p in enumerate(self.params) if id(p) not in held)

    def place(self, params: Sequence[FloatArray]) -> None:
        with self.torch.no_grad():
            for p, value in zip(self.params, params, strict=True):
                p.copy_(from_numpy(value))

    def clocks(self) -> list[int] | None:
        states = [self.owners().get(p, {}) for p in self.params]
        if not any("step" in state for state in states):
            return None  # the clock may be in the parameter groups
        return [int(state.get("step", 0)) for state in states]

    def rests(self) -> list[FloatArray | None] | None:
        kept = [self.owners().get(p, {}).get(REST) for p in self.params]
        return [x if x is None else to_numpy(x) for x in kept] if any(x is not None for x in kept) else None

    def moments(self) -> list[Moments | None] | None:
        return [self.moments_of(self.owners().get(p, {})) for p in self.params]

    def moments_of(self, own: Mapping[str, Any]) -> Moments | None:
        """Return the moments in the state of one parameter, or None if they are no plain tensors."""
        kept: list[Any] = [own.get(name) for name in ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")]
        plain = all(type(x) is self.torch.Tensor for x in kept[:2])
        return Moments(*kept).each(to_numpy) if plain else None

    def step(self, index: int, step: Step) -> tuple[list[Any], list[str]]:
        if step.lr is not None:
            self.set_lr(step.lr)
        if step.changes:
            self.change(step.changes)
        self.freeze(step)
        for number in [i for i in self.outside if step.grads[i] is not None]:
            self.join(number)
        if self.probe.is_scaled:
            self.set_scale(step)
        grads = self.gradients.fill(self.cast(step.grads))
        error = None
        try:
            self.step_with(grads)
        except Exception as raised:
            if self.probe.manner == "replaced" and self.changed:
                raise UnsupportedProbe(f"it refuses a number where it has a tensor: {raised}") from raised
            error = raised
        return self.outcome(index, step, error)

    def step_with(self, grads: Sequence[Any]) -> None:
        """Make a step with these gradients."""
        for p, g in zip(self.params, grads, strict=True):
            p.grad = p.grad if self.probe.has_closure else g
        if self.probe.has_closure:
            self.step_with_closure(grads)
        elif needs_closure(self.optimizer):
            self.optimizer.step(lambda: self.give(grads))
        else:
            self.optimizer.step()

    def give(self, grads: Sequence[Any]) -> Any:
        """Set the gradients, as a closure does; return a loss."""
        for p, g in zip(self.params, grads, strict=True):
            p.grad = g
        return self.torch.zeros((), device=self.device)

    def outcome(self, index: int, step: Step, error: Exception | None) -> tuple[list[Any], list[str]]:
        """Return what :meth:`step` returns, or raise the error that it had."""
        if error is not None:
            raise error
        written = self.written(index, step)
        return [to_numpy(p) for p in self.params], written

    def written(self, index: int, step: Step) -> list[str]:
        """Return the gradients that a step has written to."""
        unscaled = without_scale(step, self)
        return self.gradients.written(index, [p.grad for p in self.params], unscaled)

    def set_scale(self, step: Step) -> None:
        """Give the optimizer the loss scale and the flag, as GradScaler does."""
        scale = step.scale
        self.optimizer.grad_scale = None if scale is None else self.torch.tensor(scale, device=self.device)
        self.optimizer.found_inf = self.torch.tensor(float(step.found_inf), device=self.device)

    def step_with_closure(self, grads: Sequence[Any]) -> None:
        """Make a step with a closure that computes these gradients; they are those of the sum of p*g.

        A parameter without a gradient is no part of the sum.
        """
        self.closure_calls, self.moved_first, loss = 0, False, None
        before = [p.detach().clone() for p in self.params]

        def closure() -> Any:
            nonlocal loss
            self.closure_calls += 1
            self.moved_first |= not all(map(self.is_same, before, self.params))
            self.optimizer.zero_grad()
            computed = self.closure_loss(grads)
            loss = None if self.probe.manner == "silent closure" else computed
            return loss

        try:
            returned = self.optimizer.step(closure)
            self.loss_lost = returned is None and self.probe.manner == "closure"
            self.other_loss = other_number(returned, loss)
        except (TypeError, ValueError, NotImplementedError, AssertionError) as error:
            if self.closure_calls:
                raise
            raise UnsupportedProbe(f"it refuses a closure: {describe(error)}") from error

    def is_same(self, before: Any, p: Any) -> bool:
        """Return whether a parameter has the numbers that it had, NaN among them."""
        return bool(((p == before) | ((p != p) & (before != before))).all())

    def closure_loss(self, grads: Sequence[Any]) -> Any:
        """Return the loss of a closure, whose gradients it sets."""
        terms = [(p * g).sum() for p, g in zip(self.params, grads, strict=True) if g is not None]
        loss = sum(terms, start=self.torch.zeros((), device=self.device))
        if terms:
            loss.backward()
        return loss
