"""``Adam`` and ``AdamW`` with the interface of ``torch.optim``, for every dialect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import torch

from adamcore.adam import Adam as Core
from adamcore.backends.torch import compiler, nvrtc, shards
from adamcore.backends.torch.backend import backend
from adamcore.backends.torch.optimizer.clipping import factors_of_groups
from adamcore.backends.torch.optimizer.engines import asks_for_state
from adamcore.backends.torch.optimizer.freeze import FreezableOptimizer, names_of, restore_frozen
from adamcore.backends.torch.optimizer.group_keys import PYTORCH, Group, kept_settings, left_out, shorten
from adamcore.backends.torch.optimizer.hooks import wrapped
from adamcore.backends.torch.optimizer.numerics import numerics_of
from adamcore.backends.torch.optimizer.param_groups import (
    check_lr,
    core_of,
    is_idle,
    is_lazy,
    of_dialect,
    of_group,
    refuse_derivative,
    repeated,
)
from adamcore.backends.torch.optimizer.snapshot import Snapshots
from adamcore.backends.torch.optimizer.state import GroupState, gather_state, init_state, store_state
from adamcore.backends.torch.optimizer.state_dict import pack, says_all, unpack
from adamcore.backends.torch.optimizer.step_cache import BoundStep, StepCache
from adamcore.backends.torch.optimizer.update import settle, update_group, with_inputs
from adamcore.errors import TreeError
from adamcore.numerics import NumericsReport
from adamcore.step.clipping import Clip, check_clip, clips_by_coefficients

#: returns PyTorch's device of this machine, None if there is none; None before PyTorch 2.6
ACCELERATOR: Any = getattr(torch._C, "_accelerator_getAccelerator", None)


class Adam(FreezableOptimizer):
    """An Adam of any dialect as a ``torch.optim.Optimizer``.

    It takes the arguments of ``torch.optim.Adam``, with their meaning, and every axis of docs/spec.md as
    a keyword.  The dialect gives the value of each argument that is left out.  A parameter group may set
    every argument for itself.

    Args:
        params: tensors, named tensors or groups of them, as for any optimizer of PyTorch.  The tensors
            are dense, of any shape, and real or complex.
        lr: a number >= 0, or a tensor with one element.  Learning rate schedulers write to either.
        betas: b1 and b2, two numbers in [0, 1).  Tensors are read once.
        eps, weight_decay: numbers >= 0.
        amsgrad: False, True (PyTorch's rule, the axis value "uncorrected"), or a value of the axis.
        dialect: a row of :mod:`adamcore.dialects`, which gives the axes and the defaults.
        decoupled_weight_decay: PyTorch's name for ``decay="decoupled"``.
        maximize: the axis of that name.
        foreach: has no effect, because the backend always gets the whole step.
        fused: if True, the step divides the loss scale of a ``GradScaler`` out of the gradients, and clocks
            stand on the parameters' device, since there it is known whether the step is skipped.
        capturable: if True, clocks stand on the parameters' device and the host never waits for it, as a
            CUDA graph needs.
        differentiable: if True, autograd records the step, also as a function of a tensor ``lr``.
        check_numerics: True to be warned (:class:`adamcore.numerics.NumericsWarning`) of what the dtypes of
            these parameters lose, as :meth:`check_numerics` reports it; or the lr to look at.
        sparse: "dense": a sparse gradient is zero in the rows that it does not list.  "lazy": those rows
            stay as they are, while the parameter's clock ticks.
        clip: an :class:`adamcore.Clip`: gradients are clipped inside the step, by a norm over all groups,
            after the loss scale is divided out.  ``p.grad`` stays as it is.  It is an attribute, and no part
            of a ``state_dict``.
        axes: the other axes, ``eps_root``, ``momentum_decay``, ``moment_dtype``, ``m_dtype``,
            ``v_dtype``, ``p_storage``, ``seed``, ``m_storage`` and ``v_storage``, as for
            :class:`adamcore.Adam`.

    Raises:
        HyperparameterError, AxisError, DialectError: a setting has no meaning.
        BackendError: two flags exclude each other.

    Example:
        >>> w = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> opt = Adam([w], lr=0.1)
        >>> w.grad = torch.tensor([0.5, 0.0])
        >>> opt.step()
        >>> w.data
        tensor([ 0.9000, -2.0000])
    """

    dialect: ClassVar[str] = "torch.Adam"  #: the dialect of settings that are not given

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def __init__(
        self,
        params: Any,
        lr: float | torch.Tensor | None = None,
        betas: tuple[Any, Any] | None = None,
        eps: float | None = None,
        weight_decay: float | None = None,
        amsgrad: bool | str | None = None,
        *,
        dialect: str | None = None,
        decoupled_weight_decay: bool | None = None,
        maximize: bool | None = None,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        sparse: Literal["dense", "lazy"] = "dense",
        check_numerics: bool | float = False,
        clip: Clip | None = None,
        **axes: Any,
    ) -> None:
        if clip is not None:
            check_clip(clip, backend)
        self.clip = clip  #: how all gradients are clipped; it may be set at any time
        given = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "fused": fused,
            "capturable": capturable,
            "differentiable": differentiable,
            "sparse": sparse,
        }
        defaults = of_dialect(dialect or type(self).dialect, given | axes)
        self._cores: dict[str, Core] = {}  # by the key that _init_group returns
        self._compiled_for: dict[int, Any] = {}  # lr and Adam of the first compilation; None: of others too
        self.rules = kept_settings(defaults)
        self._step_cache = StepCache(self.rules)
        self._snapshots, self._names = Snapshots(), {}
        self._placements = shards.Placements()
        self._has_repeated = False  # whether a group has a parameter more than once
        self._steady = False  # whether cached steps made all of the last step
        super().__init__(params, defaults)
        if check_numerics is not False:
            self.check_numerics(None if check_numerics is True else check_numerics).warn(4)

    @property
    def _step_supports_amp_scaling(self) -> bool:
        """True if GradScaler leaves unscaling to the step."""
        return bool(self.defaults["fused"])

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_names": self._names, "rules": self.rules, "clip": self.clip}

    def __setstate__(self, state: dict[str, Any]) -> None:
        rules = getattr(self, "rules", PYTORCH)  # in pickles of old, groups leave out PyTorch's
        super().__setstate__({"_names": {}, "rules": rules} | state)  # a state_dict brings its own names
        self.rules = PYTORCH | self.rules
        self.__dict__.setdefault("clip", None)  # pickles of old have none
        self._cores, self._compiled_for, self._steady = {}, {}, False
        self._step_cache, self._snapshots = StepCache(self.rules), Snapshots()
        self._placements = shards.Placements()
        absent = left_out(self.rules)
        self._has_repeated = any(repeated(group["params"]) for group in self.param_groups)
        for group in self.param_groups:
            for name, value in self.defaults.items():
                if name not in absent:
                    group.setdefault(name, value)
            restore_frozen(group)
            self._remember_names(group)

    def _remember_names(self, group: Group) -> None:
        pairs = zip(group["params"], names_of(group, self._names), strict=True)
        self._names |= {p: name for p, name in pairs if name is not None}

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a parameter group, as ``torch.optim.Optimizer.add_param_group`` does.

        Args:
            param_group: a dictionary with "params" and settings of this group.  Its "dialect" chooses
                the axes and leaves the numbers alone.

        Raises:
            HyperparameterError, AxisError, DialectError, BackendError: as the constructor.
            TreeError: a parameter is given twice, and ``clock="global"``.  With clocks of their own, it is
                stepped twice at every step, after a warning, as in PyTorch.
        """
        if isinstance(param_group, dict):
            param_group.update(of_group(param_group, self.defaults))
            param_group.pop("dialect", None)
        super().add_param_group(param_group)
        added = self.param_groups[-1]
        if again := repeated(added["params"]):
            if core_of(added, self.rules).clock == "global":
                self.param_groups.pop()
                raise TreeError(
                    f"a group of {len(added['params'])} parameters has {len(again)} of them once more, and "
                    "clock='global': expected each once, as all have one clock"
                )
            self._has_repeated = True
        restore_frozen(added)
        shorten(added, self.rules)
        self._remember_names(added)

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def init_state(self) -> None:
        """Make the state that a first step would make, and nothing else: zero moments, clocks at 0.

        It is made for every parameter that requires a gradient and has no state yet.  Without it the first
        step makes the state of the parameters that have a gradient, as in PyTorch; and so does, for all that
        require one, an engine that needs state in advance (:mod:`adamcore.backends.torch.optimizer.engines`).

        Example:
            >>> w = torch.nn.Parameter(torch.ones(1))
            >>> opt = Adam([w])
            >>> opt.init_state()
            >>> opt.state[w]["exp_avg"], int(opt.state[w]["step"])
            (tensor([0.]), 0)
        """
        for i, group in enumerate(self.param_groups):
            init_state(core_of(group, self.rules), group, self.state, f"param_groups[{i}]")

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def check_numerics(self, lr: float | None = None) -> NumericsReport:
        """Return what the dtypes would lose, as :meth:`adamcore.Adam.check_numerics`; names as PyTorch's.

        Args:
            lr: the learning rate to look at, such as the largest of a schedule; None for that of each group.

        Example:
            >>> w = torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16))
            >>> [finding.what for finding in Adam([("w", w)], lr=1e-3).check_numerics().findings]
            ['step-lost', 'v-stalls']
        """
        return NumericsReport.of(
            numerics_of(group, core_of(group, self.rules), names_of(group, self._names), i, lr)
            for i, group in enumerate(self.param_groups)
        )

    # ---------------------------------------------------------------------------- the step

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
        bound: dict[int, BoundStep] = {}
        plain = not (compiling or self._has_repeated or compiler.is_on())
        if plain:
            clips = None if self.clip is None else self.clip.term
            bound = self._step_cache.bind(self.param_groups, self.state, scale, found_inf, clips)
        if len(bound) == len(self.param_groups) and self.clip is None:
            self._steady = scale is None
            for each in bound.values():
                each.run(())
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
            grads = [bound[i].grads if i in bound else each.grads for i, each in enumerate(gathered)]
            factors = factors_of_groups(self.clip, self.param_groups, grads, scale)
            if not all(isinstance(f, float) for each in factors for f in each):  # no cached step takes it
                for i in bound:
                    keys[i] = self._init_group(i, self.param_groups[i], *gathered[i])
                bound = {}
        for i, group in enumerate(self.param_groups):
            if i in bound:
                bound[i].run(factors[i])
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
        if not self._steady or self._has_repeated or self.clip is not None or compiler.is_on():
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
            for each in bound.values():
                each.run(())
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
        if core.p_storage == "stochastic":
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

    # -------------------------------------------------------------------------- checkpoints

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def state_dict(self) -> dict[str, Any]:
        """Return the state and the settings in PyTorch's layout (docs/torch.md).

        It is a snapshot: later steps do not change what is in it.  Its tensors share memory with the
        optimizer's own until the next step, and are copied then if they are still held.
        """
        for before in self._optimizer_state_dict_pre_hooks.values():
            before(self)
        packed = pack(self.param_groups, self.rules, self.state, self._names, self._snapshots)
        for after in self._optimizer_state_dict_post_hooks.values():
            changed = after(self, packed)
            packed = packed if changed is None else changed
        return packed

    @torch._disable_dynamo  # type: ignore[attr-defined]
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Replace the state by one that this class or ``torch.optim`` wrote.

        Numbers (lr, betas, eps, weight decay) come from the checkpoint.  The axes and the flags
        (``capturable``, ``fused``, ...) stay those of this optimizer.  A checkpoint with other axes is
        refused; ``torch.optim.Adam`` would become AdamW.  After an error nothing has changed.

        Raises:
            StateError: a group has another size or other axes, or a state does not fit its parameter.
            ClockError: a clock is above the largest number to which float32 counts.
            HyperparameterError: a number is outside its range.
        """
        whole = says_all(state_dict)
        state_dict = state_dict.copy()
        for before in self._optimizer_load_state_dict_pre_hooks.values():
            changed = before(self, state_dict)
            state_dict = state_dict if changed is None else changed
        state, groups = unpack(self.param_groups, self.rules, state_dict, whole)
        self.__setstate__({"state": state, "param_groups": groups})
        for after in self._optimizer_load_state_dict_post_hooks.values():
            after(self)


class AdamW(Adam):
    """:class:`Adam` with the rules and the defaults of ``torch.optim.AdamW``: a decoupled decay of 0.01.

    Example:
        >>> w = torch.nn.Parameter(torch.ones(1))
        >>> opt = AdamW([w], lr=0.1)
        >>> w.grad = torch.zeros(1)
        >>> opt.step()
        >>> round(w.item(), 6)
        0.999
    """

    dialect: ClassVar[str] = "torch.AdamW"
