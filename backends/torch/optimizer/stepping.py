"""The step of the optimizer: what takes part in it, cached steps, and groups stepped one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from adamcore.adam import Adam as Core
from adamcore.backends.torch import compiler, nvrtc, shards
from adamcore.backends.torch.optimizer.clipping import factors_of_groups
from adamcore.backends.torch.optimizer.engines import asks_for_state
from adamcore.backends.torch.optimizer.freeze import FreezableOptimizer
from adamcore.backends.torch.optimizer.group_keys import Group
from adamcore.backends.torch.optimizer.hooks import wrapped
from adamcore.backends.torch.optimizer.param_groups import (
    check_lr,
    core_of,
    is_idle,
    is_lazy,
    refuse_derivative,
    repeated,
)
from adamcore.backends.torch.optimizer.state import GroupState, gather_state, init_state, store_state
from adamcore.backends.torch.optimizer.step_cache import Run, StepCache
from adamcore.backends.torch.optimizer.update import settle, update_group, with_inputs
from adamcore.step.clipping import Clip, clips_by_coefficients

#: returns PyTorch's device of this machine, None if there is none; None before PyTorch 2.6
ACCELERATOR: Any = getattr(torch._C, "_accelerator_getAccelerator", None)


class SteppingOptimizer(FreezableOptimizer):
    """An optimizer with the methods ``step`` and ``init_state``."""

    clip: Clip | None  #: how all gradients are clipped; it may be set at any time
    _cores: dict[str, Core]  #: by the key that ``_init_group`` returns
    _compiled_for: dict[int, Any]  #: lr and Adam of the first compilation; None: of others too
    _step_cache: StepCache
    _placements: shards.Placements
    _has_repeated: bool  #: whether a group has a parameter more than once
    _steady: bool  #: whether cached steps made all of the last step

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """True if GradScaler leaves unscaling to the step."""
        return bool(self.defaults["fused"])

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def init_state(self) -> None:
        """Make the state that a first step would make, and nothing else: zero moments, clocks at 0.

        It is made for every parameter that requires a gradient and has no state yet.  Without it the first
        step makes the state of the parameters that have a gradient, as in PyTorch; and so does, for all that
        require one, an engine that needs state in advance (:mod:`adamcore.backends.torch.optimizer.engines`).

        Example:
            >>> from adamcore.backends.torch.optimizer.optimizer import Adam
            >>> w = torch.nn.Parameter(torch.ones(1))
            >>> opt = Adam([w])
            >>> opt.init_state()
            >>> opt.state[w]["exp_avg"], int(opt.state[w]["step"])
            (tensor([0.]), 0)
        """
        for i, group in enumerate(self.param_groups):
            init_state(core_of(group, self.rules), group, self.state, f"param_groups[{i}]")

    @wrapped
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, in place.

        A parameter whose ``grad`` is None stays as it is, bit for bit, and so does its state (rule F1).

        Args:
            closure: a function that computes the loss and the gradients again.

        Returns:
            The closure's result, or None without a closure.

        Raises:
            MissingGradientError: a gradient is None and ``missing="error"``.
            HyperparameterError, AxisError: a group's setting was changed to one that has no meaning.
            ClockError: a clock is no whole number in its range.
        """
        compiling = torch.compiler.is_compiling()
        if compiling or ACCELERATOR is None or ACCELERATOR() is not None:
            self._check_capture()
        if not compiling and self._snapshots.given:
            self._snapshots.part()
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        scale, found_inf = getattr(self, "grad_scale", None), getattr(self, "found_inf", None)
        if found_inf is not None and not compiling and nvrtc.on_host(found_inf):
            if found_inf.item():
                return loss
            found_inf = None
        sharded = self._step_cache.sharded
        if not compiling and sharded:
            self._place_gradients()
        bound: dict[int, Run] = {}
        plain = not (compiling or self._has_repeated or compiler.is_on())
        if plain:
            clips = None if self.clip is None else self.clip.term
            bound = self._step_cache.bind(self.param_groups, self.state, scale, found_inf, clips)
        if len(bound) == len(self.param_groups) and self.clip is None:
            self._steady = scale is None
            for run in bound.values():
                run(())
            return loss
        if not compiling and not sharded:
            self._place_gradients()
        if not compiling and asks_for_state():
            self.init_state()
            return loss
        skipped = None if found_inf is None else found_inf.reshape(()) != 0
        gathered = [GroupState.empty() for _ in self.param_groups]
        keys: dict[int, str] = {}
        for i, group in enumerate(self.param_groups):
            if i not in bound:
                keys[i] = self._init_group(i, group, *gathered[i])
        factors: list[Any] = [()] * len(gathered)
        if self.clip is not None:
            grads = [
                self._step_cache.grads(i, group) if i in bound else gathered[i].grads
                for i, group in enumerate(self.param_groups)
            ]
            factors = factors_of_groups(self.clip, self.param_groups, grads, scale)
            if not all(isinstance(f, float) for each in factors for f in each):  # no cached step takes it
                for i in bound:
                    keys[i] = self._init_group(i, self.param_groups[i], *gathered[i])
                bound = {}
        for i, group in enumerate(self.param_groups):
            if i in bound:
                bound[i](factors[i])
            elif gathered[i].clocks:
                core, lr = self._cores[keys[i]], group["lr"]
                if torch.compiler.is_compiling():
                    lr = settle(core, group, group["params"][0])
                lazy = is_lazy(group, self.rules)
                jobs, new = update_group(
                    core, group, gathered[i], scale, skipped, lr, lazy, self.clip, factors[i]
                )
                if group["differentiable"]:
                    store_state(self.state, gathered[i], new)
                elif plain and (self.clip is None or clips_by_coefficients(jobs)):
                    self._step_cache.remember(i, core, group, self.state, gathered[i], jobs)
        if self._has_repeated:
            self._step_repeated(scale, skipped, gathered, factors)
        return loss

    def _step_again(self) -> bool:
        """Make the step if cached steps can make all of it; return False, with nothing changed, if not.

        No operation of PyTorch's is called, so that nothing has to be told to autograd.
        """
        cache = self._step_cache
        if not self._steady or self._has_repeated or self.clip is not None:
            return False
        if self._snapshots.given or cache.sharded:
            return False
        if ACCELERATOR is None or ACCELERATOR() is not None:  # a graph of CUDA's may be captured
            return False
        if getattr(self, "grad_scale", None) is not None or getattr(self, "found_inf", None) is not None:
            return False
        bound = cache.bind(self.param_groups, self.state, None, None)
        self._steady = len(bound) == len(self.param_groups)
        if self._steady:
            for run in bound.values():
                run(())
        return self._steady

    def _place_gradients(self) -> None:
        """Give gradients of sharded parameters their placements, in the same order on every process."""
        if shards.sharded_type() is not None:
            for i, group in enumerate(self.param_groups):
                self._placements.place_gradients(i, group["params"])

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def _step_repeated(self, scale: Any, skipped: Any, before: list[GroupState], factors: list[Any]) -> None:
        """Step the parameters that stand in their group more than once, as often as they do."""
        for i, group in enumerate(self.param_groups):
            for p in repeated(group["params"]):
                alone, gathered = group | {"params": [p]}, GroupState.empty()
                core = self._cores[self._init_group(i, alone, *gathered)]
                if gathered.clocks:
                    lazy = is_lazy(group, self.rules)
                    mine = None
                    if self.clip is not None:
                        mine = [f for f, q in zip(factors[i], before[i].params, strict=True) if q is p]
                    _, new = update_group(
                        core, alone, gathered, scale, skipped, group["lr"], lazy, self.clip, mine
                    )
                    if group["differentiable"]:
                        store_state(self.state, gathered, new)

    def _init_group(
        self, index: int, group: Group, params: list[Any], grads: list[Any], ms: list[Any],
        vs: list[Any], maxima: list[Any], rests: list[Any], m_scales: list[Any],
        v_scales: list[Any], v_max_scales: list[Any], numbers: list[Any], clocks: list[Any],
        products: list[Any],
    ) -> str:  # fmt: skip
        """Fill the lists with the tensors that take part in the step, and make missing state.

        ``torch.compile`` knows this method by its name and runs it, while it traces the rest.  It can take
        lists of tensors, numbers and None: with anything else in them it would trace this method too.

        Returns:
            The key of the group's Adam in ``_cores``.  A compiled step looks its Adam up under the key that
            it was compiled with, and holds for as long as the Adam there has not changed.  So its key tells
            all that it depends on: the numbers too, unless these are inputs of the compiled step, because
            they are tensors or have changed since it was compiled for the first time.
        """
        key = str(index)
        if is_idle(group, self.rules):
            return key
        if not isinstance(group["lr"], torch.Tensor):
            check_lr(group)
        refuse_derivative(group)
        core = self._cores[key] = core_of(group, self.rules)
        gathered = GroupState(
            params, grads, ms, vs, maxima, rests, m_scales, v_scales, v_max_scales, numbers, clocks, products
        )
        gather_state(core, group, self.state, gathered, f"param_groups[{index}]")
        if "stochastic" in (core.p_storage, core.m_storage, core.v_storage):
            members = [id(p) for each in self.param_groups for p in each["params"]]
            numbers[:] = map(members.index, map(id, params))
        if torch._guards.TracingContext.try_get() is None:
            return key
        self._snapshots.unseen = True  # compiled steps run without this method
        now = [None if isinstance(group["lr"], torch.Tensor) else group["lr"], core]
        if self._compiled_for.setdefault(index, now) != now or any(
            isinstance(b, torch.Tensor) for b in group["betas"]
        ):
            self._compiled_for[index] = None
            core = with_inputs(core, group)
        key = f"{index} {core}"
        self._cores.setdefault(key, core)
        return key

    def _check_capture(self) -> None:
        """Raise if a CUDA graph captures a step whose clocks are on the host."""
        check = getattr(self, "_accelerator_graph_capture_health_check", None)
        (check or self._cuda_graph_capture_health_check)()
